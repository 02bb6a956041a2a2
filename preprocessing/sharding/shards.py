"""One shard of a data set: from photographs to record files.

A shard is planned by the driver (`plans.plan_shards`) and written by whichever
worker gets it (`write_shard`), photograph by photograph, so memory does not grow
with the data and the bytes do not depend on the number of workers.

Folder of an unfinished data set:

  plans/NAME.json    what to do, a `plans.ShardPlan`
  crops/NAME         records
  full/NAME          records
  shards/NAME.json   what was done: a `Summary`; appears last
"""

import base64
import dataclasses
import hashlib
import io
import json
import os
import pathlib
from typing import Any, Dict, List, Optional, Tuple

from PIL import Image

from preprocessing.cropping import cutting, roi_windows
from preprocessing.data import records as examples
from preprocessing.data import tfrecords
from preprocessing.duplicates import thumbnails
from preprocessing.sharding import contact_sheet
from preprocessing.sharding.plans import ShardPlan

KINDS = ("crops", "full")
THUMBNAIL_SIDE = 96
_THUMBNAILS_PER_SHARD = 12


class RecordFile:
    """A TFRecord file under a temporary name, with counts and digest."""

    def __init__(self, target: pathlib.Path):
        self._target = target
        # Two attempts at one shard (a retry) must not write into the same file.
        self._temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
        self._file = open(self._temporary, "wb")  # noqa: SIM115
        self._digest = hashlib.sha256()
        self.counts: Dict[str, Dict[str, int]] = {}

    def write(self, record: examples.Record) -> None:
        """Adds a record."""
        data = tfrecords.frame(examples.serialize(record))
        self.append(data, record.condition, record.fitzpatrick)

    def append(self, data: bytes, condition: str, skin_type: int) -> None:
        """Adds a record that is framed already."""
        self._file.write(data)
        self._digest.update(data)
        by_type = self.counts.setdefault(condition, {})
        by_type[str(skin_type)] = by_type.get(str(skin_type), 0) + 1

    def close(self) -> Dict[str, Any]:
        """Gives the file its name; returns `Summary.files` of it."""
        self._file.close()
        size = self._temporary.stat().st_size
        self._temporary.replace(self._target)
        return {"counts": self.counts, "sha256": self._digest.hexdigest(), "bytes": size}


@dataclasses.dataclass(frozen=True)
class Summary:
    """What became of a shard; small, whatever the photographs' size.

    Attributes:
      name: of the record files.
      split: "train", "validation" or "test".
      digest: of the plan and the photographs, see `ShardPlan.digest`.
      photographs: how many were planned.
      files: by kind: `counts` by condition and skin type, `sha256`, `bytes`.
      crops: rows of `crops.csv`.
      rejections: `cases.Rejection` fields.
      thumbnails: [condition, skin type, base64 JPEG of crop and map side by side].
      fingerprints: [image id, text of its `thumbnails.reduce`] of every `full/` record,
        in their order; none where near-duplicates are not asked for.
    """

    name: str
    split: str
    digest: str
    photographs: int
    files: Dict[str, Dict[str, Any]]
    crops: List[List[Any]]
    rejections: List[List[Any]]
    thumbnails: List[List[Any]]
    fingerprints: List[List[str]]

    def total(self, kind: str) -> int:
        """Returns the number of records of a kind."""
        counts = self.files[kind]["counts"]
        return sum(sum(by_type.values()) for by_type in counts.values())

    def save(self, folder: pathlib.Path) -> None:
        """Writes FOLDER/shards/NAME.json."""
        target = folder / "shards" / f"{self.name}.json"
        temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
        temporary.write_text(json.dumps(dataclasses.asdict(self)), encoding="utf-8")
        temporary.replace(target)

    @classmethod
    def load(cls, folder: pathlib.Path, name: str) -> "Summary":
        """Reads `save` back."""
        text = (folder / "shards" / f"{name}.json").read_text(encoding="utf-8")
        return cls(**json.loads(text))


