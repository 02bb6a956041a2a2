"""Numbers of a classifier and of the difference between two, with honest intervals.

Everything is a function of stored predictions: labels, scores and the patient of each
test image. Two chances are in every interval. Other test patients: images of a patient
resemble each other, so the bootstrap draws patients, for two arms the same ones. Another
training: two or three seeds are too few to draw from, so each replicate adds the error of
a mean of k numbers with the spread of the k trainings, Student's t with k - 1 degrees of
freedom. Of one training nothing can be told of another; the interval is then of that
training. Conditions are the classes here.

Numbers of a class that no test image has are NaN: undefined, not 0. Classes of few
patients have no interval and are not tested: resampling one or two patients knows
nothing of others.
"""

import dataclasses
import math
from typing import Dict, Hashable, List, Sequence, Tuple

import numpy as np
import scipy.stats

from evaluation.uncertainty import cluster_bootstrap, significance
from evaluation.uncertainty.cluster_bootstrap import FEWEST_CLUSTERS, LEVEL, Estimate

PER_CLASS = ("precision", "recall", "f1")
OVERALL = ("top_1", "balanced_accuracy", "macro_precision", "macro_f1")
FEWEST_OF_CLASS = 15  # patients, for an interval or a test; at 12 chance is found too often
REPLICATES = 2000
_CALIBRATION_BINS = 15  # of equal width on (0, 1], as of Guo et al. 2017


@dataclasses.dataclass(frozen=True)
class Predictions:
    """What one arm says of the test images.

    Attributes:
      labels: int [N], 0..K-1.
      predicted: int [seeds, N].
      num_classes: K.
      patients: of the images, N.
    """

    labels: np.ndarray
    predicted: np.ndarray
    num_classes: int
    patients: Sequence[Hashable]

    def __post_init__(self) -> None:
        number = len(self.labels)
        if not number:
            raise ValueError("no test image")
        if self.predicted.ndim != 2 or self.predicted.shape[1] != number:
            raise ValueError(f"predictions {self.predicted.shape} are not of {number} test images")
        if len(self.patients) != number:
            raise ValueError(f"{len(self.patients)} patients of {number} test images")
        for name, codes in (("label", self.labels), ("prediction", self.predicted)):
            bad = codes[(codes < 0) | (codes >= self.num_classes)]
            if len(bad):
                raise ValueError(f"{name} {bad[0]} is not in 0..{self.num_classes - 1}")

    @property
    def correct(self) -> np.ndarray:
        """Bool [seeds, N]."""
        return self.predicted == self.labels


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


def _mean(values: np.ndarray) -> np.ndarray:
    """Means of the finite values along the last axis; NaN of none."""
    finite = np.isfinite(values)
    return _ratio(np.where(finite, values, 0.0).sum(axis=-1), finite.sum(axis=-1))


