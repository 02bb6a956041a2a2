"""Images per second of bulk generation, against the bare generator.

  bazel run //benchmarks:generation_benchmark -- --run_dir=R      # newest run under runs/

`bare` calls the generator on one prepared batch over and over; `bulk` is the job of
//synthesis:generate: plan, Beam, maps, generator, PNG encoding, records, summaries. In
turns, in one process, on the same batch size. Printed: medians over the turns, the
median of the turns' ratios, and how much the largest memory grows from jobs of the
turns' size to one that is --times as large.
"""

from common import command_line  # isort: skip  (sets the log level first)

import os
import resource
import statistics
import tempfile
import time
from typing import List, Sequence, Tuple

import numpy as np
from absl import flags

from preprocessing.data import records
from synthesis import generation, layouts, run_flags
from synthesis import wanted as map_requests
from synthesis.trained_generator import TrainedGenerator

_GENERATOR = run_flags.define_generator()
_TURNS = flags.DEFINE_integer("turns", 5, "Turns.")
_IMAGES = flags.DEFINE_integer("num_images", 2048, "Images per turn.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "Images painted at once.")
_TIMES = flags.DEFINE_integer("times", 8, "Size of the job whose memory is looked at.")


def _job(generator: TrainedGenerator, folder: str, number: int, seed: int) -> generation.Job:
    data_dir = generator.description["dataset"]["directory"]
    cells = map_requests.training_cells(records.read_info(data_dir), generator.conditions)
    wanted = map_requests.by_balance(cells, number, ("condition", "skin_type"))
    size = generator.image_size
    fitted = layouts.fit_statistics(layouts.read_layouts(data_dir, "train"), size)
    sources = layouts.read_layouts(data_dir, "validation")
    return generation.Job(
        output_dir=os.path.join(folder, f"{number}_{seed}"),
        request={},
        layouts=generation.choose_layouts(wanted, sources, fitted, size, seed),
        seed=seed,
        batch_size=_BATCH_SIZE.value,
    )


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(
    generator: TrainedGenerator, folder: str, number: int, turns: int
) -> List[Tuple[float, float]]:
    """Returns images/s of bulk generation and of the bare generator, turn by turn."""
    jobs = [_job(generator, folder, number, seed) for seed in range(turns + 1)]
    batch_size = jobs[0].batch_size
    maps = layouts.draw(jobs[0].layouts[:batch_size], generator.image_size)
    seeds = np.arange(batch_size, dtype=np.int64)
    generator.generate(maps, seeds)
    generation.generate(jobs[0], generator)  # loads and traces once
    speeds = []
    for job in jobs[1:]:
        started = time.perf_counter()
        generation.generate(job, generator)
        bulk = number / (time.perf_counter() - started)
        calls = number // batch_size
        started = time.perf_counter()
        for _ in range(calls):
            generator.generate(maps, seeds)
        speeds.append((bulk, calls * batch_size / (time.perf_counter() - started)))
    return speeds


def main(_: Sequence[str]) -> None:
    """Measures and prints."""
    generator = _GENERATOR()
    number = _IMAGES.value
    with tempfile.TemporaryDirectory() as folder:
        speeds = measure(generator, folder, number, _TURNS.value)
        before = _peak_mib()
        generation.generate(_job(generator, folder, number * _TIMES.value, 99), generator)
        after = _peak_mib()
    bulk, bare = (statistics.median(side) for side in zip(*speeds))
    ratio = statistics.median(one / other for one, other in speeds)
    size = generator.image_size
    print(f"{size}x{size}, batches of {_BATCH_SIZE.value}, {number} images per turn")
    print(f"bulk {bulk:.1f} images/s, bare {bare:.1f} images/s, ratio {ratio:.2f}")
    print(
        f"largest memory: {before:,.0f} MiB, {after:,.0f} MiB after {_TIMES.value} times as many "
        f"images, ratio {after / before:.2f}"
    )


if __name__ == "__main__":
    command_line.run(main)
