"""Tables of images for print, with heads, labels and a legend of the map's colours.

Every tile is 1.7 cm wide on paper and a whole multiple of its image in pixels, so that
nothing is resampled twice; the resolution that follows is 300 dpi or more. Two galleries
side by side fill the 17 cm between the margins of a page.
"""

import dataclasses
import math
from typing import List, NamedTuple, Optional, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from preprocessing.data import maps, taxonomy
from synthesis import provenance

LEAST_DPI = 300
TILE_CM = 1.7
PAGE_CM = 17.8  # between the margins of A4 or letter
_CM_PER_INCH, _POINTS_PER_INCH = 2.54, 72.0
_TEXT, _SMALL = 8.5, 7.0  # points
_LINE = 1.25  # of a font's size
_GAP, _WIDE, _BETWEEN, _MARGIN, _LABEL, _SWATCH = 0.06, 0.3, 0.25, 0.25, 2.6, 0.65  # cm
_BLACK, _GREY, _FRAME = "#000000", "#555555", "#b0b0b0"
_LEGEND = ("Map: red, everywhere: skin type", "green and blue, in the box: condition")


class Tile(NamedTuple):
    """One image of a table.

    Attributes:
      pixels: uint8 [S, S, 3].
      is_map: whether it is a semantic map, enlarged without interpolation.
    """

    pixels: np.ndarray
    is_map: bool = False


@dataclasses.dataclass(frozen=True)
class Strip:
    """Tiles side by side.

    Attributes:
      tiles: by column; None leaves a place empty.
      name: to their left.
      captions: below them, by column.
      small: whether they are drawn at half the size.
    """

    tiles: Sequence[Optional[Tile]]
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
      mark: of a picture that shows generated images and no photograph; else None.
    """

    groups: Sequence[Group]
    heads: Sequence[str] = ()
    axis: str = ""
    set_apart: int = 0
    titles_above: bool = False
    footer: str = ""
    mark: Optional[provenance.Provenance] = None

    @property
    def image_size(self) -> int:
        """Rows and columns of the images."""
        tiles = (tile for group in self.groups for strip in group.strips for tile in strip.tiles)
        return next(tile.pixels.shape[0] for tile in tiles if tile is not None)


def enlargement(image_size: int) -> int:
    """Returns how often each pixel of an image is repeated along a tile's side."""
    return math.ceil(TILE_CM / _CM_PER_INCH * LEAST_DPI / image_size)