def _thumbnail(record: examples.Record) -> str:
    pair = Image.new("RGB", (2 * THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    size = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    for position, png in enumerate((record.image_png, record.map_png)):
        method = (Image.Resampling.BICUBIC, Image.Resampling.NEAREST)[position]
        pair.paste(Image.open(io.BytesIO(png)).resize(size, method), (position * THUMBNAIL_SIDE, 0))
    buffer = io.BytesIO()
    pair.save(buffer, "JPEG", quality=92, subsampling=0)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


CROP_COLUMNS = ("split", "image_id", "x0", "y0", "size", "rois", "background", "visible")


def _crop_row(split: str, image_id: str, crop: roi_windows.Crop) -> List[Any]:
    numbers = (len(crop.boxes), round(crop.background, 4), round(crop.visible, 4))
    return [split, image_id, *crop.window, *numbers]


def claimed(plan: ShardPlan, folder: pathlib.Path) -> Optional[Summary]:
    """Returns the summary of a shard that an earlier run says to have finished, if any.

    It was made from the same plan and photographs by the same program; its record
    files are there, but what is in them was not looked at.
    """
    try:
        summary = Summary.load(folder, plan.name)
        sizes = [(folder / kind / plan.name).stat().st_size for kind in KINDS]
    except (OSError, ValueError, TypeError):
        return None
    same = summary.digest == plan.digest()
    return summary if same and sizes == [summary.files[kind]["bytes"] for kind in KINDS] else None


def _sha256(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def finished(plan: ShardPlan, folder: pathlib.Path) -> Optional[Summary]:
    """Returns the summary of a shard that is `claimed`, with records as they were written."""
    summary = claimed(plan, folder)
    if summary is None:
        return None
    intact = (_sha256(folder / kind / plan.name) == summary.files[kind]["sha256"] for kind in KINDS)
    return summary if all(intact) else None


def write_shard(plan_path: str) -> Summary:
    """Makes the records of a shard, unless that is done already.

    Args:
      plan_path: FOLDER/plans/NAME.json; the results go to FOLDER.

    Returns:
      The summary, which is also written to FOLDER/shards/NAME.json.
    """
    folder = pathlib.Path(plan_path).parent.parent
    text = pathlib.Path(plan_path).read_text(encoding="utf-8")
    plan = ShardPlan.from_json(text)
    summary = finished(plan, folder)
    if summary:
        return summary
    digest = plan.digest()
    files = {kind: RecordFile(folder / kind / plan.name) for kind in KINDS}
    crops: List[List[Any]] = []
    rejections: List[List[Any]] = []
    fingerprints: List[List[str]] = []
    firsts: Dict[Tuple[str, int], examples.Record] = {}
    for row in plan.photographs:
        done = cutting.process_photograph(row, plan.image_dir, plan.settings)
        rejections.extend(list(rejection) for rejection in done.rejections)
        crops.extend(_crop_row(plan.split, row.image_id, crop) for crop in done.placed)
        for record in done.full:
            files["full"].write(record)
        if done.thumbnail is not None:
            fingerprints.append([row.image_id, thumbnails.to_text(done.thumbnail)])
        for record in done.crops:
            files["crops"].write(record)
            firsts.setdefault((record.condition, record.fitzpatrick), record)
    if pathlib.Path(plan_path).read_text(encoding="utf-8") != text:
        # This worker has outlived its run, and another run is at work in the folder.
        raise ValueError(f"{plan_path}: was changed while the shard was made")
    shown = contact_sheet.spread(firsts, _THUMBNAILS_PER_SHARD, _THUMBNAILS_PER_SHARD * plan.index)
    summary = Summary(
        name=plan.name,
        split=plan.split,
        digest=digest,
        photographs=len(plan.photographs),
        files={kind: file.close() for kind, file in files.items()},
        crops=crops,
        rejections=rejections,
        thumbnails=[[*key, _thumbnail(firsts[key])] for key in shown],
        fingerprints=fingerprints,
    )
    summary.save(folder)
    return summary
