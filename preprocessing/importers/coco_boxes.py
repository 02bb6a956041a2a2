"""The box of a COCO annotation."""

import math
from typing import Any, List, Mapping, Optional, Sequence

import numpy as np

from preprocessing import cases
from preprocessing.cases import Box


def _numbers(value: Any, count: int) -> Optional[List[float]]:
    """Returns finite numbers (`count` of them, or an even number for 0), or None."""
    if not isinstance(value, (list, tuple)):
        return None
    if len(value) != count if count else not value or len(value) % 2:
        return None
    if not all(isinstance(one, (int, float)) and math.isfinite(one) for one in value):
        return None
    return [float(one) for one in value]


def _box_of_polygons(polygons: Sequence[Any]) -> Optional[Box]:
    outlines = [_numbers(polygon, 0) for polygon in polygons]
    whole = [outline for outline in outlines if outline is not None]
    if not whole or len(whole) < len(outlines):
        return None
    points = np.concatenate([np.reshape(outline, (-1, 2)) for outline in whole])
    return Box(*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


def _box_of_runs(segmentation: Mapping[str, Any]) -> Optional[Box]:
    """Returns the box around an uncompressed run-length mask, column by column."""
    size, runs = _numbers(segmentation.get("size"), 2), segmentation.get("counts")
    if size is None or not isinstance(runs, list):
        return None
    height = int(size[0])
    lengths = np.array(runs, dtype=np.int64)
    if height < 1 or (lengths < 0).any() or lengths.sum() != height * int(size[1]):
        return None
    pixels = np.flatnonzero(np.repeat(np.arange(len(lengths)) % 2, lengths))
    if not len(pixels):
        return None
    columns, rows = pixels // height, pixels % height
    ends = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    return Box(*(float(end) for end in ends))


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
        raise ValueError(f"box {cases.format_rois([found])!r} is empty")
    return found
