"""Options of preprocessing, and which photographs go into which shard."""

import dataclasses
import os
from typing import Any, Callable, Dict, Iterable, Iterator, Mapping, Sequence, Tuple

import numpy as np

from common import files
from preprocessing.cropping.windows import CropSettings
from preprocessing.data import manifest, photographs, records, splits, taxonomy

_IN_NO_RECORD = ("split_fractions", "photographs_per_shard", "find_duplicates")


@dataclasses.dataclass(frozen=True)
class Settings(CropSettings):
    """The options of preprocessing, as `dataset.json` records them.

    Attributes:
      full_size: longer side of the `full/` photographs, pixels; larger than the
        classifier's 224, so that it can crop at random.
      seed: of windows and splits.
      split_fractions: shares of train, validation and test, by patient.
      photographs_per_shard: photographs in one record file; bounds the memory and
        the work lost by an interruption.
      max_pixels: larger photographs are refused.
      find_duplicates: look for near-duplicates across patients and keep those patients
        in one split.
    """

    full_size: int = 256
    seed: int = 0
    split_fractions: Tuple[float, float, float] = splits.DEFAULT_FRACTIONS
    photographs_per_shard: int = 64
    max_pixels: int = photographs.DEFAULT_MAX_PIXELS
    find_duplicates: bool = True

    def __post_init__(self) -> None:
        for name in ("image_size", "full_size"):
            if not 16 <= getattr(self, name) <= 4096:
                raise ValueError(f"{name} {getattr(self, name)} is not in 16..4096")
        for name in ("crops_per_photograph", "candidates", "photographs_per_shard", "max_pixels"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} is not at least 1")
        if not 0 <= self.background_limit <= 1:
            raise ValueError(f"background_limit {self.background_limit} is not in 0..1")
        if not 0 < self.min_roi_share <= self.max_roi_share <= 1:
            raise ValueError(
                f"ROI shares must satisfy 0 < min <= max <= 1, "
                f"not {self.min_roi_share} and {self.max_roi_share}"
            )
        splits.check_fractions(self.split_fractions)

    def as_dict(self) -> Dict[str, Any]:
        """Returns the options by name, as JSON gives them back."""
        return {**dataclasses.asdict(self), "split_fractions": list(self.split_fractions)}


@dataclasses.dataclass(frozen=True)
class Plan:
    """Photographs that one worker goes through, for their thumbnails or their records.

    Attributes:
      name: of the shard.
      split: "train", "validation" or "test"; "" before that is decided.
      index: number of the shard in its split.
      image_dir: folder that `Photograph.image` is relative to.
      settings: the options.
      photographs: in order of writing.
    """

    name: str
    split: str
    index: int
    image_dir: str
    settings: Settings
    photographs: Tuple[manifest.Photograph, ...]

    def to_json(self) -> Dict[str, Any]:
        """Returns the plan as JSON knows it."""
        known = dataclasses.asdict(taxonomy.current())
        return {**dataclasses.asdict(self), "settings": self.settings.as_dict(), "taxonomy": known}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Plan":
        """Reads `to_json` back."""
        options = {**fields["settings"]}
        options["split_fractions"] = tuple(options["split_fractions"])
        rows = [
            manifest.Photograph(**{**row, "rois": tuple(manifest.Box(*box) for box in row["rois"])})
            for row in fields["photographs"]
        ]
        own = {**fields, "settings": Settings(**options), "photographs": tuple(rows)}
        known = own.pop("taxonomy")
        known = taxonomy.Taxonomy(tuple(known["conditions"]), known["aliases"])
        taxonomy.adopt(known, str(fields["image_dir"]))  # a worker has read no manifest
        return cls(**own)


def origin(plan: Mapping[str, Any]) -> Dict[str, str]:
    """Returns the digests of a plan's input and settings, for `jobs.ShardJob`.

    Files count by size and time of change, objects by their version: a finished shard is
    only used again while they are the same.
    """
    stamps = []
    for row in plan["photographs"]:
        try:
            stamps.append(files.stamp_of(os.path.join(plan["image_dir"], row["image"])))
        except OSError:
            stamps.append([])
    rows = {name: value for name, value in plan.items() if name != "settings"}
    settings = {
        name: value for name, value in plan["settings"].items() if name not in _IN_NO_RECORD
    }
    return {"input": files.digest_of([rows, stamps]), "settings": files.digest_of(settings)}


def _groups(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]


def _without_extra(rows: Iterable[manifest.Photograph]) -> Tuple[manifest.Photograph, ...]:
    return tuple(dataclasses.replace(row, extra={}) for row in rows)


def plan_thumbnails(
    rows: Sequence[manifest.Photograph], image_dir: str, settings: Settings
) -> Iterator[Plan]:
    """Divides photographs in their order, to be looked at before splits are decided."""
    for index, group in enumerate(_groups(rows, settings.photographs_per_shard)):
        chosen = _without_extra(group)
        yield Plan(f"thumbnails-{index:05d}", "", index, image_dir, settings, chosen)


def plan_records(
    rows: Sequence[manifest.Photograph],
    image_dir: str,
    settings: Settings,
    split_of: Callable[[manifest.Photograph], str],
) -> Iterator[Plan]:
    """Distributes photographs over record files, whatever the number of workers.

    Within a split the order is that of a digest of the image id: shards mix
    conditions, and adding a photograph leaves most of the order alone.

    Args:
      rows: the photographs.
      image_dir: folder that their `image` is relative to.
      settings: the options.
      split_of: tells the split of a photograph.
    """
    fractions = np.empty(len(rows), np.float64)
    codes = np.empty(len(rows), np.uint8)
    for position, row in enumerate(rows):
        fractions[position] = splits.stable_fraction(f"{settings.seed}/{row.image_id}")
        codes[position] = manifest.SPLITS.index(split_of(row))
    order = np.argsort(fractions, kind="stable")
    for code, split in enumerate(manifest.SPLITS):
        places = order[codes[order] == code].tolist()
        groups = list(_groups(places, settings.photographs_per_shard))
        for index, group in enumerate(groups):
            name = records.shard_name(split, index, len(groups))
            chosen = _without_extra(rows[position] for position in group)
            yield Plan(name, split, index, image_dir, settings, chosen)
