"""What semantic maps show: read from records, varied, or drawn from statistics.

Paper, section 3: synthetic maps are those of the validation split, their boxes
"randomly translated" and, "if multiple boxes are present, a random subset" kept. For
conditions on skin types, or of sizes, that no validation map shows, "fully synthetic
semantic maps": sizes, shapes, numbers and places of boxes as the training split has them.
"""

import dataclasses
import math
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np

from preprocessing.data import maps, records, taxonomy
from preprocessing.data.manifest import Box

_ENOUGH = 5  # Fewer layouts of a condition say too little about its spread.
_TRIES = 20


@dataclasses.dataclass(frozen=True)
class Layout:
    """What a map shows.

    Attributes:
      condition: a name of the taxonomy.
      skin_type: Fitzpatrick type, 1..6, or 0 for unknown.
      boxes: pixel boxes inside the frame.
    """

    condition: str
    skin_type: int
    boxes: Tuple[Box, ...]

    def draw(self, image_size: int) -> np.ndarray:
        """Returns the semantic map, uint8 [image_size, image_size, 3]."""
        code = taxonomy.code(self.condition)
        return maps.encode(self.skin_type, code, self.boxes, image_size, image_size)


def layout_of(record: records.Record) -> Layout:
    """Returns what a crop shows."""
    return Layout(record.condition, record.fitzpatrick, record.boxes)


def read_layouts(
    data_dir: str, split: str, conditions: Optional[Iterable[str]] = None
) -> List[Layout]:
    """Reads the layouts of a split's crops; arguments and errors of `records.read`."""
    read = records.read(data_dir, "crops", split, conditions, images=False)
    return [layout_of(record) for record in read]


def _moved(box: Box, image_size: int, rng: np.random.Generator) -> Box:
    """Puts a box anywhere in the frame; its size stays, cut to the frame's."""
    width = min(box.x1 - box.x0, image_size)
    height = min(box.y1 - box.y0, image_size)
    x0 = float(rng.uniform(0, image_size - width))
    y0 = float(rng.uniform(0, image_size - height))
    return Box(x0, y0, x0 + width, y0 + height)


def vary(layout: Layout, image_size: int, rng: np.random.Generator) -> Layout:
    """Keeps a random non-empty subset of the boxes and moves each of them.

    To mirror the map as well would change nothing: a box may be moved to any place in
    the frame, each as likely as its mirror image.

    Args:
      layout: of a crop of `image_size`.
      image_size: rows and columns.
      rng: source of randomness.

    Returns:
      Same condition and skin type; every box inside the frame.
    """
    boxes = layout.boxes
    if len(boxes) > 1:
        number = int(rng.integers(1, len(boxes) + 1))
        boxes = tuple(boxes[i] for i in sorted(rng.choice(len(boxes), number, replace=False)))
    return dataclasses.replace(layout, boxes=tuple(_moved(box, image_size, rng) for box in boxes))


def sample(layouts: Sequence[Layout], number: int, image_size: int, seed: int = 0) -> List[Layout]:
    """Samples layouts: each source in turn, in a shuffled order, varied.

    Taking turns keeps the proportions of conditions and skin types those of the
    source, without the noise of drawing.

    Args:
      layouts: the sources.
      number: how many.
      image_size: rows and columns of the maps.
      seed: of the sample; layout i depends on the sources, the seed and i alone.
    """
    order = np.random.default_rng([seed, 0]).permutation(len(layouts))
    return [
        vary(layouts[order[i % len(layouts)]], image_size, np.random.default_rng([seed, 1, i]))
        for i in range(number)
    ]


def draw(layouts: Sequence[Layout], image_size: int) -> np.ndarray:
    """Returns the maps of layouts, uint8 [N, image_size, image_size, 3]."""
    drawn = [layout.draw(image_size) for layout in layouts]
    return np.array(drawn, np.uint8).reshape(-1, image_size, image_size, 3)


@dataclasses.dataclass(frozen=True)
class LayoutStatistics:
    """How the boxes of a condition lie, relative to the frame's side.

    A box is described by log sqrt(width * height), log (width / height), and the x and y
    of its centre.

    Attributes:
      layouts: number of layouts that were fitted.
      numbers: probability of 1, 2, ... boxes.
      mean: of each of the four.
      deviation: standard deviation of each of the four.
    """

    layouts: int
    numbers: Tuple[float, ...]
    mean: Tuple[float, ...]
    deviation: Tuple[float, ...]

    @property
    def aspect(self) -> float:
        """Usual width / height of a box."""
        return math.exp(self.mean[1])

    def sample(
        self, condition: str, skin_type: int, image_size: int, rng: np.random.Generator
    ) -> Layout:
        """Draws a layout.

        Args:
          condition: a name of the taxonomy.
          skin_type: Fitzpatrick type, 1..6, or 0 for unknown.
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
        log_side, log_aspect, *center = rng.normal(self.mean, self.deviation)
        side, stretch = image_size * math.exp(log_side), math.exp(log_aspect / 2)
        lengths = np.clip([side * stretch, side / stretch], 2, image_size)
        corner = np.clip(image_size * np.array(center) - lengths / 2, 0, image_size - lengths)
        return Box(*map(float, [*corner, *(corner + lengths)]))


def _overlap(one: Box, other: Box) -> bool:
    across = min(one.x1, other.x1) > max(one.x0, other.x0)
    return across and min(one.y1, other.y1) > max(one.y0, other.y0)


def fit_statistics(layouts: Sequence[Layout], image_size: int) -> Dict[str, LayoutStatistics]:
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
    for condition in taxonomy.conditions():
        ours = [layout for layout in with_boxes if layout.condition == condition]
        fitted = _fit(ours, image_size) if ours else dataclasses.replace(pooled, layouts=0)
        if len(ours) < _ENOUGH:
            fitted = dataclasses.replace(fitted, deviation=pooled.deviation)
        statistics[condition] = fitted
    return statistics


def _fit(layouts: Sequence[Layout], image_size: int) -> LayoutStatistics:
    x0, y0, x1, y1 = np.array([box for one in layouts for box in one.boxes]).T / image_size
    width, height = x1 - x0, y1 - y0
    described = np.stack(
        [np.log(np.sqrt(width * height)), np.log(width / height), (x0 + x1) / 2, (y0 + y1) / 2]
    )
    counts = np.bincount([len(layout.boxes) for layout in layouts])[1:]
    return LayoutStatistics(
        layouts=len(layouts),
        numbers=tuple((counts / counts.sum()).tolist()),
        mean=tuple(described.mean(axis=1).tolist()),
        deviation=tuple(described.std(axis=1).tolist()),
    )
