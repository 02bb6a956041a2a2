"""Crops of a split to show: which conditions, and which of their crops."""

import collections
import dataclasses
from typing import Callable, Dict, Iterable, List, Sequence, TypeVar

import numpy as np

from preprocessing.data import manifest, records, taxonomy
from synthesis import layouts
from synthesis.layouts import Layout

_Item = TypeVar("_Item")


@dataclasses.dataclass(frozen=True)
class Crop:
    """A crop of a split, without its pixels.

    Attributes:
      index: its place among the split's crops.
      layout: what its map shows.
      patient_id: of the person.
      image_id: of the photograph it is cut from.
      skin_type_source: who says its skin type, one of `manifest.SKIN_TYPE_SOURCES`.
    """

    index: int
    layout: Layout
    patient_id: str
    image_id: str
    skin_type_source: str = "annotated"

    @property
    def type_estimated(self) -> bool:
        """Whether the skin type is an estimate from the photograph's colour."""
        return manifest.is_estimated(self.skin_type_source)

    @property
    def type_caption(self) -> str:
        """The skin type in words, marked where it is an estimate."""
        name = taxonomy.type_name(self.layout.skin_type)
        return f"{name} (est.)" if self.type_estimated else name


def type_footnote(crops: Iterable[Crop], info: records.DatasetInfo) -> str:
    """Returns what a footer says of skin types that are estimates; "" where none is."""
    sources = info.skin_type_sources.get("crops", {})
    estimated = sum(n for source, n in sources.items() if manifest.is_estimated(source))
    if not estimated and not any(crop.type_estimated for crop in crops):
        return ""
    return (
        f" est.: a skin type estimated from the photograph's colour (ITA), as {estimated:,} of "
        f"the {sum(sources.values()):,} crops have."
    )


def list_crops(data_dir: str, split: str) -> List[Crop]:
    """Lists the crops of a split in the order of the records; errors of `records.read`."""
    return [
        Crop(
            index,
            layouts.layout_of(record),
            record.patient_id,
            record.image_id,
            record.fitzpatrick_source,
        )
        for index, record in enumerate(records.read(data_dir, "crops", split, images=False))
    ]


def read_photographs(data_dir: str, split: str, crops: Sequence[Crop]) -> List[np.ndarray]:
    """Reads the pixels of crops that `list_crops` listed.

    Returns:
      uint8 [S, S, 3] each, in the order of `crops`.
    """
    wanted = {crop.index for crop in crops}
    found = {
        index: record.image()
        for index, record in enumerate(records.read(data_dir, "crops", split))
        if index in wanted
    }
    return [found[crop.index] for crop in crops]


def spread(conditions: Iterable[str], number: int) -> List[str]:
    """Chooses conditions evenly over the order of the taxonomy.

    Args:
      conditions: to choose from.
      number: how many; all where there are no more.

    Raises:
      ValueError: number not positive.
    """
    if number < 1:
        raise ValueError(f"number of conditions {number} is not positive")
    ordered = sorted(set(conditions), key=taxonomy.code)
    number = min(number, len(ordered))
    return [ordered[(2 * i + 1) * len(ordered) // (2 * number)] for i in range(number)]


def by_condition(crops: Iterable[Crop]) -> Dict[str, List[Crop]]:
    """Groups crops, in the order of the taxonomy."""
    groups: Dict[str, List[Crop]] = {}
    for crop in sorted(crops, key=lambda crop: (taxonomy.code(crop.layout.condition), crop.index)):
        groups.setdefault(crop.layout.condition, []).append(crop)
    return groups


def in_turns(items: Iterable[_Item], owner: Callable[[_Item], str]) -> List[_Item]:
    """Puts the first item of every owner before the second of any; else keeps the order."""
    counts: Dict[str, int] = collections.Counter()
    turns = []
    for item in items:
        counts[owner(item)] += 1
        turns.append((counts[owner(item)], item))
    return [item for _, item in sorted(turns, key=lambda turn: turn[0])]


def shuffled(crops: Sequence[Crop], condition: str, seed: int) -> List[Crop]:
    """Puts the crops of a condition in a random order, different patients first.

    A patient's crops come in an order that has different photographs first.
    """
    rng = np.random.default_rng([seed, taxonomy.code(condition)])
    order = [crops[int(place)] for place in rng.permutation(len(crops))]
    return in_turns(in_turns(order, lambda crop: crop.image_id), lambda crop: crop.patient_id)


def take_turns(groups: Dict[str, List[Crop]], number: int, seed: int) -> List[Crop]:
    """Chooses crops so that conditions are as equal in number as can be.

    Args:
      groups: crops by condition, from `by_condition`.
      number: how many.
      seed: of the choice within a condition.

    Returns:
      The crops, condition by condition.

    Raises:
      ValueError: number not positive or larger than there are crops.
    """
    available = sum(len(crops) for crops in groups.values())
    if not 1 <= number <= available:
        raise ValueError(
            f"{number} maps cannot be chosen out of {available} of {', '.join(groups) or 'nothing'}"
        )
    queued = [crop for name, crops in groups.items() for crop in shuffled(crops, name, seed)]
    chosen = in_turns(queued, lambda crop: crop.layout.condition)[:number]
    return sorted(chosen, key=lambda crop: list(groups).index(crop.layout.condition))
