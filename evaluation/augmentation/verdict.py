"""What the numbers of the augmentation experiment say, in words, and no more."""

from typing import List

import numpy as np

from evaluation.augmentation import arms
from evaluation.augmentation.classification_statistics import Difference
from evaluation.augmentation.results import Comparison, Results
from preprocessing.data import taxonomy


def majority_accuracy(results: Results) -> float:
    """Returns the accuracy of always saying the test set's most common condition."""
    support = results.arms[0].summary.support
    return max(support) / sum(support)


def verdict(results: Results) -> str:
    """Says in words what the numbers say of synthetic images, and no more.

    "Significant" is a bootstrapped paired difference whose p, corrected for the number
    of conditions where it is of one, is below 0.05.
    """
    names = {arm.name for arm in results.arms}
    if arms.SYNTHETIC not in names:
        return "No verdict on synthetic images: there is no arm real+synthetic."
    sentences = []
    if max(arm.summary.overall["top_1"].value for arm in results.arms) <= majority_accuracy(
        results
    ):
        sentences.append(
            "No classifier is better than always naming the most common condition "
            f"({majority_accuracy(results):.3f}): they tell little of synthetic images."
        )
    comparison = results.comparison(arms.REAL, arms.SYNTHETIC)
    sentences.append(f"Adding synthetic images changes {_changes(comparison)}.")
    for control in (arms.OVERSAMPLED, arms.CLASS_WEIGHTS):
        if control in names:
            other = results.comparison(control, arms.SYNTHETIC)
            sentences.append(
                f"Against {control}, which has the same frequencies without synthetic images: "
                f"{_changes(other)}."
            )
    return " ".join(sentences)


def _changes(comparison: Comparison) -> str:
    top_1, macro_f1 = (comparison.overall[name] for name in ("top_1", "macro_f1"))
    return (
        f"top-1 accuracy by {_points(top_1)}, {_judged(top_1)}; macro F1 by {_points(macro_f1)}, "
        f"{_judged(macro_f1)}; {_classes(comparison)}"
    )


def notes(results: Results) -> List[str]:
    """Returns what a reader should know of conditions without photographs."""
    real = results.arms[0]
    trained = real.protocol["study"]["photographs"]
    lines = []
    for name, count in zip(taxonomy.CONDITIONS, real.summary.support):
        if count and name not in trained:
            lines.append(
                f"{name} has {count} test images and no photograph to train on: arms without "
                "synthetic images of it can only err"
            )
    untested = [
        name
        for name, count in zip(taxonomy.CONDITIONS, real.summary.support)
        if name in trained and not count
    ]
    if untested:
        lines.append(f"without a test image, so undefined: {', '.join(untested)}")
    return lines


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
