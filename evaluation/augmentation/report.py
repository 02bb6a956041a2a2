"""The report of the augmentation experiment: Markdown, CSV, JSON, the paper's Figure 8."""

import pathlib
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot

from common import figures
from common.report import Report
from evaluation.augmentation import arms, classification, results
from evaluation.augmentation.classification import Difference
from evaluation.augmentation.results import ArmResult, Results
from evaluation.uncertainty.cluster_bootstrap import Estimate
from preprocessing.data import taxonomy

_TEMPLATE = pathlib.Path(__file__).with_name("report.md.jinja")
_OVERALL_TITLES = {
    "top_1": "top-1",
    "balanced_accuracy": "balanced accuracy",
    "macro_precision": "macro precision",
    "macro_f1": "macro F1",
}
_TEST_TITLES = {"test": "Test photographs", "extra": "Photographs of another data set"}
COLORS = {
    arms.REAL: figures.REAL,
    arms.SYNTHETIC: figures.GENERATED,
    arms.OVERSAMPLED: "#7a8b3c",
    arms.CLASS_WEIGHTS: "#8a6aa3",
    arms.ONLY: "#d9a441",
    arms.AGREED: "#c98a76",
    arms.NEAR: "#6fa39b",
    arms.FIRST: "#b5651d",
    arms.STRONG: "#4a6fa5",
}
_MOST_CELLS_WITH_NUMBERS = 10


def _p(value: float) -> str:
    return "-" if value != value else (f"{value:.3f}" if value >= 0.001 else "< 0.001")


def _difference(one: Difference) -> str:
    estimate = one.estimate
    if estimate.value != estimate.value:
        return "-"
    text = f"{estimate.value:+.3f}"
    if estimate.low == estimate.low:
        text += f" ({estimate.low:+.3f} to {estimate.high:+.3f})"
    return f"**{text}**" if one.significant else text


def _weights(study: Mapping[str, Any]) -> str:
    weights = study["weights"]
    return weights if len(weights) < 20 else f"from a file (sha256 {weights[:12]})"


def _csv_rows(found: Results) -> Iterator[Dict[str, Any]]:
    """Yields a row for each arm and condition."""
    against_real = {one.second: one for one in found.comparisons if one.first == arms.REAL}
    for arm in found.arms:
        for code, condition in enumerate(taxonomy.conditions()):
            row: Dict[str, Any] = {
                "test_set": found.test_set,
                "arm": arm.name,
                "condition": condition,
                "test_images": arm.summary.support[code],
            }
            for name in classification.PER_CLASS:
                one = arm.summary.per_class[name][code]
                row.update({name: one.value, f"{name}_low": one.low, f"{name}_high": one.high})
            if arm.name in against_real:
                change = against_real[arm.name].classes[code]
                row.update(
                    f1_less_real=change.estimate.value,
                    f1_less_real_low=change.estimate.low,
                    f1_less_real_high=change.estimate.high,
                    p=change.p,
                    p_holm=change.p_adjusted,
                )
            yield row


def screen_summary(found: Results) -> str:
    """Returns a short table and the verdict for the screen."""
    lines = ["", _TEST_TITLES[found.test_set], ""]
    lines.append(f"  {'':26}" + "".join(f"{name:>26}" for name in _OVERALL_TITLES.values()))
    for arm in found.arms:
        cells = (f"{arm.summary.overall[name]:.3f}".rjust(26) for name in _OVERALL_TITLES)
        lines.append(f"  {arm.name:26.26}{''.join(cells)}")
    return "\n".join([*lines, "", results.verdict(found)])


def _main_arms(found: Results) -> List[ArmResult]:
    return [arm for arm in found.arms if arm.protocol["ratio"] is None]


def _points(estimates: Iterable[Estimate]) -> List[figures.Point]:
    return [(one.value, one.low, one.high) for one in estimates]


