"""Windows around an ROI or a group of adjacent ROIs.

The paper, section 2, "Data Preprocessing": "a simple heuristic that crops a random
window around an ROI or a group of adjacent ROIs while removing the presence of
background information". Here: ROIs with small gaps form a group; several random
square windows that contain the group are drawn, and the one with the least
background wins.

Windows stay inside the photograph: nothing is padded or mirrored, because a
generator would learn the padding. A group longer than the photograph's shorter
side cannot be inside a square window then; it gets the largest square, and the
`Crop` says which share of it is visible.
"""

import dataclasses
import hashlib
from typing import List, NamedTuple, Sequence, Tuple

import numpy as np

from preprocessing.data.manifest import LEAST_SIDE, Box

_LARGE_SHARE = 0.02
# Backgrounds below this count as equal, so that the random order decides and
# windows do not all shrink to their smallest size.
_CLEAN = 0.02


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


@dataclasses.dataclass(frozen=True)
class Crop:
    """One window of a photograph.

    Attributes:
      window: where it is, in pixels of the photograph.
      boxes: the ROIs in it, in whole pixels of the scaled crop.
      background: share of the window that is not skin.
      visible: share of its group's ROIs that is inside, by area; below 1 only
        where the group is longer than the photograph's shorter side.
    """

    window: Window
    boxes: Tuple[Box, ...]
    background: float
    visible: float


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


def generator_for(seed: int, *names: str) -> np.random.Generator:
    """Returns random numbers that depend on the seed and the names only.

    Python's own `hash` is salted per process; a digest is not.
    """
    digest = hashlib.sha256("/".join((str(seed), *names)).encode("utf-8")).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32))


def group_boxes(boxes: Sequence[Box], group_gap: float, max_length: float) -> List[List[int]]:
    """Joins adjacent ROIs, nearest first, while a group fits in a window.

    Args:
      boxes: ROIs of a photograph.
      group_gap: see `CropSettings`.
      max_length: longest side of a group, pixels (a single ROI may be longer).

    Returns:
      Indices of the boxes by group, in the order of each group's first box.
    """
    groups = [[index] for index in range(len(boxes))]
    if len(boxes) == 1:
        return groups
    hulls = np.array(boxes, float).reshape(-1, 4)
    reach = group_gap * np.maximum(hulls[:, 2] - hulls[:, 0], hulls[:, 3] - hulls[:, 1])
    while len(groups) > 1:
        low = np.minimum(hulls[:, None, :2], hulls[None, :, :2])
        high = np.maximum(hulls[:, None, 2:], hulls[None, :, 2:])
        length = (high - low).max(axis=-1)
        apart = np.maximum(hulls[:, None, :2], hulls[None, :, :2]) - np.minimum(
            hulls[:, None, 2:], hulls[None, :, 2:]
        )
        gap = np.maximum(apart.max(axis=-1), 0.0)
        allowed = (gap <= np.minimum(reach[:, None], reach[None])) & (length <= max_length)
        np.fill_diagonal(allowed, False)
        if not allowed.any():
            break
        first, second = np.unravel_index(np.where(allowed, gap, np.inf).argmin(), gap.shape)
        first, second = min(first, second), max(first, second)
        groups[first] = sorted(groups[first] + groups.pop(second))
        hulls[first] = (*low[first, second], *high[first, second])
        reach[first] = max(reach[first], reach[second])
        hulls, reach = np.delete(hulls, second, axis=0), np.delete(reach, second)
    return sorted(groups)


def _boxes_in(
    window: np.ndarray, boxes: np.ndarray, keep: np.ndarray, image_size: int
) -> Tuple[Box, ...]:
    """The kept boxes in whole pixels of the scaled crop, at least one pixel each."""
    scaled = (boxes[keep] - np.tile(window[:2], 2)) * (image_size / window[2])
    low = np.clip(np.rint(scaled[:, :2]), 0, image_size - 1)
    high = np.clip(np.rint(scaled[:, 2:]), low + 1, image_size)
    return tuple(Box(*row) for row in np.hstack([low, high]).tolist())


