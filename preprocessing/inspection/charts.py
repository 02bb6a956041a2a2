"""Charts of the page: pictures that stay sharp, each with its numbers as a table.

The numbers are for those who cannot see a chart, and for everyone who wants to know
them.
"""

import io
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

import matplotlib
import numpy as np
from matplotlib import colors, figure, ticker

from common import pages
from preprocessing.inspection.distributions import Histogram

# The share from which white letters are read better than black ones.
DARK_FROM = 0.69
# From near white to dark, of one hue, lightness falling evenly.
_SHADES = colors.LinearSegmentedColormap.from_list("shades", ["#f4f6fa", "#143e78"])
TEXT_COLOR, _LINE = "#566070", "#d9dee6"
_STYLE: Dict[Any, Any] = {
    "svg.fonttype": "none",  # letters stay letters, in a font of the reader's
    "font.size": 8.5,
    "text.color": TEXT_COLOR,
    "axes.labelcolor": TEXT_COLOR,
    "axes.edgecolor": _LINE,
    "axes.axisbelow": True,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": _LINE,
    "xtick.color": _LINE,
    "xtick.labelcolor": TEXT_COLOR,
    "ytick.color": "none",
    "ytick.labelcolor": TEXT_COLOR,
}


class Chart(NamedTuple):
    """A chart and its numbers.

    Attributes:
      title: what it shows, in words.
      address: the picture, an SVG, as a data URI.
      header: of the table of numbers.
      rows: of the table, as text.
    """

    title: str
    address: str
    header: List[str]
    rows: List[List[str]]


def shade(share: float) -> str:
    """The color of a share of the largest value, 0..1."""
    return colors.to_hex(_SHADES(float(share)))


def _address(drawn: figure.Figure, title: str) -> str:
    buffer = io.BytesIO()
    about = {"Title": title, "Creator": None, "Date": None}
    drawn.savefig(buffer, format="svg", dpi=200, transparent=True, metadata=about)
    return pages.data_uri(buffer.getvalue(), "image/svg+xml")


def bars(
    title: str,
    axis: str,
    series: Mapping[str, Histogram],
    series_colors: Sequence[str],
    bar_colors: Optional[Sequence[str]] = None,
    marks: Sequence[float] = (),
) -> Chart:
    """Draws counts as bars; several series stand side by side.

    Args:
      title: what the chart shows.
      axis: what the bins are.
      series: counts of the same bins, by name.
      series_colors: in the order of the series.
      bar_colors: of the single bars of the only series, instead.
      marks: where lines cross the chart, in bins from the left.
    """
    (first, *_) = series.values()
    places = np.arange(len(first.labels)) + 0.5
    thick = (0.82 if len(places) < 15 else 0.94) / len(series)
    with matplotlib.rc_context(_STYLE):
        drawn = figure.Figure(figsize=(3.9, 2.2), layout="constrained")
        axes = drawn.subplots()
        for number, (histogram, color) in enumerate(zip(series.values(), series_colors)):
            shift = (number - (len(series) - 1) / 2) * thick
            axes.bar(
                places + shift,
                histogram.counts,
                thick,
                color=bar_colors or color,
                edgecolor="#6b5a4d",  # for colors hardly seen on white
                linewidth=0.4 if bar_colors else 0,
            )
        axes.vlines(marks, 0, 1, "#8b94a3", "dashed", transform=axes.get_xaxis_transform(), lw=0.8)
        ticks = first.ticks or list(zip(places, first.labels))
        axes.set_xticks([place for place, _ in ticks], [text for _, text in ticks])
        axes.tick_params(axis="x", length=3 if first.ticks else 0)
        axes.set_xlim(0, len(places))
        axes.set_xlabel(axis)
        axes.set_ylim(0, max(1, max(max(one.counts) for one in series.values()) * 1.02))
        axes.yaxis.set_major_locator(ticker.MaxNLocator(4, integer=True))
        axes.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
        axes.grid(axis="y")
        address = _address(drawn, title)
    counts = zip(first.labels, *(histogram.counts for histogram in series.values()))
    rows = [[label, *(f"{one:,}" for one in found)] for label, *found in counts if any(found)]
    return Chart(title, address, [axis, *series], rows)


def heat_map(title: str, shares: np.ndarray) -> Chart:
    """Draws where in a photograph something lies.

    Args:
      title: what the chart shows.
      shares: [3 N, 3 N], for each part of the photograph, 0..1. The table has the
        means of nine parts.
    """
    with matplotlib.rc_context(_STYLE):
        drawn = figure.Figure(figsize=(3.9, 2.6), layout="constrained")
        axes = drawn.subplots()
        image = axes.imshow(shares, _SHADES, vmin=0, vmax=max(float(shares.max()), 1e-9))
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(True)
        bar = drawn.colorbar(
            image, format=ticker.PercentFormatter(1, 0), ticks=ticker.MaxNLocator(4)
        )
        bar.outline.set_visible(False)
        address = _address(drawn, title)
    side = len(shares) // 3
    thirds = shares.reshape(3, side, 3, side).mean((1, 3))
    rows = [
        [name, *(f"{share:.0%}" for share in third)]
        for name, third in zip(("top", "middle", "bottom"), thirds)
    ]
    return Chart(title, address, ["mean share", "left", "middle", "right"], rows)
