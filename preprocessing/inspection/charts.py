"""Charts as inline SVG, which stays sharp, small and readable by screen readers.

The functions return markup in which every text is escaped.
"""

import html
from typing import List, NamedTuple, Optional, Sequence

import numpy as np

_WIDTH, _HEIGHT = 370, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 8, 12, 40


class Series(NamedTuple):
    """Bars of one kind: their name, heights and a color of CSS."""

    name: str
    values: Sequence[float]
    color: str


def _svg(title: str, width: int, height: int, parts: Sequence[str]) -> str:
    name = html.escape(title)
    return (
        f'<svg class="chart" role="img" aria-label="{name}" viewBox="0 0 {width} {height}">'
        + "".join(parts)
        + "</svg>"
    )


def _ticks(highest: float) -> List[float]:
    """Up to five round numbers from 0, the last at or above the highest value."""
    if highest <= 0:
        return [0, 1]
    step = 10.0 ** np.floor(np.log10(highest / 4))
    step = next(step * factor for factor in (1, 2, 2.5, 5, 10) if step * factor * 4 >= highest)
    step = max(step, 1.0)
    return [step * n for n in range(int(np.ceil(highest / step - 1e-9)) + 1)]


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def bars(
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    marks: Sequence[float] = (),
    axis: str = "",
    colors: Optional[Sequence[str]] = None,
) -> str:
    """Draws counts as bars; several series stand side by side.

    Args:
      title: what a screen reader says.
      labels: under the bars; "" for none.
      series: one or more of as many values as there are labels.
      marks: where lines cross the chart, in bars from the left.
      axis: what the labels are.
      colors: of the single bars, instead of the series' own.
    """
    ticks = _ticks(max((max(one.values, default=0) for one in series), default=0))
    tall, wide = _HEIGHT - _TOP - _BOTTOM, _WIDTH - _LEFT - _RIGHT
    slot = wide / max(len(labels), 1)
    thick = slot * (0.82 if len(labels) < 15 else 0.94) / len(series)
    parts = []
    for tick in ticks:
        y = _TOP + tall * (1 - tick / ticks[-1])
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_number(tick)}</text>'
        )
    for place, label in enumerate(labels):
        middle = _LEFT + slot * (place + 0.5)
        for n, one in enumerate(series):
            height = tall * one.values[place] / ticks[-1]
            x, y = middle + thick * (n - len(series) / 2), _TOP + tall - height
            what = " ".join(filter(None, (label, one.name)))
            color = colors[place] if colors else one.color
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(thick - 1, 0.5):.1f}" '
                f'height="{height:.1f}" fill="{color}"><title>{html.escape(what)}: '
                f"{_number(one.values[place])}</title></rect>"
            )
        text = html.escape(label)
        parts.append(
            f'<text x="{middle:.1f}" y="{_TOP + tall + 16}" text-anchor="middle">{text}</text>'
        )
    for mark in marks:
        x = _LEFT + slot * mark
        parts.append(
            f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_TOP + tall}"/>'
        )
    middle = _LEFT + wide / 2
    parts.append(
        f'<text class="axis" x="{middle:.1f}" y="{_HEIGHT - 6}" text-anchor="middle">'
        f"{html.escape(axis)}</text>"
    )
    return _svg(title, _WIDTH, _HEIGHT, parts)


# The share from which white letters are read better than black ones.
DARK_FROM = 0.69
# From near white to dark, of one hue, lightness falling evenly.
_LIGHT, _DARK = np.array([244, 246, 250]), np.array([20, 62, 120])


def shade(share: float) -> str:
    """The color of a share of the largest value, 0..1."""
    red, green, blue = (_LIGHT + (_DARK - _LIGHT) * min(max(share, 0.0), 1.0)).round().astype(int)
    return f"rgb({red} {green} {blue})"


def heat_map(title: str, shares: np.ndarray) -> str:
    """Draws where boxes lie.

    Args:
      title: what a screen reader says.
      shares: [rows, columns], of each cell the share of boxes that cover it, 0..1.
    """
    rows, columns = shares.shape
    step, largest = 240 / max(rows, columns), max(float(shares.max()), 1e-9)
    parts = []
    for row in range(rows):
        for column in range(columns):
            share = float(shares[row, column])
            parts.append(
                f'<rect x="{column * step:.1f}" y="{row * step:.1f}" width="{step + 0.1:.1f}" '
                f'height="{step + 0.1:.1f}" fill="{shade(share / largest)}">'
                f"<title>{share:.0%}</title></rect>"
            )
    return _svg(title, round(columns * step), round(rows * step), parts)
