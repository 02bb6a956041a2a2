"""The files beside the records: counts, rejections, windows, contact sheet."""

import hashlib
import itertools
import pathlib
import platform
from typing import Any, Dict, Mapping, Sequence

import apache_beam as beam
import numpy as np
import PIL

from common import files
from preprocessing.data import manifest, records, taxonomy
from preprocessing.sharding import contact_sheet, shards
from preprocessing.sharding.jobs import ShardJob, add_counts
from preprocessing.sharding.plans import Settings


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
    folder = pathlib.Path(job.folder)
    counts: Dict[str, Any] = {kind: {} for kind in shards.KINDS}
    digest = hashlib.sha256()
    sheet = contact_sheet.ContactSheet()
    rejected = partial = 0
    for name, done in zip(names, job.results(names)):
        for kind in shards.KINDS:
            digest.update(f"{kind}/{name} {done['outputs'][f'{kind}/{name}']['sha256']}\n".encode())
            add_counts(counts[kind].setdefault(done["split"], {}), done["counts"][kind])
        for thumbnail in done["thumbnails"]:
            sheet.add(*thumbnail)
        rejected += len(done["rejections"])
        partial += sum(row[-1] < 0.999 for row in done["crops"])
    in_shards = (row for done in job.results(names) for row in done["rejections"])
    manifest.write_rejections(folder / "rejected.csv", itertools.chain(rejections, in_shards))
    crops = (row for done in job.results(names) for row in done["crops"])
    manifest.write_csv(folder / "crops.csv", shards.CROP_COLUMNS, crops)
    with files.replacing(folder / "contact_sheet.png") as temporary:
        sheet.draw().save(temporary, "PNG")
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
        notes={
            **notes,
            "rejections": len(rejections) + rejected,
            "crops_showing_part_of_roi": partial,
        },
    )
    files.write_text(folder / "dataset.json", info.to_json())
    return info
