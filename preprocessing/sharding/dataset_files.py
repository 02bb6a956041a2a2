"""The files beside the records: counts, rejections, windows, contact sheet."""

import hashlib
import itertools
import pathlib
import platform
from typing import Any, Dict, Iterator, Mapping, Sequence

import apache_beam as beam
import numpy as np
import PIL

from preprocessing.data import manifest, records, taxonomy
from preprocessing.sharding import contact_sheet, shards
from preprocessing.sharding.plans import Settings


def _summaries(work: pathlib.Path, names: Sequence[str]) -> Iterator[shards.Summary]:
    for name in names:
        yield shards.Summary.load(work, name)


def write_dataset_files(
    work: pathlib.Path,
    names: Sequence[str],
    settings: Settings,
    row_rejections: Sequence[manifest.Rejection],
    notes_on_duplicates: Mapping[str, int],
) -> records.DatasetInfo:
    """Adds the shards up, one at a time, and writes the files beside the records.

    Args:
      work: the folder that `shards.write_shard` wrote to.
      names: of the shards, in the order in which they count.
      settings: the options.
      row_rejections: what reading the manifest has rejected.
      notes_on_duplicates: what `deduplication.keep_together` has counted.

    Returns:
      What `dataset.json` says.
    """
    counts: Dict[str, Any] = {kind: {} for kind in shards.KINDS}
    digest = hashlib.sha256()
    sheet = contact_sheet.ContactSheet()
    notes = {
        "photographs": 0,
        "rejections": len(row_rejections),
        "crops_showing_part_of_roi": 0,
        **notes_on_duplicates,
    }
    for summary in _summaries(work, names):
        for kind in shards.KINDS:
            digest.update(f"{kind}/{summary.name} {summary.files[kind]['sha256']}\n".encode())
            by_condition = counts[kind].setdefault(summary.split, {})
            for condition, by_type in summary.files[kind]["counts"].items():
                sums = by_condition.setdefault(condition, {})
                for skin_type, count in by_type.items():
                    sums[skin_type] = sums.get(skin_type, 0) + count
        for thumbnail in summary.thumbnails:
            sheet.add(*thumbnail)
        notes["photographs"] += summary.photographs
        notes["rejections"] += len(summary.rejections)
        notes["crops_showing_part_of_roi"] += sum(row[-1] < 0.999 for row in summary.crops)
    rejected = (row for summary in _summaries(work, names) for row in summary.rejections)
    manifest.write_rejections(work / "rejected.csv", itertools.chain(row_rejections, rejected))
    manifest.write_csv(
        work / "crops.csv",
        shards.CROP_COLUMNS,
        (row for summary in _summaries(work, names) for row in summary.crops),
    )
    sheet.draw().save(work / "contact_sheet.png")
    info = records.DatasetInfo(
        image_size=settings.image_size,
        full_size=settings.full_size,
        taxonomy=taxonomy.CONDITIONS,
        counts=counts,
        digest=digest.hexdigest(),
        settings=settings.as_dict(),
        packages={
            "apache-beam": beam.__version__,
            "numpy": np.__version__,
            "pillow": PIL.__version__,
            "python": platform.python_version(),
        },
        notes=notes,
    )
    (work / "dataset.json").write_text(info.to_json(), encoding="utf-8")
    return info