def numbers_from_confusion(confusion: np.ndarray) -> Dict[str, np.ndarray]:
    """Computes `PER_CLASS` and `OVERALL` numbers of confusion matrices.

    A class that was never predicted has precision 0, as in scikit-learn; a class without
    a test image has none of the three, and does not count in the means over classes.

    Args:
      confusion: counts or weights [..., K, K], label by prediction.

    Returns:
      `PER_CLASS` by name, [..., K], and `OVERALL`, [...].
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    of_class, said = confusion.sum(axis=-1), confusion.sum(axis=-2)
    present = of_class > 0
    recall = _ratio(hits, of_class)
    precision = np.where(present, np.nan_to_num(_ratio(hits, said)), np.nan)
    f1 = np.where(present, _ratio(2.0 * hits, of_class + said), np.nan)
    return {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "top_1": _ratio(hits.sum(axis=-1), of_class.sum(axis=-1)),
        "balanced_accuracy": _mean(recall),  # which is macro recall
        "macro_precision": _mean(precision),
        "macro_f1": _mean(f1),
    }


def confusion_counts(predictions: Predictions) -> np.ndarray:
    """Returns counts [seeds, K, K], label by prediction."""
    number = predictions.num_classes
    cells = predictions.labels * number + predictions.predicted
    return np.stack([np.bincount(one, minlength=number**2) for one in cells]).reshape(
        -1, number, number
    )


def _by_patient(predictions: Predictions) -> np.ndarray:
    """Returns confusion counts [seeds, patients, K * K]; patients in order of appearance."""
    order: Dict[Hashable, int] = {}
    rows = np.array([order.setdefault(patient, len(order)) for patient in predictions.patients])
    cells = predictions.labels * predictions.num_classes + predictions.predicted
    counts = np.zeros((len(cells), len(order), predictions.num_classes**2), np.float32)
    for seed, one in enumerate(cells):
        np.add.at(counts[seed], (rows, one), 1.0)
    return counts


def _patients_by_class(predictions: Predictions) -> np.ndarray:
    """Returns how many patients each class has, [K]."""
    pairs = {(label, patient) for label, patient in zip(predictions.labels, predictions.patients)}
    return np.bincount([label for label, _ in pairs], minlength=predictions.num_classes)


def _other_training(number: int, replicates: int, rng: np.random.Generator) -> np.ndarray:
    """Draws errors of a mean of numbers with standard error 1, [R]; 0 for one number.

    Each draw stands there with its negative, so that there is no drift.
    """
    if number < 2:
        return np.zeros(replicates)
    half = rng.standard_t(number - 1, (replicates + 1) // 2)
    return np.concatenate([half, -half])[:replicates]


class _Numbers:
    """Numbers of an arm: means over its trainings, and their replicates."""

    def __init__(self, predictions: Predictions, drawn: np.ndarray, rng: np.random.Generator):
        number = predictions.num_classes
        by_seed = numbers_from_confusion(confusion_counts(predictions).astype(float))
        by_patient = _by_patient(predictions)
        seeds = len(by_patient)
        flat = np.stack([drawn.astype(np.float32) @ one for one in by_patient], axis=1)
        replicates = numbers_from_confusion(flat.reshape(*flat.shape[:-1], number, number))
        errors = _other_training(seeds, len(drawn), rng)
        self._values, self._drawn = {}, {}
        for name, values in by_seed.items():
            values = values.reshape(seeds, -1)
            self._values[name] = _mean(values.T)
            spread = values.std(axis=0, ddof=1) / seeds**0.5 if seeds > 1 else np.zeros(1)
            mean = _mean(np.moveaxis(replicates[name].reshape(len(drawn), seeds, -1), 1, -1))
            self._drawn[name] = mean + errors[:, None] * spread

    def value(self, name: str, place: int = 0) -> float:
        """Returns a number of `OVERALL` or, of class `place`, of `PER_CLASS`."""
        return float(self._values[name][place])

    def drawn(self, name: str, place: int = 0) -> np.ndarray:
        """Returns the replicates of a number, [R]."""
        return self._drawn[name][:, place]


def _estimate(value: float, drawn: np.ndarray, lowest: float, known: bool) -> Estimate:
    """Returns a number with its interval, within what it can be; without, where not `known`."""
    if not known or not np.isfinite(value):
        return Estimate(value)
    low, high = cluster_bootstrap.interval_of(drawn)
    return Estimate(value, max(low, lowest), min(high, 1.0))


@dataclasses.dataclass(frozen=True)
class Summary:
    """Numbers of one arm, means over its seeds.

    Attributes:
      overall: by name of `OVERALL`.
      per_class: by name of `PER_CLASS`, one estimate per class.
      support: number of test images by class.
    """

    overall: Dict[str, Estimate]
    per_class: Dict[str, Tuple[Estimate, ...]]
    support: Tuple[int, ...]


def summarize_arm(predictions: Predictions, replicates: int = REPLICATES, seed: int = 0) -> Summary:
    """Computes an arm's numbers with 95% intervals.

    Args:
      predictions: of the arm.
      replicates: of the bootstrap.
      seed: of the bootstrap.

    Returns:
      The numbers; without intervals where there are fewer than `FEWEST_CLUSTERS` patients,
      or fewer than `FEWEST_OF_CLASS` of a class.
    """
    number = predictions.num_classes
    patients = len(set(predictions.patients))
    rng = np.random.default_rng([seed, 0xC1A5])
    drawn = cluster_bootstrap.draw_counts(patients, replicates, rng)
    arm = _Numbers(predictions, drawn, rng)
    enough = _patients_by_class(predictions) >= FEWEST_OF_CLASS

    def estimate(name: str, place: int, known: bool) -> Estimate:
        return _estimate(arm.value(name, place), arm.drawn(name, place), 0.0, known)

    return Summary(
        {name: estimate(name, 0, patients >= FEWEST_CLUSTERS) for name in OVERALL},
        {name: tuple(estimate(name, k, enough[k]) for k in range(number)) for name in PER_CLASS},
        tuple(int(count) for count in np.bincount(predictions.labels, minlength=number)),
    )


@dataclasses.dataclass(frozen=True)
class Difference:
    """A difference of two arms.

    Attributes:
      estimate: second less first, with its 95% interval.
      p: two-sided, of the bootstrap; NaN where it cannot be told.
      p_adjusted: corrected (Holm) for the number of classes, of skin types, or of the arms
        that one arm is held against; equal to `p` where there is nothing to correct for.
    """

    estimate: Estimate
    p: float
    p_adjusted: float

    @property
    def significant(self) -> bool:
        """Whether the corrected p is below 0.05."""
        return bool(self.p_adjusted < 1.0 - LEVEL)


def _check_paired(first: Predictions, second: Predictions) -> None:
    if (
        first.num_classes != second.num_classes
        or not np.array_equal(first.labels, second.labels)
        or list(first.patients) != list(second.patients)
    ):
        raise ValueError("the arms are not of the same test images")


def paired_differences(
    first: Predictions, second: Predictions, replicates: int = REPLICATES, seed: int = 0
) -> Tuple[Dict[str, Difference], Tuple[Difference, ...]]:
    """Bootstraps the paired differences of two arms.

    Both arms get the same draws of patients. The errors of their trainings are drawn apart:
    trainings of the same seed have only their first weights in common.

    Args:
      first: to compare with.
      second: what is compared.
      replicates: of the bootstrap.
      seed: of the bootstrap.

    Returns:
      Differences by name of `OVERALL`, and of F1 by class, corrected for the number of
      classes that are tested.

    Raises:
      ValueError: the arms are not of the same test images, or so few replicates that
        nothing could be significant after correction.
    """
    _check_paired(first, second)
    number, patients = first.num_classes, len(set(first.patients))
    enough = _patients_by_class(first) >= FEWEST_OF_CLASS
    needed = math.ceil(2 * max(int(enough.sum()), 1) / (1 - LEVEL))
    if replicates < needed:
        raise ValueError(
            f"replicates {replicates} are too few to correct for {enough.sum()} conditions; at "
            f"least {needed}"
        )
    rng = np.random.default_rng([seed, 0xC1A5])
    drawn = cluster_bootstrap.draw_counts(patients, replicates, rng)
    one, other = (_Numbers(arm, drawn, rng) for arm in (first, second))

    def difference(name: str, place: int, known: bool) -> Difference:
        change = other.drawn(name, place) - one.drawn(name, place)
        value = other.value(name, place) - one.value(name, place)
        estimate = _estimate(value, change, -1.0, known)
        told = np.isfinite(estimate.low)
        p = cluster_bootstrap.p_of_no_difference(change) if told else math.nan
        return Difference(estimate, p, p)

    return (
        {name: difference(name, 0, patients >= FEWEST_CLUSTERS) for name in OVERALL},
        tuple(corrected([difference("f1", k, bool(enough[k])) for k in range(number)])),
    )


def corrected(differences: Sequence[Difference]) -> List[Difference]:
    """Returns differences that are tested together, with p corrected for their number (Holm)."""
    adjusted = significance.holm([one.p for one in differences])
    return [dataclasses.replace(one, p_adjusted=float(p)) for one, p in zip(differences, adjusted)]


def _top_1(
    predictions: Predictions, drawn: np.ndarray, rng: np.random.Generator
) -> Tuple[float, np.ndarray]:
    """Returns an arm's top-1 accuracy and its replicates, as `_Numbers` has them."""
    order: Dict[Hashable, int] = {}
    rows = [order.setdefault(patient, len(order)) for patient in predictions.patients]
    images = np.bincount(rows)
    hits = np.stack([np.bincount(rows, weights=one) for one in predictions.correct])
    by_seed = hits.sum(axis=1) / images.sum()
    seeds = len(by_seed)
    errors = _other_training(seeds, len(drawn), rng)
    spread = by_seed.std(ddof=1) / seeds**0.5 if seeds > 1 else 0.0
    replicates = _ratio(drawn @ hits.T, (drawn @ images)[:, None])
    return float(by_seed.mean()), replicates.mean(axis=1) + errors * spread


