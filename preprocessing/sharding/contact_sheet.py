"""One picture that shows what a data set is made of."""

import base64
import io
import itertools
from typing import Dict, Iterable, List, Optional, Tuple

from PIL import Image, ImageDraw

_CAPTION = 14
_GAP = 6
_TILES = 96
_COLUMNS = 8
_Key = Tuple[str, int]


def spread(keys: Iterable[_Key], most: Optional[int] = None, shift: int = 0) -> List[_Key]:
    """Chooses keys so that as many conditions as possible are among them.

    Args:
      keys: (condition, skin type).
      most: how many to choose; None for all.
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
    return [key for key in turns if key is not None][:most]


def _caption(draw: ImageDraw.ImageDraw, condition: str, skin_type: int, width: int) -> str:
    """Returns "condition, type N", shortened to a width in pixels."""
    caption, letters = f"{condition}, type {skin_type}", len(condition)
    while draw.textlength(caption) > width and letters:
        letters -= 1
        caption = f"{condition[:letters].rstrip()}., type {skin_type}"
    return caption


class ContactSheet:
    """Collects pairs of crop and semantic map, spread over conditions and skin types."""

    def __init__(self) -> None:
        self._pairs: Dict[_Key, List[bytes]] = {}

    def add(self, condition: str, skin_type: int, jpeg_base64: str) -> None:
        """Adds a pair: a base64 JPEG, crop and map side by side.

        Memory is bounded: a combination of condition and skin type keeps at most
        one picture per tile of the sheet.
        """
        kept = self._pairs.setdefault((condition, skin_type), [])
        if len(kept) < _COLUMNS:
            kept.append(base64.b64decode(jpeg_base64))

    def _chosen(self) -> List[Tuple[str, int, bytes]]:
        """Takes one pair of every combination in turn, then sorts them."""
        chosen: List[Tuple[str, int, int, bytes]] = []
        for turn in range(_COLUMNS):
            for key in spread(self._pairs):
                kept = self._pairs[key]
                if turn < len(kept) and len(chosen) < _TILES:
                    chosen.append((*key, turn, kept[turn]))
        return [(condition, kind, data) for condition, kind, _, data in sorted(chosen)]

    def draw(self) -> Image.Image:
        """Draws the sheet; each pair is captioned "condition, type N"."""
        pairs = [
            (condition, skin_type, Image.open(io.BytesIO(data)))
            for condition, skin_type, data in self._chosen()
        ]
        if not pairs:
            return Image.new("RGB", (1, 1), "white")
        width, height = pairs[0][2].size
        columns = min(_COLUMNS, len(pairs))
        rows = -(-len(pairs) // columns)
        step = (width + _GAP, height + _CAPTION + _GAP)
        sheet = Image.new("RGB", (columns * step[0] + _GAP, rows * step[1] + _GAP), "white")
        draw = ImageDraw.Draw(sheet)
        for position, (condition, skin_type, pair) in enumerate(pairs):
            x = _GAP + position % columns * step[0]
            y = _GAP + position // columns * step[1]
            draw.text((x, y), _caption(draw, condition, skin_type, width), fill="black")
            sheet.paste(pair, (x, y + _CAPTION))
        return sheet
