"""The nearest training photographs of images, and how near they are for their place.

A query's ratio is its distance to the nearest training photograph over that
photograph's local scale, its own distance to the nearest training photograph of
another patient. A copy has a ratio near 0; a query as far away as another patient's
photograph has 1. Distances are Euclidean in feature space, the smaller one of the
query as it is and mirrored, for training mirrors its photographs.
"""

import dataclasses
from typing import Any, Optional, Sequence, Tuple

import numpy as np

from evaluation.neighbours.nearest import BLOCK, check_features, find_nearest

_SAME_IMAGE = 1e-3


@dataclasses.dataclass(frozen=True)
class Views:
    """Features of a set of images.

    Attributes:
      plain: of the images, float32 [N, d].
      mirrored: of the images with left and right exchanged, float32 [N, d].
      windows: of parts of the images that a copy may show instead, float32 [N, W, d].
    """

    plain: np.ndarray
    mirrored: np.ndarray
    windows: Optional[np.ndarray] = None

    def __len__(self) -> int:
        return len(self.plain)

    def check(self, name: str, least: int = 1) -> None:
        """Raises ValueError for another shape, too few rows, NaN or infinity."""
        for features in (self.plain, self.mirrored):
            check_features(features, name, least)

    def references(self) -> np.ndarray:
        """Returns what queries are compared with, [(1 + W) N, d]; row v N + i is of image i."""
        if self.windows is None:
            return self.plain
        return np.concatenate([self.plain, *np.swapaxes(self.windows, 0, 1)])

    def spread(self) -> float:
        """Returns the root mean square distance of the images from their mean."""
        return float(np.sqrt(self.plain.var(axis=0, dtype=np.float64).sum()))


@dataclasses.dataclass(frozen=True)
class Neighbours:
    """The nearest training photograph of every query.

    Attributes:
      index: its position in the training set, int64 [N].
      distance: to it, float64 [N].
      mirrored: whether the mirrored query is the nearer one, bool [N].
      scale: the local scale of the training photograph, float64 [N].
      same: distance up to which two images count as one photograph.
    """

    index: np.ndarray
    distance: np.ndarray
    mirrored: np.ndarray
    scale: np.ndarray
    same: float

    @property
    def ratio(self) -> np.ndarray:
        """Distance over local scale, float64 [N]."""
        return self.distance / self.scale

    @property
    def identical(self) -> np.ndarray:
        """Whether query and training photograph are one photograph, bool [N]."""
        return self.distance <= self.same


def _nearest_view(
    queries: Views, references: np.ndarray, block: int, **kwargs: Any
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Position, distance, and whether the mirrored query is nearer."""
    plain, plain_distance = find_nearest(queries.plain, references, block=block, **kwargs)
    other, other_distance = find_nearest(queries.mirrored, references, block=block, **kwargs)
    mirrored = other_distance < plain_distance
    return (
        np.where(mirrored, other, plain),
        np.minimum(plain_distance, other_distance),
        mirrored,
    )


def find_neighbours(
    queries: Views, training: Views, patients: Sequence[str], block: int = BLOCK
) -> Neighbours:
    """Finds the nearest training photograph of every query, and its local scale.

    Args:
      queries: features of the images in question.
      training: features of the training photographs.
      patients: of the training photographs.
      block: rows that are compared at once.

    Raises:
      ValueError: too few images or patients, features that are not finite, or that
        are alike for all photographs.
    """
    queries.check("query")
    training.check("training", least=2)
    names, codes = np.unique(patients, return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"training photographs of {len(names)} patient; at least 2 are needed")
    if queries.plain.shape[1] != training.plain.shape[1]:
        raise ValueError(
            f"features of {queries.plain.shape[1]} dimensions cannot be compared with "
            f"{training.plain.shape[1]}"
        )
    same = _SAME_IMAGE * training.spread()
    references = training.references()
    index, distance, mirrored = _nearest_view(queries, references, block)
    index %= len(training)
    used, position = np.unique(index, return_inverse=True)
    chosen = Views(training.plain[used], training.mirrored[used])
    # A photograph filed under two patients would otherwise have no scale at all.
    groups = codes[used], np.tile(codes, len(references) // len(training))
    _, scale, _ = _nearest_view(chosen, references, block, groups=groups, least=same)
    if same == 0.0 or not np.isfinite(scale).all():
        raise ValueError("the features do not tell the training photographs of patients apart")
    return Neighbours(index, distance, mirrored, scale[position], same)
