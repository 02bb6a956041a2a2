"""Is the lesion where the map puts it?

Two questions, both with the answer of photographs as the ceiling: does the inside of
the boxes differ from the skin beside them (CIELAB colour difference, CIE 1976), and
does the region that a finder without knowledge of the boxes points at coincide with
them. Boxes of other images, held against the same regions, are the floor.
"""

import math
from typing import Any, Dict, Hashable, Mapping, Sequence

import numpy as np
import pandas as pd

from evaluation.fidelity import comparison, localization
from evaluation.fidelity.comparison import Comparison
from evaluation.fidelity.localization import Region, box_mask
from evaluation.uncertainty import cluster_bootstrap
from preprocessing.data import skin
from preprocessing.data.manifest import Box
from synthesis.layouts import Layout

# Shares of a box's longer side between which the skin beside it lies.
_RING = (0.06, 0.35)
_MIN_PIXELS = 24
_SHIFTS = 8
_NUMBERS = {  # by column of what is measured
    "found": "found",
    "iou": "iou",
    "center_error": "center_error",
    "inside": "contrast_inside",
    "outside": "contrast_outside",
    "medians": "contrast_of_medians",
    "chance": "iou_by_chance",
}


def contrast(image: np.ndarray, boxes: Sequence[Box]) -> Dict[str, float]:
    """Measures how much colours differ from that of the skin beside the boxes.

    Args:
      image: uint8 [S, S, 3].
      boxes: the ROI, in pixels.

    Returns:
      Delta E of CIELAB (CIE 1976): `inside`, the mean over the boxes; `outside`, the
      mean over the skin outside them; `medians`, of the median colour inside. All
      NaN where too little skin is seen.
    """
    size = image.shape[0]
    inside = box_mask(boxes, size)
    outside = skin.skin_mask(image, boxes) & ~box_mask(boxes, size, _RING[0])
    ring = outside & box_mask(boxes, size, _RING[1])
    if ring.sum() < _MIN_PIXELS:
        ring = outside
    if ring.sum() < _MIN_PIXELS or not inside.any():
        return dict.fromkeys(("inside", "outside", "medians"), math.nan)
    colors = skin.lab(image)
    reference = np.median(colors[ring], axis=0)
    differences = np.linalg.norm(colors - reference, axis=-1)
    medians = np.linalg.norm(np.median(colors[inside], axis=0) - reference)
    return {
        "inside": float(differences[inside].mean()),
        "outside": float(differences[outside].mean()),
        "medians": float(medians),
    }


def measure_lesion(image: np.ndarray, layout: Layout, region: Region) -> Dict[str, Any]:
    """Measures one image.

    Args:
      image: uint8 [S, S, 3].
      layout: what it should show.
      region: what `localization.find_region` found in it.

    Returns:
      `found` (0 or 1), `iou` (0 where nothing was found), `center_error` (share of
      the side; NaN there), those of `contrast`, `condition`, `boxes`, `region`.
    """
    size = image.shape[0]
    wanted, found = box_mask(layout.boxes, size), box_mask(region.boxes, size)
    return {
        "condition": layout.condition,
        "found": float(found.any()),
        "iou": localization.iou(found, wanted),
        "center_error": localization.center_error(found, wanted),
        **contrast(image, layout.boxes),
        "boxes": layout.boxes,
        "region": region.boxes,
    }


def chance_ious(rows: pd.DataFrame, owners: Sequence[Hashable], size: int) -> np.ndarray:
    """Returns each region's mean IoU with the boxes of others' images.

    Args:
      rows: columns region and boxes.
      owners: whose each image is: images of one are not held against each other.
      size: rows and columns of the images.

    Returns:
      float [N]; NaN where all images are of one owner.
    """
    regions = [box_mask(boxes, size) for boxes in rows["region"]]
    wanted = [box_mask(boxes, size) for boxes in rows["boxes"]]
    number = len(rows)
    # Steps of the golden section spread over the images.
    shifts = {1 + int(number * 0.618034 * step) % max(number - 1, 1) for step in range(_SHIFTS)}
    return np.array(
        [
            cluster_bootstrap.mean(
                [
                    localization.iou(regions[i], wanted[j])
                    for j in ((i + shift) % number for shift in sorted(shifts))
                    if owners[j] != owners[i]
                ]
            )
            for i in range(number)
        ]
    )


def _numbers(values: Mapping[str, np.ndarray]) -> Dict[str, float]:
    numbers = {name: cluster_bootstrap.mean(values[column]) for column, name in _NUMBERS.items()}
    outside = numbers["contrast_outside"]
    numbers["contrast_ratio"] = numbers["contrast_inside"] / outside if outside else math.nan
    return numbers


def compare_lesions(
    real: pd.DataFrame, generated: pd.DataFrame, size: int, replicates: int, seed: int
) -> Comparison:
    """Holds generated images against photographs.

    Args:
      real: photographs: columns of `measure_lesion`, and patient.
      generated: columns of `measure_lesion`, and map.
      size: rows and columns of the images.
      replicates: of the bootstrap, which draws patients and maps.
      seed: of the bootstrap.

    Returns:
      found (share of images with any region), iou, iou_by_chance, center_error (share of
      the side, of images with a region), contrast_inside, contrast_outside,
      contrast_of_medians (Delta E), contrast_ratio (inside over outside).
    """
    real = real.assign(chance=chance_ious(real, real["patient"].tolist(), size))
    generated = generated.assign(chance=chance_ious(generated, generated["map"].tolist(), size))
    return comparison.compare(real, generated, _numbers, replicates, seed)


def as_dict(compared: Comparison) -> Dict[str, Any]:
    """Returns the numbers for JSON."""
    frames = {"generated": compared.generated, "real": compared.real}
    return {
        **compared.as_dict(),
        "images": {side: len(frame) for side, frame in frames.items()},
        "not_found": {side: int((frame["found"] == 0).sum()) for side, frame in frames.items()},
        "iou_by_condition": {
            side: frame.groupby("condition")["iou"].mean().round(4).to_dict()
            for side, frame in frames.items()
        },
    }
