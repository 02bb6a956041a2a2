"""Small record sets and runs, for the tests of this package and of those after it."""

import dataclasses
import io
import json
import os
import pathlib
import shutil
from typing import Any, Iterable, Sequence
from unittest import mock

import ml_collections
import numpy as np
import tensorflow as tf
from PIL import Image

from common import files
from preprocessing.data import maps, records, taxonomy, tfrecords
from preprocessing.data.manifest import Box
from training import run_directory
from training.configs import demo
from training.run import Result, Run

IMAGE_SIZE = 32

# Names the file that `testing_fixture` wrote, where there is one.
FIXTURE = "DERMGAN_TEST_FIXTURE"
# `small_config` on a command line.
SMALL_SETTINGS = (
    f"--config.model.image_size={IMAGE_SIZE}",
    "--config.model.base_filters=4",
    "--config.discriminator.base_filters=4",
    "--config.discriminator.scales=1",
    "--config.encoder.base_filters=0",
    "--config.loss.kl=0",
    "--config.loss.code=0",
    "--config.training.batch_size=4",
    "--config.training.num_samples=2",
)

# Graphs this small are not worth the seconds that optimizing them takes.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

_SHARED_SPLITS = (24, 8, 16)
_SHARED_TRAINING: dict[str, Any] = {"steps": 2}
_RESULT = "result.json"


def png(image: np.ndarray) -> bytes:
    """Returns an encoded image."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def write_records(path: pathlib.Path, crops: Iterable[records.Record]) -> None:
    """Writes a record file."""
    path.write_bytes(b"".join(tfrecords.frame(records.serialize(crop)) for crop in crops))


def write_dataset(
    folder: str,
    image_size: int = IMAGE_SIZE,
    conditions: Sequence[str] = ("Acne", "Melanoma", "Vitiligo"),
    per_split: Sequence[int] = (24, 8, 8),
    shards: int = 2,
    digest: str = "0" * 64,
) -> records.DatasetInfo:
    """Writes records whose photographs are grey skin with a disc in the box.

    A photograph's `full/` record holds the same image as its crop.

    Args:
      folder: receives `crops/`, `full/` and `dataset.json`.
      image_size: rows and columns.
      conditions: taken in turn.
      per_split: examples of train, validation and test.
      shards: per split.
      digest: that `dataset.json` names.

    Returns:
      The description, as `records.read_info` reads it.
    """
    root = pathlib.Path(folder)
    for kind in ("crops", "full"):
        (root / kind).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    counts: dict = {"crops": {}, "full": {}}
    for split, number in zip(("train", "validation", "test"), per_split):
        crops = []
        for index in range(number):
            condition = conditions[index % len(conditions)]
            skin_type = 1 + index % 6
            low = rng.integers(2, image_size // 2, 2)
            box = Box(*low, *(low + image_size // 3))
            image = np.full((image_size, image_size, 3), 250 - 35 * skin_type, np.uint8)
            image[
                int(box.y0) : int(box.y1), int(box.x0) : int(box.x1), taxonomy.code(condition) % 3
            ] = 20
            drawn = maps.encode(skin_type, taxonomy.code(condition), [box], image_size, image_size)
            name = f"{split}{index}"
            crop = records.Record(
                png(image),
                png(drawn),
                image_size,
                image_size,
                (box,),
                condition,
                skin_type,
                name,
                name,
                name,
            )
            crops.append(crop)
            for by_split in counts.values():
                by_type = by_split.setdefault(split, {}).setdefault(condition, {})
                by_type[str(skin_type)] = by_type.get(str(skin_type), 0) + 1
        for shard in range(shards):
            name = records.shard_name(split, shard, shards)
            write_records(root / "crops" / name, crops[shard::shards])
            whole = [dataclasses.replace(crop, map_png=b"") for crop in crops[shard::shards]]
            write_records(root / "full" / name, whole)
    info = records.DatasetInfo(
        image_size=image_size,
        full_size=image_size,
        taxonomy=taxonomy.CONDITIONS,
        counts=counts,
        digest=digest,
        settings={},
        packages={},
    )
    (root / "dataset.json").write_text(info.to_json(), encoding="utf-8")
    return info


def small_config(**training: Any) -> ml_collections.ConfigDict:
    """Returns the demo's configuration, so small that it trains in seconds.

    One discriminator and no encoder: tracing them is what takes the time.

    Args:
      **training: fields of `config.training` to set.
    """
    config = demo.get_config()
    config.model.image_size = IMAGE_SIZE
    config.model.base_filters = config.discriminator.base_filters = 4
    config.discriminator.scales = 1
    config.encoder.base_filters = 0
    config.loss.kl = config.loss.code = 0.0
    config.training.batch_size = 4
    config.training.steps = 6
    config.training.log_every = 2
    config.training.checkpoint_every = 4
    config.training.sample_every = 4
    config.training.num_samples = 4
    config.training.precision = "float32"
    config.training.update(training)
    return config


def train_run(folder: str, per_split: Sequence[int] = _SHARED_SPLITS, **training: Any) -> Result:
    """Writes records to FOLDER/data and trains a small run in FOLDER/runs/small.

    The run of two steps, which many tests want, has an encoder, too, and is copied
    from the fixture where there is one.
    """
    shared = tuple(per_split) == _SHARED_SPLITS and training == _SHARED_TRAINING
    if shared and os.environ.get(FIXTURE):
        return _copy_shared_run(os.path.abspath(os.environ[FIXTURE]), pathlib.Path(folder))
    data_dir, run_dir = (os.path.join(folder, name) for name in ("data", "runs/small"))
    write_dataset(data_dir, per_split=per_split)
    config = small_config(**training)
    if shared:
        config.encoder.base_filters = 4
        config.loss.update({name: demo.get_config().loss[name] for name in ("kl", "code")})
    return Run(config, data_dir, run_dir).train()


def make_shared_run(folder: str) -> None:
    """Makes what `train_run` copies: it does not depend on where it lies."""
    with mock.patch.dict(os.environ, {FIXTURE: ""}):
        result = train_run(folder, **_SHARED_TRAINING)
    _set_directory(result.workdir, "data")
    stored = {"steps": result.steps, "validation": result.validation}
    files.write_json(os.path.join(folder, _RESULT), stored)


def _copy_shared_run(fixture: str, root: pathlib.Path) -> Result:
    shutil.unpack_archive(fixture, root)
    stored = json.loads((root / _RESULT).read_text(encoding="utf-8"))
    (root / _RESULT).unlink()
    run_dir = str(root / "runs" / "small")
    _set_directory(run_dir, str(root / "data"))
    return Result(run_dir, **stored)


def _set_directory(run_dir: str, directory: str) -> None:
    description = run_directory.read_description(run_dir)
    description["dataset"]["directory"] = directory
    files.write_json(os.path.join(run_dir, run_directory.CONFIG), description)