def top_1(predictions: Predictions, replicates: int = REPLICATES, seed: int = 0) -> Estimate:
    """Returns the accuracy of an arm: `top_1` of `summarize_arm`, at a fraction of its cost."""
    patients = len(set(predictions.patients))
    rng = np.random.default_rng([seed, 0xC1A5])
    drawn = cluster_bootstrap.draw_counts(patients, replicates, rng)
    return _estimate(*_top_1(predictions, drawn, rng), 0.0, patients >= FEWEST_CLUSTERS)


def top_1_difference(
    first: Predictions, second: Predictions, replicates: int = REPLICATES, seed: int = 0
) -> Difference:
    """Returns the paired difference of accuracy: `top_1` of `paired_differences`, likewise.

    Raises:
      ValueError: the arms are not of the same test images.
    """
    _check_paired(first, second)
    patients = len(set(first.patients))
    rng = np.random.default_rng([seed, 0xC1A5])
    drawn = cluster_bootstrap.draw_counts(patients, replicates, rng)
    (ours, our_draws), (theirs, their_draws) = (_top_1(arm, drawn, rng) for arm in (first, second))
    change = their_draws - our_draws
    estimate = _estimate(theirs - ours, change, -1.0, patients >= FEWEST_CLUSTERS)
    told = np.isfinite(estimate.low)
    p = cluster_bootstrap.p_of_no_difference(change) if told else math.nan
    return Difference(estimate, p, p)


def paired_t_test(first: Predictions, second: Predictions) -> float:
    """Returns the two-sided p of the paired t-test on per-image correctness.

    This is the paper's test. It takes images for independent; correctness is the mean
    over an arm's seeds. 1 where the arms agree on every image.
    """
    _check_paired(first, second)
    one, other = (arm.correct.mean(axis=0) for arm in (first, second))
    if np.array_equal(one, other):
        return 1.0
    return float(scipy.stats.ttest_rel(other, one).pvalue)


def calibration_error(labels: np.ndarray, scores: np.ndarray) -> float:
    """Returns the expected calibration error of the top class (Guo et al. 2017).

    Args:
      labels: int [N].
      scores: probabilities [N, K].

    Raises:
      ValueError: scores that are not probabilities.
    """
    if not np.isfinite(scores).all() or not np.allclose(scores.sum(axis=1), 1.0, atol=1e-3):
        raise ValueError("scores are not probabilities")
    confidence = scores.max(axis=1)
    correct = scores.argmax(axis=1) == labels
    bins = np.ceil(confidence * _CALIBRATION_BINS).clip(1, _CALIBRATION_BINS).astype(int)
    gaps = np.bincount(bins, weights=correct - confidence)
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