def crop_group(
    boxes: Sequence[Box],
    group: Sequence[int],
    size: Tuple[int, int],
    integral: np.ndarray,
    scale: float,
    settings: CropSettings,
    rng: np.random.Generator,
) -> Crop:
    """Chooses a window for a group.

    Of the candidates, the one with the least background wins; cutting other ROIs
    in two counts as much as background does.

    Args:
      boxes: all ROIs of the photograph.
      group: indices of the group's boxes.
      size: (width, height) of the photograph.
      integral: `background_integral` of its skin mask.
      scale: mask pixels per pixel of the photograph.
      settings: see `CropSettings`.
      rng: source of the candidates.

    Returns:
      The crop; its background may exceed the limit, which the caller checks.
    """
    array, members = np.array(boxes, float), list(group)
    hull = Box(*array[members, :2].min(axis=0), *array[members, 2:].max(axis=0))
    drawn = draw_windows(hull, size[1], size[0], settings, rng)
    background = background_share(integral, drawn, scale)
    visible = visible_shares(array, drawn)
    cut = np.minimum(visible, 1 - visible)
    cut[:, members] = 0
    lost = 1 - visible[:, members].sum(axis=1) / len(members)
    best = int(np.argmin(np.maximum(background, _CLEAN) + cut.sum(axis=1) + 2 * lost))
    area = areas(array)
    covers = visible[best] * area / float(drawn[best, 2]) ** 2
    keep = (visible[best] >= settings.min_visible) | (covers >= _LARGE_SHARE)
    keep[members] = visible[best, members] > 0
    weights = area[members]
    return Crop(
        window=Window(*drawn[best].tolist()),
        boxes=_boxes_in(drawn[best], array, keep, settings.image_size),
        background=float(background[best]),
        visible=float((visible[best, members] * weights).sum() / weights.sum()),
    )


def fit_boxes(boxes: Sequence[Box], width: int, height: int, tolerance: float = 2.0) -> List[Box]:
    """Cuts boxes at the frame where they exceed it by rounding only.

    Raises:
      ValueError: a box exceeds the frame by more than `tolerance` pixels, or lies
        outside.
    """
    fitted = []
    for box in boxes:
        excess = max(-box.x0, -box.y0, box.x1 - width, box.y1 - height)
        inside = Box(max(box.x0, 0), max(box.y0, 0), min(box.x1, width), min(box.y1, height))
        smallest = min(inside.x1 - inside.x0, inside.y1 - inside.y0)
        if excess > tolerance or smallest < LEAST_SIDE:
            text = " ".join(f"{value:g}" for value in box)
            raise ValueError(f"rois: box {text!r} is outside the {width}x{height} photograph")
        fitted.append(inside)
    return fitted


def plan_crops(
    boxes: Sequence[Box],
    size: Tuple[int, int],
    skin: np.ndarray,
    scale: float,
    settings: CropSettings,
    rng: np.random.Generator,
) -> Tuple[List[Crop], List[str]]:
    """Plans all crops of a photograph.

    Args:
      boxes: its ROIs, inside the frame.
      size: (width, height) of the photograph.
      skin: bool [h, w], the skin mask.
      scale: mask pixels per pixel of the photograph.
      settings: see `CropSettings`.
      rng: from `generator_for`.

    Returns:
      The crops, and for every crop that was given up the reason.
    """
    integral = background_integral(skin)
    groups = group_boxes(boxes, settings.group_gap, min(size) * settings.max_roi_share)
    order = rng.permutation(len(groups))
    crops: List[Crop] = []
    reasons: List[str] = []
    for turn in range(settings.crops_per_photograph):
        group = groups[order[turn % len(groups)]]
        crop = crop_group(boxes, group, size, integral, scale, settings, rng)
        if crop.background > settings.background_limit:
            reasons.append(
                f"background {crop.background:.3f} of the best window is over the limit "
                f"{settings.background_limit:g}"
            )
        else:
            crops.append(crop)
    return crops, reasons
