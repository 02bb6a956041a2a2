"""One shard of generated images: from layouts to record files.

A shard is planned by the driver and painted by whichever worker gets it. Image i of a
job is a function of the generator, its layout and its seed alone, so the bytes do not
depend on the number of workers, and an interrupted job goes on with what is missing.
"""

import collections
import concurrent.futures
import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import sys
import threading
from typing import Any, Deque, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from preprocessing.data import png_encoding, records, taxonomy, tfrecords
from preprocessing.data.manifest import Box
from preprocessing.sharding import shard_failures
from synthesis import layouts as map_sampler
from synthesis import provenance, trained_generator
from synthesis.layouts import Layout
from synthesis.trained_generator import TrainedGenerator

SUMMARIES = "shards"
IMAGES = "images"
_BATCHES_WAITING = 4  # to be encoded; more than one, since the encoder gives way
# Number in the shard, record, the record as it stands in the file, pixels.
_Encoded = Tuple[int, records.Record, bytes, np.ndarray]


@dataclasses.dataclass(frozen=True)
class ShardPlan:
    """What to paint into one record file.

    Attributes:
      name: of the record file.
      folder: of the whole job's output.
      run_dir: of the generator.
      step: of its checkpoint.
      generator_digest: of the generator, which the worker checks.
      first: number of the shard's first image in the job.
      seed: of the job.
      images_per_map: images in a row that are painted from one layout.
      layouts: one per map.
      png: whether to write PNG files as well.
      batch_size: images painted at once.
    """

    name: str
    folder: str
    run_dir: str
    step: int
    generator_digest: str
    first: int
    seed: int
    images_per_map: int
    layouts: Tuple[Layout, ...]
    png: bool
    batch_size: int

    @property
    def count(self) -> int:
        """Returns the number of images."""
        return len(self.layouts) * self.images_per_map

    def _fields(self) -> Dict[str, Any]:
        # `dataclasses.asdict` takes as long for the layouts as a batch takes to paint.
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        fields["layouts"] = [(one.condition, one.skin_type, one.boxes) for one in self.layouts]
        return fields

    def to_json(self) -> str:
        """Returns the plan as text."""
        return json.dumps(self._fields())

    @classmethod
    def from_json(cls, text: str) -> "ShardPlan":
        """Reads `to_json` back."""
        fields = json.loads(text)
        layouts = tuple(
            Layout(condition, skin_type, tuple(Box(*box) for box in boxes))
            for condition, skin_type, boxes in fields.pop("layouts")
        )
        return cls(layouts=layouts, **fields)

    @functools.cached_property
    def digest(self) -> str:
        """What identifies the shard's content, wherever it lies."""
        fields = self._fields()
        for name in ("folder", "run_dir", "batch_size"):
            del fields[name]
        text = json.dumps([fields, records.FORMAT_VERSION], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()


@dataclasses.dataclass(frozen=True)
class Summary:
    """What became of a shard.

    Attributes:
      name: of the record file.
      digest: `ShardPlan.digest`.
      images: how many.
      counts: by condition and skin type (as text).
      sha256: of the record file.
      bytes: its size.
      differences: for each map of several images, the mean absolute difference of two
        of them, in levels of 255.
    """

    name: str
    digest: str
    images: int
    counts: Dict[str, Dict[str, int]]
    sha256: str
    bytes: int
    differences: List[float]


@functools.lru_cache(maxsize=1)
def _generator(run_dir: str, step: int) -> TrainedGenerator:
    return trained_generator.load(run_dir, step)


def image_id(number: int) -> str:
    """Returns the id of image `number` of a job."""
    return f"synthetic_{number:08d}"


def image_seed(job_seed: int, number: int) -> int:
    """Returns the seed that image `number` of a job is painted with, int64."""
    digest = hashlib.sha256(f"{job_seed}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "little", signed=True)


def finished(plan: ShardPlan) -> Optional[Summary]:
    """Returns the summary of a shard that is there already, if it is this one."""
    folder = pathlib.Path(plan.folder)
    try:
        text = (folder / SUMMARIES / f"{plan.name}.json").read_text(encoding="utf-8")
        summary = Summary(**json.loads(text))
        size = (folder / "crops" / plan.name).stat().st_size
    except (OSError, ValueError, TypeError):
        return None
    return summary if (summary.digest, summary.bytes) == (plan.digest, size) else None


def write_shard(plan: ShardPlan) -> Summary:
    """Paints a shard, unless that is done already.

    Args:
      plan: what to paint.

    Returns:
      The summary, which is also written beside the records.

    Raises:
      ValueError: the generator is not the planned one.
      OSError: the disk is full or the folder not writable; nothing is left behind.
    """
    summary = finished(plan)
    if summary:
        return summary
    generator = _generator(plan.run_dir, plan.step)
    if generator.digest != plan.generator_digest:
        raise ValueError(f"{plan.run_dir}: step {plan.step} has changed since the job was planned")
    folder = pathlib.Path(plan.folder)
    target = folder / "crops" / plan.name
    # Two attempts at one shard (a retry) must not write into the same file.
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            summary = _write_records(plan, generator, file)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    _write_text(folder / SUMMARIES / f"{plan.name}.json", json.dumps(dataclasses.asdict(summary)))
    shard_failures.forget(folder / SUMMARIES, plan.name)
    return summary


def _write_text(target: pathlib.Path, text: str) -> None:
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(target)


def _give_way() -> None:
    """Lets the thread run where the generator leaves a core idle.

    As an equal it would stop one of the generator's threads in the middle of an
    operation, and all others wait for that one.
    """
    if sys.platform == "linux":  # elsewhere the priority is that of the process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def _write_records(plan: ShardPlan, generator: TrainedGenerator, file: Any) -> Summary:
    digest = hashlib.sha256()
    counts: Dict[str, Dict[str, int]] = {}
    size = 0
    differences: List[float] = []
    previous: Optional[np.ndarray] = None
    with concurrent.futures.ThreadPoolExecutor(1, initializer=_give_way) as encoder:
        for number, record, data, image in _encoded(plan, generator, encoder):
            file.write(data)
            digest.update(data)
            size += len(data)
            if plan.png:
                _write_png(plan, record)
            by_type = counts.setdefault(record.condition, {})
            by_type[str(record.fitzpatrick)] = by_type.get(str(record.fitzpatrick), 0) + 1
            if number % plan.images_per_map == 1 and previous is not None:
                differences.append(float(np.abs(image.astype(np.int16) - previous).mean()))
            previous = image
    return Summary(
        plan.name, plan.digest, plan.count, counts, digest.hexdigest(), size, differences
    )


def _write_png(plan: ShardPlan, record: records.Record) -> None:
    target = pathlib.Path(plan.folder) / IMAGES / f"{record.image_id}.png"
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(record.image_png)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _encoded(
    plan: ShardPlan, generator: TrainedGenerator, encoder: concurrent.futures.Executor
) -> Iterator[_Encoded]:
    """Encodes batches while the next ones are painted."""
    waiting: Deque[concurrent.futures.Future] = collections.deque()
    for first in range(0, plan.count, plan.batch_size):
        numbers = range(first, min(first + plan.batch_size, plan.count))
        layouts = [plan.layouts[number // plan.images_per_map] for number in numbers]
        seeds = [image_seed(plan.seed, plan.first + number) for number in numbers]
        maps = map_sampler.draw(layouts, generator.image_size)
        images = _paint(generator, maps, seeds, plan.batch_size)
        waiting.append(encoder.submit(_records, plan, numbers, layouts, seeds, maps, images))
        if len(waiting) > _BATCHES_WAITING:
            yield from waiting.popleft().result()
    for batch in waiting:
        yield from batch.result()


def _paint(
    generator: TrainedGenerator, maps: np.ndarray, seeds: Sequence[int], batch_size: int
) -> np.ndarray:
    """Paints a batch, filled up to its full size: sums round alike for every image."""
    missing = batch_size - len(maps)
    padded = np.concatenate([maps, np.repeat(maps[-1:], missing, axis=0)])
    values = np.array([*seeds, *[0] * missing], np.int64)
    return generator.generate(padded, values)[: len(maps)]


def _records(
    plan: ShardPlan,
    numbers: Sequence[int],
    layouts: Sequence[Layout],
    seeds: Sequence[int],
    maps: np.ndarray,
    images: np.ndarray,
) -> List[_Encoded]:
    done = []
    for number, layout, seed, drawn, image in zip(numbers, layouts, seeds, maps, images):
        mark = provenance.Provenance(plan.generator_digest, seed)
        name = image_id(plan.first + number)
        record = records.Record(
            image_png=provenance.stamp(png_encoding.encode_photograph(image), mark),
            map_png=png_encoding.encode_map(drawn),
            height=image.shape[0],
            width=image.shape[1],
            boxes=layout.boxes,
            condition=taxonomy.canonical(layout.condition),
            fitzpatrick=layout.skin_type,
            case_id=name,
            patient_id=name,
            image_id=name,
            synthetic=True,
            seed=seed,
            generator_digest=plan.generator_digest,
            fitzpatrick_source="requested",
            code_source=records.DRAWN_CODE,
        )
        done.append((number, record, tfrecords.frame(records.serialize(record)), image))
    return done
