"""The box of a COCO annotation."""

import math
from typing import Any, List, Mapping, Optional, Sequence

import numpy as np

from preprocessing.data import manifest
from preprocessing.data.manifest import Box

# Larger numbers are no pixels; JSON's may be of any length.
_LARGEST = 1e9


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value) <= _LARGEST  # Not so for NaN.


def _numbers(value: Any, count: int) -> Optional[List[float]]:
    """Returns `count` numbers (for 0 an even number of them), or None."""
    if not isinstance(value, (list, tuple)) or not all(map(_is_number, value)):
        return None
    fits = len(value) == count if count else value and len(value) % 2 == 0
    return [float(one) for one in value] if fits else None


def _box_of_polygons(polygons: Sequence[Any]) -> Optional[Box]:
    outlines = [_numbers(polygon, 0) for polygon in polygons]
    whole = [outline for outline in outlines if outline is not None]
    if not whole or len(whole) < len(outlines):
        return None
    points = np.concatenate([np.reshape(outline, (-1, 2)) for outline in whole])
    return Box(*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


def _box_of_runs(segmentation: Mapping[str, Any]) -> Optional[Box]:
    """Returns the box around a run-length mask that is not compressed.

    Runs of zeros and of ones take turns, down one column after the other.
    """
    size, runs = _numbers(segmentation.get("size"), 2), segmentation.get("counts")
    if size is None or not isinstance(runs, list) or not all(map(_is_number, runs)):
        return None
    height = int(size[0])
    lengths = np.array(runs, np.int64)
    if height < 1 or (lengths < 0).any() or lengths.sum() != height * int(size[1]):
        return None
    ends = np.cumsum(lengths)
    marked = lengths[1::2] > 0
    first, last = (ends - lengths)[1::2][marked], ends[1::2][marked] - 1
    if not len(first):
        return None
    within = (first // height == last // height).all()
    top, bottom = (min(first % height), max(last % height)) if within else (0, height - 1)
    corners = first[0] // height, top, last[-1] // height + 1, bottom + 1
    return Box(*(float(value) for value in corners))


def _around_turned(box: Box, degrees: float) -> Box:
    """Returns the upright box around one that is turned about its centre."""
    cosine, sine = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    width, height = box.x1 - box.x0, box.y1 - box.y0
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    half = (width * cosine + height * sine) / 2, (width * sine + height * cosine) / 2
    return Box(x - half[0], y - half[1], x + half[0], y + half[1])


def box_of(entry: Mapping[str, Any]) -> Box:
    """Returns the half-open box of an entry of `annotations`, in pixels.

    `bbox` counts; without one, the outline in `segmentation` (polygons, or a run-length
    mask that is not compressed). The box of a crowd is one like others: it shows where
    a group of lesions is. CVAT's `rotation` (degrees, about the centre) turns a `bbox`; the
    upright box around it counts.

    Raises:
      ValueError: there is none, or it is empty.
    """
    attributes = entry.get("attributes")
    corner = _numbers(entry.get("bbox"), 4)
    segmentation = entry.get("segmentation")
    found: Optional[Box] = None
    if corner is not None and any(corner):
        x, y, width, height = corner
        found = Box(x, y, x + width, y + height)
        turn = attributes.get("rotation") if isinstance(attributes, Mapping) else None
        if isinstance(turn, (int, float)) and turn and width > 0 and height > 0:
            found = _around_turned(found, turn)
    elif entry.get("bbox") and corner is None:
        raise ValueError(f"bbox {entry['bbox']!r} is not [x, y, width, height]")
    elif isinstance(segmentation, list):
        found = _box_of_polygons(segmentation)
    elif isinstance(segmentation, Mapping):
        found = _box_of_runs(segmentation)
    if found is None:
        raise ValueError("no bbox, and no segmentation to take one from")
    if found.x0 >= found.x1 or found.y0 >= found.y1:
        raise ValueError(f"box {manifest.format_rois([found])!r} is empty")
    return found
