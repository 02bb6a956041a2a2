"""Distances between sets of features, each set float [N, d].

Frechet distance (FID, Heusel et al. 2017), its extrapolation to infinitely many
images (Chong & Forsyth 2020), kernel distance (KID, Binkowski et al. 2018, by
tf-gan). Pure functions of features; what the features are, and how sets are drawn, is
for `features` and `protocol`.
"""

import math
from typing import Optional

import numpy as np
import tensorflow as tf
import tensorflow_gan as tfgan

from evaluation.features import on_disk
from evaluation.neighbours.nearest import BLOCK, check_features


class FrechetReference:
    """One side of many Frechet distances, prepared once.

    ||m1 - m2||^2 + Tr(C1 + C2 - 2 (C1 C2)^1/2), unbiased covariances, float64. With
    C = F^T F, the last trace is the sum of the singular values of F1 F2^T. F is the
    symmetric root of C, found once by an eigendecomposition, or, where there are
    fewer images than dimensions, the centred features themselves: singular
    covariances need no special care, and no matrix is larger than it must be.
    """

    def __init__(self, features: np.ndarray):
        """Prepares the reference.

        Args:
          features: [N, d], at least 2 rows.

        Raises:
          ValueError: as of `check_features`.
        """
        features = check_features(features, "reference")
        self.count, self.dimension = features.shape
        self._mean = _mean(features)
        if self.count <= self.dimension:
            self._factor = (features - self._mean) / math.sqrt(self.count - 1)
            self._trace = float(np.square(self._factor).sum())
        else:
            covariance = _covariance(features, self._mean)
            self._trace = float(np.trace(covariance))
            values, vectors = np.linalg.eigh(covariance)
            self._factor = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T

    def distance(self, features: np.ndarray) -> float:
        """Returns the Frechet distance to other features, [N, d] with N >= 2.

        Raises:
          ValueError: as of `check_features`, or another dimension.
        """
        features = check_features(features, "compared")
        count, dimension = features.shape
        if dimension != self.dimension:
            raise ValueError(
                f"features of {dimension} dimensions cannot be compared with {self.dimension}"
            )
        mean = _mean(features)
        if count > len(self._factor):
            covariance = _covariance(features, mean)
            own_trace = float(np.trace(covariance))
            product = self._factor @ covariance @ self._factor.T
        else:
            factor = (features - mean) / math.sqrt(count - 1)
            own_trace = float(np.square(factor).sum())
            product = factor @ self._factor.T
            product = product @ product.T
        root = np.sqrt(np.maximum(np.linalg.eigvalsh(product), 0.0)).sum()
        trace = self._trace + own_trace
        return max(float(np.square(self._mean - mean).sum() + trace - 2.0 * root), 0.0)


def _mean(features: np.ndarray) -> np.ndarray:
    """Returns the mean row, float64 [d]."""
    return features.mean(axis=0, dtype=np.float64)


def _covariance(features: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Returns the unbiased covariance, float64 [d, d], from a block of rows at a time."""
    total = np.zeros((len(mean), len(mean)))
    for start in range(0, len(features), BLOCK):
        centred = features[start : start + BLOCK] - mean
        total += centred.T @ centred
    return total / (len(features) - 1)


def extrapolated_frechet_distance(
    reference: FrechetReference,
    features: np.ndarray,
    rng: np.random.Generator,
    points: int = 10,
) -> Optional[float]:
    """Extrapolates the distance to infinitely many images on the compared side.

    The bias of the distance is linear in 1 / N; a line through the distances of
    random subsets meets 0 where the bias does (Chong & Forsyth 2020). The
    reference keeps the bias of its own size.

    Args:
      reference: the other side.
      features: [N, d].
      rng: draws the subsets.
      points: subsets, of N / 2 to N images.

    Returns:
      The extrapolated distance, or None where N / 2 is below the dimension and the
      law does not hold.
    """
    if len(features) // 2 < reference.dimension:
        return None
    sizes = np.unique(np.linspace(len(features) // 2, len(features), points).astype(int))
    values = [
        reference.distance(on_disk.take(features, rng.choice(len(features), size, replace=False)))
        for size in sizes
    ]
    return float(np.polyfit(1.0 / sizes, values, 1)[1])


def kernel_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the unbiased squared MMD with the cubic kernel (KID), by tf-gan.

    tf-gan's is the mean of the unbiased estimates of equal blocks of at most 1,000 of each
    side; with more images it differs a little from the estimate over all pairs at once
    (0.0447 and 0.0439 were seen of the same images).

    Args:
      first: [N, d].
      second: [M, d].
    """
    value = tfgan.eval.kernel_classifier_distance_from_activations(
        tf.constant(first, tf.float32), tf.constant(second, tf.float32)
    )
    return float(value)
