"""Time of 50 Frechet distances to one reference, against scipy's matrix square root.

  bazel run //benchmarks:frechet_benchmark [-- --trials=50 --dimension=2048]

Both get the same random features: a reference and one subset per trial. `ours`
prepares the reference once and then takes every trial, `scipy` computes the means,
covariances and `scipy.linalg.sqrtm` of each. They take turns, in stretches of
trials; printed are the seconds of all, the ratio, and the largest relative
difference of the distances.
"""

from common import command_line  # isort: skip  (sets the log level first)

import time
from typing import List, Sequence, Tuple

import numpy as np
import scipy.linalg
from absl import flags

from evaluation.frechet import distances

_TRIALS = flags.DEFINE_integer("trials", 50, "Distances.")
_DIMENSION = flags.DEFINE_integer("dimension", 2048, "Of the features.")
_NUM_IMAGES = flags.DEFINE_list("num_images", ["5000", "1000"], "Rows of every set, in turn.")
_STRETCH = 10


def _features(number: int, dimension: int, seed: int) -> np.ndarray:
    """Correlated features with a spectrum that decays, as those of a network do."""
    rng = np.random.default_rng(seed)
    scales = np.arange(1, dimension + 1) ** -0.5
    return (rng.normal(size=(number, dimension)) * scales).astype(np.float32)


def _by_scipy(first: np.ndarray, second: np.ndarray) -> float:
    first, second = first.astype(np.float64), second.astype(np.float64)
    means = first.mean(axis=0) - second.mean(axis=0)
    one, two = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root = scipy.linalg.sqrtm(one @ two).real
    return float(means @ means + np.trace(one) + np.trace(two) - 2.0 * np.trace(root))


def measure_seconds(number: int, dimension: int, trials: int) -> Tuple[float, float, float]:
    """Returns seconds of ours, seconds of scipy, and the largest relative difference."""
    reference = _features(number, dimension, 0)
    pool = _features(2 * number, dimension, 1) + 0.01
    rng = np.random.default_rng(2)
    subsets = [rng.choice(len(pool), number, replace=False) for _ in range(trials)]
    started = time.perf_counter()
    prepared = distances.FrechetReference(reference)
    seconds = [time.perf_counter() - started, 0.0]
    values: List[List[float]] = [[], []]
    for first in range(0, trials, _STRETCH):
        stretch = subsets[first : first + _STRETCH]
        for side, distance in enumerate(
            (prepared.distance, lambda drawn: _by_scipy(reference, drawn))
        ):
            started = time.perf_counter()
            values[side] += [distance(pool[rows]) for rows in stretch]
            seconds[side] += time.perf_counter() - started
    ours, theirs = map(np.array, values)
    return seconds[0], seconds[1], float(np.max(np.abs(ours - theirs) / theirs))


def main(_: Sequence[str]) -> None:
    """Measures and prints."""
    trials, dimension = _TRIALS.value, _DIMENSION.value
    print(f"{trials} distances, {dimension} dimensions")
    print(
        "{:>8}{:>10}{:>10}{:>14}{:>22}".format(
            "N", "ours, s", "scipy, s", "ours / scipy", "largest difference"
        )
    )
    for text in _NUM_IMAGES.value:
        ours, theirs, difference = measure_seconds(int(text), dimension, trials)
        print(f"{text:>8}{ours:10.1f}{theirs:10.1f}{ours / theirs:14.2f}{difference:22.1e}")


if __name__ == "__main__":
    command_line.run(main)