class _Sheet:
    """Places and draws a table; lengths in pixels unless in cm."""

    def __init__(self, table: Table):
        if not table.groups:
            raise ValueError("nothing to show")
        self.table = table
        self.tile = table.image_size * enlargement(table.image_size)
        self.dpi = self.tile / TILE_CM * _CM_PER_INCH
        self.text, self.small = self._font(_TEXT), self._font(_SMALL)
        self.label = self._label_width()
        self.columns = max(len(strip.tiles) for group in table.groups for strip in group.strips)
        self.group_width = max(
            self.label + self._left(self.columns - 1) + self.tile,
            *(self._title_width(group) for group in table.groups),
        )
        self.across = self._groups_across()

    def px(self, cm: float) -> int:
        """Returns a length on paper in pixels."""
        return round(cm * self.dpi / _CM_PER_INCH)

    def _font(self, points: float) -> ImageFont.FreeTypeFont:
        font = ImageFont.load_default(points * self.dpi / _POINTS_PER_INCH)
        assert isinstance(font, ImageFont.FreeTypeFont)  # Pillow's wheels have FreeType.
        return font

    def _line(self, font: ImageFont.FreeTypeFont) -> int:
        return round(font.size * _LINE)

    def _title_width(self, group: Group) -> int:
        if not self.table.titles_above:
            return 0
        notes = " ".join(("", *group.notes))
        return round(self.text.getlength(group.title) + self.small.getlength(f"  {notes}"))

    def _label_width(self) -> int:
        """Returns the width of what stands left of the tiles, with the space after it."""
        lines = [(strip.name, self.small) for group in self.table.groups for strip in group.strips]
        if not self.table.titles_above:
            for group in self.table.groups:
                lines += [(line, self.text) for line in self.wrap(group.title, self.text)]
                lines += [(line, self.small) for line in group.notes]
        widest = max(font.getlength(line) for line, font in lines)
        return math.ceil(widest) + self.px(2 * _GAP) if widest else 0

    def _left(self, column: int) -> int:
        """Returns where a column of tiles begins, after the labels."""
        apart = self.px(_WIDE) if 0 < self.table.set_apart <= column else 0
        return column * (self.tile + self.px(_GAP)) + apart

    def _groups_across(self) -> int:
        if not self.table.titles_above:
            return 1
        room = self.px(PAGE_CM - 2 * _MARGIN) + self.px(2 * _BETWEEN)
        fitting = max(room // (self.group_width + self.px(2 * _BETWEEN)), 1)
        return min(fitting, len(self.table.groups))

    def wrap(self, text: str, font: ImageFont.FreeTypeFont, width: float = 0.0) -> List[str]:
        """Breaks a text at its spaces into lines of a width; longer words stay whole."""
        lines: List[str] = []
        for word in text.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and font.getlength(longer) <= (width or self.px(_LABEL)):
                lines[-1] = longer
            else:
                lines.append(word)
        return lines

    def _strip_height(self, strip: Strip) -> int:
        side = self.tile // 2 if strip.small else self.tile
        return side + (self._line(self.small) if strip.captions else 0)

    def _group_height(self, group: Group) -> int:
        height = sum(self._strip_height(strip) + self.px(_GAP) for strip in group.strips)
        if self.table.titles_above:
            return height + self._line(self.text) + self.px(_GAP)
        lines = len(self.wrap(group.title, self.text))
        return max(
            height, lines * self._line(self.text) + len(group.notes) * self._line(self.small)
        )

    def _head_height(self) -> int:
        lines = bool(self.table.heads) + bool(self.table.axis)
        return lines * (self._line(self.text) + self.px(_GAP))

    def _footer(self, width: int) -> List[str]:
        return self.wrap(self.table.footer, self.small, width)

    def _legend_width(self) -> int:
        numbers = len(taxonomy.FITZPATRICK_TYPES)
        text = sum(self.small.getlength(part) for part in _LEGEND)
        return round(text) + numbers * self.px(_SWATCH) + self.px(_WIDE + 2 * _GAP)

    def draw(self) -> Image.Image:
        """Returns the picture."""
        margin, between = self.px(_MARGIN), self.px(_BETWEEN)
        step = self.group_width + 2 * between
        width = max(self.across * step - 2 * between, self._legend_width())
        rows = [
            self.table.groups[start : start + self.across]
            for start in range(0, len(self.table.groups), self.across)
        ]
        heights = [max(map(self._group_height, row)) + between for row in rows]
        footer = self._footer(width)
        below = (len(footer) + 1) * self._line(self.small) + self.px(_GAP)
        size = (width + 2 * margin, self._head_height() + sum(heights) + below + 2 * margin)
        sheet = Image.new("RGB", size, "white")
        pen = ImageDraw.Draw(sheet)
        self._draw_heads(pen, margin + self.label, margin)
        y = margin + self._head_height()
        for row, height in zip(rows, heights):
            for place, group in enumerate(row):
                self._draw_group(sheet, pen, group, margin + place * step, y)
            y += height
        self._draw_legend(pen, margin, y)
        for number, line in enumerate(footer, start=1):
            top = y + number * self._line(self.small) + self.px(_GAP)
            pen.text((margin, top), line, _GREY, self.small)
        return sheet

    def _draw_heads(self, pen: ImageDraw.ImageDraw, x: int, y: int) -> None:
        if self.table.axis:
            first = x + self._left(self.table.set_apart)
            last = x + self._left(self.columns - 1) + self.tile
            pen.text(((first + last) / 2, y), self.table.axis, _BLACK, self.text, anchor="ma")
            y += self._line(self.text)
            pen.line(((first, y), (last, y)), _GREY, max(self.px(0.015), 1))
            y += self.px(_GAP)
        for column, head in enumerate(self.table.heads):
            middle = x + self._left(column) + self.tile / 2
            pen.text((middle, y), head, _BLACK, self.text, anchor="ma")

    def _draw_group(
        self, sheet: Image.Image, pen: ImageDraw.ImageDraw, group: Group, x: int, y: int
    ) -> None:
        if self.table.titles_above:
            baseline = y + self.text.size
            pen.text((x, baseline), group.title, _BLACK, self.text, anchor="ls")
            after = x + self.text.getlength(f"{group.title}  ")
            pen.text((after, baseline), " ".join(group.notes), _GREY, self.small, anchor="ls")
            y += self._line(self.text) + self.px(_GAP)
        else:
            self._draw_label(pen, group, x, y)
        for strip in group.strips:
            self._draw_strip(sheet, pen, strip, x + self.label, y)
            y += self._strip_height(strip) + self.px(_GAP)

    def _draw_label(self, pen: ImageDraw.ImageDraw, group: Group, x: int, y: int) -> None:
        for line in self.wrap(group.title, self.text):
            pen.text((x, y), line, _BLACK, self.text)
            y += self._line(self.text)
        for line in group.notes:
            pen.text((x, y), line, _GREY, self.small)
            y += self._line(self.small)

    def _draw_strip(
        self, sheet: Image.Image, pen: ImageDraw.ImageDraw, strip: Strip, x: int, y: int
    ) -> None:
        side = self.tile // 2 if strip.small else self.tile
        if strip.name:
            place = (x - self.px(2 * _GAP), y + side / 2)
            pen.text(place, strip.name, _GREY, self.small, anchor="rm")
        for column, tile in enumerate(strip.tiles):
            left = x + self._left(column)
            if tile is not None:
                corner = (left + (self.tile - side) // 2, y)
                method = Image.Resampling.NEAREST if tile.is_map else Image.Resampling.LANCZOS
                sheet.paste(Image.fromarray(tile.pixels).resize((side, side), method), corner)
                end = (corner[0] + side - 1, corner[1] + side - 1)
                pen.rectangle((corner, end), outline=_FRAME, width=max(self.px(0.01), 1))
            if column < len(strip.captions):
                middle = (left + self.tile / 2, y + side + self.px(_GAP / 2))
                pen.text(middle, strip.captions[column], _GREY, self.small, anchor="ma")

    def _draw_legend(self, pen: ImageDraw.ImageDraw, x: int, y: int) -> None:
        pen.text((x, y), _LEGEND[0], _GREY, self.small)
        place = x + round(self.small.getlength(_LEGEND[0])) + self.px(2 * _GAP)
        side = round(self.small.size)
        for skin_type in taxonomy.FITZPATRICK_TYPES:
            color = (maps.LEVEL * skin_type, 0, 0)
            pen.rectangle((place, y, place + side, y + side), fill=color)
            after = place + side + self.px(_GAP)
            pen.text((after, y), str(skin_type), _GREY, self.small)
            place += self.px(_SWATCH)
        pen.text((place + self.px(_WIDE), y), _LEGEND[1], _GREY, self.small)


def draw(table: Table) -> Image.Image:
    """Draws a table.

    Args:
      table: what to show; all tiles of one size.

    Returns:
      RGB, at `Image.info["dpi"]`.

    Raises:
      ValueError: no groups.
    """
    sheet = _Sheet(table)
    picture = sheet.draw()
    picture.info["dpi"] = (sheet.dpi, sheet.dpi)
    return picture
