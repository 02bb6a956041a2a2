"""How two sets of features cover each other, by balls around their points.

Precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al.
2020). A set's manifold is the union of balls around its points that reach to their
k-th neighbour.
"""

from typing import Dict

import numpy as np

from evaluation.neighbours.nearest import check_features, squared_distances


def _squared_radii(features: np.ndarray, neighbours: int) -> np.ndarray:
    """Squared distance of each row to its k-th nearest other row, [N]."""
    squared = squared_distances(features, features)
    np.fill_diagonal(squared, np.inf)
    return np.partition(squared, neighbours - 1, axis=1)[:, neighbours - 1]


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
    between = squared_distances(real, compared)
    in_real_balls = between <= _squared_radii(real, neighbours)[:, None]
    in_compared_balls = between <= _squared_radii(compared, neighbours)[None, :]
    return {
        "precision": float(in_real_balls.any(axis=0).mean()),
        "recall": float(in_compared_balls.any(axis=1).mean()),
        "density": float(in_real_balls.sum(axis=0).mean() / neighbours),
        "coverage": float(in_real_balls.any(axis=1).mean()),
    }
