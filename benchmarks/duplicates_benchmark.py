"""How many copies the search for near-duplicates finds, how many pairs it mistakes, at what cost.

Photographs are made: skin with shade and texture, and a dark spot in the middle of it, which
is what makes photographs of lesions hard to tell apart. One in a hundred has a copy under
another patient, made in one of the ways below. Every number of photographs runs in a process of
its own, so that its memory is its own: the most that it held, everything included.

  python -m benchmarks.duplicates_benchmark --counts=5000,20000,50000

With a manifest its photographs are searched instead. One in ten has a copy, by turns in every
way; mistaken is a pair whose photographs are of different patients.

  python -m benchmarks.duplicates_benchmark --cases=ham.csv --image_dir=/data/ham10000
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

import collections
import concurrent.futures
import io
import multiprocessing
import os
import resource
import time
from typing import Callable, Dict, Mapping, NamedTuple, Sequence, Tuple

import numpy as np
from absl import flags
from PIL import Image

from preprocessing.data import manifest, photographs
from preprocessing.duplicates import near_duplicates, thumbnails

_COUNTS = flags.DEFINE_list("counts", ["5000", "20000", "50000"], "Numbers of photographs.")
_CASES = flags.DEFINE_string("cases", None, "A manifest, whose photographs are searched.")
_IMAGE_DIR = flags.DEFINE_string("image_dir", None, "Where these are; by default beside it.")
_SIDES = (128, 96)
_EVERY, _EVERY_REAL = 100, 10  # photographs have a copy.


def _made(seed: int) -> Image.Image:
    """Skin with a spot."""
    rng = np.random.default_rng(seed)
    values = np.full(_SIDES[::-1], 170.0, np.float32)
    for cells, strength in ((4, 16), (12, 5), (40, 5)):
        noise = Image.fromarray(rng.normal(0, strength, (cells, cells)).astype(np.float32))
        values += np.asarray(noise.resize(_SIDES, Image.Resampling.BICUBIC))
    ys, xs = np.mgrid[: _SIDES[1], : _SIDES[0]]
    x, y = rng.normal(64, 8), rng.normal(48, 6)
    wide, high, turn = *rng.uniform(14, 34, 2), rng.uniform(0, np.pi)
    along = (xs - x) * np.cos(turn) + (ys - y) * np.sin(turn)
    across = (ys - y) * np.cos(turn) - (xs - x) * np.sin(turn)
    distance = np.hypot(along / wide, across / high)
    values -= rng.uniform(30, 90) / (1 + np.exp((distance - 1) * rng.uniform(6, 14)))
    grey = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    return Image.merge("RGB", (grey, grey.point(lambda v: v * 0.8), grey.point(lambda v: v * 0.65)))


def _cropped(share: float) -> Callable[[Image.Image, np.random.Generator], Image.Image]:
    def crop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        width, height = image.size
        x, y = rng.uniform(0, share, 2) * image.size
        return image.crop((x, y, x + (1 - share) * width, y + (1 - share) * height))

    return crop


def _sheared(degrees: float) -> Callable[[Image.Image, np.random.Generator], Image.Image]:
    """Shears about the middle, black beside it, as tools do that make copies for training."""

    def shear(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        slope = np.tan(np.radians(degrees)) * rng.choice((-1, 1))
        matrix = (1, slope, -slope * image.height / 2, 0, 1, 0)
        return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)

    return shear


def _turned(how: Image.Transpose) -> Callable[[Image.Image, np.random.Generator], Image.Image]:
    return lambda image, rng: image.transpose(how)


COPIES: Mapping[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    "encoded again": lambda image, rng: image,
    "turned by 90": _turned(Image.Transpose.ROTATE_90),
    "turned by 180": _turned(Image.Transpose.ROTATE_180),
    "turned by 270": _turned(Image.Transpose.ROTATE_270),
    "mirrored": _turned(Image.Transpose.FLIP_LEFT_RIGHT),
    "transposed": _turned(Image.Transpose.TRANSPOSE),
    "cropped by 6 %": _cropped(0.06),
    "cropped by 12 %": _cropped(0.12),
    "cropped by 18 %": _cropped(0.18),
    "cropped by 25 %": _cropped(0.25),
    "cropped by 12 %, turned": lambda image, rng: _cropped(0.12)(image, rng).transpose(
        Image.Transpose.ROTATE_90
    ),
    "sheared by 5 degrees": _sheared(5),
    "sheared by 10 degrees": _sheared(10),
}


def _thumbnails(seed: int) -> Tuple[np.ndarray, ...]:
    """The thumbnail of a photograph, and of its copy, if it has one."""
    image = _made(seed)
    whole = thumbnails.reduce(image)
    if seed % _EVERY:
        return (whole,)
    kind = list(COPIES)[seed // _EVERY % len(COPIES)]
    return whole, _copy(image, kind, seed)


def _copy(image: Image.Image, kind: str, seed: int) -> np.ndarray:
    """The thumbnail of a copy."""
    buffer = io.BytesIO()
    COPIES[kind](image, np.random.default_rng(seed)).save(buffer, "JPEG", quality=85)
    return thumbnails.reduce(Image.open(buffer).convert("RGB"))


def _real_thumbnails(place: int, path: str) -> Tuple[np.ndarray, ...]:
    """The thumbnail of a photograph, and of copies in all ways, if it has some."""
    image = photographs.read_photograph(path)
    copies = COPIES if place % _EVERY_REAL == 0 else ()
    return (thumbnails.reduce(image), *(_copy(image, kind, place) for kind in copies))


class Measured(NamedTuple):
    """What one search gave.

    Attributes:
      photographs: their number, copies included.
      seconds: it took.
      processor: seconds of all cores.
      megabytes: MiB that the process held, at most.
      found: (found, planted) by kind of copy.
      mistaken: pairs that are no copies.
    """

    photographs: int
    seconds: float
    processor: float
    megabytes: float
    found: Dict[str, Tuple[int, int]]
    mistaken: int


def measure(pictures: np.ndarray, planted: Mapping[Tuple[int, int], str]) -> Measured:
    """Searches thumbnails, uint8 [N, SIDE, SIDE], in which pairs of copies are known by kind."""
    clocks = time.perf_counter, time.process_time
    begun = [clock() for clock in clocks]
    pairs = near_duplicates.find_pairs(pictures, [str(n) for n in range(len(pictures))])
    seconds, processor = (clock() - start for clock, start in zip(clocks, begun))
    found = {pair[:2] for pair in pairs}
    hits = collections.Counter(planted[place] for place in found & set(planted))
    total = collections.Counter(planted.values())
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    by_kind = {kind: (hits[kind], total[kind]) for kind in total}
    mistaken = len(found - set(planted))
    return Measured(len(pictures), seconds, processor, megabytes, by_kind, mistaken)


def made_thumbnails(count: int) -> Tuple[np.ndarray, Dict[Tuple[int, int], str]]:
    """Makes thumbnails of `count` photographs, copies last, and says which are copies."""
    originals = round(count * _EVERY / (_EVERY + 1))
    with concurrent.futures.ProcessPoolExecutor() as pool:
        made = list(pool.map(_thumbnails, range(originals), chunksize=256))
    copies = [n for n in range(originals) if len(made[n]) > 1]
    pictures = np.stack([one[0] for one in made] + [made[n][1] for n in copies])
    kinds = list(COPIES)
    planted = {(n, originals + k): kinds[n // _EVERY % len(kinds)] for k, n in enumerate(copies)}
    return pictures, planted


def measure_real(cases: str, image_dir: str) -> None:
    """Searches the photographs of a manifest, once for every way of making copies; prints."""
    rows, _ = manifest.read_cases(cases, image_dir or None)
    folder = image_dir or os.path.dirname(cases)
    paths = [os.path.join(folder, row.image) for row in rows]
    with concurrent.futures.ProcessPoolExecutor() as pool:
        made = list(pool.map(_real_thumbnails, range(len(paths)), paths, chunksize=16))
    sources = [n for n, one in enumerate(made) if len(one) > 1]
    patients = [row.patient_id for row in rows]
    hits: Dict[str, int] = collections.Counter()
    mistaken: Dict[Tuple[str, ...], int] = collections.Counter()
    begun = time.process_time()
    for turn in range(len(COPIES)):
        kinds = [(turn + k) % len(COPIES) for k in range(len(sources))]
        copies = [made[n][1 + kind] for n, kind in zip(sources, kinds)]
        pictures = np.stack([one[0] for one in made] + copies)
        origin = [*range(len(rows)), *sources]
        groups = [*patients, *(f"copy {k}" for k in range(len(copies)))]
        strange = set()
        for pair in near_duplicates.find_pairs(pictures, groups):
            one, other = origin[pair.first], origin[pair.second]
            if one == other and pair.second >= len(rows):
                hits[list(COPIES)[kinds[pair.second - len(rows)]]] += 1
            elif patients[one] != patients[other]:
                strange.add(tuple(sorted((rows[one].image_id, rows[other].image_id))))
        for ids in strange:
            mistaken[ids] += 1
    seconds = (time.process_time() - begun) / len(COPIES)
    print(f"{len(rows)} photographs and {len(sources)} copies: {seconds:.1f} s of processor time")
    for kind in COPIES:
        print(f"  {kind}: {hits[kind]} of {len(sources)} found ({hits[kind] / len(sources):.1%})")
    print(f"pairs of different patients, not planted: {len(mistaken)}")
    for ids, times in sorted(mistaken.items(), key=lambda item: -item[1])[:20]:
        print(f"  {' '.join(ids)}: in {times} of {len(COPIES)} searches")


def exponent(results: Sequence[Measured]) -> float:
    """The power of the number of photographs that processor time grows with, fitted."""
    logs = np.log([(one.photographs, one.processor) for one in results])
    return float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])


def main(_: Sequence[str]) -> None:
    """Measures and prints."""
    if _CASES.value:
        measure_real(_CASES.value, _IMAGE_DIR.value or "")
        return
    results = []
    for count in map(int, _COUNTS.value):
        made = made_thumbnails(count)
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
            results.append(pool.submit(measure, *made).result())
        one = results[-1]
        print(
            f"{one.photographs} photographs: {one.seconds:.1f} s ({one.processor:.1f} s of "
            f"processor time), {one.megabytes:.0f} MiB, {one.mistaken} pairs mistaken"
        )
        for kind, (hits, total) in one.found.items():
            print(f"  {kind}: {hits} of {total} found ({hits / total:.1%})")
    if len(results) > 1:
        print(f"processor time grows with the number to the power of {exponent(results):.2f}")


if __name__ == "__main__":
    command_line.run(main)
