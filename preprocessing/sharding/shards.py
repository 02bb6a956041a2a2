"""What a worker of preprocessing writes: a shard's thumbnails, or its record files.

It goes through its photographs one by one, so memory does not grow with the data and
the bytes do not depend on the number of workers. `jobs` has plans, markers and Beam.
"""

import base64
import collections
import functools
import io
import zlib
from typing import Any, Dict, List, Mapping, Tuple

import numpy as np
import PIL
from PIL import Image

from common import files
from preprocessing.cropping import windows
from preprocessing.data import records, tfrecords
from preprocessing.duplicates import thumbnails
from preprocessing.sharding import contact_sheet, photograph_records, plans
from preprocessing.sharding.jobs import Content, Outputs, Shard, ShardJob

KINDS = ("crops", "full")
CROP_COLUMNS = ("split", "image_id", "x0", "y0", "size", "rois", "background", "visible")
THUMBNAIL_SIDE = 96
_THUMBNAILS_PER_SHARD = 12
# What the bytes of a shard depend on: a finished one is made anew when one of these has
# changed. A test compares them with what this module imports.
MODULES = (
    "preprocessing.cropping.windows",
    "preprocessing.data.manifest",
    "preprocessing.data.maps",
    "preprocessing.data.photographs",
    "preprocessing.data.png_encoding",
    "preprocessing.data.records",
    "preprocessing.data.skin",
    "preprocessing.data.splits",
    "preprocessing.data.taxonomy",
    "preprocessing.data.tfrecords",
    "preprocessing.duplicates.thumbnails",
    "preprocessing.sharding.contact_sheet",
    "preprocessing.sharding.photograph_records",
    "preprocessing.sharding.plans",
    "preprocessing.sharding.shards",
)


@functools.lru_cache(maxsize=None)
def program() -> str:
    """Identifies what makes the bytes of shards: our modules, and the codecs."""
    versions = [records.FORMAT_VERSION, PIL.__version__, np.__version__, zlib.ZLIB_RUNTIME_VERSION]
    return files.program_digest(MODULES, versions)


def shard_of(plan: plans.Plan) -> Shard:
    """Returns a plan as `jobs.ShardJob` takes it."""
    return Shard(plan.name, plan.to_json(), len(plan.photographs))


def _side_by_side(record: records.Record) -> str:
    """Returns crop and map, small, as a JPEG in base64."""
    pair = Image.new("RGB", (2 * THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    size = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    for position, png in enumerate((record.image_png, record.map_png)):
        method = (Image.Resampling.BICUBIC, Image.Resampling.NEAREST)[position]
        pair.paste(Image.open(io.BytesIO(png)).resize(size, method), (position * THUMBNAIL_SIDE, 0))
    buffer = io.BytesIO()
    pair.save(buffer, "JPEG", quality=92, subsampling=0)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _crop_row(split: str, image_id: str, crop: windows.Crop) -> List[Any]:
    numbers = (len(crop.boxes), round(crop.background, 4), round(crop.visible, 4))
    return [split, image_id, *crop.window, *numbers]


def write_records(fields: Mapping[str, Any], outputs: Outputs) -> Content:
    """Writes the record files of a shard.

    Args:
      fields: a `plans.Plan`, as JSON.
      outputs: where to.

    Returns:
      split, photographs: of the plan, the latter as their number.
      counts: of records, by kind, condition and skin type.
      sources: of their skin types, counted by kind.
      monk: Monk skin tones, where annotated, counted by kind.
      crops: rows of `crops.csv`.
      rejections: `manifest.Rejection` fields.
      thumbnails: [condition, skin type, base64 JPEG of crop and map side by side].
    """
    plan = plans.Plan.from_json(fields)
    written = {kind: outputs.records(kind) for kind in KINDS}
    crops: List[List[Any]] = []
    rejections: List[List[Any]] = []
    examples: Dict[Tuple[str, int], List[records.Record]] = {}
    sources: Dict[str, Dict[str, int]] = {kind: collections.Counter() for kind in KINDS}
    monk: Dict[str, Dict[str, int]] = {kind: collections.Counter() for kind in KINDS}
    for row in plan.photographs:
        done = photograph_records.process_photograph(row, plan.image_dir, plan.settings)
        rejections.extend(list(rejection) for rejection in done.rejections)
        crops.extend(_crop_row(plan.split, row.image_id, crop) for crop in done.placed)
        for kind, made in (("full", done.full), ("crops", done.crops)):
            for record in made:
                data = tfrecords.frame(records.serialize(record))
                written[kind].append(data, record.condition, record.fitzpatrick)
                sources[kind][record.fitzpatrick_source] += 1
                if record.monk:
                    monk[kind][str(record.monk)] += 1
        for record in done.crops[:1]:  # Windows of one photograph look alike.
            kept = examples.setdefault((record.condition, record.fitzpatrick), [])
            if len(kept) < _THUMBNAILS_PER_SHARD:
                kept.append(record)
    turns = contact_sheet.spread(examples, shift=_THUMBNAILS_PER_SHARD * plan.index)
    shown = [
        (key, examples[key][turn])
        for turn in range(_THUMBNAILS_PER_SHARD)
        for key in turns
        if turn < len(examples[key])
    ][:_THUMBNAILS_PER_SHARD]
    return {
        "split": plan.split,
        "photographs": len(plan.photographs),
        "counts": {kind: file.counts for kind, file in written.items()},
        "sources": sources,
        "monk": monk,
        "crops": crops,
        "rejections": rejections,
        "thumbnails": [[*key, _side_by_side(record)] for key, record in shown],
    }


def write_thumbnails(fields: Mapping[str, Any], outputs: Outputs) -> Content:
    """Makes the thumbnails of a shard; they are in its marker.

    Returns:
      thumbnails: [image id, `thumbnails.to_text`] of every photograph that can be used.
    """
    del outputs
    plan = plans.Plan.from_json(fields)
    found = []
    for row in plan.photographs:
        thumbnail = photograph_records.thumbnail_of(row, plan.image_dir, plan.settings)
        if thumbnail is not None:
            found.append([row.image_id, thumbnails.to_text(thumbnail)])
    return {"thumbnails": found}


def records_job(folder: str) -> ShardJob:
    """Returns the job that writes record files into a folder."""
    return ShardJob(folder, KINDS, write_records, plans.origin, program)


def thumbnails_job(folder: str) -> ShardJob:
    """Returns the job that makes thumbnails; its folder holds nothing else."""
    return ShardJob(folder, (), write_thumbnails, plans.origin, program)
