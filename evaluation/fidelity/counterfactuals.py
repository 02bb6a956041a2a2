"""Changes one thing in the map, with the same noise, and looks what changes in the image.

Only the skin type: the skin outside the boxes should become lighter or darker by what
photographs of the two types differ by; the lesion should stay where it is. Only the
place of the boxes: colours should change inside the old and the new boxes, and nowhere
else; the region that differs from the skin should follow; the tone should stay.
"""

import dataclasses
import math
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np
import pandas as pd

from evaluation.fidelity import localization, tone
from evaluation.fidelity.localization import Region, box_mask
from evaluation.uncertainty import cluster_bootstrap
from evaluation.uncertainty.cluster_bootstrap import Estimate, as_dicts
from preprocessing.data import skin
from preprocessing.data.manifest import Box
from synthesis.layouts import Layout

# Types whose photographs differ by less have no clear direction, degrees of ITA.
CLEAR_DIFFERENCE = 5.0
_GROW = 0.1  # of a box's longer side: what lies between inside and elsewhere
_MOVES = 16
_MOST_OVERLAP = 0.5


@dataclasses.dataclass(frozen=True)
class Counterfactuals:
    """What changes when one thing is asked to.

    Attributes:
      rows: by map: what `change_of_type` and `change_of_place` measure, `from_type`,
        `to_type`, `expected` (difference of the photographs' means), `map`.
      numbers: `tone_gain`, change of ITA per degree that photographs of the two types
        differ by (1 is right); `tone_direction`, share of images whose tone changes in
        the right direction, of types that differ clearly; `type_region_iou`, of the
        regions found before and after; `change_inside` and `change_elsewhere`, Delta E
        inside the old and new boxes and elsewhere; `change_ratio`, their quotient
        (NaN where nothing at all changes elsewhere);
        `change_by_noise`, Delta E outside the boxes between two noises of one map;
        `tone_drift`, absolute change of ITA outside; `iou_new_box` and `iou_old_box`
        of the region found after the move; `move_overlap`, the IoU of the boxes
        themselves, which `iou_old_box` comes down to if the region follows exactly.
    """

    rows: pd.DataFrame
    numbers: Mapping[str, Estimate]

    @property
    def counts(self) -> Dict[str, int]:
        """How many images each part rests on."""
        return {
            "maps": len(self.rows),
            "type_changes_measured": int(
                (self.rows["tone_change"] * self.rows["expected"]).count()
            ),
            "boxes_moved": int(self.rows["change_inside"].count()),
            "no_room_to_move": int(self.rows["move_overlap"].isna().sum()),
        }

    def as_dict(self) -> Dict[str, Any]:
        """Returns the numbers for JSON."""
        return {**as_dicts(self.numbers), **self.counts}


def _shifted(boxes: Sequence[Box], dx: float, dy: float) -> Tuple[Box, ...]:
    return tuple(Box(box.x0 + dx, box.y0 + dy, box.x1 + dx, box.y1 + dy) for box in boxes)


def move(layout: Layout, size: int, rng: np.random.Generator) -> Optional[Layout]:
    """Moves all boxes together, to the one of a few random places that overlaps least.

    Args:
      layout: what the map shows.
      size: rows and columns.
      rng: source of randomness.

    Returns:
      The layout elsewhere, or None where the frame has no room: more than half of
      the boxes' area would stay in common.
    """
    edges = np.array(layout.boxes)
    low = -np.minimum(edges[:, :2].min(axis=0), size)
    high = size - np.maximum(edges[:, 2:].max(axis=0), 0)
    before = box_mask(layout.boxes, size)
    best: Optional[Layout] = None
    least = _MOST_OVERLAP
    for dx, dy in rng.uniform(np.minimum(low, high), np.maximum(low, high), (_MOVES, 2)).round():
        boxes = _shifted(layout.boxes, float(dx), float(dy))
        overlap = localization.iou(before, box_mask(boxes, size))
        if overlap <= least:
            best, least = dataclasses.replace(layout, boxes=boxes), overlap
    return best


def change_of_type(
    before: float, after: float, regions: Tuple[Region, Region], size: int
) -> Dict[str, float]:
    """Measures a pair of images that should differ in skin type alone.

    Args:
      before: ITA of the first image, as of `tone.measure_tone`.
      after: ITA of the second.
      regions: what `localization.find_region` found in them.
      size: rows and columns.

    Returns:
      `tone_change` (degrees) and `type_region_iou` (NaN where neither has a region).
    """
    first, second = (box_mask(region.boxes, size) for region in regions)
    found = first.any() or second.any()
    return {
        "tone_change": after - before,
        "type_region_iou": localization.iou(first, second) if found else math.nan,
    }


