"""What the stored predictions of the augmentation experiment say, in numbers and words."""

import dataclasses
from typing import Any, Container, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from evaluation.augmentation import classification
from evaluation.augmentation.arms import (
    CLASS_WEIGHTS,
    FILTERED,
    FIRST,
    OVERSAMPLED,
    REAL,
    STRONG,
    SYNTHETIC,
)
from evaluation.augmentation.classification import Difference, Summary
from evaluation.augmentation.predictions import ArmPredictions
from evaluation.uncertainty import significance
from evaluation.uncertainty.cluster_bootstrap import Estimate
from preprocessing.data import manifest, taxonomy

# What the synthetic images are held against, and what each says of them.
_CONTROLS = {
    OVERSAMPLED: "which has the same frequencies without synthetic images",
    CLASS_WEIGHTS: "which has the same frequencies without synthetic images",
    STRONG: "photographs varied more",
}
# Fewer test images of a skin type than this are listed, not judged.
SMALLEST_GROUP = 20


def _finite(value: float) -> Optional[float]:
    """Returns a number for JSON, which knows no NaN."""
    return value if np.isfinite(value) else None


_SAID = {  # in the verdict
    "top_1": "top-1 accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
}


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One arm against another, on the same test images.

    Attributes:
      first: name of the arm that is compared with.
      second: name of the arm that is compared.
      overall: differences by name of `classification.OVERALL`.
      classes: differences of F1 by condition code.
      t_test: p of the paired t-test on per-image correctness, the paper's test.
      mcnemar: p of McNemar's test on what the mean of an arm's trainings says.
      skin_types: differences of top-1 by skin type, of real+synthetic alone.
    """

    first: str
    second: str
    overall: Mapping[str, Difference]
    classes: Sequence[Difference]
    t_test: float
    mcnemar: float
    skin_types: Mapping[str, Difference] = dataclasses.field(default_factory=dict)

    def significant_classes(self) -> List[Tuple[str, Difference]]:
        """Returns the conditions whose F1 differs after correction for their number."""
        return [
            (name, one) for name, one in zip(taxonomy.conditions(), self.classes) if one.significant
        ]

    def as_dict(self) -> Dict[str, Any]:
        """Returns the fields for JSON."""

        def entry(one: Difference) -> Dict[str, Any]:
            ps = {"p": _finite(one.p), "p_adjusted": _finite(one.p_adjusted)}
            return {**one.estimate.as_dict(), **ps, "significant": one.significant}

        return {
            "first": self.first,
            "second": self.second,
            "overall": {name: entry(one) for name, one in self.overall.items()},
            "f1": {name: entry(one) for name, one in zip(taxonomy.conditions(), self.classes)},
            "top_1_by_skin_type": {name: entry(one) for name, one in self.skin_types.items()},
            "paired_t_test_p": _finite(self.t_test),
            "mcnemar_p": _finite(self.mcnemar),
        }


@dataclasses.dataclass(frozen=True)
class ArmResult:
    """Numbers of one arm.

    Attributes:
      predictions: what they are computed from.
      summary: numbers over all classes and by class.
      calibration: expected calibration error, mean over the trainings.
      calibration_floor: the same of a perfectly calibrated classifier of these scores.
      skin_types: accuracy by Fitzpatrick type, with its number of images; annotated types
        and estimated ones apart, as of `manifest.skin_type_group`.
      confusion: counts by label and prediction, summed over the trainings.
    """

    predictions: ArmPredictions
    summary: Summary
    calibration: float
    calibration_floor: float
    skin_types: Mapping[str, Tuple[int, Estimate]]
    confusion: np.ndarray

    @property
    def name(self) -> str:
        """The arm's name."""
        return self.predictions.arm

    @property
    def protocol(self) -> Mapping[str, Any]:
        """What the arm's first training was."""
        return self.predictions.trainings[0]["protocol"]

    @property
    def validation_balanced_accuracy(self) -> float:
        """Mean over the trainings, of the photographs that chose the weights."""
        outcomes = [training["outcome"] for training in self.predictions.trainings]
        return float(np.mean([one["validation_balanced_accuracy"] for one in outcomes]))

    def as_dict(self) -> Dict[str, Any]:
        """Returns the fields for JSON."""
        return {
            "arm": self.name,
            "seeds": list(self.predictions.seeds),
            "synthetic_images": self.protocol["synthetic_images"],
            "photographs": self.protocol["photographs"],
            "share": self.protocol["share"],
            "validation_balanced_accuracy": self.validation_balanced_accuracy,
            "outcomes": [training["outcome"] for training in self.predictions.trainings],
            "overall": {name: one.as_dict() for name, one in self.summary.overall.items()},
            "calibration_error": self.calibration,
            "calibration_error_if_calibrated": self.calibration_floor,
            "per_class": {
                condition: {
                    "test_images": self.summary.support[code],
                    **{name: self.summary.per_class[name][code].as_dict()
                       for name in classification.PER_CLASS},
                }
                for code, condition in enumerate(taxonomy.conditions())
            },
            "top_1_by_skin_type": {
                group: {"test_images": number, **one.as_dict()}
                for group, (number, one) in self.skin_types.items()
            },
            "confusion": self.confusion.tolist(),
        }  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Results:
    """Numbers of an experiment on one test set.

    Attributes:
      test_set: "test" or "extra".
      arms: `real` first.
      comparisons: every arm with `real`, then `real+synthetic` with its controls, and
        the other ways to show synthetic images with oversampling.
      replicates: of the bootstraps.
    """

    test_set: str
    arms: Sequence[ArmResult]
    comparisons: Sequence[Comparison]
    replicates: int

    @property
    def majority_accuracy(self) -> float:
        """The accuracy of always saying the test set's most common condition."""
        support = self.arms[0].summary.support
        return max(support) / sum(support)

    def tested(self) -> List[Tuple[int, str]]:
        """Returns code and name of the conditions with test images."""
        support = self.arms[0].summary.support
        return [(code, name) for code, name in enumerate(taxonomy.conditions()) if support[code]]

    def comparison(self, first: str, second: str) -> Comparison:
        """Returns the comparison of two arms; KeyError where there is none."""
        for one in self.comparisons:
            if (one.first, one.second) == (first, second):
                return one
        raise KeyError((first, second))

    def as_dict(self) -> Dict[str, Any]:
        """Returns the fields for JSON."""
        return {
            "arms": [arm.as_dict() for arm in self.arms],
            "comparisons": [one.as_dict() for one in self.comparisons],
        }


