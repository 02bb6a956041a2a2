"""Tables of images for print, with heads, labels and a legend of the map's colours.

Every image is 1.7 cm wide on paper, and each of its pixels a square of whole pixels, so
that nothing is interpolated; the resolution that follows is 300 dpi or more. Two galleries
side by side fill the 17 cm between the margins of a page.
"""

import dataclasses
import io
import math
import os
import textwrap
from typing import List, Optional, Sequence, Tuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.transforms import Affine2D
from PIL import Image

from common import files
from preprocessing.data import maps, taxonomy
from synthesis import provenance
from synthesis.trained_generator import TrainedGenerator

LEAST_DPI = 300
IMAGE_CM = 1.7
PAGE_CM = 17.8  # between the margins of A4 or letter
_CM_PER_INCH, _POINTS_PER_INCH = 2.54, 72.0
_TEXT, _SMALL = 8.0, 6.5  # points
_LETTER = 0.56  # width of a letter, of the font's size, on the safe side
_LINE, _GAP, _WIDE, _BETWEEN, _MARGIN, _SWATCH = 0.33, 0.06, 0.3, 0.25, 0.25, 0.65  # cm
_NAME, _TITLE, _TITLE_LETTERS = 1.4, 2.9, 18  # cm for names and titles left of strips
_TITLE_ABOVE, _LEGEND_WIDTH = 8.3, 12.6  # cm at least
_BLACK, _GREY, _FRAME = "#000000", "#555555", "#b0b0b0"
_LEGEND = ("Map: red, everywhere: skin type", "green and blue, in the box: condition")


@dataclasses.dataclass(frozen=True)
class Strip:
    """Images side by side.

    Attributes:
      images: uint8 [S, S, 3], by column; None leaves a place empty.
      name: to their left.
      captions: below them, by column.
      small: whether they are drawn at half the size, as maps may be: pixels are left out.
    """

    images: Sequence[Optional[np.ndarray]]
    name: str = ""
    captions: Sequence[str] = ()
    small: bool = False


@dataclasses.dataclass(frozen=True)
class Group:
    """Strips that belong together.

    Attributes:
      title: what they show.
      notes: lines of small print after the title.
      strips: from the top.
    """

    title: str
    notes: Sequence[str]
    strips: Sequence[Strip]


@dataclasses.dataclass(frozen=True)
class Table:
    """What a picture shows.

    Attributes:
      groups: from the top; with `titles_above` side by side where the page has room.
      heads: of the columns; empty for none.
      axis: what the heads are, in words; "" for nothing.
      set_apart: number of columns that a wider gap sets apart, from the left.
      titles_above: whether titles stand above the strips instead of to their left.
      footer: what the reader must know of the images, in small print.
      typed: whether any map names a skin type, of which the legend then shows the colours.
      mark: of a picture that shows generated images and no photograph; else None.
    """

    groups: Sequence[Group]
    heads: Sequence[str] = ()
    axis: str = ""
    set_apart: int = 0
    titles_above: bool = False
    footer: str = ""
    typed: bool = True
    mark: Optional[provenance.Provenance] = None

    @property
    def image_size(self) -> int:
        """Rows and columns of the images."""
        images = (
            image for group in self.groups for strip in group.strips for image in strip.images
        )
        return next(len(image) for image in images if image is not None)


def enlargement(image_size: int) -> int:
    """Returns how often each pixel of an image is repeated along its side."""
    return math.ceil(IMAGE_CM / _CM_PER_INCH * LEAST_DPI / image_size)


