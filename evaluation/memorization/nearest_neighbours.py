"""The nearest training photographs of images, and how near they are for their place.

A query's ratio is its distance to the nearest training photograph over that
photograph's local scale, its own distance to the nearest training photograph of
another patient. A copy has a ratio near 0; a query as far away as another patient's
photograph has 1. Distances are Euclidean in feature space, the smallest one of the
query as it is and mirrored, for training mirrors its photographs; where features are a
grid of colours, also of both turned by quarters.
"""

import dataclasses
from typing import Any, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from evaluation.features import on_disk
from evaluation.neighbours.nearest import BLOCK, check_features, find_nearest

_SAME_IMAGE = 1e-3


@dataclasses.dataclass(frozen=True)
class Views:
    """Features of a set of images.

    Attributes:
      plain: of the images, float32 [N, d].
      mirrored: of the images with left and right exchanged, float32 [N, d].
      windows: of parts of the images that a copy may show instead, float [W, N, d].
      side: rows and columns where features are a grid of colours, which can be turned; else 0.
    """

    plain: np.ndarray
    mirrored: np.ndarray
    windows: Optional[np.ndarray] = None
    side: int = 0

    def __len__(self) -> int:
        return len(self.plain)

    def check(self, name: str, least: int = 1) -> None:
        """Raises ValueError for another shape, too few rows, NaN or infinity."""
        for features in (self.plain, self.mirrored):
            check_features(features, name, least)

    def views(self) -> Iterator[np.ndarray]:
        """Yields what is looked for, [N, d]: plain and mirrored, again for each quarter turn."""
        for turns in range(4 if self.side else 1):
            for features in (self.plain, self.mirrored):
                if turns:
                    grid = features.reshape(len(self), self.side, self.side, -1)
                    features = np.rot90(grid, turns, axes=(1, 2)).reshape(len(self), -1)
                yield features

    def references(self) -> List[np.ndarray]:
        """Returns what queries are compared with, each [k N, d]; row v N + i is of image i."""
        if self.windows is None:
            return [self.plain]
        return [self.plain, self.windows.reshape(-1, self.plain.shape[1])]

    def spread(self) -> float:
        """Returns the root mean square distance of the images from their mean."""
        mean = self.plain.mean(axis=0, dtype=np.float64)
        squares = sum(np.square(some - mean).sum() for some in on_disk.blocks(self.plain))
        return float(np.sqrt(squares / len(self)))


def as_seen(image: np.ndarray, view: int) -> np.ndarray:
    """Returns a training photograph as the query shows it that was nearest in a view.

    Args:
      image: [S, S, C].
      view: number of `Views.views`.
    """
    turned = np.rot90(image, -(view // 2))
    return turned[:, ::-1] if view % 2 else turned


@dataclasses.dataclass(frozen=True)
class Neighbours:
    """The nearest training photograph of every query.

    Attributes:
      index: its position in the training set, int64 [N].
      distance: to it, float64 [N].
      view: which of the query's views is the nearest, int64 [N]; see `Views.views`.
      scale: the local scale of the training photograph, float64 [N].
      same: distance up to which two images count as one photograph.
    """

    index: np.ndarray
    distance: np.ndarray
    view: np.ndarray
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
    queries: Views, training: Views, block: int, codes: Optional[np.ndarray] = None, **kwargs: Any
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Finds the nearest training photograph of any view of the queries.

    Args:
      queries: what to look for.
      training: where.
      block: rows that are compared at once.
      codes: of the queries' patients and, after them, of the training's; None for no patients.
      **kwargs: of `find_nearest`.

    Returns:
      Its position, the distance, and the number of the view, each [N].
    """
    number = len(queries)
    index, view = np.zeros((2, number), np.int64)
    best = np.full(number, np.inf)
    views = [*queries.views()]
    at_once = max(block // len(views), 1)  # all views of so many fill a block of references
    for references in training.references():
        for start in range(0, number, at_once):
            rows = slice(start, min(start + at_once, number))
            seen = np.concatenate([features[rows] for features in views])
            if codes is not None:
                repeats = len(references) // len(training)
                owners = np.tile(codes[:number][rows], len(views))
                kwargs["groups"] = owners, np.tile(codes[number:], repeats)
            found, distance = find_nearest(seen, references, block=block, **kwargs)
            distances = distance.reshape(len(views), -1)
            chosen = distances.argmin(axis=0)
            each = chosen, np.arange(len(chosen))
            nearer = distances[each] < best[rows]
            found = found.reshape(distances.shape)[each] % len(training)
            index[rows] = np.where(nearer, found, index[rows])
            view[rows] = np.where(nearer, chosen, view[rows])
            best[rows] = np.where(nearer, distances[each], best[rows])
    return index, best, view


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
    index, distance, view = _nearest_view(queries, training, block)
    used, position = np.unique(index, return_inverse=True)
    chosen = dataclasses.replace(
        training, plain=training.plain[used], mirrored=training.mirrored[used], windows=None
    )
    # A photograph filed under two patients would otherwise have no scale at all.
    groups = np.concatenate([codes[used], codes])
    _, scale, _ = _nearest_view(chosen, training, block, groups, least=same)
    if same == 0.0 or not np.isfinite(scale).all():
        raise ValueError("the features do not tell the training photographs of patients apart")
    return Neighbours(index, distance, view, scale[position], same)
