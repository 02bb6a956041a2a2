"""Jobs of many shards, written by Apache Beam's workers: resumable, and checked at the end.

The driver writes a plan for each shard into the job's folder; what passes through Beam
is the shards' names, one element each. Encoded images never do: local runners keep what
they shuffle in memory. Whichever worker gets a name writes that shard's files and then
its marker, with digests of what it was made from (input, settings, program) and of its
files. A job that was interrupted takes up the shards whose markers and files fit.

A folder has one writer at a time: who runs a job holds its lease (`common.locks`).
Paths must mean the same to every worker: with a remote runner they lie on a shared file
system or in object storage. In the folder of a job:

  KIND/NAME             files of a shard
  .job/plans/NAME.json  what to do; may be removed at the end
  .job/done/NAME.json   what was done; appears last
"""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
from typing import IO, Any, Callable, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional

import apache_beam as beam
from absl import logging

from common import files, progress
from preprocessing.sharding import beam_runner

Counts = Dict[str, Dict[str, int]]  # by condition and skin type, the latter as text
Content = Dict[str, Any]
_OWN = ".job"
_ASKED_AT_ONCE = 16  # shards; object storage answers after a while, but many at once
_TO_FOLDER = "../../"  # from the markers


class Shard(NamedTuple):
    """What one worker writes at once.

    Attributes:
      name: of the shard, and of its record files.
      plan: what to write, for JSON.
      size: how many items that are, for the progress bar.
    """

    name: str
    plan: Dict[str, Any]
    size: int


class RecordFile:
    """A TFRecord file that is being written, with counts."""

    def __init__(self, file: IO[bytes]):
        self._file = file
        self._digest = hashlib.sha256()
        self._bytes = 0
        self.counts: Counts = {}

    def append(self, data: bytes, condition: str, skin_type: int) -> None:
        """Adds a record, as `tfrecords.frame` returns it."""
        self._file.write(data)
        self._digest.update(data)
        self._bytes += len(data)
        add_counts(self.counts, {condition: {str(skin_type): 1}})

    def output(self) -> Dict[str, Any]:
        """Returns what the marker says of the file, once all is written."""
        return {"bytes": self._bytes, "sha256": self._digest.hexdigest()}


def add_counts(total: Counts, counts: Mapping[str, Mapping[str, int]]) -> None:
    """Adds counts to `total`."""
    for condition, by_type in counts.items():
        sums = total.setdefault(condition, {})
        for skin_type, count in by_type.items():
            sums[skin_type] = sums.get(skin_type, 0) + count


class Outputs(contextlib.ExitStack):
    """The files of one shard. At the end all get their names; after an error none."""

    def __init__(self, folder: pathlib.Path, name: str):
        super().__init__()
        self._folder, self._name = folder, name
        self._records: Dict[str, RecordFile] = {}
        self._others: Dict[str, Dict[str, Any]] = {}

    def records(self, kind: str) -> RecordFile:
        """Begins the record file KIND/NAME."""
        temporary = self.enter_context(files.replacing(self._folder / kind / self._name))
        file = RecordFile(self.enter_context(temporary.open("wb")))
        self._records[f"{kind}/{self._name}"] = file
        return file

    def write(self, path: str, content: bytes) -> None:
        """Writes a whole file, by path relative to the job's folder, at once."""
        files.write_bytes(self._folder / path, content)
        digest = hashlib.sha256(content).hexdigest()
        self._others[path] = {"bytes": len(content), "sha256": digest}

    def all(self) -> Dict[str, Dict[str, Any]]:
        """Returns what the marker says of the files, by path."""
        return {**self._others, **{path: file.output() for path, file in self._records.items()}}


