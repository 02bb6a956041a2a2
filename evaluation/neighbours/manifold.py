"""How two sets of features cover each other, by balls around their points.

Precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al.
2020). A set's manifold is the union of balls around its points that reach to their
k-th neighbour.
"""

from typing import Dict

import numpy as np

from evaluation.neighbours.nearest import blocks_of_pairs, check_features


def _squared_radii(features: np.ndarray, neighbours: int) -> np.ndarray:
    """Squared distance of each row to its k-th nearest other row, [N]."""
    nearest = np.full((len(features), neighbours), np.inf)
    for rows, columns, squared in blocks_of_pairs(features, features):
        if rows == columns:
            np.fill_diagonal(squared, np.inf)
        both = np.concatenate([nearest[rows], squared], axis=1)
        nearest[rows] = np.partition(both, neighbours - 1, axis=1)[:, :neighbours]
    return nearest.max(axis=1)


def manifold_scores(
    real: np.ndarray, compared: np.ndarray, neighbours: int = 5
) -> Dict[str, float]:
    """Measures how two sets cover each other.

    Args:
      real: [N, d], N > neighbours.
      compared: [M, d], M > neighbours.
      neighbours: k.

    Returns:
      precision: share of compared points inside the real manifold, 0..1.
      recall: share of real points inside the compared manifold, 0..1.
      density: mean number of real balls around a compared point, over k; 1 is
        expected of the same distribution.
      coverage: share of real balls that hold a compared point, 0..1.

    Raises:
      ValueError: fewer points than neighbours need.
    """
    real = check_features(real, "real", neighbours + 1)
    compared = check_features(compared, "compared", neighbours + 1)
    real_radii = _squared_radii(real, neighbours)
    compared_radii = _squared_radii(compared, neighbours)
    real_balls = np.zeros(len(compared), np.int64)  # around each compared point
    covered, recalled = np.zeros((2, len(real)), bool)
    for rows, columns, between in blocks_of_pairs(real, compared):
        in_real_balls = between <= real_radii[rows, None]
        real_balls[columns] += in_real_balls.sum(axis=0)
        covered[rows] |= in_real_balls.any(axis=1)
        recalled[rows] |= (between <= compared_radii[None, columns]).any(axis=1)
    return {
        "precision": float((real_balls > 0).mean()),
        "recall": float(recalled.mean()),
        "density": float(real_balls.mean() / neighbours),
        "coverage": float(covered.mean()),
    }
