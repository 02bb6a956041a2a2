"""What the stored predictions of the augmentation experiment say."""

import dataclasses
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from evaluation.augmentation import arms as augmentation_arms
from evaluation.augmentation import calibration
from evaluation.augmentation import classification_statistics as statistics
from evaluation.augmentation.classification_statistics import Difference, Summary
from evaluation.augmentation.classifier_predictions import ArmPredictions
from evaluation.uncertainty.cluster_bootstrap import Estimate
from preprocessing.data import taxonomy

# Fewer test images of a skin type than this are listed, not judged.
SMALLEST_GROUP = 20


def _finite(value: float) -> Optional[float]:
    """Returns a number for JSON, which knows no NaN."""
    return value if np.isfinite(value) else None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One arm against another, on the same test images.

    Attributes:
      first: name of the arm that is compared with.
      second: name of the arm that is compared.
      overall: differences by name of `classification_statistics.OVERALL`.
      classes: differences of F1 by condition code.
      t_test: p of the paired t-test on per-image correctness, the paper's test.
      mcnemar: p of McNemar's test on what the mean of an arm's trainings says.
    """

    first: str
    second: str
    overall: Mapping[str, Difference]
    classes: Sequence[Difference]
    t_test: float
    mcnemar: float

    def significant_classes(self) -> List[Tuple[str, Difference]]:
        """Returns the conditions whose F1 differs after correction for their number."""
        return [
            (name, one) for name, one in zip(taxonomy.CONDITIONS, self.classes) if one.significant
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
            "f1": {name: entry(one) for name, one in zip(taxonomy.CONDITIONS, self.classes)},
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
      skin_types: accuracy by Fitzpatrick type (0 is unknown), with its number of images.
      confusion: counts by label and prediction, summed over the trainings.
    """

    predictions: ArmPredictions
    summary: Summary
    calibration: float
    calibration_floor: float
    skin_types: Mapping[int, Tuple[int, Estimate]]
    confusion: np.ndarray

    @property
    def name(self) -> str:
        """The arm's name."""
        return self.predictions.arm

    @property
    def protocol(self) -> Mapping[str, Any]:
        """What the arm's first training was."""
        return self.predictions.trainings[0]["protocol"]

    def as_dict(self) -> Dict[str, Any]:
        """Returns the fields for JSON."""
        return {
            "arm": self.name,
            "seeds": list(self.predictions.seeds),
            "synthetic_images": self.protocol["synthetic_images"],
            "share": self.protocol["share"],
            "outcomes": [training["outcome"] for training in self.predictions.trainings],
            "overall": {name: one.as_dict() for name, one in self.summary.overall.items()},
            "calibration_error": self.calibration,
            "calibration_error_if_calibrated": self.calibration_floor,
            "per_class": {
                condition: {
                    "test_images": self.summary.support[code],
                    **{name: self.summary.per_class[name][code].as_dict()
                       for name in statistics.PER_CLASS},
                }
                for code, condition in enumerate(taxonomy.CONDITIONS)
            },
            "top_1_by_skin_type": {
                str(skin_type): {"test_images": number, **one.as_dict()}
                for skin_type, (number, one) in self.skin_types.items()
            },
            "confusion": self.confusion.tolist(),
        }  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Results:
    """Numbers of an experiment on one test set.

    Attributes:
      test_set: "test" or "extra".
      arms: `real` first.
      comparisons: every arm with `real`, then `real+synthetic` with its controls.
      replicates: of the bootstraps.
    """

    test_set: str
    arms: Sequence[ArmResult]
    comparisons: Sequence[Comparison]
    replicates: int

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


def _by_skin_type(arm: ArmPredictions, replicates: int) -> Dict[int, Tuple[int, Estimate]]:
    types = arm.table["fitzpatrick"].to_numpy()
    found = {}
    for skin_type in np.unique(types):
        rows = types == skin_type
        number = int(rows.sum())
        estimate = Estimate(float("nan"))
        if number >= SMALLEST_GROUP:
            summary = statistics.summarize(arm.select(rows).predictions(), replicates)
            estimate = summary.overall["top_1"]
        found[int(skin_type)] = number, estimate
    return found


def measure_arm(arm: ArmPredictions, replicates: int = statistics.REPLICATES) -> ArmResult:
    """Computes the numbers of one arm."""
    predictions = arm.predictions()
    return ArmResult(
        predictions=arm,
        summary=statistics.summarize(predictions, replicates),
        calibration=float(
            np.mean([calibration.calibration_error(arm.labels, one) for one in arm.scores])
        ),
        calibration_floor=float(
            np.mean([calibration.calibration_floor(one) for one in arm.scores])
        ),
        skin_types=_by_skin_type(arm, replicates),
        confusion=statistics.confusion(predictions).sum(axis=0),
    )


def compare(
    first: ArmPredictions, second: ArmPredictions, replicates: int = statistics.REPLICATES
) -> Comparison:
    """Compares two arms.

    Raises:
      ValueError: they are not of the same test images.
    """
    ours, theirs = first.predictions(), second.predictions()
    overall, classes = statistics.compare(ours, theirs, replicates)
    labels = first.labels
    return Comparison(
        first=first.arm,
        second=second.arm,
        overall=overall,
        classes=classes,
        t_test=statistics.paired_t_test(ours, theirs),
        mcnemar=statistics.mcnemar(first.ensemble() == labels, second.ensemble() == labels),
    )


def compute(
    test_set: str, arms: Sequence[ArmPredictions], replicates: int = statistics.REPLICATES
) -> Results:
    """Computes all numbers of an experiment.

    Args:
      test_set: "test" or "extra".
      arms: from `classifier_predictions.read`.
      replicates: of the bootstraps.

    Raises:
      ValueError: there is no arm `real` to compare with.
    """
    by_name = {arm.arm: arm for arm in arms}
    if augmentation_arms.REAL not in by_name:
        raise ValueError(f"no predictions of the arm {augmentation_arms.REAL!r} to compare with")
    pairs = [(augmentation_arms.REAL, name) for name in by_name if name != augmentation_arms.REAL]
    if augmentation_arms.SYNTHETIC in by_name:
        pairs += [
            (control, augmentation_arms.SYNTHETIC)
            for control in (augmentation_arms.OVERSAMPLED, augmentation_arms.CLASS_WEIGHTS)
            if control in by_name
        ]
    return Results(
        test_set=test_set,
        arms=[measure_arm(arm, replicates) for arm in arms],
        comparisons=[compare(by_name[one], by_name[two], replicates) for one, two in pairs],
        replicates=replicates,
    )
