"""Nearest neighbours among features, each set float [N, d], by Euclidean distance."""

from typing import Iterator, Optional, Tuple

import numpy as np

BLOCK = 2048


def check_features(features: np.ndarray, name: str, least: int = 2) -> np.ndarray:
    """Returns features after checking them, a block at a time.

    Args:
      features: [N, d].
      name: for the message, e.g. "generated".
      least: rows needed.

    Raises:
      ValueError: another shape, too few rows, NaN or infinity.
    """
    features = np.asanyarray(features)
    if features.ndim != 2:
        raise ValueError(f"{name} features have shape {features.shape}, not [N, dimension]")
    if len(features) < least:
        raise ValueError(f"{len(features)} {name} images; at least {least} are needed")
    starts = range(0, len(features), BLOCK)
    finite = [np.isfinite(features[start : start + BLOCK]).all(axis=1) for start in starts]
    bad = np.flatnonzero(~np.concatenate(finite))
    if len(bad):
        raise ValueError(
            f"{name} features are not finite for {len(bad)} of {len(features)} images, "
            f"the first of them image {bad[0]}"
        )
    return features


def squared_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns squared distances of [N, d] to [M, d], float64 [N, M]."""
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    norms = np.square(first).sum(axis=1)[:, None] + np.square(second).sum(axis=1)
    return np.maximum(norms - 2.0 * first @ second.T, 0.0)


def blocks_of_pairs(
    first: np.ndarray, second: np.ndarray, block: int = BLOCK
) -> Iterator[Tuple[slice, slice, np.ndarray]]:
    """Yields squared distances of all pairs, a block at a time, row by row of blocks.

    Args:
      first: [N, d].
      second: [M, d].
      block: rows of both at once.

    Yields:
      Which rows of the first and of the second, and their `squared_distances`.
    """
    for start in range(0, len(first), block):
        rows = slice(start, start + block)
        for offset in range(0, len(second), block):
            columns = slice(offset, offset + block)
            yield rows, columns, squared_distances(first[rows], second[columns])


def find_nearest(
    queries: np.ndarray,
    references: np.ndarray,
    groups: Optional[Tuple[np.ndarray, np.ndarray]] = None,
    least: float = 0.0,
    block: int = BLOCK,
) -> Tuple[np.ndarray, np.ndarray]:
    """Finds the nearest reference of every query, exactly.

    Memory stays at a few blocks of `block` rows of each set, in float64.

    Args:
      queries: [N, d].
      references: [M, d].
      groups: of the queries [N] and of the references [M]; those of the query's own
        group do not count, nor those not farther than `least`.
      least: see `groups`.
      block: rows of both sets at once.

    Returns:
      Positions int64 [N] and distances float64 [N]; infinite where none counts.
    """
    index = np.zeros(len(queries), np.int64)
    best = np.full(len(queries), np.inf)
    for rows, columns, squared in blocks_of_pairs(queries, references, block):
        if groups is not None:
            own = groups[0][rows, None] == groups[1][None, columns]
            squared[own | (squared <= least**2)] = np.inf
        position = squared.argmin(axis=1)
        value = squared[np.arange(len(position)), position]
        better = value < best[rows]
        index[rows] = np.where(better, position + columns.start, index[rows])
        best[rows] = np.where(better, value, best[rows])
    for start in range(0, len(queries), block):
        rows = slice(start, start + block)
        # The expanded square above loses digits where two features are nearly equal.
        exact = np.asarray(queries[rows], np.float64) - references[index[rows]]
        found = np.linalg.norm(exact, axis=1)
        best[rows] = np.where(np.isfinite(best[rows]), found, np.inf)
    return index, best
