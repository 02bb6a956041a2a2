"""Figures of evaluation results, as PNG files."""

import pathlib
from typing import Mapping, Optional, Sequence, Tuple

import matplotlib

matplotlib.use("Agg")  # before pyplot: no screen is needed

from matplotlib import pyplot  # isort: skip

GENERATED, REAL = "#b5472f", "#4a6d8c"
Point = Tuple[float, float]  # mean and half interval


def save(figure: "pyplot.Figure", path: str) -> str:
    """Writes a figure as a PNG that appears under its name only when complete."""
    target = pathlib.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".tmp")
    figure.savefig(temporary, format="png", dpi=150, bbox_inches="tight", facecolor="white")
    pyplot.close(figure)
    temporary.replace(target)
    return path


def _finish_rows(axes: "pyplot.Axes", names: Sequence[str], title: str, label: str) -> None:
    """Names the rows of a figure, from the top, and its axis of values."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(label)
    axes.set_title(title, fontsize=10)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def compared_intervals(
    names: Sequence[str],
    generated: Sequence[Point],
    floor: Sequence[Optional[Point]],
    title: str,
    label: str,
    path: str,
) -> str:
    """Draws one row per name: generated and real-vs-real, with intervals.

    Args:
      names: of the rows, from the top.
      generated: mean and half interval by row.
      floor: the same of held-out photographs; None leaves a row without.
      title: of the figure.
      label: of the axis of values.
      path: of the PNG.
    """
    figure, axes = pyplot.subplots(figsize=(7.0, 1.6 + 0.34 * len(names)))
    for points, color, marker, what, shift in (
        (generated, GENERATED, "o", "generated", -0.12),
        (floor, REAL, "s", "real vs. real", 0.12),
    ):
        rows = [(row, point) for row, point in enumerate(points) if point is not None]
        axes.errorbar(
            [point[0] for _, point in rows],
            [row + shift for row, _ in rows],
            xerr=[point[1] for _, point in rows],
            fmt=marker,
            color=color,
            capsize=3,
            markersize=5,
            label=what,
        )
    _finish_rows(axes, names, title, label)
    axes.set_xlim(left=0)
    return save(figure, path)


def over_training(
    steps: Sequence[int],
    generated: Sequence[Point],
    floor: Sequence[Point],
    label: str,
    path: str,
) -> str:
    """Draws generated and real-vs-real over training steps, with intervals."""
    figure, axes = pyplot.subplots(figsize=(6.5, 4.0))
    for points, color, what in (
        (generated, GENERATED, "generated"),
        (floor, REAL, "real vs. real"),
    ):
        means = [mean for mean, _ in points]
        axes.plot(steps, means, "o-", color=color, label=what, markersize=4)
        axes.fill_between(
            steps,
            [mean - half for mean, half in points],
            [mean + half for mean, half in points],
            color=color,
            alpha=0.2,
            linewidth=0,
        )
    axes.set_ylim(bottom=0)
    axes.set_xlabel("training step")
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return save(figure, path)


def grouped_bars(
    names: Sequence[str],
    series: Mapping[str, Sequence[Point]],
    colors: Sequence[str],
    title: str,
    label: str,
    path: str,
) -> str:
    """Draws a row per name and in it a bar per series, with error bars; shares, 0 to 1.

    Args:
      names: of the rows, from the top.
      series: by name in the legend, mean and half the error bar by row; a NaN half
        leaves the bar without.
      colors: of the series.
      title: of the figure.
      label: of the axis of values.
      path: of the PNG.
    """
    figure, axes = pyplot.subplots(figsize=(7.0, 1.4 + 0.5 * len(names)))
    thickness = 0.8 / len(series)
    for number, (what, points) in enumerate(series.items()):
        shift = (number - (len(series) - 1) / 2) * thickness
        axes.barh(
            [row + shift for row in range(len(names))],
            [mean for mean, _ in points],
            thickness,
            xerr=[half for _, half in points],
            color=colors[number],
            label=what,
            error_kw={"capsize": 2.5, "elinewidth": 1, "ecolor": "#333333"},
        )
    _finish_rows(axes, names, title, label)
    axes.set_xlim(0, 1.05)
    return save(figure, path)
