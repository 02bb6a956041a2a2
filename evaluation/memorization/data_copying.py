"""Is a generator nearer to its training photographs than other photographs are?

The statistic C_T of Meehan, Chaudhuri and Dasgupta 2020, "A Non-Parametric Test to Detect
Data-Copying in Generative Models" (AISTATS), section 3: in each cell of a partition of the
training photographs, distances of generated images to their nearest training photograph are
compared with those of held-out photographs, by the z of Mann and Whitney's U; C_T is the mean
over the cells, weighted by their held-out photographs. Far below 0 it copies; far above 0 its
images are farther from photographs than photographs are. Deviation: an image is of the cell
of its nearest training photograph, which needs no features of its own.
"""

import dataclasses
import math
from typing import Any, Dict

import numpy as np
from scipy import stats
from sklearn.cluster import KMeans

from evaluation.memorization.nearest_neighbours import Neighbours

_CELLS = 8
_FEWEST = 10  # images of each side, for a cell to tell
_MOST_FITTED = 10_000  # photographs that cells are made of; the others go to the nearest one
_FAR = 3.0  # deviations, as the paper calls it copying or not


@dataclasses.dataclass(frozen=True)
class DataCopying:
    """What the test says of one set of images.

    Attributes:
      statistic: C_T, in standard deviations; NaN where no cell has enough images.
      cells: that have enough.
    """

    statistic: float
    cells: int

    @property
    def verdict(self) -> str:
        """What it means, in words."""
        if not self.cells:
            return "too few images to tell"
        if self.statistic < -_FAR:
            return "nearer to training photographs than photographs of others are: it copies"
        if self.statistic > _FAR:
            return "farther from training photographs than photographs of others are"
        return "as near to training photographs as photographs of others are"

    def as_dict(self) -> Dict[str, Any]:
        """Returns the numbers for JSON."""
        known = math.isfinite(self.statistic)
        return {
            "c_t": self.statistic if known else None,
            "cells": self.cells,
            "verdict": self.verdict,
        }


def make_cells(training: np.ndarray, seed: int = 0) -> np.ndarray:
    """Parts training photographs into cells of like ones.

    Args:
      training: their features, [N, d].
      seed: of k-means.

    Returns:
      The cell of each, int [N].
    """
    number = max(min(_CELLS, len(training) // _FEWEST), 1)
    means = KMeans(number, n_init=4, random_state=seed)
    if len(training) <= _MOST_FITTED:
        return means.fit_predict(training)
    chosen = np.random.default_rng(seed).choice(len(training), _MOST_FITTED, replace=False)
    means.fit(training[np.sort(chosen)])
    starts = range(0, len(training), _MOST_FITTED)
    return np.concatenate([means.predict(training[s : s + _MOST_FITTED]) for s in starts])


def compare_distances(
    cells: np.ndarray, generated: Neighbours, held_out: Neighbours
) -> DataCopying:
    """Compares distances cell by cell.

    Args:
      cells: of the training photographs, from `make_cells`.
      generated: neighbours of generated images.
      held_out: those of photographs of other patients.
    """
    weighted, weights, used = 0.0, 0, 0
    for cell in np.unique(cells):
        ours, theirs = (one.distance[cells[one.index] == cell] for one in (generated, held_out))
        if min(len(ours), len(theirs)) < _FEWEST:
            continue
        u = stats.mannwhitneyu(ours, theirs).statistic
        both = len(ours) * len(theirs)
        z = (u - both / 2) / math.sqrt(both * (len(ours) + len(theirs) + 1) / 12)
        weighted, weights, used = weighted + len(theirs) * z, weights + len(theirs), used + 1
    return DataCopying(weighted / weights if weights else math.nan, used)
