"""One shard of generated images: from layouts to record files.

Image i of a job is a function of the generator, its layout and its seed alone, so the
bytes do not depend on the number of workers. `preprocessing.sharding.jobs` has plans,
markers and Beam.
"""

import collections
import concurrent.futures
import dataclasses
import functools
import hashlib
import importlib.metadata
import os
import sys
import threading
import zlib
from typing import Any, Deque, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from common import files
from model.sampling import Code
from preprocessing.data import manifest, png_encoding, records, taxonomy, tfrecords
from preprocessing.data.manifest import Box
from preprocessing.sharding.jobs import Content, Outputs, ShardJob
from synthesis import layouts as map_sampler
from synthesis import photograph_codes, provenance, trained_generator
from synthesis.layouts import Layout
from synthesis.photograph_codes import Source
from synthesis.trained_generator import TrainedGenerator

IMAGES = "images"
_BATCHES_WAITING = 4  # to be encoded; more than one, since the encoder gives way
# Number in the shard, record, the record as it stands in the file, pixels.
_Encoded = Tuple[int, records.Record, bytes, np.ndarray]
# What the bytes of a shard depend on, beside the generator's weights: a finished one is
# made anew when one of these has changed. A test compares them with what is imported.
MODULES = (
    "common.pseudonyms",
    "model.encoder",
    "model.generator",
    "model.images",
    "model.layers",
    "model.modulation",
    "model.noise",
    "model.numpy_noise",
    "model.sampling",
    "model.serving",
    "preprocessing.data.manifest",
    "preprocessing.data.maps",
    "preprocessing.data.photographs",
    "preprocessing.data.png_encoding",
    "preprocessing.data.records",
    "preprocessing.data.taxonomy",
    "preprocessing.data.tfrecords",
    "synthesis.layouts",
    "synthesis.painting",
    "synthesis.photograph_codes",
    "synthesis.provenance",
    "synthesis.trained_generator",
    "training.run_directory",
)


@functools.lru_cache(maxsize=None)
def program() -> str:
    """Identifies what makes the bytes of shards: our modules, TensorFlow and the codec."""
    packages = map(importlib.metadata.version, ("numpy", "tensorflow", "tensorflow-addons"))
    versions = [records.FORMAT_VERSION, zlib.ZLIB_RUNTIME_VERSION, *packages]
    return files.program_digest(MODULES, versions)


