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
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from PIL import Image

from preprocessing import (
    cases,
    cropping,
    examples,
    photographs,
    semantic_map,
    skin,
    taxonomy,
    tfrecords,
)
from preprocessing.plans import Settings, ShardPlan

KINDS = ("crops", "full")
_Z_RLE = 3  # zlib.h; the zlib module does not name it before Python 3.12.
THUMBNAIL_SIDE = 96
_THUMBNAILS_PER_SHARD = 12
# The share of background needs no fine mask.
_MASK_SIDE = 64


def encode_png(image: Image.Image, flat: bool = False) -> bytes:
    """Encodes a PNG, fast.

    zlib level 1; for photographs with the run-length strategy, which takes a fifth
    of the time of Pillow's default (4 against 23 ms for 256x256 of skin) for 2 % more
    bytes.

    Args:
      image: RGB.
      flat: whether it consists of plain areas, as semantic maps do.
    """
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1, compress_type=-1 if flat else _Z_RLE)
    return buffer.getvalue()


def _scaled(
    image: Image.Image, size: Tuple[int, int], box: Tuple[float, float, float, float]
) -> Image.Image:
    """Scales part of a photograph with antialiasing.

    Pillow's Hamming filter is as sharp as its bicubic one when scaling down, at half
    the time; it is not meant for enlarging. From three times the size on, averages of
    whole blocks come first.
    """
    enlarge = box[2] - box[0] < size[0] or box[3] - box[1] < size[1]
    method = Image.Resampling.BICUBIC if enlarge else Image.Resampling.HAMMING
    return image.resize(size, method, box=box, reducing_gap=1.5)


class Processed(NamedTuple):
    """What became of one photograph."""

    full: List[examples.Record]
    crops: List[examples.Record]
    placed: List[cropping.Crop]
    rejections: List[cases.Rejection]


def _record(
    row: cases.Photograph, image: Image.Image, boxes: Sequence[cases.Box]
) -> examples.Record:
    return examples.Record(
        image_png=encode_png(image),
        map_png=b"",
        height=image.height,
        width=image.width,
        boxes=tuple(boxes),
        condition=row.condition,
        fitzpatrick=row.fitzpatrick or examples.UNKNOWN_SKIN_TYPE,
        case_id=row.case_id,
        patient_id=row.patient_id,
        image_id=row.image_id,
    )


def scale_whole(image: Image.Image, full_size: int) -> Image.Image:
    """Scales a photograph so that its longer side is `full_size`."""
    scale = full_size / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    return _scaled(image, (width, height), (0, 0, *image.size))


def make_full(
    row: cases.Photograph, whole: Image.Image, boxes: Sequence[cases.Box], size: Tuple[int, int]
) -> examples.Record:
    """Makes the `full/` record.

    Args:
      row: the manifest's row.
      whole: the scaled photograph.
      boxes: its ROIs in pixels of the unscaled one.
      size: (width, height) of the unscaled one.
    """
    across, down = whole.width / size[0], whole.height / size[1]
    scaled = [
        cases.Box(box.x0 * across, box.y0 * down, box.x1 * across, box.y1 * down) for box in boxes
    ]
    return _record(row, whole, scaled)


def make_crop(
    row: cases.Photograph, image: Image.Image, crop: cropping.Crop, image_size: int
) -> examples.Record:
    """Makes a `crops/` record: a window, scaled, and its semantic map."""
    x0, y0, size = crop.window
    scaled = _scaled(image, (image_size, image_size), (x0, y0, x0 + size, y0 + size))
    drawn = semantic_map.encode(
        row.fitzpatrick or 0, taxonomy.code(row.condition), crop.boxes, image_size, image_size
    )
    record = _record(row, scaled, crop.boxes)
    return dataclasses.replace(record, map_png=encode_png(Image.fromarray(drawn), flat=True))


