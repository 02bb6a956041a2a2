"""Time of 50 Frechet distances to one reference, against scipy's matrix square root.

  bazel run //benchmarks:frechet_benchmark [-- --trials=50 --dimension=2048]

Both get the same random features: a reference and one subset per trial. `ours`
prepares the reference once and then takes every trial, `scipy` computes the means,
covariances and `scipy.linalg.sqrtm` of each. They take turns, in stretches of
trials; ours bears its share of the preparation in each. Also printed: the largest
relative difference of the distances.
"""

from common import command_line  # isort: skip  (sets the log level first)

import time
from typing import Callable, Dict, List, Sequence, Tuple

import numpy as np
import scipy.linalg
from absl import flags

from benchmarks import timing
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


def measure_seconds(
    number: int, dimension: int, trials: int
) -> Tuple[Dict[str, List[float]], float]:
    """Returns seconds per distance, by turn, and the largest relative difference."""
    reference = _features(number, dimension, 0)
    pool = _features(2 * number, dimension, 1) + 0.01
    rng = np.random.default_rng(2)
    subsets = [rng.choice(len(pool), number, replace=False) for _ in range(trials)]
    values: Dict[str, List[float]] = {"ours": [], "scipy": []}

    def stretch(name: str, distance: Callable[[np.ndarray], float]) -> float:
        done = len(values[name])
        some = subsets[done : done + _STRETCH]

        def work() -> None:
            values[name] += [distance(pool[rows]) for rows in some]

        return timing.seconds(work) / len(some)

    started = time.perf_counter()
    prepared = distances.FrechetReference(reference)
    share = (time.perf_counter() - started) / trials
    contenders = {
        "ours": lambda: share + stretch("ours", prepared.distance),
        "scipy": lambda: stretch("scipy", lambda drawn: _by_scipy(reference, drawn)),
    }
    measured = timing.take_turns(contenders, -(-trials // _STRETCH))
    ours, theirs = map(np.array, values.values())
    return measured, float(np.max(np.abs(ours - theirs) / theirs))


def main(_: Sequence[str]) -> None:
    """Measures and prints."""
    trials, dimension = _TRIALS.value, _DIMENSION.value
    for text in _NUM_IMAGES.value:
        measured, difference = measure_seconds(int(text), dimension, trials)
        title = f"{trials} distances, N = {text}, {dimension} dimensions"
        print(timing.table(title, "s/distance", measured, "scipy"))
        print(f"  largest difference {difference:.1e}")


if __name__ == "__main__":
    command_line.run(main)
