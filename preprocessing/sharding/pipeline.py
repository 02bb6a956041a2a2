"""From a case manifest to a data set, in two passes over the photographs.

  rows | thumbnails -> near-duplicates -> splits | records -> counts, reports

Each pass is a job of `jobs`, a Beam pipeline of its own. Everything is made in
OUTPUT/.unfinished and moved into place at the end, file by file, `dataset.json` last. A run
that was interrupted takes up what it has finished there, as long as manifest rows,
photographs, settings and program are the same and the records are intact.
"""

import pathlib
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from common import files, locks, pseudonyms
from preprocessing.data import manifest, records, splits, taxonomy
from preprocessing.duplicates import linked_patients, near_duplicates, thumbnails
from preprocessing.sharding import beam_runner, dataset_files, jobs, plans, shards
from preprocessing.sharding.plans import Settings

UNFINISHED = ".unfinished"
_MOVING = "moving.json"  # in there as long as files are being moved
_DUPLICATES = "duplicates.csv"
_OUTPUTS = (
    "crops",
    "full",
    "crops.csv",
    "rejected.csv",
    _DUPLICATES,
    "contact_sheet.png",
    taxonomy.FILE_NAME,
    "dataset.json",
)


def _moved(output: pathlib.Path) -> List[str]:
    """What a `_publish` that was interrupted has moved: `dataset.json` would come last."""
    work = output / UNFINISHED
    if not (work / _MOVING).exists() or not (work / "dataset.json").exists():
        return []
    in_folders = [
        f"{kind}/{path.name}" for kind in shards.KINDS for path in files.list_folder(output / kind)
    ]
    others = [name for name in _OUTPUTS if name not in shards.KINDS]
    return in_folders + [name for name in others if (output / name).exists()]


def check_output(output_dir: str, overwrite: bool) -> pathlib.Path:
    """Returns the output folder after making sure that nothing gets lost.

    Raises:
      ValueError: it holds a data set and `overwrite` is off, or it is a file.
    """
    folder = files.at(files.absolute(output_dir))
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: is a file; --output_dir must be a folder")
    moved = _moved(folder)
    found = [name for name in _OUTPUTS if (folder / name).exists()]
    if found and not moved and not overwrite:
        raise ValueError(
            f"{folder}: already holds {found[-1]}; choose another --output_dir or pass --overwrite"
        )
    return folder


def _publish(work: pathlib.Path, output: pathlib.Path, records_of: Sequence[str]) -> None:
    """Moves the finished files into place, `dataset.json` last.

    Args:
      work: where they are.
      output: where they belong.
      records_of: the record files, relative to `work`.
    """
    for name in reversed(_OUTPUTS):
        files.remove(output / name)
    files.write_json(work / _MOVING, {})
    others = [name for name in _OUTPUTS if name not in shards.KINDS]
    # No report on duplicates that were not looked for, say.
    there = [name for name in others if (work / name).exists()]
    for names in (records_of, there[:-1], there[-1:]):
        files.move(names, work, output)
    files.remove(work)


_SplitOf = Callable[[manifest.Photograph], str]


def _thumbnails_of(
    rows: Sequence[manifest.Photograph], job: jobs.ShardJob, names: Sequence[str], size: int
) -> Tuple[manifest.Rows, np.ndarray]:
    """Returns the photographs that can be used, and their thumbnails, uint8 [N, SIDE, SIDE].

    Args:
      rows: the photographs, in the order in which they were planned.
      job: the one that has made the thumbnails.
      names: of its shards.
      size: photographs in a shard.
    """
    usable, pixels = manifest.Rows(), bytearray()
    for index, done in enumerate(job.results(names)):
        found = dict(done["thumbnails"])
        for row in rows[index * size : (index + 1) * size]:
            if row.image_id in found:
                usable.append(row)
                pixels += thumbnails.from_text(found[row.image_id]).tobytes()
    side = thumbnails.SIDE
    return usable, np.frombuffer(pixels, np.uint8).reshape(-1, side, side)


