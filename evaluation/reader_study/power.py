"""How many readers and pictures a study needs, by simulated studies.

In the realism test a reader takes a picture for real if reader, picture and chance
together exceed a criterion,

  evidence = mean of the kind + picture + noise > criterion of the reader,

all normal, noise of variance 1. Each simulated study is judged by the interval that
scoring gives for TPR - FPR, over readers and pictures.
"""

import dataclasses
import math
from typing import Sequence, Tuple

import numpy as np
from scipy import special

from evaluation.uncertainty import cluster_bootstrap

_REPLICATES = 400


@dataclasses.dataclass(frozen=True)
class Panel:
    """Who reads what.

    Attributes:
      readers: how many.
      pictures: of each kind.
      fpr: share of synthetic pictures taken for real, on average.
      difference: true TPR - FPR.
      reader_sd: of the readers' criteria, and of their d'.
      picture_sd: of the pictures' realism.
    """

    readers: int
    pictures: int
    fpr: float
    difference: float
    reader_sd: float
    picture_sd: float

    def __post_init__(self) -> None:
        if self.readers < 2 or self.pictures < 2:
            raise ValueError(f"{self.readers} readers of {self.pictures} pictures are too few")
        if not (0 < self.fpr < 1 and 0 < self.fpr + self.difference < 1):
            raise ValueError(
                f"FPR {self.fpr} and TPR {self.fpr + self.difference:g} must be between 0 and 1"
            )
        if min(self.reader_sd, self.picture_sd) < 0:
            raise ValueError(f"SDs {self.reader_sd} and {self.picture_sd} must not be negative")


def simulate_study(panel: Panel, rng: np.random.Generator) -> Tuple[np.ndarray, np.ndarray]:
    """Returns one study: who took which real and which synthetic picture for real.

    Args:
      panel: who reads what.
      rng: source of randomness.

    Returns:
      Two bool [readers, pictures].
    """
    criteria = rng.normal(0, panel.reader_sd, (panel.readers, 1))
    # Half of a reader's own d' raises the real pictures, half lowers the synthetic ones.
    own = rng.normal(0, panel.reader_sd, (panel.readers, 1)) / 2
    spread = math.sqrt(1 + 1.25 * panel.reader_sd**2 + panel.picture_sd**2)
    chosen = []
    for rate, sign in ((panel.fpr + panel.difference, 1), (panel.fpr, -1)):
        mean = spread * special.ndtri(rate)  # so that `rate` is what readers get on average
        realism = rng.normal(0, panel.picture_sd, panel.pictures)
        noise = rng.normal(size=(panel.readers, panel.pictures))
        chosen.append(mean + sign * own + realism + noise > criteria)
    return chosen[0], chosen[1]


def difference_interval(
    real: np.ndarray, synthetic: np.ndarray, rng: np.random.Generator, replicates: int = _REPLICATES
) -> Tuple[float, float]:
    """Returns the 95 % bootstrap interval of TPR - FPR over readers and pictures.

    That of `cluster_bootstrap.estimate`, for pictures of different patients.
    """
    readers = len(real)
    drawn_readers = cluster_bootstrap.draw_counts(readers, replicates, rng)
    differences = np.zeros(replicates)
    for chosen, sign in ((real, 1), (synthetic, -1)):
        pictures = chosen.shape[1]
        drawn = cluster_bootstrap.draw_counts(pictures, replicates, rng)
        sums = (drawn_readers @ chosen.astype(float) * drawn).sum(axis=1)
        differences += sign * sums / (readers * pictures)
    return cluster_bootstrap.interval_of(differences)


def power_of(panel: Panel, studies: int, seed: int) -> Tuple[float, float]:
    """Simulates studies.

    Returns:
      The mean half width of the interval, and the share of studies whose interval
      excludes 0: the power, or for a true difference of 0 the share of false alarms.
    """
    rng = np.random.default_rng([seed, panel.readers, panel.pictures])
    intervals = np.array(
        [difference_interval(*simulate_study(panel, rng), rng) for _ in range(studies)]
    )
    excluded = (intervals[:, 0] > 0) | (intervals[:, 1] < 0)
    return float(np.diff(intervals).mean() / 2), float(excluded.mean())


def power_table(
    readers: Sequence[int],
    pictures: Sequence[int],
    differences: Sequence[float],
    fpr: float,
    reader_sd: float,
    picture_sd: float,
    studies: int,
    seed: int,
) -> str:
    """Simulates studies of every size; returns a table in Markdown. Arguments as of `Panel`."""
    heads = ["readers", "pictures", "interval", *(f"0 excluded if {one:g}" for one in differences)]
    rows = [heads, ["---"] * len(heads)]
    for number in readers:
        for of_each in pictures:
            found = [
                power_of(Panel(number, of_each, fpr, one, reader_sd, picture_sd), studies, seed)
                for one in differences
            ]
            width = np.mean([half for half, _ in found])
            shares = [f"{100 * excluded:.0f} %" for _, excluded in found]
            rows.append([str(number), f"{of_each} + {of_each}", f"± {width:.2f}", *shares])
    note = (
        f"{studies} simulated studies each, FPR {fpr:g}, SD of readers {reader_sd:g} and of "
        f"pictures {picture_sd:g}; 95 % intervals of TPR - FPR over readers and pictures."
    )
    return "\n".join([*(f"| {' | '.join(row)} |" for row in rows), "", note])