class _Sheet:
    """A table on paper; places are in pixels from the upper left corner."""

    def __init__(self, table: Table):
        if not table.groups:
            raise ValueError("nothing to show")
        self.table = table
        self.side = table.image_size * enlargement(table.image_size)
        self.dpi = self.side / IMAGE_CM * _CM_PER_INCH
        self.line = self.px(_LINE)
        self.label = self.px(_NAME if table.titles_above else _TITLE)
        self.columns = max(len(strip.images) for group in table.groups for strip in group.strips)
        self.figure = Figure(dpi=self.dpi)
        self.canvas = FigureCanvasAgg(self.figure)
        # To Matplotlib's places, which count from below; set when the height is known.
        self.upright = Affine2D()
        self.images: List[Tuple[int, int, np.ndarray]] = []

    def px(self, cm: float) -> int:
        """Returns a length on paper in pixels."""
        return round(cm * self.dpi / _CM_PER_INCH)

    def left(self, column: int) -> int:
        """Returns where a column of images begins, after the labels."""
        apart = self.px(_WIDE) if 0 < self.table.set_apart <= column else 0
        return column * (self.side + self.px(_GAP)) + apart

    def text(self, x: float, y: float, text: str, points: float = _SMALL, ha: str = "left") -> int:
        """Writes a line; returns how wide it is."""
        drawn = self.figure.text(
            x,
            y + 0.77 * self.line,  # the baseline
            text,
            fontsize=points,
            color=_BLACK if points == _TEXT else _GREY,
            ha=ha,
            parse_math=False,
            transform=self.upright,
        )
        return math.ceil(drawn.get_window_extent().width)

    def lines(self, x: int, y: int, lines: Sequence[str], points: float = _SMALL) -> int:
        """Writes lines; returns where they end."""
        for number, line in enumerate(lines):
            self.text(x, y + number * self.line, line, points)
        return y + len(lines) * self.line

    def fill(self, x: int, y: int, width: int, height: int, color: str) -> None:
        """Fills a rectangle, behind the images."""
        box = Rectangle((x, y), width, height, color=color, linewidth=0, zorder=-1)
        box.set_transform(self.upright)
        self.figure.add_artist(box)

    def draw(self) -> Image.Image:
        """Returns the picture."""
        groups, margin, between = self.table.groups, self.px(_MARGIN), self.px(_BETWEEN)
        width, across = self.label + self.left(self.columns - 1) + self.side, 1
        if self.table.titles_above:
            width = max(width, self.px(_TITLE_ABOVE))
            room = self.px(PAGE_CM) - 2 * margin + 2 * between
            across = min(max(room // (width + 2 * between), 1), len(groups))
        step = width + 2 * between
        width = max(across * step - 2 * between, self.px(_LEGEND_WIDTH))
        y = self._draw_heads(margin + self.label, margin)
        for start in range(0, len(groups), across):
            row = enumerate(groups[start : start + across])
            ends = [self._draw_group(group, margin + place * step, y) for place, group in row]
            y = max(ends) + between
        y = self._draw_legend(margin, y)
        letters = width / self.px(_SMALL / _POINTS_PER_INCH * _CM_PER_INCH * _LETTER)
        y = self.lines(margin, y, textwrap.wrap(self.table.footer, int(letters)))
        return self._render(width + 2 * margin, y + margin)

    def _draw_heads(self, x: int, y: int) -> int:
        if self.table.axis:
            first, end = self.left(self.table.set_apart), self.left(self.columns - 1) + self.side
            self.text(x + (first + end) / 2, y, self.table.axis, _TEXT, "center")
            y += self.line
            self.fill(x + first, y, end - first, max(self.px(0.015), 1), _GREY)
            y += self.px(_GAP)
        for column, head in enumerate(self.table.heads):
            self.text(x + self.left(column) + self.side / 2, y, head, _TEXT, "center")
        return y + self.line + self.px(_GAP) if self.table.heads else y

    def _draw_group(self, group: Group, x: int, y: int) -> int:
        if self.table.titles_above:
            after = x + self.text(x, y, group.title, _TEXT) + self.px(2 * _GAP)
            self.text(after, y, " ".join(group.notes))
            y = end = y + self.line + self.px(_GAP)
        else:
            end = self.lines(x, y, textwrap.wrap(group.title, _TITLE_LETTERS), _TEXT)
            end = self.lines(x, end, group.notes)
        for strip in group.strips:
            y = self._draw_strip(strip, x + self.label, y) + self.px(_GAP)
        return max(y, end)

    def _draw_strip(self, strip: Strip, x: int, y: int) -> int:
        side = self.side // 2 if strip.small else self.side
        pixel = np.arange(side) * self.table.image_size // side
        self.text(x - self.px(2 * _GAP), y + (side - self.line) / 2, strip.name, ha="right")
        for column, image in enumerate(strip.images):
            if image is not None:
                corner = x + self.left(column) + (self.side - side) // 2
                self.fill(corner - 1, y - 1, side + 2, side + 2, _FRAME)
                self.images.append((corner, y, image[pixel][:, pixel]))
        for column, caption in enumerate(strip.captions):
            self.text(x + self.left(column) + self.side / 2, y + side, caption, ha="center")
        return y + side + (self.line if strip.captions else 0)

    def _draw_legend(self, x: int, y: int) -> int:
        unknown = "" if self.table.typed else " unknown"
        x += self.text(x, y, _LEGEND[0] + unknown) + self.px(2 * _GAP)
        swatch = round(0.65 * self.line)
        for skin_type in taxonomy.FITZPATRICK_TYPES if self.table.typed else ():
            color = f"#{maps.LEVEL * skin_type:02x}0000"
            self.fill(x, y + round(0.15 * self.line), swatch, swatch, color)
            self.text(x + swatch + self.px(_GAP), y, str(skin_type))
            x += self.px(_SWATCH)
        self.text(x + self.px(_WIDE), y, _LEGEND[1])
        return y + self.line + self.px(_GAP)

    def _render(self, width: int, height: int) -> Image.Image:
        # Half a pixel more, because Matplotlib cuts sizes to whole numbers.
        self.figure.set_size_inches((width + 0.5) / self.dpi, (height + 0.5) / self.dpi)
        self.upright.scale(1, -1).translate(0, height)
        for x, y, pixels in self.images:
            self.figure.figimage(pixels, x, height - y - len(pixels), origin="upper")
        self.canvas.draw()
        picture = Image.fromarray(np.asarray(self.canvas.buffer_rgba())[..., :3])
        picture.info["dpi"] = (self.dpi, self.dpi)
        return picture


def draw(table: Table) -> Image.Image:
    """Draws a table.

    Args:
      table: what to show; all images of one size.

    Returns:
      RGB, at `Image.info["dpi"]`.

    Raises:
      ValueError: no groups.
    """
    return _Sheet(table).draw()


def describe(generator: TrainedGenerator, seed: int) -> str:
    """Returns what a footer says of images: who painted them, and how they are enlarged."""
    size, times = generator.image_size, enlargement(generator.image_size)
    enlarged = f", enlarged {times} times (nearest neighbour)" if times > 1 else ""
    run = os.path.basename(os.path.normpath(generator.run_dir))
    return f"{run}, step {generator.step:,}, seed {seed}; {size}x{size} pixels{enlarged}."


def save(table: Table, path: str) -> str:
    """Writes the picture of a table as a PNG that appears only when complete.

    Args:
      table: what to show.
      path: of the PNG; its folder is made.

    Returns:
      The path and its size on paper, in words.
    """
    picture = draw(table)
    dpi = picture.info["dpi"][0]
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", dpi=(dpi, dpi))
    png = buffer.getvalue()
    files.write_bytes(path, provenance.stamp(png, table.mark) if table.mark else png)
    width, height = (length / dpi * _CM_PER_INCH for length in picture.size)
    return f"{path} ({width:.1f} x {height:.1f} cm at {dpi:.0f} dpi)"
