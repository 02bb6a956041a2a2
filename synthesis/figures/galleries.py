"""A gallery: generated images above photographs of the same condition (paper, Figure 4).

Every generated image is painted from the map of the photograph below it, so that skin
type, place and size are the same and the eye compares nothing but the painting. The
paper shows any two samples. Photographs are of the test split, which training never sees.
"""

import dataclasses
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from preprocessing.data import records
from synthesis.figures import crop_choice, image_tables, sweeps
from synthesis.figures.crop_choice import Crop
from synthesis.figures.image_tables import Group, Strip, Table
from synthesis.trained_generator import TrainedGenerator

SPLIT = "test"


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


def gallery_table(
    generator: TrainedGenerator,
    data_dir: str,
    conditions: Sequence[str] = (),
    num_conditions: int = 8,
    per_condition: int = 4,
    seed: int = 0,
    with_photographs: bool = True,
) -> Tuple[Table, List[str]]:
    """Paints the maps of test crops.

    Args:
      generator: to paint with.
      data_dir: records.
      conditions: to show; a spread over those of the generator by default.
      num_conditions: how many at most, if `conditions` is empty.
      per_condition: photographs of each, fewer where there are no more.
      seed: of the choice and of the noise.
      with_photographs: whether the photographs are shown, too.

    Returns:
      The table, and lines that say what it does not show.

    Raises:
      ValueError: a number that is not positive, no test crop of these conditions, or
        records of another size than the generator's.
    """
    info = records.read_info(data_dir)
    generator.check_dataset(data_dir, info)
    groups = crop_choice.by_condition(crop_choice.list_crops(data_dir, SPLIT))
    wanted = conditions or generator.conditions
    known = [name for name in wanted if name in groups]
    if not known:
        raise ValueError(f"{data_dir}: no {SPLIT} crop of {', '.join(wanted)}")
    names = known if conditions else crop_choice.spread(known, num_conditions)
    chosen = choose({name: groups[name] for name in names}, per_condition, seed)
    crops = [crop for group in chosen.values() for crop in group]
    maps, images = sweeps.paint(generator, [[crop.layout] for crop in crops], seed)
    photographs: Sequence[Optional[np.ndarray]] = [None] * len(crops)
    beside = ""
    if with_photographs:
        photographs = crop_choice.read_photographs(data_dir, SPLIT, crops)
        beside = ", and the test photograph that has this map"
    shown = list(zip(crops, maps[:, 0], images[:, 0], photographs))
    table = Table(
        [
            _group(
                [one for one in shown if one[0].layout.condition == name],
                *(len(groups[name]), not info.patients_unnamed),
            )
            for name in chosen
        ],
        titles_above=True,
        typed=any(crop.layout.skin_type for crop in crops),
        footer=f"{image_tables.describe(generator, seed)} Each column: a test map and what is "
        f"painted from it{beside}.{crop_choice.type_footnote(crops, info)}",
    )
    remarks = []
    without = [name for name in wanted if name not in groups]
    if without:
        remarks.append(f"no test crop of: {', '.join(without)}")
    few = [f"{name} {len(found)}" for name, found in chosen.items() if len(found) < per_condition]
    if few:
        remarks.append(f"fewer than {per_condition} test crops: {', '.join(few)}")
    left_out = [name for name in known if name not in names]
    if left_out:
        remarks.append(f"not shown: {', '.join(left_out)}; --num_conditions={len(known)} shows all")
    return table, remarks


def _group(
    shown: Sequence[Tuple[Crop, np.ndarray, np.ndarray, Optional[np.ndarray]]],
    of: int,
    patients_named: bool,
) -> Group:
    crops, maps, images, photographs = zip(*shown)
    patients = len({crop.patient_id for crop in crops})
    people = f", {patients} patient{'s' if patients > 1 else ''}" if patients_named else ""
    strips = [Strip(maps, "map", small=True), Strip(images, "generated")]
    if photographs[0] is not None:
        strips.append(Strip(photographs, "real"))
    strips[-1] = dataclasses.replace(strips[-1], captions=[crop.type_caption for crop in crops])
    return Group(crops[0].layout.condition, [f"{len(crops)} of {of} crops{people}"], strips)