def _decide_splits(
    rows: Sequence[manifest.Photograph],
    image_dir: str,
    settings: Settings,
    work: pathlib.Path,
    beam_args: Sequence[str],
) -> Tuple[_SplitOf, Mapping[str, str], Dict[str, int]]:
    """Decides which photograph goes where.

    Returns:
      What tells a photograph's split; why photographs are not used, by image id; counts
      for `dataset.json`.
    """

    def own(row: manifest.Photograph) -> str:
        return splits.split_of(row, settings.split_fractions, settings.seed)

    (work / _DUPLICATES).unlink(missing_ok=True)
    if not settings.find_duplicates:
        return own, {}, {}
    job = shards.thumbnails_job(str(work / "thumbnails"))
    planned = map(shards.shard_of, plans.plan_thumbnails(rows, image_dir, settings))
    names = job.run(planned, beam_args, "looking for near-duplicates", "photographs")
    usable, pictures = _thumbnails_of(rows, job, names, settings.photographs_per_shard)
    pairs = near_duplicates.find_pairs(pictures, [row.patient_id for row in usable])
    decision = linked_patients.decide(usable, pairs, settings.split_fractions, settings.seed)
    linked_patients.write_report(work / _DUPLICATES, usable, pairs, decision)
    moved = sum(
        decision.splits[row.image_id] != own(row)
        for row in usable
        if row.image_id not in decision.unused
    )
    notes = {
        "near_duplicate_pairs": len(pairs),
        "near_duplicates_not_used": len(decision.unused),
        "photographs_moved_to_linked_patients": moved,
    }
    return lambda row: decision.splits.get(row.image_id) or own(row), decision.unused, notes


def preprocess(
    cases_path: Union[str, Sequence[str]],
    output_dir: str,
    settings: Optional[Settings] = None,
    image_dir: Union[str, Sequence[str], None] = None,
    overwrite: bool = False,
    beam_args: Sequence[str] = (),
) -> records.DatasetInfo:
    """Makes a data set: `crops/`, `full/`, `dataset.json`, `rejected.csv`, ...

    Beside it lies `pseudonyms.key`, for its owner's eyes; one that is there is kept.

    Args:
      cases_path: a case manifest, see `manifest`, or several.
      output_dir: folder for the data set.
      settings: the options.
      image_dir: folder that the manifest's `image` column is relative to, of several
        manifests one each; by default the manifest's own.
      overwrite: replace a data set that is there already.
      beam_args: Apache Beam options, e.g. ["--runner=FlinkRunner"]; without any, all
        cores of this machine are used.

    Returns:
      What `dataset.json` says.

    Raises:
      ValueError: no usable row or crop, an existing output, another run in the
        same folder, a full disk, unknown options.
    """
    settings = settings or Settings()
    output = check_output(output_dir, overwrite)
    beam_runner.parse_options(beam_args)
    cases = [cases_path] if isinstance(cases_path, str) else list(cases_path)
    image_dirs = [image_dir] if isinstance(image_dir, str) else list(image_dir or ())
    rows, rejections, folder = manifest.read_several(cases, image_dirs)
    with locks.only_writer(output) as lease:
        work = output / UNFINISHED
        files.make_folder(work)
        files.move(_moved(output), output, work)
        (work / _MOVING).unlink(missing_ok=True)
        split_of, unused, notes = _decide_splits(rows, folder, settings, work, beam_args)
        notes["photographs"] = len(rows)
        notes["synthetic"] = sum(row.synthetic for row in rows)
        notes["patients"] = len({row.patient_id for row in rows if not row.synthetic})
        if unused:
            for row in (row for row in rows if row.image_id in unused):
                cells = (row.row, row.image_id, row.image, "duplicate", unused[row.image_id])
                rejections.append(manifest.Rejection(*cells))
            rows = manifest.Rows(row for row in rows if row.image_id not in unused)
        job = shards.records_job(str(work))
        planned = plans.plan_records(rows, folder, settings, split_of)
        names = job.run(map(shards.shard_of, planned), beam_args, "cropping", "photographs")
        info = dataset_files.write_dataset_files(job, names, settings, rejections, notes)
        if not any(info.count("crops", split) for split in manifest.SPLITS):
            why = dataset_files.main_reason(work)
            raise ValueError(f"{', '.join(cases)}: no usable crop; {why}")
        lease.check()
        pseudonyms.load_or_create(output)  # first: who sees `dataset.json` may copy all
        _publish(work, output, [path for done in job.results(names) for path in done["outputs"]])
    return info