# What `change_of_type` would measure, were there another type to change to.
SAME_TYPE: Mapping[str, float] = dict.fromkeys(("tone_change", "type_region_iou"), math.nan)


def _change(images: Tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Delta E by pixel (CIE 1976), float [S, S]."""
    return np.linalg.norm(skin.lab(images[0]) - skin.lab(images[1]), axis=-1)


def change_outside(images: Tuple[np.ndarray, np.ndarray], boxes: Sequence[Box]) -> float:
    """Returns the mean Delta E between images outside boxes; NaN where they leave nothing."""
    elsewhere = ~box_mask(boxes, images[0].shape[0], _GROW)
    return float(_change(images)[elsewhere].mean()) if elsewhere.any() else math.nan


def change_of_place(
    images: Tuple[np.ndarray, np.ndarray], layouts: Tuple[Layout, Layout], moved_region: Region
) -> Dict[str, float]:
    """Measures a pair of images that should differ in the place of the boxes alone.

    Args:
      images: uint8 [S, S, 3] each, before and after.
      layouts: what they should show.
      moved_region: what `localization.find_region` found in the second.

    Returns:
      The columns of `Counterfactuals.rows` that are about the move.
    """
    size = images[0].shape[0]
    both = (*layouts[0].boxes, *layouts[1].boxes)
    tones = [
        tone.measure_tone(image, layout, also_without=both)
        for image, layout in zip(images, layouts)
    ]
    found = box_mask(moved_region.boxes, size)
    old, new = (box_mask(layout.boxes, size) for layout in layouts)
    return {
        "change_inside": float(_change(images)[box_mask(both, size)].mean()),
        "change_elsewhere": change_outside(images, both),
        "tone_drift": abs(tones[1] - tones[0]),
        "iou_new_box": localization.iou(found, new),
        "iou_old_box": localization.iou(found, old),
        "move_overlap": localization.iou(old, new),
    }


# What `change_of_place` would measure, had there been room.
NOT_MOVED: Mapping[str, float] = dict.fromkeys(
    (
        *("change_inside", "change_elsewhere", "tone_drift"),
        *("iou_new_box", "iou_old_box", "move_overlap"),
    ),
    math.nan,
)


def _numbers(columns: Mapping[str, np.ndarray]) -> Dict[str, float]:
    change, expected = columns["tone_change"], columns["expected"]
    known = np.isfinite(change) & np.isfinite(expected)
    clear = known & (np.abs(expected) >= CLEAR_DIFFERENCE)
    square = np.square(expected[known]).sum()
    numbers = {
        # Least squares through the origin: pairs of types that hardly differ hardly count.
        "tone_gain": (change[known] * expected[known]).sum() / square if square else math.nan,
        "tone_direction": cluster_bootstrap.mean(change[clear] * expected[clear] > 0),
    }
    for name in ("type_region_iou", "change_by_noise", *NOT_MOVED):
        numbers[name] = cluster_bootstrap.mean(columns[name])
    elsewhere = numbers["change_elsewhere"]
    numbers["change_ratio"] = numbers["change_inside"] / elsewhere if elsewhere else math.nan
    return numbers


def summarize(
    rows: pd.DataFrame, real_means: np.ndarray, replicates: int, seed: int
) -> Counterfactuals:
    """Puts the measurements of all maps together.

    Args:
      rows: columns of `change_of_type` and `change_of_place`, change_by_noise,
        from_type, to_type, map.
      real_means: ITA by skin type, as of `tone.type_means` of the photographs.
      replicates: of the bootstrap, which draws maps.
      seed: of the bootstrap.
    """
    types = rows[["from_type", "to_type"]].to_numpy(int)
    rows = rows.assign(expected=real_means[types[:, 1]] - real_means[types[:, 0]])
    names = ("tone_change", "expected", "type_region_iou", "change_by_noise", *NOT_MOVED)
    columns = {name: rows[name].to_numpy(float) for name in names}
    numbers = cluster_bootstrap.estimate_by_name(
        lambda drawn: _numbers({name: values[drawn] for name, values in columns.items()}),
        rows["map"].tolist(),
        replicates=replicates,
        seed=seed,
    )
    return Counterfactuals(rows, numbers)
