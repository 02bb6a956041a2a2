"""Photographs per second and peak memory of preprocessing, against its floor.

  bazel run //benchmarks:preprocess_benchmark [-- --num_photographs=500]

The floor is what cannot be left out: decode every JPEG and encode the PNGs of its
records (crop, map and whole photograph, with the encoder of the pipeline), with one
process per core and nothing else: no windows, no skin mask, no scaling, no files,
and images that are ready before the clock starts. Floor and pipeline take turns, so
that the machine's moods fall on both; printed are medians, and the ratio as the
median of the turns' ratios.

  pipeline        in this process, Beam imported: what the training demo sees
  steady          the same without the time of an almost empty run (start-up)
  processor time  of one thread doing the same steps; steady on a busy machine
  peak memory     of a process of its own, children included, for N and 4 N cases
"""

from preprocessing import command_line  # isort: skip  (sets the log level first)

import io
import multiprocessing
import os
import pathlib
import resource
import statistics
import tempfile
import time
from typing import Any, List, Sequence, Tuple

import numpy as np
from absl import flags
from PIL import Image

from preprocessing import cases, examples, pipeline, semantic_map, shards, tfrecords
from preprocessing.cases import Box, Photograph

_NUM_PHOTOGRAPHS = flags.DEFINE_integer("num_photographs", 500, "N.", lower_bound=8)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of floor and pipeline.", lower_bound=1)
_MEMORY = flags.DEFINE_bool("memory", True, "Also measure peak memory for N and 4 N.")
_WIDTH, _HEIGHT = 800, 600
_TONES = ((247, 222, 207), (225, 184, 153), (204, 158, 122), (186, 138, 102), (128, 86, 60))