@dataclasses.dataclass(frozen=True)
class ShardPlan:
    """What to paint into one record file.

    Attributes:
      name: of the record file.
      run_dir: of the generator, absolute.
      step: of its checkpoint.
      generator_digest: of the generator, which the worker checks.
      first: number of the shard's first image in the job.
      seed: of the job.
      images_per_map: images in a row that are painted from one layout.
      layouts: one per map.
      png: whether to write PNG files as well.
      batch_size: images painted at once.
      like: photograph whose code is used, which the worker reads itself; None draws codes.
      seeds: those asked for, by map, None for the job's; () where none is.
    """

    name: str
    run_dir: str
    step: int
    generator_digest: str
    first: int
    seed: int
    images_per_map: int
    layouts: Tuple[Layout, ...]
    png: bool
    batch_size: int
    like: Optional[Source] = None
    seeds: Tuple[Optional[int], ...] = ()

    @property
    def count(self) -> int:
        """Returns the number of images."""
        return len(self.layouts) * self.images_per_map

    def to_json(self) -> Dict[str, Any]:
        """Returns the plan as JSON knows it."""
        # `dataclasses.asdict` takes as long for the layouts as a batch takes to paint.
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        fields["layouts"] = [(one.condition, one.skin_type, one.boxes) for one in self.layouts]
        fields["like"] = self.like and dataclasses.asdict(self.like)
        return fields

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "ShardPlan":
        """Reads `to_json` back."""
        layouts = tuple(
            Layout(condition, skin_type, tuple(Box(*box) for box in boxes))
            for condition, skin_type, boxes in fields["layouts"]
        )
        like = fields["like"] and Source(**fields["like"])
        seeds = tuple(fields["seeds"])
        return cls(**{**fields, "layouts": layouts, "like": like, "seeds": seeds})

    def seed_of(self, number: int) -> int:
        """Returns the seed that image `number` of the shard is painted with, int64."""
        asked = self.seeds[number // self.images_per_map] if self.seeds else None
        return image_seed(self.seed, self.first + number) if asked is None else asked


def origin(plan: Mapping[str, Any]) -> Dict[str, str]:
    """Returns the digests of a plan's input and settings, wherever the generator lies."""
    drawn = [plan[name] for name in ("generator_digest", "layouts", "first", "seeds")]
    if plan["like"]:
        drawn += [plan["like"]["photograph"], plan["like"]["digest"]]
    settings = [plan[name] for name in ("seed", "images_per_map", "png")]
    return {"input": files.digest_of(drawn), "settings": files.digest_of(settings)}


def shard_job(folder: str, png: bool) -> ShardJob:
    """Returns the job that paints shards into a folder."""
    kinds = ("crops", IMAGES) if png else ("crops",)
    return ShardJob(files.absolute(folder), kinds, write_shard, origin, program)


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


def _give_way() -> None:
    """Lets the thread run where the generator leaves a core idle.

    As an equal it would stop one of the generator's threads in the middle of an
    operation, and all others wait for that one.
    """
    if sys.platform == "linux":  # elsewhere the priority is that of the process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def write_shard(fields: Mapping[str, Any], outputs: Outputs) -> Content:
    """Paints a shard.

    Args:
      fields: a `ShardPlan`, as JSON.
      outputs: where to.

    Returns:
      images: how many.
      counts: by condition and skin type.
      differences: for each map of several images, the mean absolute difference of two
        of them, in levels of 255.

    Raises:
      ValueError: the generator, or the photograph whose code is used, is not the planned one.
    """
    plan = ShardPlan.from_json(fields)
    generator = _generator(plan.run_dir, plan.step)
    if generator.digest != plan.generator_digest:
        raise ValueError(f"{plan.run_dir}: step {plan.step} has changed since the job was planned")
    code = photograph_codes.read_again(generator, plan.like) if plan.like else None
    file = outputs.records("crops")
    differences: List[float] = []
    previous: Optional[np.ndarray] = None
    with concurrent.futures.ThreadPoolExecutor(1, initializer=_give_way) as encoder:
        for number, record, data, image in _encoded(plan, generator, code, encoder):
            file.append(data, record.condition, record.fitzpatrick)
            if plan.png:
                outputs.write(f"{IMAGES}/{record.image_id}.png", record.image_png)
            if number % plan.images_per_map == 1 and previous is not None:
                differences.append(float(np.abs(image.astype(np.int16) - previous).mean()))
            previous = image
    return {"images": plan.count, "counts": file.counts, "differences": differences}


def _encoded(
    plan: ShardPlan,
    generator: TrainedGenerator,
    code: Optional[Code],
    encoder: concurrent.futures.Executor,
) -> Iterator[_Encoded]:
    """Encodes batches while the next ones are painted."""
    waiting: Deque[concurrent.futures.Future] = collections.deque()
    for first in range(0, plan.count, plan.batch_size):
        numbers = range(first, min(first + plan.batch_size, plan.count))
        layouts = [plan.layouts[number // plan.images_per_map] for number in numbers]
        seeds = [plan.seed_of(number) for number in numbers]
        maps = map_sampler.draw(layouts, generator.image_size)
        images = _paint(generator, maps, seeds, plan.batch_size, code)
        waiting.append(encoder.submit(_records, plan, numbers, layouts, seeds, maps, images))
        if len(waiting) > _BATCHES_WAITING:
            yield from waiting.popleft().result()
    for batch in waiting:
        yield from batch.result()


def _paint(
    generator: TrainedGenerator,
    maps: np.ndarray,
    seeds: Sequence[int],
    batch_size: int,
    code: Optional[Code],
) -> np.ndarray:
    """Paints a batch, filled up to its full size: sums round alike for every image."""
    missing = batch_size - len(maps)
    padded = np.concatenate([maps, np.repeat(maps[-1:], missing, axis=0)])
    values = np.array([*seeds, *[0] * missing], np.int64)
    codes = code and photograph_codes.repeat(code, batch_size)
    return generator.generate(padded, values, codes)[: len(maps)]


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
            fitzpatrick_source="requested" if layout.skin_type else manifest.UNKNOWN,
            code_source=plan.like.photograph if plan.like else records.DRAWN_CODE,
        )
        done.append((number, record, tfrecords.frame(records.serialize(record)), image))
    return done
