"""The semantic map: skin type, condition and ROI boxes as an RGB image.

Paper, section 2, "Problem Formulation": "The R-channel encodes the skin color
and the condition is encoded in the G & B channels by a non-zero value
corresponding to its ROI bounding box(es)." The levels are ours:

  R, everywhere:     42 * t                for skin type t in 1..6, 0 where it is unknown
  G, inside a box:   42 * (1 + c // 6)     for condition code c in 0..35
  B, inside a box:   42 * (1 + c % 6)

All levels are multiples of 42, so they survive as exact values and are evenly
spread over the generator's input range. A map may only be resized with nearest
neighbour: interpolation would invent skin types and conditions.

`encode` and `decode` are of one map, in NumPy; `encode_batch`, `decode_batch` and
`roi_of_batch` say the same of many, in TensorFlow, which only they import.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Iterable, Optional, Tuple

import numpy as np

from preprocessing.data.manifest import Box

if TYPE_CHECKING:
    import tensorflow as tf

LEVEL = 42
SKIN_TYPES = 6
IMAGE_SIZES = (32, 64, 128, 256, 512)  # rows and columns that generators are built for
_BASE = 6
MOST_CONDITIONS = _BASE**2


@dataclasses.dataclass(frozen=True)
class DecodedMap:
    """What a semantic map says.

    Attributes:
      skin_type: Fitzpatrick type, 1..6, or 0 where it is unknown.
      condition_code: 0..35, or None where the map has no ROI.
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
      skin_type: Fitzpatrick type, 1..6, or 0 where it is unknown.
      condition_code: 0..35.
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
    if not 0 <= skin_type <= SKIN_TYPES:
        raise ValueError(f"skin type {skin_type!r} is not in 0..{SKIN_TYPES}")
    if not 0 <= condition_code < MOST_CONDITIONS:
        raise ValueError(f"condition code {condition_code} is not in 0..{MOST_CONDITIONS - 1}")
    semantic_map = np.zeros((height, width, 3), np.uint8)
    semantic_map[..., 0] = LEVEL * skin_type
    for box in boxes:
        if box.x0 >= width or box.y0 >= height or box.x1 <= 0 or box.y1 <= 0:
            raise ValueError(f"box {tuple(box)} is outside the {width}x{height} map")
        x0, y0 = min(max(round(box.x0), 0), width - 1), min(max(round(box.y0), 0), height - 1)
        x1, y1 = max(round(box.x1), x0 + 1), max(round(box.y1), y0 + 1)
        semantic_map[y0:y1, x0:x1, 1] = LEVEL * (1 + condition_code // _BASE)
        semantic_map[y0:y1, x0:x1, 2] = LEVEL * (1 + condition_code % _BASE)
    return semantic_map


def encode_batch(
    skin_type: tf.Tensor, condition_code: tf.Tensor, boxes: tf.Tensor, height: int, width: int
) -> tf.Tensor:
    """Draws semantic maps as `encode` does, in a graph; nothing is checked.

    Args:
      skin_type: int [B], 0..6.
      condition_code: int [B], 0..35.
      boxes: float [B, N, 4], pixel boxes (x0, y0, x1, y1); a row of zeros is no box.
      height: rows of the maps.
      width: columns of the maps.

    Returns:
      uint8 [B, height, width, 3].
    """
    import tensorflow as tf

    boxes = tf.cast(boxes, tf.float32)
    last = tf.constant([width - 1, height - 1], tf.float32)
    low = tf.clip_by_value(tf.round(boxes[..., :2]), 0.0, last)
    high = tf.maximum(tf.round(boxes[..., 2:]), low + 1.0)
    given = tf.reduce_any(boxes != 0.0, axis=-1)[..., None]
    x, y = tf.range(width, dtype=tf.float32), tf.range(height, dtype=tf.float32)
    columns = (x >= low[..., :1]) & (x < high[..., :1]) & given  # [B, N, W]
    rows = (y >= low[..., 1:]) & (y < high[..., 1:])  # [B, N, H]
    covered = tf.reduce_any(rows[..., :, None] & columns[..., None, :], axis=1)

    def levels(digit: tf.Tensor) -> tf.Tensor:
        return tf.cast(LEVEL * digit, tf.uint8)[:, None, None]

    roi = tf.cast(covered, tf.uint8)
    tone = tf.ones_like(roi) * levels(skin_type)
    high_digit, low_digit = 1 + condition_code // _BASE, 1 + condition_code % _BASE
    return tf.stack([tone, roi * levels(high_digit), roi * levels(low_digit)], axis=-1)


def decode(semantic_map: np.ndarray) -> DecodedMap:
    """Reads a semantic map back, exactly.

    Args:
      semantic_map: uint8 [H, W, 3] as `encode` draws it, or the same as the networks
        see it, float in [-1, 1].

    Returns:
      Skin type, condition and ROI.

    Raises:
      ValueError: the array is not such a map (shape, dtype, levels between the
        codes as interpolation leaves them, several skin types or conditions).
    """
    given = f"{semantic_map.dtype} {semantic_map.shape}"
    if np.issubdtype(semantic_map.dtype, np.floating):
        semantic_map = np.rint((semantic_map + 1.0) * 127.5).astype(np.uint8)
    if semantic_map.dtype != np.uint8 or semantic_map.ndim != 3 or semantic_map.shape[-1] != 3:
        raise ValueError(f"a semantic map is uint8 or float [H, W, 3], not {given}")
    tone, high, low = np.moveaxis(semantic_map, -1, 0)
    tones = np.unique(tone)
    if tones.size != 1 or tones[0] % LEVEL:
        raise ValueError(f"R of a semantic map is one of 0, 42, ..., 252, not {tones.tolist()}")
    skin_type = int(tones[0]) // LEVEL
    roi = high > 0
    if not np.array_equal(roi, low > 0):
        raise ValueError("G and B of a semantic map must be non-zero in the same pixels")
    if not roi.any():
        return DecodedMap(skin_type, None, roi)
    highs, lows = np.unique(high[roi]), np.unique(low[roi])
    if highs.size != 1 or lows.size != 1 or highs[0] % LEVEL or lows[0] % LEVEL:
        raise ValueError(
            f"G and B of a semantic map code one condition in multiples of 42, "
            f"not G {highs.tolist()}, B {lows.tolist()}"
        )
    condition_code = _BASE * (int(highs[0]) // LEVEL - 1) + int(lows[0]) // LEVEL - 1
    return DecodedMap(skin_type, condition_code, roi)


def decode_batch(semantic_maps: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Reads semantic maps as `decode` does, in a graph; nothing is checked.

    Args:
      semantic_maps: uint8 [B, H, W, 3], or float in [-1, 1] of any precision.

    Returns:
      Skin type, int32 [B], 0..6; condition code, int32 [B], -1 where a map has no ROI;
      the ROI, bool [B, H, W].
    """
    import tensorflow as tf

    highest = tf.cast(tf.reduce_max(semantic_maps, axis=[1, 2]), tf.float32)
    levels = highest if semantic_maps.dtype == tf.uint8 else (highest + 1.0) * 127.5
    digits = tf.cast(tf.round(levels / LEVEL), tf.int32)
    skin_type, high, low = tf.unstack(digits, axis=-1)
    condition_code = tf.maximum(_BASE * (high - 1) + low - 1, -1)
    return skin_type, condition_code, roi_of_batch(semantic_maps)


def roi_of_batch(semantic_maps: tf.Tensor) -> tf.Tensor:
    """Returns the ROI of semantic maps, bool [B, H, W]; arguments of `decode_batch`."""
    green = semantic_maps[..., 1]
    # Half of a code's step above nothing: bfloat16 keeps that apart.
    return green > (LEVEL // 2 if green.dtype.is_integer else LEVEL / 2 / 127.5 - 1.0)
