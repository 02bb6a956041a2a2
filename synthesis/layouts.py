"""Semantic maps to paint from: validation maps, moved about.

Paper, section 3: synthetic maps are those of the validation split, their boxes
"randomly translated" and, "if multiple boxes are present, a random subset" kept.

Map i is a function of the seed and i alone, whatever else is sampled.
"""

import dataclasses
from typing import Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

from preprocessing.data import maps as semantic_map
from preprocessing.data import record_errors, records, taxonomy
from preprocessing.data.manifest import Box


@dataclasses.dataclass(frozen=True)
class Layout:
    """What a map shows.

    Attributes:
      condition: an entry of `taxonomy.CONDITIONS`.
      skin_type: Fitzpatrick type, 1..6.
      boxes: pixel boxes inside the frame.
    """

    condition: str
    skin_type: int
    boxes: Tuple[Box, ...]

    def draw(self, image_size: int) -> np.ndarray:
        """Returns the semantic map, uint8 [image_size, image_size, 3]."""
        code = taxonomy.code(self.condition)
        return semantic_map.encode(self.skin_type, code, self.boxes, image_size, image_size)


def read_crops(
    data_dir: str, split: str, conditions: Optional[Iterable[str]] = None
) -> Iterator[Mapping[str, tf.Tensor]]:
    """Yields the parsed crops of a split, in the order of the records.

    Args:
      data_dir: what `//preprocessing:preprocess` wrote.
      split: "train", "validation" or "test".
      conditions: those to keep; all by default.

    Raises:
      ValueError: no records, none of the conditions, a corrupt file, or a synthetic
        image outside the training split.
    """
    wanted = set(taxonomy.CONDITIONS if conditions is None else conditions)
    found = False
    for shard in records.list_shards(data_dir, "crops", split):
        with record_errors.naming(shard, "crop"):
            for serialized in tf.data.TFRecordDataset(shard):
                parsed = records.parse_crop(serialized)
                record_errors.check_synthetic(shard, split, bool(parsed["synthetic"]))
                if parsed["condition"].numpy().decode() in wanted:
                    found = True
                    yield parsed
    if not found:
        raise ValueError(f"{data_dir}: no {split} crop of the wanted conditions")


def layout_of(parsed: Mapping[str, tf.Tensor]) -> Layout:
    """Returns what a parsed crop shows."""
    height, width = int(parsed["image/height"]), int(parsed["image/width"])
    boxes = tuple(
        Box(x0 * width, y0 * height, x1 * width, y1 * height)
        for y0, x0, y1, x1 in parsed["boxes"].numpy().astype(np.float64)
    )
    return Layout(parsed["condition"].numpy().decode(), int(parsed["fitzpatrick"]), boxes)


def read_layouts(
    data_dir: str, split: str, conditions: Optional[Iterable[str]] = None
) -> List[Layout]:
    """Reads the layouts of a split's crops; arguments and errors of `read_crops`."""
    return [layout_of(parsed) for parsed in read_crops(data_dir, split, conditions)]


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
    maps = np.zeros((len(layouts), image_size, image_size, 3), np.uint8)
    for index, layout in enumerate(layouts):
        maps[index] = layout.draw(image_size)
    return maps
