"""Options of preprocessing, and which photographs go into which shard."""

import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import zlib
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy as np
import PIL

from preprocessing.cropping import windows
from preprocessing.data import manifest, photographs, records, splits


@functools.lru_cache(maxsize=None)
def _program_digest() -> str:
    """Identifies what makes the bytes of the records: our modules, and the codecs."""
    digest = hashlib.sha256()
    for path in sorted(pathlib.Path(__file__).parents[1].rglob("*.py")):
        if not path.stem.endswith("_test"):
            digest.update(path.read_bytes())
    versions = [records.FORMAT_VERSION, PIL.__version__, np.__version__, zlib.ZLIB_RUNTIME_VERSION]
    digest.update(json.dumps(versions).encode("utf-8"))
    return digest.hexdigest()


@dataclasses.dataclass(frozen=True)
class Settings:
    """The options of preprocessing, as `dataset.json` records them.

    Attributes:
      image_size: rows and columns of the crops, pixels.
      full_size: longer side of the `full/` photographs, pixels; larger than the
        classifier's 224, so that it can crop at random.
      crops_per_photograph: windows per photograph; its groups of ROIs take turns.
      min_roi_share: smallest length of a group of ROIs relative to its window.
      max_roi_share: largest length of a group of ROIs relative to its window.
      candidates: random windows drawn for each crop; the one with the least
        background wins.
      background_limit: largest share of a crop that may be background, 0..1.
      seed: of windows and splits.
      split_fractions: shares of train, validation and test, by patient.
      photographs_per_shard: photographs in one record file; bounds the memory and
        the work lost by an interruption.
      max_pixels: larger photographs are refused.
      find_duplicates: look for near-duplicates across patients and keep those patients
        in one split.
    """

    image_size: int = 256
    full_size: int = 256
    crops_per_photograph: int = 1
    min_roi_share: float = 0.3
    max_roi_share: float = 0.85
    candidates: int = 16
    background_limit: float = 0.35
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

    def cropping(self) -> windows.CropSettings:
        """Returns the part that `windows` and `cropping` need."""
        names = [field.name for field in dataclasses.fields(windows.CropSettings)]
        own = vars(self)
        return windows.CropSettings(**{name: own[name] for name in names if name in own})


@dataclasses.dataclass(frozen=True)
class ShardPlan:
    """Which photographs go into one shard.

    Attributes:
      split: "train", "validation" or "test".
      index: number of the shard in its split.
      count: shards in the split.
      image_dir: folder that `Photograph.image` is relative to.
      settings: the options.
      photographs: in order of writing.
    """

    split: str
    index: int
    count: int
    image_dir: str
    settings: Settings
    photographs: Tuple[manifest.Photograph, ...]

    @property
    def name(self) -> str:
        """The record file's name."""
        return records.shard_name(self.split, self.index, self.count)

    def to_json(self) -> str:
        """Returns the plan as text."""
        return json.dumps(dataclasses.asdict(self))

    def digest(self) -> str:
        """Identifies what the shard is made from: plan, photographs and program.

        Files count by size and time of change, so that a finished shard is only
        used again while they are the same.
        """
        stamps = []
        for row in self.photographs:
            try:
                status = os.stat(os.path.join(self.image_dir, row.image))
                stamps.append([status.st_size, status.st_mtime_ns])
            except OSError:
                stamps.append([])
        text = json.dumps([self.to_json(), stamps, _program_digest()])
        return hashlib.sha256(text.encode("utf-8")).hexdigest()

    @classmethod
    def from_json(cls, text: str) -> "ShardPlan":
        """Reads `to_json` back."""
        fields = json.loads(text)
        options = fields.pop("settings")
        options["split_fractions"] = tuple(options["split_fractions"])
        photos = []
        for row in fields.pop("photographs"):
            rois = tuple(manifest.Box(*box) for box in row.pop("rois"))
            photos.append(manifest.Photograph(rois=rois, **row))
        return cls(settings=Settings(**options), photographs=tuple(photos), **fields)


def plan_shards(
    rows: Sequence[manifest.Photograph], image_dir: str, settings: Settings
) -> Iterator[ShardPlan]:
    """Distributes photographs over shards, whatever the number of workers.

    Within a split the order is that of a digest of the image id: shards mix
    conditions, and adding a photograph leaves most of the order alone.
    """
    order = sorted(
        (splits.stable_fraction(f"{settings.seed}/{row.image_id}"), position)
        for position, row in enumerate(rows)
    )
    members: Dict[str, List[int]] = {split: [] for split in manifest.SPLITS}
    for _, position in order:
        split = splits.split_of(rows[position], settings.split_fractions, settings.seed)
        members[split].append(position)
    size = settings.photographs_per_shard
    for split, positions in members.items():
        count = -(-len(positions) // size)
        for index in range(count):
            chosen = tuple(
                dataclasses.replace(rows[position], extra={})
                for position in positions[index * size : (index + 1) * size]
            )
            yield ShardPlan(split, index, count, image_dir, settings, chosen)
