"""Simulated reader studies: how many readers and pictures a study needs.

In the realism test a reader takes a picture for real if reader, picture and chance
together exceed a criterion,

  evidence = mean of the kind + picture + noise > criterion of the reader,

all normal, noise of variance 1. Each simulated study is judged by the interval that
scoring gives for TPR - FPR, over readers and pictures.
"""

import dataclasses
import math
from typing import Tuple

import numpy as np
from scipy import special

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
        """Raises ValueError for numbers that make no panel."""
        if self.readers < 2 or self.pictures < 2:
            raise ValueError(f"{self.readers} readers of {self.pictures} pictures are too few")
        if not (0 < self.fpr < 1 and 0 < self.fpr + self.difference < 1):
            raise ValueError(
                f"FPR {self.fpr} and TPR {self.fpr + self.difference:g} must be between 0 and 1"
            )
        if min(self.reader_sd, self.picture_sd) < 0:
            raise ValueError(f"SDs {self.reader_sd} and {self.picture_sd} must not be negative")


def simulate(panel: Panel, rng: np.random.Generator) -> Tuple[np.ndarray, np.ndarray]:
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


def interval(
    real: np.ndarray, synthetic: np.ndarray, rng: np.random.Generator, replicates: int = _REPLICATES
) -> Tuple[float, float]:
    """Returns the 95 % bootstrap interval of TPR - FPR over readers and pictures.

    That of `cluster_bootstrap.estimate`, for pictures of different patients, by counts
    of how often each is drawn.
    """
    readers = len(real)
    drawn_readers = rng.multinomial(readers, np.full(readers, 1 / readers), replicates)
    differences = np.zeros(replicates)
    for chosen, sign in ((real, 1), (synthetic, -1)):
        pictures = chosen.shape[1]
        drawn = rng.multinomial(pictures, np.full(pictures, 1 / pictures), replicates)
        sums = (drawn_readers @ chosen.astype(float) * drawn).sum(axis=1)
        differences += sign * sums / (readers * pictures)
    low, high = np.percentile(differences, (2.5, 97.5))
    return float(low), float(high)


def power(panel: Panel, studies: int, seed: int) -> Tuple[float, float]:
    """Simulates studies.

    Returns:
      The mean half width of the interval, and the share of studies whose interval
      excludes 0: the power, or for a true difference of 0 the share of false alarms.
    """
    rng = np.random.default_rng([seed, panel.readers, panel.pictures])
    intervals = np.array([interval(*simulate(panel, rng), rng) for _ in range(studies)])
    excluded = (intervals[:, 0] > 0) | (intervals[:, 1] < 0)
    return float(np.diff(intervals).mean() / 2), float(excluded.mean())
