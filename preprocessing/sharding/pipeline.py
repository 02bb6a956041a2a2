"""From a case manifest to a data set, with Apache Beam.

The driver plans the shards and writes the plans to the output folder; what passes
through Beam is the plans' paths, one element per shard. Encoded images never do:
local runners keep what they shuffle in memory. Each worker writes whole record
files (`shards.write_shard`); the driver adds up their summaries, and moves the few
photographs that near-duplicates bring into another split.

Everything is made in OUTPUT/.unfinished and moved into place at the end. A run that
was interrupted takes up what it has finished there, as long as manifest rows,
photographs, settings and program are the same and the records are intact.

Paths must mean the same to every worker: with a remote runner they lie on a shared
file system.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import threading
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import apache_beam as beam
import tqdm
from absl import logging

from preprocessing.data import manifest, records
from preprocessing.sharding import beam_runner, dataset_files, deduplication, shard_failures, shards
from preprocessing.sharding.plans import Settings, ShardPlan, plan_shards

UNFINISHED = ".unfinished"
_OUTPUTS = (
    "crops",
    "full",
    "crops.csv",
    "rejected.csv",
    deduplication.FILE_NAME,
    "contact_sheet.png",
    "dataset.json",
)
_NAMESPACE = "preprocessing"


class _WriteShard(beam.DoFn):
    """Runs `shards.write_shard` and counts."""

    def process(self, plan_path: str) -> Iterator[str]:
        try:
            summary = shards.write_shard(plan_path)
        except OSError as error:
            path = pathlib.Path(plan_path)
            folder = path.parent.parent / "shards"
            # What an earlier run says of the shard may not be true any longer.
            (folder / path.name).unlink(missing_ok=True)
            shard_failures.note(folder, path.stem, error)
            return
        counts = {
            "photographs": summary.photographs,
            "crops": summary.total("crops"),
            "full": summary.total("full"),
            "rejections": len(summary.rejections),
        }
        for name, count in counts.items():
            beam.metrics.Metrics.counter(_NAMESPACE, name).inc(count)
        yield summary.name


def _moved(output: pathlib.Path) -> List[str]:
    """What a `_publish` that was interrupted has moved: `dataset.json` would come last."""
    work = output / UNFINISHED
    if not (work / "dataset.json").exists():
        return []
    return [name for name in _OUTPUTS if (output / name).exists() and not (work / name).exists()]


def check_output(output_dir: str, overwrite: bool) -> pathlib.Path:
    """Returns the output folder after making sure that nothing gets lost.

    Raises:
      ValueError: it holds a data set and `overwrite` is off, or it is a file.
    """
    folder = pathlib.Path(output_dir)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: is a file; --output_dir must be a folder")
    moved = _moved(folder)
    found = [name for name in _OUTPUTS if (folder / name).exists() and name not in moved]
    if found and not overwrite:
        raise ValueError(
            f"{folder}: already holds {found[-1]}; choose another --output_dir or pass --overwrite"
        )
    return folder


@contextlib.contextmanager
def _only_run(output: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives the work folder, as the last run has left it, to one run at a time.

    The lock ends with the process, however that ends.
    """
    work = output / UNFINISHED
    work.mkdir(parents=True, exist_ok=True)
    with open(work / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(f"{work}: another run is at work there") from error
        for name in _moved(output):
            (output / name).replace(work / name)
        yield work


def write_plans(plans: Iterable[ShardPlan], work: pathlib.Path) -> Tuple[Dict[str, int], int]:
    """Writes the plans and removes what does not belong to them from the work folder.

    Returns:
      How many photographs each shard has, by name, and how many shards an earlier run
      has finished.
    """
    for name in ("plans", "shards", *shards.KINDS):
        (work / name).mkdir(parents=True, exist_ok=True)
    sizes, kept = {}, set()
    for plan in plans:
        if shards.claimed(plan, work):
            kept.add(plan.name)
        _plan_path(work, plan.name).write_text(plan.to_json(), encoding="utf-8")
        sizes[plan.name] = len(plan.photographs)
    found = len(list((work / "shards").glob("*.json")))
    if found:
        logging.warning("taking up %d of %d shards from an interrupted run", len(kept), len(sizes))
    if found > len(kept):
        logging.warning(
            "%d finished shards are made anew: manifest, photographs, settings or program have "
            "changed",
            found - len(kept),
        )
    for path in work.glob("*/*"):
        belongs = sizes if path.parent.name == "plans" else kept
        if path.name not in belongs and path.name[: -len(".json")] not in belongs:
            path.unlink()
    return sizes, len(kept)


def _plan_path(work: pathlib.Path, name: str) -> pathlib.Path:
    return work / "plans" / f"{name}.json"


@contextlib.contextmanager
def _progress(work: pathlib.Path, plans: Dict[str, int]) -> Iterator[None]:
    """Shows the photographs of finished shards, with the time left."""
    stop = threading.Event()

    def watch() -> None:
        total = sum(plans.values())
        with tqdm.tqdm(total=total, unit=" photographs", disable=None, smoothing=0.1) as bar:
            ended = False
            while not ended:
                ended = stop.wait(0.5)
                done = sum(plans.get(path.stem, 0) for path in (work / "shards").glob("*.json"))
                bar.update(done - bar.n)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _run_beam(paths: Sequence[str], photographs: int, beam_args: Sequence[str]) -> None:
    options = beam_runner.parse_options(beam_args)
    runner: Any = options.get_all_options()["runner"]
    if runner in (None, "DirectRunner"):
        runner = beam_runner.local_runner(options, len(paths), photographs)
    with (
        beam_runner.quiet(),
        beam_runner.importable_by_workers(),
        beam.Pipeline(runner=runner, options=options) as flow,
    ):
        _ = (
            flow
            | "Plans" >> beam.Create(list(paths))
            | "Spread" >> beam.Reshuffle()
            | "WriteShards" >> beam.ParDo(_WriteShard())
        )


def _publish(work: pathlib.Path, output: pathlib.Path) -> None:
    """Moves the finished files into place, `dataset.json` last."""
    for name in reversed(_OUTPUTS):
        old = output / name
        if old.is_dir():
            shutil.rmtree(old)
        elif old.exists():
            old.unlink()
    for name in _OUTPUTS:
        if (work / name).exists():  # There is no report on duplicates that were not looked for.
            (work / name).replace(output / name)
    shutil.rmtree(work)


def preprocess(
    cases_path: str,
    output_dir: str,
    settings: Optional[Settings] = None,
    image_dir: Optional[str] = None,
    overwrite: bool = False,
    beam_args: Sequence[str] = (),
) -> records.DatasetInfo:
    """Makes a data set: `crops/`, `full/`, `dataset.json`, `rejected.csv`, ...

    Args:
      cases_path: a case manifest, see `cases`.
      output_dir: folder for the data set.
      settings: the options.
      image_dir: folder that the manifest's `image` column is relative to; by
        default the manifest's own.
      overwrite: replace a data set that is there already.
      beam_args: Apache Beam options, e.g. ["--runner=FlinkRunner"]; without any, all
        cores of this machine are used.

    Returns:
      What `dataset.json` says.

    Raises:
      ValueError: no usable row or photograph, an existing output, another run in the
        same folder, a full disk, unknown options.
    """
    settings = settings or Settings()
    output = check_output(output_dir, overwrite)
    beam_runner.parse_options(beam_args)
    rows, row_rejections = manifest.read_cases(cases_path, image_dir)
    folder = os.path.abspath(image_dir or os.path.dirname(os.path.abspath(cases_path)))
    with _only_run(output) as work:
        sizes, _ = write_plans(plan_shards(rows, folder, settings), work)
        del rows
        with _progress(work, sizes):
            paths = [str(_plan_path(work, name)) for name in sizes]
            _run_beam(paths, sum(sizes.values()), beam_args)
        names, notes = list(sizes), {}
        for name in names:
            if not (work / "shards" / f"{name}.json").exists():
                raise shard_failures.error_of(work / "shards", name)
        if settings.find_duplicates:
            notes = deduplication.keep_together(work, names, settings)
        info = dataset_files.write_dataset_files(work, names, settings, row_rejections, notes)
        if not any(info.count("full", split) for split in manifest.SPLITS):
            text = (work / "rejected.csv").read_text(encoding="utf-8").splitlines()[1]
            raise ValueError(f"{cases_path}: no usable photograph; the first: {text}")
        _publish(work, output)
    return info
