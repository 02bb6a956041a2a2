"""One picture that shows what a data set is made of."""

import base64
import io
from typing import Dict, List, Tuple

from PIL import Image, ImageDraw

_CAPTION = 14
_GAP = 6
_TILES = 96
_COLUMNS = 8


class ContactSheet:
    """Collects pairs of crop and semantic map, spread over conditions and skin types."""

    def __init__(self) -> None:
        self._pairs: Dict[Tuple[str, int], List[bytes]] = {}

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
        chosen = []
        for turn in range(_COLUMNS):
            for (condition, skin_type), kept in sorted(self._pairs.items()):
                if turn < len(kept) and len(chosen) < _TILES:
                    chosen.append((condition, skin_type, turn, kept[turn]))
        return [(condition, kind, data) for condition, kind, _, data in sorted(chosen)]

    def draw(self) -> Image.Image:
        """Draws the sheet; each pair is captioned "condition, skin type"."""
        pairs = [
            (f"{condition}, type {skin_type}", Image.open(io.BytesIO(data)))
            for condition, skin_type, data in self._chosen()
        ]
        if not pairs:
            return Image.new("RGB", (1, 1), "white")
        width, height = pairs[0][1].size
        columns = min(_COLUMNS, len(pairs))
        rows = -(-len(pairs) // columns)
        step = (width + _GAP, height + _CAPTION + _GAP)
        sheet = Image.new("RGB", (columns * step[0] + _GAP, rows * step[1] + _GAP), "white")
        draw = ImageDraw.Draw(sheet)
        for position, (caption, pair) in enumerate(pairs):
            x = _GAP + position % columns * step[0]
            y = _GAP + position // columns * step[1]
            draw.text((x, y), caption, fill="black")
            sheet.paste(pair, (x, y + _CAPTION))
        return sheet
