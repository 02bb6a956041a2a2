"""A gallery: generated images above photographs of the same condition (paper, Figure 4).

Every generated image is painted from the map of the photograph below it, so that skin
type, place and size are the same and the eye compares nothing but the painting. The
paper shows any two samples. Photographs are of the test split, which training never sees.
"""

import dataclasses
from typing import Dict, List, Sequence, Tuple

import numpy as np

from preprocessing.data import records
from synthesis.figures import crop_choice, pictures, sweeps
from synthesis.figures.crop_choice import Crop
from synthesis.figures.image_tables import Group, Strip, Table, Tile
from synthesis.trained_generator import TrainedGenerator

SPLIT = "test"


@dataclasses.dataclass(frozen=True)
class Gallery:
    """A gallery and what it could not show.

    Attributes:
      table: the picture.
      shown: number of photographs by condition.
      left_out: conditions that have photographs but no place.
      without: conditions that have no photograph.
    """

    table: Table
    shown: Dict[str, int]
    left_out: Tuple[str, ...]
    without: Tuple[str, ...]


def choose(groups: Dict[str, List[Crop]], per_condition: int, seed: int) -> Dict[str, List[Crop]]:
    """Chooses crops of each condition, different photographs first, by skin type.

    Raises:
      ValueError: per_condition not positive.
    """
    if per_condition < 1:
        raise ValueError(f"per_condition {per_condition} is not positive")
    return {
        name: sorted(
            crop_choice.shuffled(crops, name, seed)[:per_condition],
            key=lambda crop: (crop.layout.skin_type, crop.index),
        )
        for name, crops in groups.items()
    }


def _group(name: str, crops: Sequence[Crop], of: int, tiles: Sequence[List[Tile]]) -> Group:
    maps, painted, photographs = tiles
    types = [f"type {crop.layout.skin_type}" for crop in crops]
    strips = [
        Strip(maps, "map", small=True),
        Strip(painted, "generated"),
        Strip(photographs, "real", types),
    ]
    patients = len({crop.patient_id for crop in crops})
    people = f"{patients} patient{'s' if patients > 1 else ''}"
    return Group(name, (f"{len(crops)} of {of} crops, {people}",), strips)


def build(
    generator: TrainedGenerator,
    data_dir: str,
    conditions: Sequence[str] = (),
    num_conditions: int = 8,
    per_condition: int = 4,
    seed: int = 0,
) -> Gallery:
    """Paints the maps of test crops.

    Args:
      generator: to paint with.
      data_dir: records.
      conditions: to show; a spread over those of the generator by default.
      num_conditions: how many at most, if `conditions` is empty.
      per_condition: photographs of each, fewer where there are no more.
      seed: of the choice and of the noise.

    Raises:
      ValueError: a number that is not positive, no test crop of these conditions, or
        records of another size than the generator's.
    """
    generator.check_dataset(data_dir, records.read_info(data_dir))
    groups = crop_choice.by_condition(crop_choice.list_crops(data_dir, SPLIT))
    wanted = conditions or generator.conditions
    known = [name for name in wanted if name in groups]
    if not known:
        raise ValueError(f"{data_dir}: no {SPLIT} crop of {', '.join(wanted)}")
    names = known if conditions else crop_choice.spread(known, num_conditions)
    chosen = choose({name: groups[name] for name in names}, per_condition, seed)
    crops = [crop for group in chosen.values() for crop in group]
    maps, images = sweeps.paint(generator, [[crop.layout] for crop in crops], seed)
    photographs = crop_choice.read_photographs(data_dir, SPLIT, crops)
    ends = np.cumsum([len(group) for group in chosen.values()])
    blocks = []
    for (name, group), end in zip(chosen.items(), ends):
        part = slice(end - len(group), end)
        tiles = (
            [Tile(one, True) for one in maps[part, 0]],
            [Tile(one) for one in images[part, 0]],
            [Tile(one) for one in photographs[part]],
        )
        blocks.append(_group(name, group, len(groups[name]), tiles))
    table = Table(
        blocks,
        titles_above=True,
        footer=f"{pictures.describe(generator, seed)} Each column: a map, what is painted from "
        "it, and the test photograph that has this map.",
    )
    return Gallery(
        table,
        {name: len(group) for name, group in chosen.items()},
        tuple(name for name in known if name not in names),
        tuple(name for name in wanted if name not in groups),
    )


def remarks(gallery: Gallery, per_condition: int) -> List[str]:
    """Returns lines that say what the gallery does not show."""
    lines = []
    if gallery.without:
        lines.append(f"no test crop of: {', '.join(gallery.without)}")
    few = [f"{name} {count}" for name, count in gallery.shown.items() if count < per_condition]
    if few:
        lines.append(f"fewer than {per_condition} test crops: {', '.join(few)}")
    if gallery.left_out:
        lines.append(
            f"not shown: {', '.join(gallery.left_out)}; "
            f"--num_conditions={len(gallery.shown) + len(gallery.left_out)} shows all"
        )
    return lines