def draw_f1(found: Results) -> pyplot.Figure:
    """Draws F1 by condition and arm, with intervals (paper, Figure 8).

    Conditions without a test image are left out; those whose F1 changes significantly
    with synthetic images carry a star.
    """
    shown = _main_arms(found)
    support = np.array(shown[0].summary.support)
    codes = sorted(np.flatnonzero(support), key=lambda code: -support[code])
    changed = set()
    for one in found.comparisons:
        if (one.first, one.second) == (arms.REAL, arms.SYNTHETIC):
            changed = {name for name, _ in one.significant_classes()}
    figure, axes = pyplot.subplots(figsize=(7.5, 1.4 + 0.16 * len(codes) * (1 + len(shown))))
    height = 0.8 / len(shown)
    for number, arm in enumerate(shown):
        points = _points(arm.summary.per_class["f1"][code] for code in codes)
        axes.barh(
            np.arange(len(codes)) + (number - (len(shown) - 1) / 2) * height,
            [point[0] for point in points],
            height,
            xerr=figures.whiskers(points),
            color=COLORS[arm.protocol["kind"]],
            error_kw={"elinewidth": 0.8, "capsize": 1.5, "ecolor": "#333333"},
            label=arm.name,
        )
    names = [taxonomy.conditions()[code] for code in codes]
    labels = [
        f"{name}{' *' if name in changed else ''} (n = {support[code]})"
        for name, code in zip(names, codes)
    ]
    axes.set_yticks(range(len(codes)), labels, fontsize=8)
    axes.set_ylim(len(codes) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_xlabel(f"F1; 95% interval from {classification.FEWEST_OF_CLASS} patients on")
    figures.finish(axes, "x", loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2)
    return figure


def draw_confusion(found: Results) -> pyplot.Figure:
    """Draws confusion matrices, by arm; rows are labels, numbers per cent of them."""
    shown = _main_arms(found)
    counted = sum(arm.confusion.sum(axis=0) + arm.confusion.sum(axis=1) for arm in shown)
    present = np.flatnonzero(counted)
    names = [taxonomy.conditions()[code] for code in present]
    columns = min(len(shown), 2)
    rows = -(-len(shown) // columns)
    side = 1.6 + 0.17 * len(present)
    figure, grid = pyplot.subplots(
        rows, columns, figsize=(columns * side + 1.0, rows * side), squeeze=False
    )
    for axes in grid.ravel()[len(shown) :]:
        axes.set_visible(False)
    for place, (axes, arm) in enumerate(zip(grid.ravel(), shown)):
        counts = arm.confusion[np.ix_(present, present)].astype(float)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        shares[counts.sum(axis=1) == 0] = np.nan
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        if len(present) <= _MOST_CELLS_WITH_NUMBERS:
            for (row, column), share in np.ndenumerate(shares):
                if np.isfinite(share):
                    style = {"fontsize": 6, "ha": "center", "va": "center"}
                    color = "white" if share > 0.5 else "black"
                    axes.text(column, row, f"{100 * share:.0f}", color=color, **style)
        axes.set_title(arm.name, fontsize=9)
        last, first = place >= len(shown) - columns, place % columns == 0
        axes.set_xticks(range(len(present)), names if last else [], rotation=90, fontsize=6)
        axes.set_yticks(range(len(present)), names if first else [], fontsize=6)
        axes.set_ylabel("label" if first else "", fontsize=8)
        axes.set_xlabel("prediction" if last else "", fontsize=8)
    figure.tight_layout()
    return figure


def draw_ratios(found: Results) -> pyplot.Figure:
    """Draws top-1 and macro F1 over the ratio of synthetic images to photographs.

    Dashed lines are the same of oversampled photographs, where there is such an arm.
    """
    shown = [found.arms[0], *(arm for arm in found.arms if arm.protocol["ratio"])]
    ratios = [arm.protocol["ratio"] or 0.0 for arm in shown]
    places = range(len(ratios))
    controls = [arm for arm in found.arms if arm.protocol["kind"] == arms.OVERSAMPLED]
    figure, axes = pyplot.subplots(figsize=(6.0, 3.8))
    for name, title, color in (
        ("top_1", "top-1 accuracy", figures.REAL),
        ("macro_f1", "macro F1", figures.GENERATED),
    ):
        points = _points(arm.summary.overall[name] for arm in shown)
        values, ends = [point[0] for point in points], figures.whiskers(points)
        axes.errorbar(places, values, yerr=ends, fmt="o-", color=color, capsize=3, label=title)
        for control in controls:
            value = control.summary.overall[name].value
            label = f"{title}, {control.name}"
            axes.axhline(value, color=color, linestyle="--", linewidth=1, label=label)
    axes.set_xticks(places, [f"{ratio:g}" for ratio in ratios])
    axes.set_xlabel("synthetic images to one photograph")
    axes.set_ylim(0, 1)
    figures.finish(axes, fontsize=10)
    return figure


def protocol_of(all_results: Sequence[Results]) -> Dict[str, Any]:
    """Returns what the numbers depend on."""
    first = {one.test_set: one.arms[0].predictions.trainings[0] for one in all_results}
    return {
        "study": all_results[0].arms[0].protocol["study"],
        "replicates": all_results[0].replicates,
        "tests": {name: training["test"] for name, training in first.items()},
    }


def write_report(all_results: Sequence[Results], report: Report) -> None:
    """Writes augmentation.md, .csv, .json and figures.

    Args:
      all_results: one for each test set.
      report: of their protocol.
    """
    report.write_markdown(
        _TEMPLATE,
        all_results=all_results,
        titles=_TEST_TITLES,
        overall=_OVERALL_TITLES,
        verdict=results.verdict,
        notes=results.notes,
        difference=_difference,
        p=_p,
        weights=_weights,
        fewest_of_class=classification.FEWEST_OF_CLASS,
        smallest_group=results.SMALLEST_GROUP,
    )
    report.write_csv(pd.DataFrame([row for one in all_results for row in _csv_rows(one)]))
    report.write_json(
        {
            "verdict": {one.test_set: results.verdict(one) for one in all_results},
            "notes": {one.test_set: results.notes(one) for one in all_results},
            "results": {one.test_set: one.as_dict() for one in all_results},
        }
    )
    for one in all_results:
        suffix = "" if one.test_set == "test" else f"_{one.test_set}"
        report.write_figure(draw_f1(one), f"figure_8{suffix}")
        report.write_figure(draw_confusion(one), f"confusion{suffix}")
        if any(arm.protocol["ratio"] for arm in one.arms):
            report.write_figure(draw_ratios(one), f"ratios{suffix}")
