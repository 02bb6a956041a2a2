"""Figures of results, by pyplot and without a screen; what several of them share.

A point is a number with the ends of its interval: (value, low, high), the ends NaN where
it has none. What draws a figure returns it, for `save` or `Report.write_figure`.
"""

import io
import pathlib
from typing import Any, Literal, Mapping, Optional, Sequence, Tuple

import matplotlib
import numpy as np

from common import files

matplotlib.use("Agg")  # before pyplot: no screen is needed

from matplotlib import pyplot  # isort: skip

GENERATED, REAL = "#b5472f", "#4a6d8c"
Point = Tuple[float, float, float]


def save(figure: "pyplot.Figure", path: str) -> str:
    """Writes a figure as a PNG that appears under its name only when complete; closes it."""
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=150, bbox_inches="tight", facecolor="white")
    pyplot.close(figure)
    files.write_bytes(pathlib.Path(path), png.getvalue())
    return path


def finish(
    axes: "pyplot.Axes", grid: Optional[Literal["x", "y", "both"]] = "both", **legend: Any
) -> None:
    """Takes away the frame, draws a faint grid and, where something has a label, a legend.

    Args:
      axes: of a figure.
      grid: its direction; None for none.
      **legend: options of the legend.
    """
    axes.spines[["top", "right"]].set_visible(False)
    if grid:
        axes.grid(axis=grid, alpha=0.3)
        axes.set_axisbelow(True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(**{"frameon": False, "fontsize": 8, **legend})


def plus_minus(mean: float, interval: float) -> Point:
    """Returns the point of a mean and what is added to and taken from it."""
    return mean, mean - interval, mean + interval


def whiskers(points: Sequence[Point]) -> np.ndarray:
    """Returns the lengths of intervals below and above, [2, N]; NaN, which draws none."""
    value, low, high = np.array(points, float).reshape(-1, 3).T
    return np.maximum([value - low, high - value], 0.0)


def _finish_rows(axes: "pyplot.Axes", names: Sequence[str], title: str, label: str) -> None:
    """Names the rows of a figure, from the top, and its axis of values."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(label)
    axes.set_title(title, fontsize=10)
    finish(axes, "x", loc="upper left", bbox_to_anchor=(1.0, 1.0))


def compared_intervals(
    names: Sequence[str],
    generated: Sequence[Point],
    floor: Sequence[Optional[Point]],
    title: str,
    label: str,
) -> "pyplot.Figure":
    """Draws one row per name: generated and real-vs-real, with intervals.

    Args:
      names: of the rows, from the top.
      generated: by row.
      floor: the same of held-out photographs; None leaves a row without.
      title: of the figure.
      label: of the axis of values.
    """
    figure, axes = pyplot.subplots(figsize=(7.0, 1.6 + 0.34 * len(names)))
    for points, color, marker, what, shift in (
        (generated, GENERATED, "o", "generated", -0.12),
        (floor, REAL, "s", "real vs. real", 0.12),
    ):
        shown = [(row + shift, point) for row, point in enumerate(points) if point is not None]
        axes.errorbar(
            [point[0] for _, point in shown],
            [place for place, _ in shown],
            xerr=whiskers([point for _, point in shown]),
            fmt=marker,
            color=color,
            capsize=3,
            markersize=5,
            label=what,
        )
    _finish_rows(axes, names, title, label)
    axes.set_xlim(left=0)
    return figure


def over_training(
    steps: Sequence[int], generated: Sequence[Point], floor: Sequence[Point], label: str
) -> "pyplot.Figure":
    """Draws generated and real-vs-real over training steps, with intervals side by side."""
    figure, axes = pyplot.subplots(figsize=(6.5, 4.0))
    aside = 0.004 * (max(steps) - min(steps))
    for points, color, marker, what, shift in (
        (generated, GENERATED, "o", "generated", -aside),
        (floor, REAL, "s", "real vs. real", aside),
    ):
        axes.errorbar(
            [step + shift for step in steps],
            [point[0] for point in points],
            yerr=whiskers(points),
            fmt=f"{marker}-",
            color=color,
            capsize=3,
            markersize=4,
            label=what,
        )
    axes.set_ylim(bottom=0)
    axes.set_xlabel("training step")
    axes.set_ylabel(label)
    finish(axes, fontsize=10)
    return figure


def grouped_bars(
    names: Sequence[str],
    series: Mapping[str, Sequence[Point]],
    colors: Sequence[str],
    title: str,
    label: str,
    guessing: Optional[float] = None,
) -> "pyplot.Figure":
    """Draws a row per name and in it a bar per series, with error bars; shares, 0 to 1.

    What an error bar has beyond 0 or 1 is cut off.

    Args:
      names: of the rows, from the top.
      series: by name in the legend, one point per row.
      colors: of the series.
      title: of the figure.
      label: of the axis of values.
      guessing: share of those who only guess, for a line; None for none.
    """
    figure, axes = pyplot.subplots(figsize=(7.0, 1.4 + 0.5 * len(names)))
    thickness = 0.8 / len(series)
    for number, (what, points) in enumerate(series.items()):
        shift = (number - (len(series) - 1) / 2) * thickness
        axes.barh(
            np.arange(len(names)) + shift,
            [point[0] for point in points],
            thickness,
            xerr=whiskers([tuple(np.clip(point, 0.0, 1.0)) for point in points]),
            color=colors[number],
            label=what,
            error_kw={"capsize": 2.5, "elinewidth": 1, "ecolor": "#333333"},
        )
    if guessing is not None:
        axes.axvline(guessing, color="#333333", linestyle="--", linewidth=1, label="guessing")
    _finish_rows(axes, names, title, label)
    axes.set_xlim(0, 1.02)  # of 1, with the end of an error bar
    return figure
