"""Numbers of a classifier and of the difference between two, with honest intervals.

Everything is a function of stored predictions: labels, scores and the patient of each
test image. Images of a patient resemble each other, so bootstraps draw patients; where
an arm was trained with several seeds they draw seeds as well, since another training is
another classifier. Two arms are compared on the same draws.

Binary numbers of a class that no test image has are NaN: undefined, not 0.
"""

import dataclasses
from typing import Dict, Hashable, Mapping, Sequence, Tuple

import numpy as np
import scipy.stats

from evaluation.cluster_bootstrap import FEWEST_CLUSTERS, LEVEL, Estimate

BINS = 15  # of the calibration error (Guo et al. 2017)
PER_CLASS = ("precision", "recall", "f1")
OVERALL = ("top_1", "balanced_accuracy", "macro_f1")


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


def from_confusion(confusion: np.ndarray) -> Dict[str, np.ndarray]:
    """Computes numbers of confusion matrices.

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
        "balanced_accuracy": _mean(recall),
        "macro_f1": _mean(f1),
    }


def confusion(predictions: Predictions) -> np.ndarray:
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


@dataclasses.dataclass(frozen=True)
class _Draws:
    """How often each replicate draws each patient, and each arm's seeds."""

    patients: np.ndarray  # [R, P]
    generator: np.random.Generator

    @classmethod
    def make(cls, number: int, replicates: int, seed: int) -> "_Draws":
        rng = np.random.default_rng([seed, 0xC1A5])
        chances = np.full(number, 1.0 / number)
        return cls(rng.multinomial(number, chances, size=replicates).astype(np.float32), rng)

    def confusion(self, by_patient: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Returns [R, seeds, K * K]: patients and seeds drawn."""
        drawn = np.stack([self.patients @ one for one in by_patient], axis=1)
        return np.take_along_axis(drawn, seeds[:, :, None], axis=1)

    def seeds(self, number: int) -> np.ndarray:
        """Returns [R, number] of seeds 0..number-1."""
        return self.generator.integers(0, number, (len(self.patients), number))


def _numbers(flat: np.ndarray, num_classes: int) -> Dict[str, np.ndarray]:
    """Numbers of [R, seeds, K * K], averaged over the seeds."""
    numbers = from_confusion(flat.reshape(*flat.shape[:-1], num_classes, num_classes))
    return {name: _mean(np.moveaxis(values, 1, -1)) for name, values in numbers.items()}


def _column(values: np.ndarray, place: int) -> np.ndarray:
    """Returns [R] of [R] or [R, K]."""
    return values.reshape(len(values), -1)[:, place]


def _interval(drawn: np.ndarray) -> Tuple[float, float]:
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return float("nan"), float("nan")
    tail = 50.0 * (1.0 - LEVEL)
    low, high = np.percentile(drawn, (tail, 100.0 - tail))
    return float(low), float(high)


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


def summarize(predictions: Predictions, replicates: int = 2000, seed: int = 0) -> Summary:
    """Computes an arm's numbers with 95% percentile intervals.

    Args:
      predictions: of the arm.
      replicates: of the bootstrap.
      seed: of the bootstrap.

    Returns:
      The numbers; without intervals where there are fewer than three patients.
    """
    number = predictions.num_classes
    value = _numbers(confusion(predictions).reshape(1, -1, number**2).astype(float), number)
    by_patient = _by_patient(predictions)
    drawn: Mapping[str, np.ndarray] = {}
    if by_patient.shape[1] >= FEWEST_CLUSTERS:
        draws = _Draws.make(by_patient.shape[1], replicates, seed)
        drawn = _numbers(draws.confusion(by_patient, draws.seeds(len(by_patient))), number)

    def estimate(name: str, place: int = 0) -> Estimate:
        point = float(value[name].reshape(-1)[place])
        if not drawn or not np.isfinite(point):
            return Estimate(point)
        return Estimate(point, *_interval(_column(drawn[name], place)))

    return Summary(
        {name: estimate(name) for name in OVERALL},
        {name: tuple(estimate(name, k) for k in range(number)) for name in PER_CLASS},
        tuple(int(count) for count in np.bincount(predictions.labels, minlength=number)),
    )


@dataclasses.dataclass(frozen=True)
class Difference:
    """A difference of two arms.

    Attributes:
      estimate: second less first, with its 95% interval.
      p: two-sided, of the bootstrap; NaN where it cannot be told.
      p_adjusted: corrected for the number of classes (Holm); equal to `p` for numbers
        over all classes.
    """

    estimate: Estimate
    p: float
    p_adjusted: float

    @property
    def significant(self) -> bool:
        """Whether the corrected p is below 0.05."""
        return bool(self.p_adjusted < 1.0 - LEVEL)


def _bootstrap_p(drawn: np.ndarray) -> float:
    """Two-sided p of no difference; never 0, since replicates are finite."""
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return float("nan")
    tail = min(int(np.sum(drawn <= 0)), int(np.sum(drawn >= 0)))
    return min(1.0, 2.0 * (tail + 1) / (len(drawn) + 1))


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Corrects for many tests (Holm 1979); NaN are no tests and stay NaN."""
    given = np.asarray(p_values, float)
    adjusted = np.full(given.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(given))
    order = tested[np.argsort(given[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(given[order] * factors), 1.0)
    return adjusted


def _check_paired(first: Predictions, second: Predictions) -> None:
    if (
        first.num_classes != second.num_classes
        or not np.array_equal(first.labels, second.labels)
        or list(first.patients) != list(second.patients)
    ):
        raise ValueError("the arms are not of the same test images")


def compare(
    first: Predictions, second: Predictions, replicates: int = 2000, seed: int = 0
) -> Tuple[Dict[str, Difference], Tuple[Difference, ...]]:
    """Bootstraps the paired differences of two arms.

    Both arms get the same draws of patients; their seeds are drawn apart, except where
    the trainings were the same, seed by seed.

    Args:
      first: to compare with.
      second: what is compared.
      replicates: of the bootstrap.
      seed: of the bootstrap.

    Returns:
      Differences by name of `OVERALL`, and of F1 by class, corrected for the number of
      classes that have test images.

    Raises:
      ValueError: the arms are not of the same test images.
    """
    _check_paired(first, second)
    number = first.num_classes
    arms = (first, second)
    values = [
        _numbers(confusion(arm).reshape(1, -1, number**2).astype(float), number) for arm in arms
    ]
    by_patient = [_by_patient(arm) for arm in arms]
    drawn = []
    if by_patient[0].shape[1] >= FEWEST_CLUSTERS:
        draws = _Draws.make(by_patient[0].shape[1], replicates, seed)
        seeds = [draws.seeds(len(one)) for one in by_patient]
        if np.array_equal(first.predicted, second.predicted):
            seeds[1] = seeds[0]
        drawn = [_numbers(draws.confusion(*pair), number) for pair in zip(by_patient, seeds)]

    def difference(name: str, place: int = 0) -> Tuple[Estimate, float]:
        point = float((values[1][name] - values[0][name]).reshape(-1)[place])
        if not drawn or not np.isfinite(point):
            return Estimate(point), float("nan")
        change = _column(drawn[1][name] - drawn[0][name], place)
        return Estimate(point, *_interval(change)), _bootstrap_p(change)

    overall = {name: difference(name) for name in OVERALL}
    classes = [difference("f1", k) for k in range(number)]
    return (
        {name: Difference(one, p, p) for name, (one, p) in overall.items()},
        tuple(
            Difference(one, p, float(adjusted))
            for (one, p), adjusted in zip(classes, holm([p for _, p in classes]))
        ),
    )


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


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the two-sided p of McNemar's exact test.

    Args:
      first: bool [N], whether an image is classified correctly.
      second: the same of the other classifier.
    """
    gained, lost = int(np.sum(second & ~first)), int(np.sum(first & ~second))
    if not gained + lost:
        return 1.0
    return float(scipy.stats.binomtest(gained, gained + lost, 0.5).pvalue)


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
