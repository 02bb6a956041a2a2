"""The files beside the records: counts, rejections, windows, contact sheet."""

import collections
import csv
import hashlib
import itertools
import pathlib
import platform
import re
from typing import Any, Dict, Mapping, Sequence

import apache_beam as beam
import numpy as np
import PIL

from common import files
from preprocessing.data import manifest, records, taxonomy
from preprocessing.sharding import contact_sheet, shards
from preprocessing.sharding.jobs import ShardJob, add_counts
from preprocessing.sharding.plans import Settings

_REJECTED = "rejected.csv"
_CURES = {
    "no ROI": "fill in the column 'rois', or import again from masks or boxes",
    "no such file": "--image_dir is the folder that the column 'image' is relative to",
    "outside the": "boxes are pixels 'x0 y0 x1 y1' of the photograph as it is displayed",
    "a program made it": "for training on generated images alone no photograph is left",
}
# What differs between two rows that are not used for the same reason.
_PARTICULAR = re.compile(r"'[^']*'|\S*/\S*|[\d.]+")


def main_reason(folder: pathlib.Path) -> str:
    """Returns the commonest reason of `rejected.csv`, an example, and what helps."""
    with (folder / _REJECTED).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kinds = collections.Counter(_PARTICULAR.sub("", row["reason"]) for row in rows)
    (kind, count), *_ = kinds.most_common(1)
    first = next(row for row in rows if _PARTICULAR.sub("", row["reason"]) == kind)
    cures = [cure for words, cure in _CURES.items() if words in first["reason"]]
    return (
        f"of {len(rows)} rows or crops that were not used, {count} for the reason of row "
        f"{first['row']}: {first['reason']}{''.join(f' ({cure})' for cure in cures[:1])}"
    )


def write_dataset_files(
    job: ShardJob,
    names: Sequence[str],
    settings: Settings,
    rejections: Sequence[manifest.Rejection],
    notes: Mapping[str, int],
) -> records.DatasetInfo:
    """Adds the shards up, one at a time, and writes the files beside the records.

    Args:
      job: the one that has written the records.
      names: of the shards, in the order in which they count.
      settings: the options.
      rejections: what has not got into a shard.
      notes: further counts for `dataset.json`.

    Returns:
      What `dataset.json` says.
    """
    folder = files.at(job.folder)
    counts: Dict[str, Any] = {kind: {} for kind in shards.KINDS}
    digest = hashlib.sha256()
    sheet = contact_sheet.ContactSheet()
    sources: Dict[str, Dict[str, int]] = {}
    monk: Dict[str, Dict[str, int]] = {}
    rejected = partial = enlarged = 0
    size_column = shards.CROP_COLUMNS.index("size")
    for name, done in zip(names, job.results(names)):
        for kind in shards.KINDS:
            digest.update(f"{kind}/{name} {done['outputs'][f'{kind}/{name}']['sha256']}\n".encode())
            add_counts(counts[kind].setdefault(done["split"], {}), done["counts"][kind])
        add_counts(sources, done["sources"])
        add_counts(monk, done["monk"])
        for thumbnail in done["thumbnails"]:
            sheet.add(*thumbnail)
        rejected += len(done["rejections"])
        partial += sum(row[-1] < 0.999 for row in done["crops"])
        enlarged += sum(int(row[size_column]) < settings.image_size for row in done["crops"])
    in_shards = (row for done in job.results(names) for row in done["rejections"])
    manifest.write_rejections(folder / _REJECTED, itertools.chain(rejections, in_shards))
    crops = (row for done in job.results(names) for row in done["crops"])
    manifest.write_csv(folder / "crops.csv", shards.CROP_COLUMNS, crops)
    (folder / taxonomy.FILE_NAME).unlink(missing_ok=True)
    if taxonomy.current() != taxonomy.PAPER:
        taxonomy.write(folder / taxonomy.FILE_NAME, taxonomy.current())
    with files.replacing(folder / "contact_sheet.png") as temporary:
        sheet.draw().save(temporary, "PNG")
    info = records.DatasetInfo(
        image_size=settings.image_size,
        full_size=settings.full_size,
        taxonomy=taxonomy.conditions(),
        aliases=dict(taxonomy.current().aliases),
        counts=counts,
        digest=digest.hexdigest(),
        settings=settings.as_dict(),
        packages={
            "apache-beam": beam.__version__,
            "numpy": np.__version__,
            "pillow": PIL.__version__,
            "python": platform.python_version(),
        },
        notes={
            **notes,
            "rejections": len(rejections) + rejected,
            "crops_showing_part_of_roi": partial,
            "crops_enlarged": enlarged,
        },
        skin_type_sources=sources,
        monk=monk,
    )
    files.write_text(folder / "dataset.json", info.to_json())
    return info
