"""Sweeps: one thing changes along a row, in the map or in the noise; the rest stays.

Skin type (paper, Figure 5): the boxes of a real crop's map on each of the six types.
Size (paper, Figure 6): fully synthetic maps whose box grows about the frame's centre, in
the shape that boxes of the condition have in training.
Lesion, skin: the map stays; of the noise, the code of the lesion or that of the skin is
drawn anew ("same skin, another lesion").
"""

import dataclasses
import math
from typing import List, Optional, Sequence, Tuple

import numpy as np

from model.sampling import Code
from preprocessing.data import records, taxonomy
from preprocessing.data.manifest import Box
from synthesis import layouts, painting, photograph_codes, wanted
from synthesis.figures import crop_choice, image_tables
from synthesis.figures.crop_choice import Crop
from synthesis.figures.image_tables import Group, Strip, Table
from synthesis.layouts import Layout
from synthesis.provenance import Provenance
from synthesis.trained_generator import TrainedGenerator

SIZES = (15.0, 28.0, 41.0, 54.0, 67.0, 80.0)
DEFAULT_ROWS = 6
PARTS = ("lesion", "skin")
DRAWS = 6  # columns of drawn codes
_USUAL = (5, 95)  # percentiles of box sides in training


def skin_type_table(
    generator: TrainedGenerator,
    data_dir: str,
    conditions: Sequence[str] = (),
    rows: Optional[int] = None,
    seed: int = 0,
    split: str = "validation",
    photographs: bool = False,
    like: Optional[str] = None,
) -> Table:
    """Paints maps of real crops on each of the six skin types.

    Args:
      generator: to paint with.
      data_dir: records; the maps come from them.
      conditions: to show; a spread over those of the generator by default.
      rows: number of maps; 6 by default, or one per condition if these are given.
      seed: of the choice of maps and of the noise.
      split: to take maps from.
      photographs: whether the crop of each map is shown, too.
      like: image_id or pseudonym of a photograph of the records whose code is used.

    Raises:
      ValueError: as `choose_maps` and `photograph_codes.find`, or records of another size
        than the generator's.
    """
    info = records.read_info(data_dir)
    generator.check_dataset(data_dir, info)
    crops = choose_maps(data_dir, split, generator, conditions, rows, seed)
    cells = wanted.training_cells(info, taxonomy.conditions())
    if not wanted.knows_types(cells):
        raise ValueError(
            f"{data_dir}: no training crop has a known skin type; there is nothing to sweep"
        )
    code, said = _code_of(generator, data_dir, like)
    _, painted = paint(generator, [skin_type_layouts(crop.layout) for crop in crops], seed, code)
    heads, given = _given(generator, data_dir, split, crops, photographs)
    groups = []
    for crop, shown, images in zip(crops, given, painted):
        name = crop.layout.condition
        counts = [f"n = {cells[name, skin_type]:,}" for skin_type in taxonomy.FITZPATRICK_TYPES]
        captions = [crop.type_caption, *[""] * (len(heads) - 1), *counts]
        groups.append(Group(name, [], [Strip([*shown, *images], captions=captions)]))
    return Table(
        groups,
        heads=[*heads, *(f"type {t}" for t in taxonomy.FITZPATRICK_TYPES)],
        axis="generated, by the skin type that the map asks for",
        set_apart=len(heads),
        footer=f"{image_tables.describe(generator, seed)} One noise per row: only the skin type "
        f"differs. Maps of {split} crops. n: training crops of the condition and skin type."
        f"{crop_choice.type_footnote(crops, info)}{said}",
        mark=None if photographs else Provenance(generator.digest, seed),
    )


def _code_of(
    generator: TrainedGenerator, data_dir: str, like: Optional[str]
) -> Tuple[Optional[Code], str]:
    """Returns the code of a photograph, and what a footer says of it."""
    if like is None:
        return None, ""
    source, code = photograph_codes.find(generator, data_dir, like)
    return code, f" {source.said}"


def _given(
    generator: TrainedGenerator,
    data_dir: str,
    split: str,
    crops: Sequence[Crop],
    photographs: bool,
) -> Tuple[List[str], List[List[np.ndarray]]]:
    """Returns heads and pictures of what is given in each row: the map, and the photograph."""
    heads, given = ["map"], [[crop.layout.draw(generator.image_size)] for crop in crops]
    if photographs:
        heads.append("photograph")
        for shown, photograph in zip(given, crop_choice.read_photographs(data_dir, split, crops)):
            shown.append(photograph)
    return heads, given


