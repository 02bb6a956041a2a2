"""Pictures of sweeps: a row of images per map, with what a reader must know beside it."""

import math
from typing import Dict, List, Optional, Sequence

import numpy as np

from preprocessing.data import records, taxonomy
from synthesis import layouts as map_sampler
from synthesis import wanted
from synthesis.figures import crop_choice, pictures, sweeps
from synthesis.figures.image_tables import Group, Strip, Table, Tile
from synthesis.layouts import Layout
from synthesis.provenance import Provenance
from synthesis.trained_generator import TrainedGenerator
from synthesis.wanted import Cell

_USUAL = (5, 95)  # percentiles of box sides in training


def skin_type_table(
    generator: TrainedGenerator,
    data_dir: str,
    conditions: Sequence[str] = (),
    rows: Optional[int] = None,
    split: str = "validation",
    photographs: bool = False,
    seed: int = 0,
) -> Table:
    """Paints maps of real crops on each of the six skin types.

    Args:
      generator: to paint with.
      data_dir: records; the maps come from them.
      conditions: to show; a spread over those of the generator by default.
      rows: number of maps; 6 by default, or one per condition if these are given.
      split: to take maps from.
      photographs: whether the crop of each map is shown, too.
      seed: of the choice of maps and of the noise.

    Raises:
      ValueError: as `sweeps.choose_maps`, or records of another size than the
        generator's.
    """
    info = records.read_info(data_dir)
    generator.check_dataset(data_dir, info)
    crops = sweeps.choose_maps(data_dir, split, generator, conditions, rows, seed)
    cells = wanted.training_cells(info, taxonomy.CONDITIONS)
    _, images = sweeps.paint(
        generator, [sweeps.skin_type_layouts(crop.layout) for crop in crops], seed
    )
    shown = crop_choice.read_photographs(data_dir, split, crops) if photographs else []
    groups = []
    for number, (crop, painted) in enumerate(zip(crops, images)):
        layout = crop.layout
        before = [Tile(layout.draw(generator.image_size), is_map=True)]
        before += [Tile(shown[number])] if photographs else []
        counts = [f"n = {cells[layout.condition, t]:,}" for t in taxonomy.FITZPATRICK_TYPES]
        captions = [f"type {layout.skin_type}", *[""] * (len(before) - 1), *counts]
        tiles = [*before, *map(Tile, painted)]
        groups.append(Group(layout.condition, (), [Strip(tiles, captions=captions)]))
    heads = ["map", *(["photograph"] if photographs else [])]
    mark = Provenance(generator.digest, seed)
    return Table(
        groups,
        heads=[*heads, *(f"type {t}" for t in taxonomy.FITZPATRICK_TYPES)],
        axis="generated, by the skin type that the map asks for",
        set_apart=len(heads),
        footer=f"{pictures.describe(generator, seed)} One noise per row: only the skin type "
        f"differs. Maps of {split} crops. n: training crops of the condition and skin type.",
        mark=None if photographs else mark,
    )


def _commonest_type(condition: str, cells: Dict[Cell, int]) -> int:
    return max(taxonomy.FITZPATRICK_TYPES, key=lambda t: (cells[condition, t], -t))


def _size_notes(condition: str, skin_type: int, layouts: Sequence[Layout], size: int) -> List[str]:
    """Says what the training split has seen of a condition."""
    sides = [
        100 * math.sqrt((box.x1 - box.x0) * (box.y1 - box.y0)) / size
        for layout in layouts
        if layout.condition == condition
        for box in layout.boxes
    ]
    if not sides:
        return [f"on type {skin_type}", "not in training"]
    low, high = np.percentile(sides, _USUAL)
    return [f"on type {skin_type}", f"in training {low:.0f}-{high:.0f} %"]


def size_table(
    generator: TrainedGenerator,
    data_dir: str,
    conditions: Sequence[str] = (),
    rows: Optional[int] = None,
    sizes: Sequence[float] = sweeps.SIZES,
    skin_type: Optional[int] = None,
    seed: int = 0,
) -> Table:
    """Paints a growing box.

    Args:
      generator: to paint with.
      data_dir: records; the shape of the boxes comes from their training split.
      conditions: to show; a spread over those of the generator by default.
      rows: how many, conditions in turn, each row with its own noise; 6 by default,
        or one per condition if these are given.
      sizes: square roots of the box's area, in % of the frame's side, growing.
      skin_type: Fitzpatrick type, 1..6; by default each condition's commonest in
        training.
      seed: of the noise.

    Raises:
      ValueError: bad sizes, skin type or number of rows, no training records, or
        records of another size than the generator's.
    """
    if skin_type is not None:
        taxonomy.check_fitzpatrick(skin_type)
    sweeps.check_sizes(sizes)
    info = records.read_info(data_dir)
    generator.check_dataset(data_dir, info)
    number = sweeps.count_rows(conditions, rows)
    chosen = list(conditions) or crop_choice.spread(generator.conditions, number)
    names = sorted((chosen[i % len(chosen)] for i in range(number)), key=chosen.index)
    size = generator.image_size
    trained_on = map_sampler.read_layouts(data_dir, "train")
    statistics = map_sampler.fit_statistics(trained_on, size)
    cells = wanted.training_cells(info, taxonomy.CONDITIONS)
    types = [skin_type or _commonest_type(name, cells) for name in names]
    layouts = [
        sweeps.size_layouts(name, kind, statistics[name].aspect, sizes, size)
        for name, kind in zip(names, types)
    ]
    maps, images = sweeps.paint(generator, layouts, seed)
    groups = [
        Group(
            name,
            _size_notes(name, kind, trained_on, size),
            [Strip([Tile(one, True) for one in drawn], small=True), Strip([*map(Tile, painted)])],
        )
        for name, kind, drawn, painted in zip(names, types, maps, images)
    ]
    return Table(
        groups,
        heads=[f"{one:g} %" for one in sizes],
        axis="side of the box, in % of the frame's",
        footer=f"{pictures.describe(generator, seed)} One noise per row: only the box differs. "
        "Side: square root of the box's area. In training: sides of the middle 90 % of boxes.",
        mark=Provenance(generator.digest, seed),
    )
