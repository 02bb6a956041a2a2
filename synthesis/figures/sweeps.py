"""Sweeps: one thing in the map changes along a row, the noise stays.

Skin type (paper, Figure 5): the boxes of a real crop's map on each of the six types.
Size (paper, Figure 6): fully synthetic maps whose box grows about the frame's centre, in
the shape that boxes of the condition have in training.
"""

import dataclasses
import math
from typing import List, Optional, Sequence, Tuple

import numpy as np

from preprocessing.data import taxonomy
from preprocessing.data.manifest import Box
from synthesis import layouts as map_sampler
from synthesis import painting
from synthesis.figures import crop_choice
from synthesis.figures.crop_choice import Crop
from synthesis.layouts import Layout
from synthesis.trained_generator import TrainedGenerator

SIZES = (15.0, 28.0, 41.0, 54.0, 67.0, 80.0)
DEFAULT_ROWS = 6


def skin_type_layouts(layout: Layout) -> Tuple[Layout, ...]:
    """Returns a layout on each of the skin types 1..6, its boxes as they are."""
    return tuple(
        dataclasses.replace(layout, skin_type=skin_type) for skin_type in taxonomy.FITZPATRICK_TYPES
    )


def check_sizes(sizes: Sequence[float]) -> Tuple[float, ...]:
    """Returns sizes of a sweep unchanged.

    Args:
      sizes: sides of the box in % of the frame's.

    Raises:
      ValueError: none, one outside the frame or empty, or not growing.
    """
    given = ",".join(f"{size:g}" for size in sizes)
    if not sizes:
        raise ValueError("no sizes; --sizes are sides of the box in % of the frame")
    for size in sizes:
        if not 0 < size <= 100:
            raise ValueError(f"size {size:g} is not in (0, 100] % of the frame's side")
    if any(one >= other for one, other in zip(sizes, sizes[1:])):
        raise ValueError(f"sizes {given} do not grow")
    return tuple(sizes)


def size_layouts(
    condition: str, skin_type: int, aspect: float, sizes: Sequence[float], image_size: int
) -> Tuple[Layout, ...]:
    """Returns layouts with one box that grows about the centre of the frame.

    Args:
      condition: an entry of `taxonomy.CONDITIONS`.
      skin_type: Fitzpatrick type, 1..6.
      aspect: width / height of the box; nearer to 1 where the largest box would not
        fit otherwise, for all boxes alike.
      sizes: square roots of the box's area, in % of the frame's side, growing.
      image_size: rows and columns.

    Raises:
      ValueError: bad sizes or skin type, or a box smaller than a pixel.
    """
    taxonomy.check_fitzpatrick(skin_type)
    check_sizes(sizes)
    if sizes[0] * image_size < 100:
        raise ValueError(f"size {sizes[0]:g} % of {image_size} pixels is less than a pixel")
    most = (100 / sizes[-1]) ** 2
    stretch = math.sqrt(min(max(aspect, 1 / most), most))
    layouts = []
    for size in sizes:
        side = image_size * size / 100
        x0, y0 = (image_size - side * stretch) / 2, (image_size - side / stretch) / 2
        # Rounding must not push the largest box over the edge.
        x0, y0 = max(x0, 0.0), max(y0, 0.0)
        box = Box(x0, y0, image_size - x0, image_size - y0)
        layouts.append(Layout(condition, skin_type, (box,)))
    return tuple(layouts)


def paint(
    generator: TrainedGenerator, rows: Sequence[Sequence[Layout]], seed: int
) -> Tuple[np.ndarray, np.ndarray]:
    """Paints rows of layouts, each row with one noise.

    Args:
      generator: to paint with.
      rows: R rows of C layouts.
      seed: of the sweep; the noise of a row depends on it and the row's number alone.

    Returns:
      Maps and images, uint8 [R, C, S, S, 3] each.
    """
    flat = [layout for row in rows for layout in row]
    maps = map_sampler.draw(flat, generator.image_size)
    numbers = np.repeat(
        [painting.image_seed(seed, number) for number in range(len(rows))], len(rows[0])
    )
    images = np.concatenate(list(generator.batches(maps, numbers)))
    shape = (len(rows), len(rows[0]), *maps.shape[1:])
    return maps.reshape(shape), images.reshape(shape)


def count_rows(conditions: Sequence[str], rows: Optional[int]) -> int:
    """Returns the number of rows of a sweep.

    Args:
      conditions: that are asked for; may be empty.
      rows: that are asked for; by default 6, or one per condition.

    Raises:
      ValueError: not positive, or too few for the conditions.
    """
    if rows is None:
        return len(conditions) or DEFAULT_ROWS
    if rows < 1:
        raise ValueError(f"rows {rows} is not positive")
    if rows < len(conditions):
        raise ValueError(f"{len(conditions)} conditions do not fit into {rows} rows")
    return rows


def choose_maps(
    data_dir: str,
    split: str,
    generator: TrainedGenerator,
    conditions: Sequence[str],
    rows: Optional[int],
    seed: int,
) -> List[Crop]:
    """Chooses crops whose maps are swept.

    Args:
      data_dir: records.
      split: to take maps from.
      generator: whose conditions are the default.
      conditions: to show; empty for a spread over those of the generator.
      rows: how many crops; by default 6, or one per condition if these are given.
      seed: of the choice.

    Raises:
      ValueError: as `count_rows`; the split has no crop of a condition, or too few.
    """
    number = count_rows(conditions, rows)
    groups = crop_choice.by_condition(crop_choice.list_crops(data_dir, split))
    missing = [name for name in conditions if name not in groups]
    if missing:
        raise ValueError(
            f"{data_dir}: no {split} crop of {', '.join(missing)}; there are some of "
            f"{', '.join(groups)}"
        )
    if not conditions:
        known = [name for name in groups if name in generator.conditions]
        if not known:
            raise ValueError(f"{data_dir}: no {split} crop of a condition the generator knows")
        conditions = crop_choice.spread(known, number)
    return crop_choice.take_turns({name: groups[name] for name in conditions}, number, seed)