def code_table(
    generator: TrainedGenerator,
    data_dir: str,
    conditions: Sequence[str] = (),
    rows: Optional[int] = None,
    seed: int = 0,
    split: str = "validation",
    photographs: bool = False,
    like: Optional[str] = None,
    part: str = "lesion",
) -> Table:
    """Paints maps of real crops with one part of the code drawn anew in each column.

    Args:
      generator: to paint with.
      data_dir: records; the maps come from them.
      conditions: see `skin_type_table`, and so are the next ones.
      rows: number of maps.
      seed: of the choice of maps and of the noise.
      split: to take maps from.
      photographs: whether the crop of each map is shown, too.
      like: image_id or pseudonym of a photograph of the records; what stays is its code.
      part: "lesion" or "skin", which is drawn; the other stays along a row.

    Raises:
      ValueError: as `choose_maps` and `photograph_codes.find`, a code that is not divided
        into skin and lesion, or records of another size than the generator's.
    """
    if part not in PARTS:
        raise ValueError(f"part {part!r} is not one of {', '.join(PARTS)}")
    size, lesion = generator.config.global_noise, generator.config.lesion_noise
    if not 0 < lesion < size:
        raise ValueError(
            f"{generator.run_dir}: its noise has no part for the skin and one for the lesion "
            f"(model.global_noise {size}, model.lesion_noise {lesion})"
        )
    info = records.read_info(data_dir)
    generator.check_dataset(data_dir, info)
    crops = choose_maps(data_dir, split, generator, conditions, rows, seed)
    code, said = _code_of(generator, data_dir, like)
    of_lesion = np.arange(size) >= size - lesion
    codes = drawn_anew(generator, len(crops), seed, of_lesion == (part == "lesion"), code)
    _, painted = paint(generator, [[crop.layout] * DRAWS for crop in crops], seed, codes)
    heads, given = _given(generator, data_dir, split, crops, photographs)
    groups = [
        Group(crop.layout.condition, [crop.type_caption], [Strip([*shown, *images])])
        for crop, shown, images in zip(crops, given, painted)
    ]
    stays = PARTS[1 - PARTS.index(part)]
    return Table(
        groups,
        heads=[*heads, *(str(1 + number) for number in range(DRAWS))],
        axis=f"generated, the same {stays}, another {part}",
        typed=any(crop.layout.skin_type for crop in crops),
        set_apart=len(heads),
        footer=f"{image_tables.describe(generator, seed)} Along a row only the code of the {part} "
        f"is drawn anew; map, code of the {stays} and fine noise stay. Maps of {split} crops."
        f"{crop_choice.type_footnote(crops, info)}{said}",
        mark=None if photographs else Provenance(generator.digest, seed),
    )


def drawn_anew(
    generator: TrainedGenerator,
    rows: int,
    seed: int,
    changes: np.ndarray,
    stays: Optional[Code] = None,
) -> Code:
    """Returns codes of rows in which some values change from column to column.

    Args:
      generator: whose noise is meant.
      rows: R of them, of `DRAWS` columns.
      seed: of the sweep.
      changes: bool [N], which values are drawn anew.
      stays: code, float32 [1, N], of the others; by default drawn once for a row.

    Returns:
      Codes, float32 [R DRAWS, N], nothing of which is left to the painting's seed.
    """
    number = rows * DRAWS
    others = [painting.image_seed(seed, rows + place) for place in range(number)]
    of_row = np.repeat([painting.image_seed(seed, row) for row in range(rows)], DRAWS)
    kept = generator.drawn_codes(of_row)
    if stays is not None:
        kept = stays.mean + stays.deviation * kept
    values = np.where(changes, generator.drawn_codes(np.array(others, np.int64)), kept)
    return Code(values, np.zeros_like(values))


def size_table(
    generator: TrainedGenerator,
    data_dir: str,
    conditions: Sequence[str] = (),
    rows: Optional[int] = None,
    seed: int = 0,
    sizes: Sequence[float] = SIZES,
    skin_type: Optional[int] = None,
    like: Optional[str] = None,
) -> Table:
    """Paints a growing box.

    Args:
      generator: to paint with.
      data_dir: records; the shape of the boxes comes from their training split.
      conditions: to show; a spread over those of the generator by default.
      rows: how many, conditions in turn, each row with its own noise; 6 by default,
        or one per condition if these are given.
      seed: of the noise.
      sizes: square roots of the box's area, in % of the frame's side, growing.
      skin_type: Fitzpatrick type, 1..6, or 0 for unknown; by default each condition's
        commonest in training.
      like: image_id or pseudonym of a photograph of the records whose code is used.

    Raises:
      ValueError: as `photograph_codes.find`; bad sizes, skin type or number of rows, no
        training records, or records of another size than the generator's.
    """
    info = records.read_info(data_dir)
    generator.check_dataset(data_dir, info)
    number = count_rows(conditions, rows)
    chosen = list(conditions) or crop_choice.spread(generator.conditions, number)
    names = sorted((chosen[i % len(chosen)] for i in range(number)), key=chosen.index)
    trained_on = layouts.read_layouts(data_dir, "train")
    statistics = layouts.fit_statistics(trained_on, generator.image_size)
    cells = wanted.training_cells(info, taxonomy.conditions())
    commonest = {
        name: max(
            (t for condition, t in cells if condition == name), key=lambda t: (cells[name, t], -t)
        )
        for name in names
    }
    types = [commonest[name] if skin_type is None else skin_type for name in names]
    swept = [
        size_layouts(name, kind, statistics[name].aspect, sizes, generator.image_size)
        for name, kind in zip(names, types)
    ]
    code, said = _code_of(generator, data_dir, like)
    groups = []
    for name, kind, maps, images in zip(names, types, *paint(generator, swept, seed, code)):
        notes = [
            f"on {taxonomy.type_name(kind)}",
            _usual_sides(name, trained_on, generator.image_size),
        ]
        groups.append(Group(name, notes, [Strip(maps, small=True), Strip(images)]))
    return Table(
        groups,
        heads=[f"{size:g} %" for size in sizes],
        axis="side of the box, in % of the frame's",
        typed=any(types),
        footer=f"{image_tables.describe(generator, seed)} One noise per row: only the box differs. "
        "Side: square root of the box's area. In training: sides of the middle 90 % of boxes."
        f"{said}",
        mark=Provenance(generator.digest, seed),
    )


