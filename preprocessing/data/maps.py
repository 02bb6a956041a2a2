"""The semantic map: skin type, condition and ROI boxes as an RGB image.

Paper, section 2, "Problem Formulation": "The R-channel encodes the skin color
and the condition is encoded in the G & B channels by a non-zero value
corresponding to its ROI bounding box(es)." The levels are ours:

  R, everywhere:     42 * t                for skin type t in 1..6
  G, inside a box:   42 * (1 + c // 6)     for condition code c in 0..26
  B, inside a box:   42 * (1 + c % 6)

All levels are multiples of 42, so they survive as exact values and are evenly
spread over the generator's input range. A map may only be resized with nearest
neighbour: interpolation would invent skin types and conditions.
"""

import dataclasses
from typing import Iterable, Optional

import numpy as np

from preprocessing.data import taxonomy
from preprocessing.data.manifest import Box

LEVEL = 42
_BASE = 6


@dataclasses.dataclass(frozen=True)
class DecodedMap:
    """What a semantic map says.

    Attributes:
      skin_type: Fitzpatrick type, 1..6.
      condition_code: 0..26, or None where the map has no ROI.
      roi: bool [H, W], true inside the boxes.
    """

    skin_type: int
    condition_code: Optional[int]
    roi: np.ndarray


def encode(
    skin_type: int, condition_code: int, boxes: Iterable[Box], height: int, width: int
) -> np.ndarray:
    """Draws a semantic map.

    Args:
      skin_type: Fitzpatrick type, 1..6.
      condition_code: 0..26.
      boxes: pixel boxes, half-open; rounded to whole pixels, at least one pixel
        large, and cut at the frame.
      height: rows of the map.
      width: columns of the map.

    Returns:
      uint8 [height, width, 3].

    Raises:
      ValueError: skin type or condition code out of range, or a box that does
        not touch the frame.
    """
    taxonomy.check_fitzpatrick(skin_type)
    taxonomy.name_of(condition_code)
    semantic_map = np.zeros((height, width, 3), np.uint8)
    semantic_map[..., 0] = LEVEL * skin_type
    for box in boxes:
        x0, y0 = int(round(box.x0)), int(round(box.y0))
        x1, y1 = max(int(round(box.x1)), x0 + 1), max(int(round(box.y1)), y0 + 1)
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
        if x0 >= x1 or y0 >= y1:
            raise ValueError(f"box {tuple(box)} is outside the {width}x{height} map")
        semantic_map[y0:y1, x0:x1, 1] = LEVEL * (1 + condition_code // _BASE)
        semantic_map[y0:y1, x0:x1, 2] = LEVEL * (1 + condition_code % _BASE)
    return semantic_map


def decode(semantic_map: np.ndarray) -> DecodedMap:
    """Reads a semantic map back, exactly.

    Args:
      semantic_map: uint8 [H, W, 3] as `encode` draws it.

    Returns:
      Skin type, condition and ROI.

    Raises:
      ValueError: the array is not such a map (shape, dtype, levels between the
        codes as interpolation leaves them, several skin types or conditions).
    """
    if semantic_map.dtype != np.uint8 or semantic_map.ndim != 3 or semantic_map.shape[-1] != 3:
        raise ValueError(
            f"a semantic map is uint8 [H, W, 3], not {semantic_map.dtype} {semantic_map.shape}"
        )
    tone, high, low = np.moveaxis(semantic_map, -1, 0)
    tones = np.unique(tone)
    if tones.size != 1 or tones[0] % LEVEL or not 1 <= tones[0] // LEVEL <= 6:
        raise ValueError(f"R of a semantic map is one of 42, 84, ..., 252, not {tones.tolist()}")
    roi = high > 0
    if not np.array_equal(roi, low > 0):
        raise ValueError("G and B of a semantic map must be non-zero in the same pixels")
    if not roi.any():
        return DecodedMap(int(tones[0]) // LEVEL, None, roi)
    highs, lows = np.unique(high[roi]), np.unique(low[roi])
    if highs.size != 1 or lows.size != 1 or highs[0] % LEVEL or lows[0] % LEVEL:
        raise ValueError(
            f"G and B of a semantic map code one condition in multiples of 42, "
            f"not G {highs.tolist()}, B {lows.tolist()}"
        )
    condition_code = _BASE * (int(highs[0]) // LEVEL - 1) + int(lows[0]) // LEVEL - 1
    taxonomy.name_of(condition_code)
    return DecodedMap(int(tones[0]) // LEVEL, condition_code, roi)
