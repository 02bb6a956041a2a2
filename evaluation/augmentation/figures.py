"""Figures of the augmentation experiment: the paper's Figure 8 and more."""

from typing import List, Sequence, Tuple

import numpy as np
from matplotlib import pyplot

from common import figures
from evaluation.augmentation import arms as augmentation_arms
from evaluation.augmentation.classification_statistics import FEWEST_OF_CLASS
from evaluation.augmentation.results import ArmResult, Results
from evaluation.uncertainty.cluster_bootstrap import Estimate
from preprocessing.data import taxonomy

COLORS = {
    augmentation_arms.REAL: figures.REAL,
    augmentation_arms.SYNTHETIC: figures.GENERATED,
    augmentation_arms.OVERSAMPLED: "#7a8b3c",
    augmentation_arms.CLASS_WEIGHTS: "#8a6aa3",
}
_MOST_CELLS_WITH_NUMBERS = 10


def _main_arms(results: Results) -> List[ArmResult]:
    return [arm for arm in results.arms if arm.protocol["ratio"] is None]


def whiskers(estimates: Sequence[Estimate]) -> np.ndarray:
    """Returns lengths below and above, [2, N]; NaN, which draws none, without interval."""
    below = [one.value - one.low for one in estimates]
    above = [one.high - one.value for one in estimates]
    return np.maximum([below, above], 0.0)


def draw_f1(results: Results, path: str) -> str:
    """Draws F1 by condition and arm, with intervals (paper, Figure 8).

    Conditions without a test image are left out; those whose F1 changes significantly
    with synthetic images carry a star.
    """
    arms = _main_arms(results)
    support = np.array(arms[0].summary.support)
    codes = sorted(np.flatnonzero(support), key=lambda code: -support[code])
    changed = set()
    for one in results.comparisons:
        if (one.first, one.second) == (augmentation_arms.REAL, augmentation_arms.SYNTHETIC):
            changed = {name for name, _ in one.significant_classes()}
    figure, axes = pyplot.subplots(figsize=(7.5, 1.4 + 0.16 * len(codes) * (1 + len(arms))))
    height = 0.8 / len(arms)
    for number, arm in enumerate(arms):
        estimates = [arm.summary.per_class["f1"][code] for code in codes]
        values = np.array([one.value for one in estimates])
        axes.barh(
            np.arange(len(codes)) + (number - (len(arms) - 1) / 2) * height,
            values,
            height,
            xerr=whiskers(estimates),
            color=COLORS[arm.protocol["kind"]],
            error_kw={"elinewidth": 0.8, "capsize": 1.5, "ecolor": "#333333"},
            label=arm.name,
        )
    names = [taxonomy.CONDITIONS[code] for code in codes]
    labels = [f"{name}{' *' if name in changed else ''} (n = {support[code]})"
              for name, code in zip(names, codes)]  # fmt: skip
    axes.set_yticks(range(len(codes)), labels, fontsize=8)
    axes.set_ylim(len(codes) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_xlabel(f"F1; 95% interval from {FEWEST_OF_CLASS} patients on")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2)
    return figures.save(figure, path)


def draw_confusion(results: Results, path: str) -> str:
    """Draws confusion matrices, by arm; rows are labels, numbers per cent of them."""
    arms = _main_arms(results)
    present = np.flatnonzero(sum(arm.confusion.sum(axis=0) + arm.confusion.sum(axis=1)
                                 for arm in arms))  # fmt: skip
    columns = min(len(arms), 2)
    rows = -(-len(arms) // columns)
    side = 1.6 + 0.17 * len(present)
    figure, grid = pyplot.subplots(
        rows, columns, figsize=(columns * side + 1.0, rows * side), squeeze=False
    )
    names = [taxonomy.CONDITIONS[code] for code in present]
    for place, axes in enumerate(grid.ravel()):
        if place >= len(arms):
            axes.set_visible(False)
            continue
        counts = arms[place].confusion[np.ix_(present, present)].astype(float)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        shares[counts.sum(axis=1) == 0] = np.nan
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        if len(present) <= _MOST_CELLS_WITH_NUMBERS:
            for (row, column), share in np.ndenumerate(shares):
                if np.isnan(share):
                    continue
                color = "white" if share > 0.5 else "black"
                axes.text(
                    column,
                    row,
                    f"{100 * share:.0f}",
                    color=color,
                    fontsize=6,
                    ha="center",
                    va="center",
                )
        axes.set_title(arms[place].name, fontsize=9)
        last = place >= len(arms) - columns
        axes.set_xticks(range(len(present)), names if last else [], rotation=90, fontsize=6)
        axes.set_yticks(range(len(present)), names if place % columns == 0 else [], fontsize=6)
        if place % columns == 0:
            axes.set_ylabel("label", fontsize=8)
        if last:
            axes.set_xlabel("prediction", fontsize=8)
    figure.tight_layout()
    return figures.save(figure, path)


def draw_ratios(results: Results, path: str) -> str:
    """Draws top-1 and macro F1 over the ratio of synthetic images to photographs."""
    arms: List[Tuple[float, ArmResult]] = [(0.0, results.arms[0])]
    arms += [(arm.protocol["ratio"], arm) for arm in results.arms if arm.protocol["ratio"]]
    ratios = np.array([ratio for ratio, _ in arms])
    figure, axes = pyplot.subplots(figsize=(6.0, 3.8))
    for name, title, color in (
        ("top_1", "top-1 accuracy", figures.REAL),
        ("macro_f1", "macro F1", figures.GENERATED),
    ):
        estimates = [arm.summary.overall[name] for _, arm in arms]
        values = np.array([one.value for one in estimates])
        axes.errorbar(
            ratios, values, yerr=whiskers(estimates), fmt="o-", color=color, capsize=3, label=title
        )
    axes.set_xlabel("synthetic images to one photograph")
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figures.save(figure, path)
