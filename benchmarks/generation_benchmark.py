"""Images per second of bulk generation, against the bare generator.

  bazel run //benchmarks:generation_benchmark -- --run_dir=R      # newest run under runs/

`bare` calls the generator on one prepared batch over and over; `bulk` is the job of
//synthesis:generate: plan, Beam, maps, generator, PNG encoding, records, summaries. In
turns, in one process, on the same batch size. Also printed: how much the largest memory
grows from jobs of the turns' size to one that is --times as large.
"""

from common import command_line  # isort: skip  (sets the log level first)

import os
import resource
import tempfile
from typing import Dict, List, Sequence

import numpy as np
from absl import flags

from benchmarks import timing
from preprocessing.data import records
from synthesis import generation, layouts, run_flags, wanted
from synthesis.trained_generator import TrainedGenerator

_GENERATOR = run_flags.define_generator()
_TURNS = flags.DEFINE_integer("turns", 5, "Turns.")
_IMAGES = flags.DEFINE_integer("num_images", 2048, "Images per turn.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "Images painted at once.")
_TIMES = flags.DEFINE_integer("times", 8, "Size of the job whose memory is looked at.")


def _job(generator: TrainedGenerator, folder: str, number: int, seed: int) -> generation.Job:
    data_dir = generator.description["dataset"]["directory"]
    cells = wanted.training_cells(records.read_info(data_dir), generator.conditions)
    images = wanted.by_balance(cells, number, ("condition", "skin_type"))
    size = generator.image_size
    fitted = layouts.fit_statistics(layouts.read_layouts(data_dir, "train"), size)
    sources = layouts.read_layouts(data_dir, "validation")
    return generation.Job(
        output_dir=os.path.join(folder, f"{number}_{seed}"),
        request={},
        layouts=generation.choose_layouts(images, sources, fitted, size, seed),
        seed=seed,
        batch_size=_BATCH_SIZE.value,
    )


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_speeds(
    generator: TrainedGenerator, folder: str, number: int, turns: int
) -> Dict[str, List[float]]:
    """Returns images/s of bulk generation and of the bare generator, by turn."""
    jobs = [_job(generator, folder, number, seed) for seed in range(turns + 1)]
    batch_size, calls = jobs[0].batch_size, number // jobs[0].batch_size
    maps = layouts.draw(jobs[0].layouts[:batch_size], generator.image_size)
    seeds = np.arange(batch_size, dtype=np.int64)
    left = iter(jobs)

    def bulk() -> None:
        generation.generate(next(left), generator)

    def bare() -> None:
        for _ in range(calls):
            generator.generate(maps, seeds)

    contenders = {
        "bulk": lambda: timing.speed(number, bulk),
        "bare": lambda: timing.speed(calls * batch_size, bare),
    }
    timing.take_turns(contenders, 1)  # loads and traces
    return timing.take_turns(contenders, turns)


def main(_: Sequence[str]) -> None:
    """Measures and prints."""
    generator = _GENERATOR()
    number = _IMAGES.value
    with tempfile.TemporaryDirectory() as folder:
        measured = measure_speeds(generator, folder, number, _TURNS.value)
        before = _peak_mib()
        generation.generate(_job(generator, folder, number * _TIMES.value, 99), generator)
        after = _peak_mib()
    size = generator.image_size
    title = f"{size}x{size}, batches of {_BATCH_SIZE.value}, {number} images per turn"
    print(timing.table(title, "images/s", measured, "bare"))
    print(
        f"largest memory: {before:,.0f} MiB, {after:,.0f} MiB after {_TIMES.value} times as many "
        f"images, ratio {after / before:.2f}"
    )


if __name__ == "__main__":
    command_line.run(main)