def _texture(rng: np.random.Generator) -> np.ndarray:
    """Noise of several scales, like skin: float32 [H, W, 1], deviation about 8."""
    layers = np.zeros((_HEIGHT, _WIDTH), np.float32)
    for step, weight in ((1, 4.0), (4, 4.0), (40, 6.0)):
        small = rng.normal(0, weight, (_HEIGHT // step + 1, _WIDTH // step + 1)).astype(np.float32)
        layers += np.asarray(Image.fromarray(small).resize((_WIDTH, _HEIGHT)))
    return layers[..., None]


def write_photographs(folder: pathlib.Path, count: int) -> str:
    """Draws 16 textured JPEGs and a manifest that uses them `count` times."""
    rng = np.random.default_rng(0)
    boxes = []
    for number in range(16):
        pixels = np.array(_TONES[number % 5]) + _texture(rng)
        x, y = rng.integers(100, 600), rng.integers(100, 400)
        width, height = rng.integers(60, 180, 2)
        pixels[y : y + height, x : x + width] *= (0.7, 0.5, 0.5)
        pixels[:, :60] = (90, 110, 140)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(
            folder / f"{number}.jpg", quality=90
        )
        boxes.append(Box(x, y, min(x + width, _WIDTH), min(y + height, _HEIGHT)))
    rows = [
        Photograph(f"c{n}", f"p{n}", f"i{n}", f"{n % 16}.jpg", "Acne", 1 + n % 6, (boxes[n % 16],))
        for n in range(count)
    ]
    path = str(folder / f"cases_{count}.csv")
    cases.write_cases(path, rows)
    return path


def _floor_inputs(folder: pathlib.Path) -> List[Tuple[bytes, Image.Image, Image.Image]]:
    """Per photograph: the JPEG, and the crop and the whole as the pipeline scales them."""
    manifest = write_photographs(folder, 16)
    settings = pipeline.Settings()
    inputs = []
    for row in cases.read_cases(manifest)[0]:
        done = shards.process_photograph(row, str(folder), settings)
        whole = Image.open(io.BytesIO(done.full[0].image_png))
        crop = Image.open(io.BytesIO(done.crops[0].image_png)) if done.crops else whole
        crop.load()
        whole.load()
        inputs.append(((folder / row.image).read_bytes(), crop, whole))
    return inputs


def _floor_photograph(
    photograph: Tuple[bytes, Image.Image, Image.Image], drawn: Image.Image
) -> None:
    jpeg, crop, whole = photograph
    Image.open(io.BytesIO(jpeg)).load()
    shards.encode_png(crop)
    shards.encode_png(drawn, flat=True)
    shards.encode_png(whole)


def _floor_work(folder: str, numbers: Sequence[int], barrier: Any, seconds: Any) -> None:
    inputs = _floor_inputs(pathlib.Path(folder))
    drawn = Image.fromarray(semantic_map.encode(3, 5, [Box(60, 70, 150, 180)], 256, 256))
    barrier.wait()
    start = time.perf_counter()
    for number in numbers:
        _floor_photograph(inputs[number % 16], drawn)
    seconds.put(time.perf_counter() - start)


def run_floor(folder: str, count: int, workers: int) -> float:
    """Returns the seconds of the slowest process."""
    context = multiprocessing.get_context("spawn")
    barrier, seconds = context.Barrier(workers), context.Queue()
    processes = [
        context.Process(
            target=_floor_work,
            args=(tempfile.mkdtemp(dir=folder), range(number, count, workers), barrier, seconds),
        )
        for number in range(workers)
    ]
    for process in processes:
        process.start()
    slowest = max(seconds.get() for _ in processes)
    for process in processes:
        process.join()
    return slowest


def processor_times(folder: pathlib.Path, rounds: int) -> Tuple[float, float]:
    """Returns processor milliseconds per photograph, of floor and pipeline steps.

    One thread; unlike the time on the clock, it bears other programs beside it.
    """
    inputs = _floor_inputs(folder)
    rows = cases.read_cases(str(folder / "cases_16.csv"))[0]
    drawn = Image.fromarray(semantic_map.encode(3, 5, [Box(60, 70, 150, 180)], 256, 256))
    settings = pipeline.Settings()
    floors, steps = [], []
    for _ in range(rounds):
        start = time.process_time()
        for number in range(16):
            _floor_photograph(inputs[number], drawn)
        middle = time.process_time()
        for row in rows:
            done = shards.process_photograph(row, str(folder), settings)
            for record in done.full + done.crops:
                tfrecords.frame(examples.serialize(record))
        floors.append((middle - start) / 16 * 1e3)
        steps.append((time.process_time() - middle) / 16 * 1e3)
    return statistics.median(floors), statistics.median(steps)


def run_pipeline(manifest: str, output: str, beam_args: Sequence[str] = ()) -> float:
    """Returns the seconds of one `pipeline.preprocess`."""
    start = time.perf_counter()
    pipeline.preprocess(manifest, output, overwrite=True, beam_args=beam_args)
    return time.perf_counter() - start


def _measure_memory(manifest: str, output: str, beam_args: Sequence[str], result: Any) -> None:
    pipeline.preprocess(manifest, output, overwrite=True, beam_args=beam_args)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    result.put((own / 1024, children / 1024))


def peak_memory(manifest: str, output: str, mode: str) -> Tuple[float, float]:
    """Returns MiB: of the driver, and of its largest worker process."""
    context = multiprocessing.get_context("spawn")
    result = context.Queue()
    args = (f"--direct_running_mode={mode}",)
    process = context.Process(target=_measure_memory, args=(manifest, output, args, result))
    process.start()
    measured = result.get()
    process.join()
    return measured


def main(argv: Sequence[str]) -> None:
    """Measures and prints."""
    del argv
    count, workers = _NUM_PHOTOGRAPHS.value, len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        manifest, tiny = write_photographs(root, count), write_photographs(root, 4)
        output = str(root / "out")
        run_pipeline(tiny, output)
        floors, pipelines, starts = [], [], []
        for _ in range(_ROUNDS.value):
            floors.append(run_floor(folder, count, workers))
            pipelines.append(run_pipeline(manifest, output))
            starts.append(run_pipeline(tiny, output))
        start = statistics.median(starts)
        pairs = list(zip(floors, pipelines))
        print(f"{count} photographs of {_WIDTH}x{_HEIGHT}, {workers} cores, {len(pairs)} rounds")
        print(f"floor     {count / statistics.median(floors):7.1f} photographs/s")
        for name, offset in (("pipeline", 0.0), ("steady", start)):
            speed = count / (statistics.median(pipelines) - offset)
            ratio = statistics.median(floor / (total - offset) for floor, total in pairs)
            print(f"{name:8s}  {speed:7.1f} photographs/s, {ratio:.2f} of the floor")
        print(f"start-up  {start:.2f} s")
        floor, steps = processor_times(root, 4 * _ROUNDS.value)
        print(
            f"processor time per photograph: floor {floor:.1f} ms, pipeline {steps:.1f} ms, ",
            end="",
        )
        print(f"ratio {floor / steps:.2f}")
        if _MEMORY.value:
            large = write_photographs(root, 4 * count)
            for mode in ("multi_threading", "multi_processing"):
                figures = [peak_memory(path, output, mode) for path in (manifest, large)]
                text = "; ".join(
                    f"{cases_count}: driver {own:.0f} MiB, worker {child:.0f} MiB"
                    for cases_count, (own, child) in zip((count, 4 * count), figures)
                )
                print(f"peak memory, {mode}: {text}")


if __name__ == "__main__":
    command_line.run(main)
