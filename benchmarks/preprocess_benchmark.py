"""What preprocessing costs, against decoding and encoding alone.

  bazel run //benchmarks:preprocess_benchmark [-- --num_photographs=300]

The floor is what nobody can leave out who turns a photograph into such records with
Pillow: decode the JPEG, encode the PNGs of crop, map and whole photograph at
Pillow's fastest setting that compresses (level 1, run lengths). No windows, no skin
mask, no scaling, no files, and images that are ready before the clock starts. The
pipeline's steps run from file to record. Beside them the project's own codecs
(Pillow's decoder, `png_encoding`), to tell what is left around them.

Figures are processor time of one thread, which bears other programs beside it
better than the clock does. Floor, codecs and steps take turns over the same
photographs; a ratio above 1 says that the pipeline needs less than the floor. The ratio
of times on the clock stands beside it.

Then whole runs, each in a process of its own with its workers, over N and 4 N
photographs: processor time per photograph from the difference between the two,
start-up left out, and peak memory, which must not grow with N. With and without the
search for near-duplicates, whose share of the time may be a quarter at most.
"""

from common import command_line  # isort: skip  (sets the log level first)

import functools
import io
import multiprocessing
import pathlib
import resource
import tempfile
import time
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np
from absl import flags
from PIL import Image

from benchmarks import timing
from preprocessing.data import manifest, maps, png_encoding, records, tfrecords
from preprocessing.data.manifest import Box, Photograph
from preprocessing.sharding import photograph_records, pipeline, plans

_NUM_PHOTOGRAPHS = flags.DEFINE_integer("num_photographs", 300, "N.", lower_bound=16)
_ROUNDS = flags.DEFINE_integer("rounds", 15, "Turns of floor and pipeline.", lower_bound=1)
_WHOLE_RUNS = flags.DEFINE_bool("whole_runs", True, "Also measure whole runs over N and 4 N.")
_SIZES = ((800, 600), (1280, 960))
_DISTINCT = 16
_TONES = ((247, 222, 207), (225, 184, 153), (204, 158, 122), (186, 138, 102), (128, 86, 60))
_Z_RLE = 3


class Seconds(NamedTuple):
    """Time of one turn."""

    processor: float
    clock: float