def process_photograph(row: cases.Photograph, image_dir: str, settings: Settings) -> Processed:
    """Reads a photograph and makes its records.

    Args:
      row: the manifest's row.
      image_dir: folder that `row.image` is relative to.
      settings: the options.

    Returns:
      Records and, for everything that was not made, a rejection. A photograph
      without skin type or without ROI has a `full/` record only.
    """

    def rejection(stage: str, reason: str) -> cases.Rejection:
        return cases.Rejection(row.row, row.image_id, row.image, stage, reason)

    path = os.path.join(image_dir, row.image)
    try:
        image = photographs.read_photograph(path, settings.max_pixels)
    except ValueError as error:
        return Processed([], [], [], [rejection("photograph", str(error))])
    try:
        boxes = cropping.fit_boxes(row.rois, *image.size)
    except ValueError as error:
        return Processed([], [], [], [rejection("photograph", f"{path}: {error}")])
    whole = scale_whole(image, settings.full_size)
    full = [make_full(row, whole, boxes, image.size)]
    if not boxes:
        return Processed(full, [], [], [rejection("crop", "no ROI; only the full record was made")])
    if row.fitzpatrick is None:
        reason = "unknown skin type; import with --estimate_skin_type"
        return Processed(full, [], [], [rejection("crop", reason)])
    small, scale = skin.reduce(whole, _MASK_SIDE)
    scale *= max(whole.size) / max(image.size)
    placed, reasons = cropping.plan_crops(
        boxes,
        image.size,
        skin.skin_mask(small, boxes, scale),
        scale,
        settings.cropping(),
        cropping.generator_for(settings.seed, "crop", row.image_id),
    )
    crops = [make_crop(row, image, crop, settings.image_size) for crop in placed]
    return Processed(full, crops, placed, [rejection("crop", reason) for reason in reasons])


class _RecordFile:
    """A TFRecord file under a temporary name, with counts and digest."""

    def __init__(self, target: pathlib.Path):
        self._target = target
        # Two attempts at one shard (a retry) must not write into the same file.
        self._temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
        self._file = open(self._temporary, "wb")  # noqa: SIM115
        self._digest = hashlib.sha256()
        self.counts: Dict[str, Dict[str, int]] = {}

    def write(self, record: examples.Record) -> None:
        data = tfrecords.frame(examples.serialize(record))
        self._file.write(data)
        self._digest.update(data)
        by_type = self.counts.setdefault(record.condition, {})
        by_type[str(record.fitzpatrick)] = by_type.get(str(record.fitzpatrick), 0) + 1

    def close(self) -> Dict[str, Any]:
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
    """

    name: str
    split: str
    digest: str
    photographs: int
    files: Dict[str, Dict[str, Any]]
    crops: List[List[Any]]
    rejections: List[List[Any]]
    thumbnails: List[List[Any]]

    def total(self, kind: str) -> int:
        """Returns the number of records of a kind."""
        counts = self.files[kind]["counts"]
        return sum(sum(by_type.values()) for by_type in counts.values())


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


def _crop_row(split: str, image_id: str, crop: cropping.Crop) -> List[Any]:
    numbers = (len(crop.boxes), round(crop.background, 4), round(crop.visible, 4))
    return [split, image_id, *crop.window, *numbers]


def finished(plan: ShardPlan, folder: pathlib.Path) -> Optional[Summary]:
    """Returns the summary of a shard that an interrupted run has finished, if any."""
    try:
        text = (folder / "shards" / f"{plan.name}.json").read_text(encoding="utf-8")
        summary = Summary(**json.loads(text))
        sizes = [(folder / kind / plan.name).stat().st_size for kind in KINDS]
    except (OSError, ValueError, TypeError):
        return None
    same = summary.digest == plan.digest()
    return summary if same and sizes == [summary.files[kind]["bytes"] for kind in KINDS] else None


def write_shard(plan_path: str) -> Summary:
    """Makes the records of a shard, unless that is done already.

    Args:
      plan_path: FOLDER/plans/NAME.json; the results go to FOLDER.

    Returns:
      The summary, which is also written to FOLDER/shards/NAME.json.
    """
    folder = pathlib.Path(plan_path).parent.parent
    plan = ShardPlan.from_json(pathlib.Path(plan_path).read_text(encoding="utf-8"))
    summary = finished(plan, folder)
    if summary:
        return summary
    digest = plan.digest()
    files = {kind: _RecordFile(folder / kind / plan.name) for kind in KINDS}
    crops: List[List[Any]] = []
    rejections: List[List[Any]] = []
    thumbnails: Dict[Any, List[Any]] = {}
    for row in plan.photographs:
        done = process_photograph(row, plan.image_dir, plan.settings)
        rejections.extend(list(rejection) for rejection in done.rejections)
        crops.extend(_crop_row(plan.split, row.image_id, crop) for crop in done.placed)
        for record in done.full:
            files["full"].write(record)
        for record in done.crops:
            files["crops"].write(record)
            key = (record.condition, record.fitzpatrick)
            if key not in thumbnails and len(thumbnails) < _THUMBNAILS_PER_SHARD:
                thumbnails[key] = [*key, _thumbnail(record)]
    summary = Summary(
        name=plan.name,
        split=plan.split,
        digest=digest,
        photographs=len(plan.photographs),
        files={kind: file.close() for kind, file in files.items()},
        crops=crops,
        rejections=rejections,
        thumbnails=list(thumbnails.values()),
    )
    target = folder / "shards" / f"{plan.name}.json"
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(dataclasses.asdict(summary)), encoding="utf-8")
    temporary.replace(target)
    return summary