def _usual_sides(condition: str, trained_on: Sequence[Layout], image_size: int) -> str:
    sides = [
        100 * math.sqrt((box.x1 - box.x0) * (box.y1 - box.y0)) / image_size
        for layout in trained_on
        if layout.condition == condition
        for box in layout.boxes
    ]
    if not sides:
        return "not in training"
    low, high = np.percentile(sides, _USUAL)
    return f"in training {low:.0f}-{high:.0f} %"


def skin_type_layouts(layout: Layout) -> Tuple[Layout, ...]:
    """Returns a layout on each of the skin types 1..6, its boxes as they are."""
    return tuple(
        dataclasses.replace(layout, skin_type=skin_type) for skin_type in taxonomy.FITZPATRICK_TYPES
    )


def check_sizes(sizes: Sequence[float]) -> None:
    """Raises ValueError unless sides of a box, in % of the frame's, are in (0, 100] and grow."""
    if not sizes:
        raise ValueError("no sizes; --sizes are sides of the box in % of the frame")
    for size in sizes:
        if not 0 < size <= 100:
            raise ValueError(f"size {size:g} is not in (0, 100] % of the frame's side")
    if list(sizes) != sorted(set(sizes)):
        raise ValueError(f"sizes {','.join(f'{size:g}' for size in sizes)} do not grow")


def size_layouts(
    condition: str, skin_type: int, aspect: float, sizes: Sequence[float], image_size: int
) -> Tuple[Layout, ...]:
    """Returns layouts with one box that grows about the centre of the frame.

    Args:
      condition: a name of the taxonomy.
      skin_type: Fitzpatrick type, 1..6, or 0 for unknown.
      aspect: width / height of the box; nearer to 1 where the largest box would not
        fit otherwise, for all boxes alike.
      sizes: square roots of the box's area, in % of the frame's side, growing.
      image_size: rows and columns.

    Raises:
      ValueError: bad sizes or skin type, or a box smaller than a pixel.
    """
    taxonomy.check_fitzpatrick(skin_type, unknown=True)
    check_sizes(sizes)
    if sizes[0] * image_size < 100:
        raise ValueError(f"size {sizes[0]:g} % of {image_size} pixels is less than a pixel")
    most = (100 / sizes[-1]) ** 2
    stretch = math.sqrt(min(max(aspect, 1 / most), most))
    grown = []
    for size in sizes:
        side = image_size * size / 100
        # Rounding must not push the largest box over the edge.
        x0 = max((image_size - side * stretch) / 2, 0.0)
        y0 = max((image_size - side / stretch) / 2, 0.0)
        box = Box(x0, y0, image_size - x0, image_size - y0)
        grown.append(Layout(condition, skin_type, (box,)))
    return tuple(grown)


def paint(
    generator: TrainedGenerator,
    rows: Sequence[Sequence[Layout]],
    seed: int,
    code: Optional[Code] = None,
) -> Tuple[np.ndarray, np.ndarray]:
    """Paints rows of layouts, each row with one noise.

    Args:
      generator: to paint with.
      rows: R rows of C layouts.
      seed: of the sweep; the noise of a row depends on it and the row's number alone.
      code: in place of the global noise, float32 [1, N] for all images or [R C, N].

    Returns:
      Maps and images, uint8 [R, C, S, S, 3] each.
    """
    flat = [layout for row in rows for layout in row]
    maps = layouts.draw(flat, generator.image_size)
    numbers = np.repeat(
        [painting.image_seed(seed, number) for number in range(len(rows))], len(rows[0])
    )
    if code and len(code.mean) == 1:
        code = photograph_codes.repeat(code, len(maps))
    images = np.concatenate(list(generator.batches(maps, numbers, code=code)))
    shape = (len(rows), len(rows[0]), *maps.shape[1:])
    return maps.reshape(shape), images.reshape(shape)


def count_rows(conditions: Sequence[str], rows: Optional[int]) -> int:
    """Returns how many rows are asked for: by default one per condition, or 6.

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
    """Chooses crops whose maps are swept; arguments of `skin_type_table`.

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