def _texture(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Noise of several scales, like skin: float32 [H, W, 1], deviation about 8."""
    layers = np.zeros((height, width), np.float32)
    for step, weight in ((1, 4.0), (4, 4.0), (40, 6.0)):
        small = rng.normal(0, weight, (height // step + 1, width // step + 1)).astype(np.float32)
        layers += np.asarray(Image.fromarray(small).resize((width, height)))
    return layers[..., None]


def write_photographs(folder: pathlib.Path, count: int, size: Tuple[int, int]) -> str:
    """Draws textured JPEGs, no two alike, and their manifest.

    A lesion takes an eighth to three eighths of the photograph's height.
    """
    rng = np.random.default_rng(0)
    width, height = size
    boxes = []
    for number in range(count):
        pixels = np.array(_TONES[number % 5]) + _texture(rng, width, height)
        across, down = rng.integers(height // 8, 3 * height // 8, 2)
        x = rng.integers(width // 8, width - across)
        y = rng.integers(0, height - down)
        pixels[y : y + down, x : x + across] *= (0.7, 0.5, 0.5)
        pixels[:, : width // 12] = (90, 110, 140)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(
            folder / f"{number}_{width}.jpg", quality=90
        )
        boxes.append(Box(x, y, x + across, y + down))
    rows = [
        Photograph(
            f"c{n}",
            f"p{n}",
            f"i{n}",
            f"{n}_{width}.jpg",
            "Acne",
            1 + n % 6,
            (boxes[n],),
        )
        for n in range(count)
    ]
    path = str(folder / f"cases_{width}_{count}.csv")
    manifest.write_cases(path, rows)
    return path


class OnePhotograph:
    """A photograph, and the images of its records, ready to be encoded."""

    def __init__(self, row: Photograph, folder: str):
        self._row, self._folder, self._settings = row, folder, plans.Settings()
        self._jpeg = pathlib.Path(folder, row.image).read_bytes()
        done = photograph_records.process_photograph(row, folder, self._settings)
        self._images = [
            Image.open(io.BytesIO(record.image_png)).convert("RGB")
            for record in done.full + done.crops
        ]
        drawn = [maps.encode(3, 5, crop.boxes, 256, 256) for crop in done.crops]
        self._maps = [Image.fromarray(pixels) for pixels in drawn]

    def floor(self) -> None:
        """Decodes and encodes with Pillow."""
        Image.open(io.BytesIO(self._jpeg)).load()
        for image in self._images:
            image.save(io.BytesIO(), "PNG", compress_level=1, compress_type=_Z_RLE)
        for image in self._maps:
            image.save(io.BytesIO(), "PNG", compress_level=1)

    def codecs(self) -> None:
        """Decodes and encodes as the pipeline does."""
        Image.open(io.BytesIO(self._jpeg)).load()
        for image in self._images:
            png_encoding.encode_photograph(np.asarray(image))
        for image in self._maps:
            png_encoding.encode_map(np.asarray(image))

    def steps(self) -> None:
        """Runs the pipeline's steps, from the file to the bytes of the records."""
        done = photograph_records.process_photograph(self._row, self._folder, self._settings)
        for record in done.full + done.crops:
            tfrecords.frame(records.serialize(record))


def _turn(work: Sequence[Callable[[], None]]) -> Seconds:
    processor, clock = time.process_time(), time.perf_counter()
    for step in work:
        step()
    return Seconds(time.process_time() - processor, time.perf_counter() - clock)


def measure_steps(cases_csv: str, rounds: int) -> Dict[str, List[Seconds]]:
    """Returns the time of every turn of "floor", "codecs" and "steps"."""
    folder = str(pathlib.Path(cases_csv).parent)
    photographs = [OnePhotograph(row, folder) for row in manifest.read_cases(cases_csv)[0]]
    contenders = {
        "floor": [one.floor for one in photographs],
        "codecs": [one.codecs for one in photographs],
        "steps": [one.steps for one in photographs],
    }
    turns = {name: functools.partial(_turn, work) for name, work in contenders.items()}
    return timing.take_turns(turns, rounds)


def _print_steps(size: Tuple[int, int], turns: Dict[str, List[Seconds]]) -> None:
    processor, clock = (
        {name: [_DISTINCT / one[kind] for one in seconds] for name, seconds in turns.items()}
        for kind in (0, 1)
    )
    title = f"{size[0]}x{size[1]}, by processor time"
    notes = {name: f"on the clock {timing.ratio(clock, name, 'floor'):.2f}" for name in turns}
    print(timing.table(title, "photos/s", processor, "floor", notes=notes))


def _run(cases_csv: str, output: str, mode: str, find_duplicates: bool, result: Any) -> None:
    beam_args = [f"--direct_running_mode={mode}"]
    if mode == "in_memory":
        beam_args.append("--direct_num_workers=1")
    start = time.perf_counter()
    settings = plans.Settings(find_duplicates=find_duplicates)
    pipeline.preprocess(cases_csv, output, settings, overwrite=True, beam_args=beam_args)
    clock = time.perf_counter() - start
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    result.put((Seconds(processor, clock), own.ru_maxrss / 1024, children.ru_maxrss / 1024))


def whole_run(
    cases_csv: str, output: str, mode: str, find_duplicates: bool
) -> Tuple[Seconds, float, float]:
    """Runs `pipeline.preprocess` in a process of its own.

    Returns:
      Its time, and peak memory in MiB: of the process, and of its largest child.
    """
    context = multiprocessing.get_context("spawn")
    result = context.Queue()
    process = context.Process(target=_run, args=(cases_csv, output, mode, find_duplicates, result))
    process.start()
    measured = result.get()
    process.join()
    return measured


def _print_whole_runs(root: pathlib.Path, manifests: Sequence[str], mode: str) -> None:
    each = {}
    for find_duplicates in (False, True):
        runs = [whole_run(path, str(root / "out"), mode, find_duplicates) for path in manifests]
        more = 3 * _NUM_PHOTOGRAPHS.value
        each[find_duplicates], clock = (
            (runs[1][0][kind] - runs[0][0][kind]) / more for kind in (0, 1)
        )
        what = "with" if find_duplicates else "without"
        print(
            f"whole runs, {mode}, {what} the search: {each[find_duplicates] * 1e3:.2f} ms of "
            f"processor time per photograph, {1 / clock:.0f} photographs/s on the clock"
        )
        for seconds, own, child in runs:
            memory = f"{own:.0f} MiB, largest worker {child:.0f} MiB"
            print(f"  {seconds.clock:.1f} s, peak memory {memory}")
    print(f"  share of the search and its pass: {1 - each[False] / each[True]:.0%}")


def main(argv: Sequence[str]) -> None:
    """Measures and prints."""
    del argv
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for size in _SIZES:
            cases_csv = write_photographs(root, _DISTINCT, size)
            _print_steps(size, measure_steps(cases_csv, _ROUNDS.value))
        if _WHOLE_RUNS.value:
            counts = (_NUM_PHOTOGRAPHS.value, 4 * _NUM_PHOTOGRAPHS.value)
            manifests = [write_photographs(root, count, _SIZES[0]) for count in counts]
            for mode in ("in_memory", "multi_threading", "multi_processing"):
                _print_whole_runs(root, manifests, mode)


if __name__ == "__main__":
    command_line.run(main)