@dataclasses.dataclass(frozen=True)
class ShardJob:
    """How the shards of a job are written; goes to the workers.

    Attributes:
      folder: of the job, absolute.
      kinds: folders in it that hold the files of shards, and nothing else.
      write: makes a shard of its plan; returns what its marker shall say. A function of
        a module, as the next two.
      origin: digests of a plan's input and settings.
      program: digest of the program that `write` is.
    """

    folder: str
    kinds: Iterable[str]
    write: Callable[[Dict[str, Any], Outputs], Content]
    origin: Callable[[Dict[str, Any]], Dict[str, str]]
    program: Callable[[], str]

    def __post_init__(self) -> None:
        assert os.path.isabs(self.folder) or files.is_remote(self.folder), self.folder

    def _path(self, kind: str, name: str) -> pathlib.Path:
        return files.at(self.folder) / _OWN / kind / name

    def plan_path(self, name: str) -> pathlib.Path:
        """Returns where the plan of a shard lies."""
        return self._path("plans", f"{name}.json")

    def marker(self, name: str) -> pathlib.Path:
        """Returns where the marker of a shard appears."""
        return self._path("done", f"{name}.json")

    def _failure(self, name: str) -> pathlib.Path:
        return self._path("done", f"{name}.failed")

    def markers(self) -> List[pathlib.Path]:
        """Returns the markers that are there."""
        found = files.list_folder(self._path("done", ""))
        return [path for path in found if path.suffix == ".json"]

    def made_from(self, plan: Dict[str, Any]) -> Dict[str, str]:
        """Returns the digests of what a shard is made from, as its marker has them."""
        return {**self.origin(plan), "program": self.program()}

    def write_shard(self, name: str) -> None:
        """Writes a shard, unless that is done already.

        Raises:
          OSError: from reading or writing; no file is left behind.
          ValueError: it cannot be written as planned.
        """
        path = self.plan_path(name)
        text = files.read_text(path)
        planned = json.loads(text)
        if planned["program"] != self.program():
            raise ValueError("the program of this worker is another version than the driver's")
        made_from = self.made_from(planned["plan"])
        if files.committed(self.marker(name), made_from):
            return
        # What an earlier run says of the shard may not be true any longer.
        self.marker(name).unlink(missing_ok=True)
        with Outputs(files.at(self.folder), name) as outputs:
            content = self.write(planned["plan"], outputs)
            if files.read_text(path) != text:
                # This worker has outlived its run, and another one is at work in the folder.
                raise ValueError("the plan was changed while the shard was made")
        noted = {_TO_FOLDER + path: output for path, output in outputs.all().items()}
        files.commit(self.marker(name), made_from, noted, content)
        self._failure(name).unlink(missing_ok=True)

    def note_failure(self, name: str, error: Exception) -> None:
        """Notes why a shard was not written, as far as the disk takes it.

        What an earlier run says of the shard may not be true any longer: that goes.
        """
        for step in (
            lambda: files.write_text(self._failure(name), str(error)),
            lambda: self.marker(name).unlink(missing_ok=True),
        ):
            try:
                step()
            except Exception as another:
                if not files.is_outside(another):
                    raise

    def error_of(self, name: str) -> ValueError:
        """Returns the error that ends a run without this shard."""
        try:
            reason = files.read_text(self._failure(name))
        except OSError:
            reason = ""
        return ValueError(
            f"{self.folder}: {name}: {reason or 'could not be written; is the disk full?'}; what "
            "is finished is kept, and the same command goes on"
        )

    def prepare(self, shards: Iterable[Shard]) -> Dict[str, int]:
        """Writes the plans, and removes what an earlier run has left that does not fit.

        Whether files are as they were written is for the workers to see; here their
        sizes are.

        Returns:
          The sizes of the shards, by name.
        """
        for kind in ("plans", "done"):
            files.make_folder(self._path(kind, ""))
        found = {path.stem for path in self.markers()}
        sizes: Dict[str, int] = {}
        keep = set()  # paths as text
        kept = 0
        for shard in shards:
            sizes[shard.name] = shard.size
            if shard.name in found:
                marker = self.marker(shard.name)
                done = files.committed(marker, self.made_from(shard.plan), read=False)
                if done:
                    kept += 1
                    keep.add(str(marker))
                    keep.update(
                        str(files.at(self.folder) / path.removeprefix(_TO_FOLDER))
                        for path in done["outputs"]
                    )
            planned = json.dumps({"plan": shard.plan, "program": self.program()})
            path = self.plan_path(shard.name)
            files.write_text(path, planned)
            keep.add(str(path))
        if found:
            logging.warning("taking up %d of %d shards from an interrupted run", kept, len(sizes))
        if len(found) > kept:
            logging.warning(
                "%d finished shards are made anew: their input, the settings or the program have "
                "changed",
                len(found) - kept,
            )
        for kind in (f"{_OWN}/done", f"{_OWN}/plans", *self.kinds):  # markers first
            for path in files.list_folder(files.at(self.folder) / kind):
                if str(path) not in keep:
                    path.unlink()
        return sizes

    def remove_plans(self) -> None:
        """Removes the plans of a job that is done: they name folders of this machine."""
        files.remove(self._path("plans", ""))

    def run(
        self,
        shards: Iterable[Shard],
        beam_args: Iterable[str] = (),
        what: Optional[str] = None,
        unit: str = "",
        local_workers: Optional[int] = None,
    ) -> List[str]:
        """Writes all shards that are not there yet.

        Args:
          shards: any number; kept in memory are their names only.
          beam_args: Apache Beam options.
          what: the words before the progress bar.
          unit: of the shards' sizes.
          local_workers: how many on this machine, unless the options say so; by default
            as many as it has cores.

        Returns:
          The names of the shards, all of which are there.

        Raises:
          ValueError: unknown options, or what kept the first missing shard from being
            written.
        """
        sizes = self.prepare(shards)

        def done() -> int:
            return sum(sizes.get(path.stem, 0) for path in self.markers())

        total = sum(sizes.values())
        workers = local_workers or max(len(sizes), 1)
        # Where few workers are enough, threads are.
        items = 0 if local_workers else total
        with (
            progress.watching(done, total, what, unit),
            beam_runner.pipeline(beam_args, items, workers) as flow,
        ):
            _ = (
                flow
                | "Names" >> beam.Create(list(sizes))
                | "Spread" >> beam.Reshuffle()
                | "Write" >> beam.ParDo(_Write(self))
            )

        def there(name: str) -> bool:
            return files.committed(self.marker(name), None, read=False) is not None

        with concurrent.futures.ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
            for name, written in zip(sizes, pool.map(there, sizes)):
                if not written:
                    raise self.error_of(name)
        return list(sizes)

    def results(self, names: Iterable[str]) -> Iterator[Content]:
        """Yields what the markers say, `outputs` by path relative to the folder."""
        for name in names:
            content = json.loads(files.read_text(self.marker(name)))
            content["outputs"] = {
                path.removeprefix(_TO_FOLDER): output for path, output in content["outputs"].items()
            }
            yield content


class _Write(beam.DoFn):
    """Writes a shard. What a user can mend is noted: raised, Beam prints it as pages."""

    def __init__(self, job: ShardJob):
        self._job = job

    def process(self, name: str) -> None:
        try:
            self._job.write_shard(name)
        except Exception as error:
            if not isinstance(error, ValueError) and not files.is_outside(error):
                raise
            self._job.note_failure(name, error)
