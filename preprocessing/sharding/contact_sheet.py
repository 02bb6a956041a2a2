"""One picture that shows what a data set is made of."""

import base64
import io
import itertools
from typing import Dict, Iterable, List, Tuple

from PIL import Image, ImageDraw

from preprocessing.data import taxonomy

_CAPTION = 14
_GAP = 6
_TILES = 96
_COLUMNS = 8
_FEWEST = 32  # Tiles wanted of a data set with few combinations.
_Key = Tuple[str, int]


def spread(keys: Iterable[_Key], shift: int = 0) -> List[_Key]:
    """Orders keys so that as many conditions as possible are among the first.

    Args:
      keys: (condition, skin type).
      shift: where to begin; with other shifts, others come first.

    Returns:
      One key of every condition, then a second one of every condition, and so on.
    """

    def turned(items: list) -> list:
        start = shift % max(len(items), 1)
        return items[start:] + items[:start]

    by_condition: Dict[str, List[_Key]] = {}
    for key in sorted(keys):
        by_condition.setdefault(key[0], []).append(key)
    groups = [turned(group) for group in turned(list(by_condition.values()))]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*groups))
    return [key for key in turns if key is not None]


def _captioned(condition: str, skin_type: int, jpeg: bytes) -> Image.Image:
    """Puts "condition, type N" above a picture; the condition is shortened to fit."""
    pair = Image.open(io.BytesIO(jpeg))
    tile = Image.new("RGB", (pair.width, pair.height + _CAPTION), "white")
    tile.paste(pair, (0, _CAPTION))
    draw = ImageDraw.Draw(tile)
    named, letters = taxonomy.type_name(skin_type), len(condition)
    caption = f"{condition}, {named}"
    while draw.textlength(caption) > tile.width and letters:
        letters -= 1
        caption = f"{condition[:letters].rstrip()}., {named}"
    draw.text((0, 0), caption, fill="black")
    return tile


class ContactSheet:
    """Collects pairs of crop and semantic map, spread over conditions and skin types."""

    def __init__(self) -> None:
        self._pairs: Dict[_Key, List[bytes]] = {}

    def add(self, condition: str, skin_type: int, jpeg_base64: str) -> None:
        """Adds a pair: a base64 JPEG, crop and map side by side.

        Memory is bounded: a combination of condition and skin type keeps `_FEWEST`.
        """
        kept = self._pairs.setdefault((condition, skin_type), [])
        if len(kept) < _FEWEST:
            kept.append(base64.b64decode(jpeg_base64))

    def _chosen(self) -> List[Tuple[str, int, bytes]]:
        """Takes one pair of every combination in turn, then sorts them."""
        of_each = max(_COLUMNS, _FEWEST // max(len(self._pairs), 1))
        turns = [(key, turn) for turn in range(of_each) for key in spread(self._pairs)]
        there = [(key, turn) for key, turn in turns if turn < len(self._pairs[key])]
        return [(*key, self._pairs[key][turn]) for key, turn in sorted(there[:_TILES])]

    def draw(self) -> Image.Image:
        """Draws the sheet; each pair is captioned "condition, type N"."""
        tiles = [_captioned(*pair) for pair in self._chosen()]
        if not tiles:
            return Image.new("RGB", (1, 1), "white")
        columns, rows = min(_COLUMNS, len(tiles)), -(-len(tiles) // _COLUMNS)
        width, height = tiles[0].width + _GAP, tiles[0].height + _GAP
        sheet = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), "white")
        for place, tile in enumerate(tiles):
            row, column = divmod(place, columns)
            sheet.paste(tile, (_GAP + column * width, _GAP + row * height))
        return sheet