def _skin_type_groups(arm: ArmPredictions) -> Dict[str, np.ndarray]:
    """Returns the images of each group, bool [N]."""
    columns = arm.table["fitzpatrick"], arm.table["fitzpatrick_source"]
    groups = np.array([manifest.skin_type_group(*pair) for pair in zip(*columns)])
    return {str(group): groups == group for group in np.unique(groups)}


def _by_skin_type(arm: ArmPredictions, replicates: int) -> Dict[str, Tuple[int, Estimate]]:
    found = {}
    for group, rows in _skin_type_groups(arm).items():
        number = int(rows.sum())
        estimate = Estimate(float("nan"))
        if number >= SMALLEST_GROUP:
            estimate = classification.top_1(arm.select(rows).predictions(), replicates)
        found[group] = number, estimate
    return found


def _differences_by_skin_type(
    first: ArmPredictions, second: ArmPredictions, replicates: int
) -> Dict[str, Difference]:
    """Compares top-1 in each skin type with enough images, corrected for their number."""
    found = {}
    for group, rows in _skin_type_groups(first).items():
        if rows.sum() >= SMALLEST_GROUP:
            pair = first.select(rows).predictions(), second.select(rows).predictions()
            found[group] = classification.top_1_difference(*pair, replicates)
    return dict(zip(found, classification.corrected(list(found.values()))))


