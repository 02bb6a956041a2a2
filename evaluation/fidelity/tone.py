"""How light the skin beside a lesion is.

The individual typology angle (ITA, degrees; see `preprocessing.data.skin`) of the skin
outside the ROI boxes, and its mean by skin type.
"""

import math
from typing import Sequence

import numpy as np
import pandas as pd

from evaluation.fidelity.localization import box_mask
from preprocessing.data import skin, taxonomy
from preprocessing.data.manifest import Box
from synthesis.layouts import Layout

# Outside their boxes is hair.
HAIR_BEARING = ("Alopecia Areata", "Androgenetic Alopecia")
# L* below which it is hair or the dark: that of type VI in fair light is above.
_DARKEST_SKIN = 20.0
_GROW = 0.1  # of a box's longer side: lesions fade out beyond their box


def surrounding_skin(
    image: np.ndarray, boxes: Sequence[Box], also_without: Sequence[Box] = ()
) -> np.ndarray:
    """Returns where skin outside the boxes is seen.

    Args:
      image: uint8 [S, S, 3].
      boxes: the ROI, in pixels.
      also_without: further boxes to leave out.

    Returns:
      bool [S, S].
    """
    outside = ~box_mask([*boxes, *also_without], image.shape[0], _GROW)
    return skin.skin_mask(image, boxes) & outside


def measure(image: np.ndarray, layout: Layout, also_without: Sequence[Box] = ()) -> float:
    """Measures the ITA of the skin outside the ROI.

    Args:
      image: uint8 [S, S, 3].
      layout: what it shows.
      also_without: boxes to leave out besides those of the layout.

    Returns:
      Degrees in (-90, 90); NaN where no skin is seen there: hair (by the condition, or
      darker than any skin), something bluish like a sheet, or next to nothing.
    """
    if layout.condition in HAIR_BEARING:
        return math.nan
    seen = surrounding_skin(image, layout.boxes, also_without)
    degrees = skin.ita(image, seen)
    if degrees is None or abs(degrees) >= 90.0:
        return math.nan
    return degrees if np.median(skin.lab(image[seen])[:, 0]) >= _DARKEST_SKIN else math.nan


def type_means(skin_types: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Returns the mean ITA by skin type, float [7]; NaN for 0 and types without images."""
    known = np.isfinite(degrees)
    types = skin_types[known].astype(int)
    counts = np.bincount(types, minlength=taxonomy.FITZPATRICK_TYPES[-1] + 1)
    sums = np.bincount(types, degrees[known], minlength=taxonomy.FITZPATRICK_TYPES[-1] + 1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def measured_means(real: pd.DataFrame) -> np.ndarray:
    """Returns `type_means` of photographs: columns skin_type, ita.

    Raises:
      ValueError: photographs of fewer than two types could be measured.
    """
    means = type_means(real["skin_type"].to_numpy(int), real["ita"].to_numpy(float))
    known = [str(one) for one in taxonomy.FITZPATRICK_TYPES if np.isfinite(means[one])]
    if len(known) < 2:
        raise ValueError(
            "tone needs photographs of two skin types whose skin can be measured; there are "
            f"{len(known)} ({', '.join(known) or 'none'}): choose another --real_split"
        )
    return means
