"""Does a classifier's probability mean what it says: the expected calibration error."""

import numpy as np

BINS = 15  # Guo et al. 2017


def calibration_error(labels: np.ndarray, scores: np.ndarray, bins: int = BINS) -> float:
    """Returns the expected calibration error of the top class (Guo et al. 2017).

    Args:
      labels: int [N].
      scores: probabilities [N, K].
      bins: of equal width on (0, 1].

    Raises:
      ValueError: scores that are not probabilities.
    """
    if not np.isfinite(scores).all() or not np.allclose(scores.sum(axis=1), 1.0, atol=1e-3):
        raise ValueError("scores are not probabilities")
    confidence = scores.max(axis=1)
    correct = scores.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def calibration_floor(scores: np.ndarray, repeats: int = 100, seed: int = 0) -> float:
    """Returns the calibration error that a perfectly calibrated classifier would show.

    The error of a finite test set is above 0 for any classifier; this is the mean over
    draws in which each image is right with the chance that its score says.

    Args:
      scores: probabilities [N, K].
      repeats: draws.
      seed: of the draws.
    """
    rng = np.random.default_rng([seed, 0xECE])
    confidence, said = scores.max(axis=1), scores.argmax(axis=1)
    wrong = np.full(len(scores), -1)
    drawn = [np.where(rng.random(len(scores)) < confidence, said, wrong) for _ in range(repeats)]
    return float(np.mean([calibration_error(labels, scores) for labels in drawn]))