def measure_arm(arm: ArmPredictions, replicates: int = classification.REPLICATES) -> ArmResult:
    """Computes the numbers of one arm."""
    predictions = arm.predictions()
    error, floor = classification.calibration_error, classification.calibration_floor
    return ArmResult(
        predictions=arm,
        summary=classification.summarize_arm(predictions, replicates),
        calibration=float(np.mean([error(arm.labels, one) for one in arm.scores])),
        calibration_floor=float(np.mean([floor(one) for one in arm.scores])),
        skin_types=_by_skin_type(arm, replicates),
        confusion=classification.confusion_counts(predictions).sum(axis=0),
    )


def compare_arms(
    first: ArmPredictions, second: ArmPredictions, replicates: int = classification.REPLICATES
) -> Comparison:
    """Compares two arms.

    Raises:
      ValueError: they are not of the same test images.
    """
    ours, theirs = first.predictions(), second.predictions()
    overall, classes = classification.paired_differences(ours, theirs, replicates)
    labels = first.labels
    return Comparison(
        first=first.arm,
        second=second.arm,
        overall=overall,
        classes=classes,
        t_test=classification.paired_t_test(ours, theirs),
        mcnemar=significance.mcnemar(first.ensemble() == labels, second.ensemble() == labels),
        skin_types=_differences_by_skin_type(first, second, replicates)
        if second.arm == SYNTHETIC
        else {},
    )


def _asked(names: Container[str]) -> Optional[str]:
    """Returns the arm whose comparisons are the question; None where none shows both kinds."""
    return next((name for name in (SYNTHETIC, FIRST, *FILTERED) if name in names), None)


def _corrected_for_controls(comparisons: Sequence[Comparison]) -> List[Comparison]:
    """Corrects what is said of the arm in question for the arms that it is held against."""
    asked = _asked({one.second for one in comparisons})
    held = [one for one in comparisons if one.second == asked]
    overall: List[Dict[str, Difference]] = [{} for _ in held]
    for name in classification.OVERALL:
        together = classification.corrected([one.overall[name] for one in held])
        for numbers, difference in zip(overall, together):
            numbers[name] = difference
    found = iter(overall)
    return [
        dataclasses.replace(one, overall=next(found)) if one.second == asked else one
        for one in comparisons
    ]


def compute_results(
    test_set: str, arms: Sequence[ArmPredictions], replicates: int = classification.REPLICATES
) -> Results:
    """Computes all numbers of an experiment.

    Args:
      test_set: "test" or "extra".
      arms: from `predictions.read_predictions`.
      replicates: of the bootstraps.

    Raises:
      ValueError: there is no arm `real` to compare with.
    """
    by_name = {arm.arm: arm for arm in arms}
    if REAL not in by_name:
        raise ValueError(f"no predictions of the arm {REAL!r} to compare with")
    pairs = [(REAL, name) for name in by_name if name != REAL]
    if SYNTHETIC in by_name:
        pairs += [(one, SYNTHETIC) for one in _CONTROLS if one in by_name]
    if OVERSAMPLED in by_name:
        pairs += [(OVERSAMPLED, name) for name in (*FILTERED, FIRST) if name in by_name]
    return Results(
        test_set=test_set,
        arms=[measure_arm(arm, replicates) for arm in arms],
        comparisons=_corrected_for_controls(
            [compare_arms(by_name[one], by_name[two], replicates) for one, two in pairs]
        ),
        replicates=replicates,
    )


def verdict(results: Results) -> str:
    """Says in words what the numbers say of synthetic images, and no more.

    "Significant" is a bootstrapped paired difference whose p is below 0.05, corrected for
    the number of conditions where it is of one, else for the arms compared with.
    """
    names = {arm.name for arm in results.arms}
    asked = _asked(names)
    if not asked:
        return (
            "No verdict on synthetic images: there is no arm "
            f"{', '.join((SYNTHETIC, FIRST))} or {' or '.join(FILTERED)}."
        )
    sentences = []
    majority = results.majority_accuracy
    if max(arm.summary.overall["top_1"].value for arm in results.arms) <= majority:
        sentences.append(
            "No classifier is better than always naming the most common condition "
            f"({majority:.3f}): they tell little of synthetic images."
        )
    adding = "Adding synthetic images" + (f" ({asked})" if asked != SYNTHETIC else "")
    sentences.append(f"{adding} changes {_changes(results.comparison(REAL, asked))}.")
    sentences += [
        f"Against {one.first}, {_CONTROLS[one.first]}: {_changes(one)}."
        for one in results.comparisons
        if one.second == asked and one.first in _CONTROLS
    ]
    return " ".join(sentences)


