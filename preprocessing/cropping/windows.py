"""Square windows of a photograph: how they are drawn, and what they show."""

import dataclasses
from typing import NamedTuple, Sequence

import numpy as np

from preprocessing.data.manifest import Box


class Window(NamedTuple):
    """A square of whole pixels of the photograph."""

    x0: int
    y0: int
    size: int


@dataclasses.dataclass(frozen=True)
class CropSettings:
    """How windows are drawn.

    Attributes:
      image_size: rows and columns of the crops, pixels.
      crops_per_photograph: windows drawn per photograph; its groups take turns.
      min_roi_share: smallest length of a group relative to the window.
      max_roi_share: largest length of a group relative to the window.
      max_enlargement: a window is at least image_size / max_enlargement pixels, so
        that small photographs are not blown up further than they must be.
      candidates: windows drawn for each crop.
      background_limit: largest share of a window that may be background.
      group_gap: ROIs are adjacent if the gap between them is at most this share of
        the longer side of the smaller one.
      min_visible: an ROI at a window's rim enters the map if this share of it is
        visible, or if it covers `_LARGE_SHARE` of the window.
    """

    image_size: int = 256
    crops_per_photograph: int = 1
    min_roi_share: float = 0.3
    max_roi_share: float = 0.85
    max_enlargement: float = 2.0
    candidates: int = 16
    background_limit: float = 0.35
    group_gap: float = 0.5
    min_visible: float = 0.25


def smallest_window(boxes: Sequence[Box], shorter: float, settings: CropSettings) -> float:
    """Returns a length that no window of the photograph falls below, pixels.

    Args:
      boxes: ROIs of the photograph, at least one.
      shorter: its shorter side, pixels.
      settings: see `CropSettings`.
    """
    length = min(max(box.x1 - box.x0, box.y1 - box.y0) for box in boxes)
    smallest = max(length / settings.max_roi_share, settings.image_size / settings.max_enlargement)
    return min(smallest, shorter)


def draw_windows(
    hull: Box, height: int, width: int, settings: CropSettings, rng: np.random.Generator
) -> np.ndarray:
    """Draws square windows that contain a group, or as much of it as can be.

    Args:
      hull: bounding box of the group, inside the photograph.
      height: rows of the photograph.
      width: columns of the photograph.
      settings: see `CropSettings`.
      rng: source of sizes and offsets.

    Returns:
      int [candidates, 3], rows (x0, y0, size), all inside the photograph.
    """
    limits = np.array([width, height])
    shorter = limits.min()
    low, high = np.floor(hull[:2]), np.ceil(hull[2:])
    length = (high - low).max()
    share = rng.uniform(settings.min_roi_share, settings.max_roi_share, settings.candidates)
    smallest = max(length, settings.image_size / settings.max_enlargement)
    size = np.clip(np.ceil(np.maximum(length / share, smallest)), 1, shorter)
    # Inside these ends the window contains the group, or is contained in it.
    other, most = high - size[:, None], limits - size[:, None]
    first = np.minimum(np.maximum(np.minimum(low, other), 0), most)
    last = np.minimum(np.maximum(np.maximum(low, other), 0), most)
    start = np.floor(first + rng.random((2, len(size))).T * (last - first + 1))
    start = np.minimum(start, last)  # The product may round up to the next whole number.
    return np.column_stack([start, size]).astype(np.int64)


def areas(boxes: np.ndarray) -> np.ndarray:
    """Returns the area of each box, [N] for [N, 4]."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def visible_shares(boxes: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Returns the visible share of each box by area, [K, N] for windows [K, 3]."""
    start, size = windows[:, None, :2], windows[:, None, 2:]
    overlap = np.minimum(boxes[None, :, 2:], start + size) - np.maximum(boxes[None, :, :2], start)
    overlap = np.maximum(overlap, 0)
    return overlap[..., 0] * overlap[..., 1] / areas(boxes)


def background_integral(skin: np.ndarray) -> np.ndarray:
    """Sums background from the top left: [h + 1, w + 1], for `background_share`."""
    integral = np.zeros((skin.shape[0] + 1, skin.shape[1] + 1), np.int64)
    np.cumsum(np.cumsum(~skin, axis=0), axis=1, out=integral[1:, 1:])
    return integral


def background_share(integral: np.ndarray, windows: np.ndarray, scale: float) -> np.ndarray:
    """Returns the share of background in each window.

    Args:
      integral: from `background_integral` of a mask, possibly of reduced size.
      windows: int [K, 3], rows (x0, y0, size) in pixels of the photograph.
      scale: mask pixels per pixel of the photograph.

    Returns:
      float [K] in 0..1.
    """
    limits = np.array([integral.shape[1] - 1, integral.shape[0] - 1])
    low = np.floor(windows[:, :2] * scale + 1e-6).astype(int)
    low = np.minimum(np.maximum(low, 0), limits - 1)
    high = np.ceil((windows[:, :2] + windows[:, 2:]) * scale - 1e-6).astype(int)
    high = np.minimum(np.maximum(high, low + 1), limits)
    (x0, y0), (x1, y1) = low.T, high.T
    total = integral[y1, x1] - integral[y0, x1] - integral[y1, x0] + integral[y0, x0]
    return total / ((x1 - x0) * (y1 - y0))
