"""Fully synthetic layouts: sizes, shapes, numbers and places as the training split has them.

For conditions on skin types, or of sizes, that no validation map shows (paper,
section 3: "fully synthetic semantic maps").
"""

import dataclasses
import math
from typing import Dict, List, Sequence, Tuple

import numpy as np

from preprocessing.data import taxonomy
from preprocessing.data.manifest import Box
from synthesis.layouts import Layout

# Fewer layouts of a condition than these say too little about its spread.
_ENOUGH = 5
_TRIES = 20


@dataclasses.dataclass(frozen=True)
class LayoutStatistics:
    """How the boxes of a condition lie, relative to the frame's side.

    Attributes:
      layouts: that were fitted.
      numbers: probability of 1, 2, ... boxes.
      log_side: mean and standard deviation of log sqrt(width * height).
      log_aspect: mean and standard deviation of log (width / height).
      center: mean (x, y) and standard deviation (x, y) of box centres.
    """

    layouts: int
    numbers: Tuple[float, ...]
    log_side: Tuple[float, float]
    log_aspect: Tuple[float, float]
    center: Tuple[Tuple[float, float], Tuple[float, float]]

    def sample(
        self, condition: str, skin_type: int, image_size: int, rng: np.random.Generator
    ) -> Layout:
        """Draws a layout.

        Args:
          condition: an entry of `taxonomy.CONDITIONS`.
          skin_type: Fitzpatrick type, 1..6.
          image_size: rows and columns.
          rng: source of randomness.

        Returns:
          Boxes inside the frame, at least 2 pixels long, apart from each other where
          there is room.
        """
        number = 1 + int(rng.choice(len(self.numbers), p=self.numbers))
        boxes: List[Box] = []
        while len(boxes) < number:
            drawn = [self._box(image_size, rng) for _ in range(_TRIES)]
            apart = [box for box in drawn if not any(_overlap(box, other) for other in boxes)]
            boxes.append((apart or drawn)[0])
        return Layout(taxonomy.canonical(condition), skin_type, tuple(boxes))

    def _box(self, image_size: int, rng: np.random.Generator) -> Box:
        side = image_size * math.exp(rng.normal(*self.log_side))
        aspect = math.exp(rng.normal(*self.log_aspect) / 2.0)
        width, height = (float(np.clip(x, 2.0, image_size)) for x in (side * aspect, side / aspect))
        center = image_size * rng.normal(*self.center)
        x0 = float(np.clip(center[0] - width / 2, 0, image_size - width))
        y0 = float(np.clip(center[1] - height / 2, 0, image_size - height))
        return Box(x0, y0, x0 + width, y0 + height)


def _overlap(one: Box, other: Box) -> bool:
    across = min(one.x1, other.x1) > max(one.x0, other.x0)
    return across and min(one.y1, other.y1) > max(one.y0, other.y0)


def fit(layouts: Sequence[Layout], image_size: int) -> Dict[str, LayoutStatistics]:
    """Fits every condition of the taxonomy.

    A condition with fewer than five layouts takes the spread, and one with none also
    the means, of all conditions.

    Args:
      layouts: of the training split.
      image_size: rows and columns of their frame.

    Returns:
      Statistics by condition, for all conditions.

    Raises:
      ValueError: no boxes at all.
    """
    with_boxes = [layout for layout in layouts if layout.boxes]
    if not with_boxes:
        raise ValueError("no layout with a box to take statistics from")
    pooled = _fit(with_boxes, image_size)
    statistics = {}
    for condition in taxonomy.CONDITIONS:
        ours = [layout for layout in with_boxes if layout.condition == condition]
        if len(ours) >= _ENOUGH:
            statistics[condition] = _fit(ours, image_size)
        elif ours:
            fitted = _fit(ours, image_size)
            statistics[condition] = dataclasses.replace(
                fitted,
                log_side=(fitted.log_side[0], pooled.log_side[1]),
                log_aspect=(fitted.log_aspect[0], pooled.log_aspect[1]),
                center=(fitted.center[0], pooled.center[1]),
            )
        else:
            statistics[condition] = dataclasses.replace(pooled, layouts=0)
    return statistics


def _fit(layouts: Sequence[Layout], image_size: int) -> LayoutStatistics:
    boxes = np.array([box for layout in layouts for box in layout.boxes]) / image_size
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    sides, aspects = np.log(np.sqrt(width * height)), np.log(width / height)
    centers = np.stack([boxes[:, 0] + boxes[:, 2], boxes[:, 1] + boxes[:, 3]], axis=-1) / 2.0
    counts = np.bincount([len(layout.boxes) for layout in layouts])[1:]
    mean, deviation = centers.mean(axis=0), centers.std(axis=0)
    return LayoutStatistics(
        layouts=len(layouts),
        numbers=tuple((counts / counts.sum()).tolist()),
        log_side=(float(sides.mean()), float(sides.std())),
        log_aspect=(float(aspects.mean()), float(aspects.std())),
        center=((float(mean[0]), float(mean[1])), (float(deviation[0]), float(deviation[1]))),
    )