def _changes(comparison: Comparison) -> str:
    said = [
        f"{title} by {_points(comparison.overall[name])}, {_judged(comparison.overall[name])}"
        for name, title in _SAID.items()
    ]
    return "; ".join([*said, _classes(comparison)])


def notes(results: Results) -> List[str]:
    """Returns what a reader should know of conditions and skin types."""
    real = results.arms[0]
    trained = real.protocol["study"]["photographs"]
    by_condition = list(zip(taxonomy.conditions(), real.summary.support))
    lines = [_power(one) for one in results.comparisons if one.second == SYNTHETIC]
    left_out = real.predictions.trainings[0]["test"].get("left_out", 0)
    if left_out:
        lines.append(
            f"{left_out} images are left out: of conditions without a training photograph, or "
            "generated"
        )
    for name, count in by_condition:
        if count and name not in trained:
            lines.append(
                f"{name} has {count} test images and no photograph to train on: arms without "
                "synthetic images of it can only err"
            )
    untested = [name for name, count in by_condition if name in trained and not count]
    if untested:
        lines.append(f"without a test image, so undefined: {', '.join(untested)}")
    sources = real.predictions.table["fitzpatrick_source"]
    estimated = int(sources.map(manifest.is_estimated).sum())
    if estimated:
        lines.append(
            f"the skin types of {estimated} of {len(sources)} test images are estimates from their "
            "colour (ITA); they are told apart"
        )
    return lines


def _power(comparison: Comparison) -> str:
    """Says which gains of balanced accuracy are excluded, and which would be found."""
    estimate = comparison.overall["balanced_accuracy"].estimate
    pair = f"{comparison.second} less {comparison.first}, balanced accuracy"
    if not np.isfinite(estimate.low):
        return f"{pair}: too few patients to say what is excluded"
    # What is told from nothing at 5 % in 80 of 100 repetitions is 2.80 standard errors; an
    # interval is 2 * 1.96 of them wide.
    found = 2.80 / 3.92 * (estimate.high - estimate.low)
    gain = f"a gain above {100 * estimate.high:.1f} points" if estimate.high > 0 else "any gain"
    return (
        f"{pair}: {gain} is excluded (95%); an experiment of this size finds one of "
        f"{100 * found:.1f} points in 80 of 100 cases"
    )


def _points(one: Difference) -> str:
    estimate = one.estimate
    interval = ""
    if np.isfinite(estimate.low):
        interval = f" (95% interval {100 * estimate.low:+.1f} to {100 * estimate.high:+.1f})"
    return f"{100 * estimate.value:+.1f} points{interval}"


def _judged(one: Difference) -> str:
    if not np.isfinite(one.p_adjusted):
        return "too few patients to judge"
    if not one.significant:
        return f"no significant difference (p = {one.p_adjusted:.2g})"
    way = "better" if one.estimate.value > 0 else "worse"
    return f"significantly {way} (p = {one.p_adjusted:.2g})"


def _classes(comparison: Comparison) -> str:
    tested = sum(np.isfinite(one.p_adjusted) for one in comparison.classes)
    if not tested:
        return "F1 could not be tested in any condition"
    changed = comparison.significant_classes()
    if not changed:
        return f"F1 differs significantly in none of {tested} conditions"
    listed = ", ".join(f"{name} {one.estimate.value:+.2f}" for name, one in changed)
    return f"F1 differs significantly in {len(changed)} of {tested} conditions: {listed}"
