"""The images of the experiment: photographs and generated ones, and what may not mix.

The paper's classifier sees uncropped photographs: `full/` records; it may see `crops/`
instead. Generated images are `crops/` records. Both are scaled to a square (the aspect
ratio is not kept, as usual for MobileNet), so that their shape does not tell them apart;
decoded once, they are kept at one size on disk.
"""

import dataclasses
import hashlib
import io
import json
import pathlib
import zipfile
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf
from absl import logging

from common import files
from preprocessing.data import photographs, records, taxonomy
from preprocessing.data.manifest import SPLITS
from synthesis import generation
from synthesis.trained_generator import TrainedGenerator
from synthesis.wanted import Request

EVERY = "every"  # split
_BATCH = 64
# Correlation at 32x32. 200 photographs of HAM10000, scaled or encoded again (JPEG 40), all
# have more than 0.992 with themselves; of 9 million pairs of other lesions none has 0.988.
_SAME_PHOTOGRAPH = 0.99
_COLUMNS = {  # of `Images`: field of the records
    "labels": "condition/code",
    "skin_types": "fitzpatrick",
    "skin_type_sources": "fitzpatrick/source",
    "image_ids": "image_id",
    "case_ids": "case_id",
    "patient_ids": "patient_id",
}


@dataclasses.dataclass(frozen=True)
class Images:
    """Images of one size and what is known of each.

    Attributes:
      pixels: uint8 [N, S, S, 3]; usually a file that is mapped into memory.
      labels: condition codes, int64 [N].
      skin_types: Fitzpatrick types, int64 [N]; 0 is unknown.
      skin_type_sources: who says the type, of `manifest.SKIN_TYPE_SOURCES`, texts [N].
      image_ids: texts [N].
      case_ids: texts [N].
      patient_ids: texts [N].
      digests: of each encoded image, hex texts [N].
    """

    pixels: np.ndarray
    labels: np.ndarray
    skin_types: np.ndarray
    skin_type_sources: np.ndarray
    image_ids: np.ndarray
    case_ids: np.ndarray
    patient_ids: np.ndarray
    digests: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, rows: np.ndarray) -> "Images":
        """Returns some of the images, by position, in memory."""
        fields = [field.name for field in dataclasses.fields(self)]
        return Images(**{name: getattr(self, name)[rows] for name in fields})

    @property
    def digest(self) -> str:
        """Returns what identifies the images, hex."""
        return hashlib.sha256("".join(self.digests.tolist()).encode()).hexdigest()


def _batches(
    data_dir: str, kind: str, split: str, size: int
) -> Iterable[Tuple[str, str, Dict[str, np.ndarray]]]:
    """Yields batches of pixels and of the fields of records, after their split and file."""
    names = ("image/encoded", "synthetic", *_COLUMNS.values())

    def decode(serialized: tf.Tensor) -> Dict[str, tf.Tensor]:
        parsed = records.parse(serialized, names)
        image = tf.cast(records.decode_png(parsed["image/encoded"]), tf.float32)
        image = tf.image.resize(image, (size, size), antialias=True)
        return {"pixels": tf.saturate_cast(tf.round(image), tf.uint8), **parsed}

    info = records.read_info(data_dir)
    wanted = [split] if split != EVERY else [one for one in SPLITS if info.count(kind, one)]
    for split, shard in (
        (one, shard) for one in wanted for shard in records.list_shards(data_dir, kind, one)
    ):
        decoded = records.stream([shard]).map(decode, tf.data.AUTOTUNE)
        with records.naming(shard, kind):
            for batch in decoded.batch(_BATCH).prefetch(2):
                columns = {name: value.numpy() for name, value in batch.items()}
                marked = [photographs.says_generated(one) for one in columns["image/encoded"]]
                columns["synthetic"] = columns["synthetic"].astype(bool) | marked
                yield split, shard, columns


def _decode_to_file(
    data_dir: str,
    kind: str,
    split: str,
    size: int,
    synthetic: bool,
    labels: Optional[Sequence[int]],
    path: pathlib.Path,
) -> Dict[str, np.ndarray]:
    """Writes the pixels to a file and returns the other fields of `Images`."""
    columns: Dict[str, List[Any]] = {name: [] for name in (*_COLUMNS, "digests")}
    with open(path, "wb") as file:
        for part, shard, batch in _batches(data_dir, kind, split, size):
            records.check_synthetic(shard, part, bool(batch["synthetic"].any()))
            kept = batch["synthetic"] == synthetic
            if labels is not None:
                kept &= np.isin(batch[_COLUMNS["labels"]], labels)
            file.write(batch["pixels"][kept].tobytes())
            encoded = batch["image/encoded"][kept]
            columns["digests"] += [hashlib.sha256(one).hexdigest() for one in encoded]
            for name, field in _COLUMNS.items():
                values = batch[field][kept].tolist()
                columns[name] += [v.decode() if isinstance(v, bytes) else v for v in values]
    return {name: np.array(values) for name, values in columns.items()}


def read_images(
    data_dir: str,
    kind: str,
    split: str,
    size: int,
    cache_dir: str,
    synthetic: bool = False,
    labels: Optional[Sequence[int]] = None,
) -> Images:
    """Reads the images of a split, or takes them from the cache.

    Args:
      data_dir: what `//preprocessing:preprocess` or `//synthesis:generate` wrote.
      kind: "full" or "crops".
      split: "train", "validation" or "test", or `EVERY`, for a test set that nothing was
        trained on.
      size: rows and columns that images are scaled to.
      cache_dir: folder for the decoded images.
      synthetic: whether to take the generated images or the photographs of a split.
      labels: codes of the conditions to take, sorted; all by default.

    Raises:
      ValueError: no such records, corrupt ones, none of the kind that is wanted, or
        synthetic images outside the training split.
    """
    digest = records.read_info(data_dir).digest
    what = "synthetic" if synthetic else "photographs"
    of = "" if labels is None else "_of_" + "_".join(map(str, labels))
    stem = pathlib.Path(cache_dir) / f"{digest[:16]}_{kind}_{split}_{size}_{what}{of}"
    table, pixels = stem.with_suffix(".npz"), stem.with_suffix(".uint8")
    if table.exists():
        try:
            return _read_cached(table, pixels, size)
        except (ValueError, OSError, EOFError, KeyError, TypeError, zipfile.BadZipFile) as error:
            logging.warning("%s: damaged (%s); the images are decoded again", table, error)
    with files.replacing(pixels) as temporary:
        columns = _decode_to_file(data_dir, kind, split, size, synthetic, labels, temporary)
        if not len(columns["digests"]):
            what = "synthetic image" if synthetic else "photograph"
            of = "" if labels is None else " of the wanted conditions"
            raise ValueError(f"{data_dir}: no {what}{of} in {kind}/{split}")
    file = io.BytesIO()
    np.savez(file, **columns, kept=files.sha256_of(pixels))
    files.write_bytes(table, file.getvalue())
    return _read_cached(table, pixels, size)


def _read_cached(table: pathlib.Path, pixels: pathlib.Path, size: int) -> Images:
    """Reads decoded images.

    Raises:
      ValueError, OSError, EOFError, KeyError, TypeError, BadZipFile: they are not what was kept.
    """
    with np.load(table) as kept:
        columns = dict(kept)
    if files.sha256_of(pixels) != str(columns.pop("kept")):
        raise ValueError(f"the digest of {pixels.name} is another")
    shape = (len(columns["digests"]), size, size, 3)
    return Images(pixels=np.memmap(pixels, np.uint8, "r", shape=shape), **columns)


def check_separate(test: Images, others: Sequence[Tuple[str, Images]], name: str = "test") -> None:
    """Checks that nothing of a test set was there to train on.

    Args:
      test: the test set.
      others: (name, images) of what training sees, validation included.
      name: of the test set, for messages.

    Raises:
      ValueError: a patient, or a photograph, that is on both sides.
    """
    for other_name, other in others:
        for what, ours, theirs in (
            ("patient", test.patient_ids, other.patient_ids),
            ("photograph", test.digests, other.digests),
        ):
            shared = np.flatnonzero(np.isin(ours, theirs))
            if len(shared):
                first = shared[0]
                which = test.patient_ids[first] if what == "patient" else test.image_ids[first]
                raise ValueError(
                    f"{name}: {what} {which!r} is in {other_name} too, with {len(shared)} images: "
                    "a test on it would measure memory"
                )


def check_other_data(test: Images, others: Sequence[Tuple[str, Images]], name: str) -> None:
    """Checks that photographs of another data set are not those that training sees.

    Numbers of patients mean nothing from one data set to another, so pictures are
    compared: two that are the same at 32x32, but for noise, are one photograph.

    Raises:
      ValueError: a photograph that is on both sides.
    """
    ours = _thumbnails(test)
    for other_name, other in others:
        theirs = _thumbnails(other)
        for start in range(0, len(ours), 256):
            closest = (ours[start : start + 256] @ theirs.T).max(axis=1)
            found = np.flatnonzero(closest > _SAME_PHOTOGRAPH)
            if len(found):
                which = test.image_ids[start + found[0]]
                raise ValueError(
                    f"{name}: photograph {which!r} is in {other_name} too: a test on it would "
                    "measure memory"
                )


def _thumbnails(images: Images) -> np.ndarray:
    """Returns small grey pictures, each with mean 0 and length 1, float32 [N, 1024]."""
    parts = []
    for start in range(0, len(images), _BATCH):
        pixels = tf.cast(images.pixels[start : start + _BATCH], tf.float32)
        small = tf.image.resize(pixels, (32, 32), antialias=True)
        parts.append(tf.reduce_mean(small, axis=-1).numpy().reshape(len(small), -1))
    flat = np.concatenate(parts)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


def no_images_like(images: Images) -> Images:
    """Returns an empty set of images of the same size."""
    return images.select(np.zeros(0, np.int64))


def counts_by_condition(images: Images) -> np.ndarray:
    """Returns the number of images by condition code of the taxonomy, int64 [K]."""
    return np.bincount(images.labels, minlength=len(taxonomy.conditions()))


@dataclasses.dataclass(frozen=True)
class SyntheticSource:
    """Generated images as records, there or still to be painted.

    Attributes:
      data_dir: what `//synthesis:generate` writes.
      count: number of images.
      protocol: what the images depend on.
      job: what paints them, with its generator; None where they are there.
    """

    data_dir: str
    count: int
    protocol: Mapping[str, Any]
    job: Optional[Tuple[generation.Job, TrainedGenerator]] = None

    def prepare(self) -> None:
        """Paints the images, or finds them painted; a job that was stopped goes on."""
        if self.job:
            generation.generate(*self.job)


def _check_generator(digest: Optional[str], data_dir: str, name: str) -> None:
    """Raises ValueError if a generator was trained on other records than the classifier's.

    Another data set, or another split of the same, may hold test patients.
    """
    expected = records.read_info(data_dir).digest
    if digest != expected:
        raise ValueError(
            f"{name}: the generator was trained on another data set ({str(digest)[:12]}) than "
            f"{data_dir} ({expected[:12]}); it may have seen test patients"
        )


def given_images(synthetic_dir: str, data_dir: str) -> SyntheticSource:
    """Takes images that are generated already.

    Args:
      synthetic_dir: what `//synthesis:generate` wrote.
      data_dir: the classifier's records.

    Raises:
      ValueError: not such a folder, an unfinished job, a damaged one, or a generator of
        another data set.
    """
    path = pathlib.Path(synthetic_dir) / generation.MANIFEST
    try:
        manifest: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        source = manifest["generator"]
        trained_on, count = source["training_data_digest"], int(manifest["images"])
        shards = dict(manifest["shards"])
        protocol = {
            "digest": manifest["dataset_digest"],
            "images": count,
            "generator_digest": source["digest"],
        }
    except FileNotFoundError as error:
        raise ValueError(
            f"{path}: no such file; {synthetic_dir} is not a finished job of //synthesis:generate"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not the manifest of generated images ({error!r})") from error
    generation.check_records(synthetic_dir, shards)
    _check_generator(trained_on, data_dir, synthetic_dir)
    return SyntheticSource(synthetic_dir, count, protocol)


def planned_images(
    generator: TrainedGenerator,
    data_dir: str,
    output_dir: str,
    number: int,
    balance: Sequence[str],
    seed: int = 0,
) -> SyntheticSource:
    """Plans to paint the images.

    Args:
      generator: trained on `data_dir`.
      data_dir: the classifier's records.
      output_dir: folder of the job.
      number: of images.
      balance: axes along which to fill what training lacks; empty is as in training.
      seed: of maps and images.

    Raises:
      ValueError: a generator of another data set, or a request that cannot be met.
    """
    _check_generator(generator.description["dataset"].get("digest"), data_dir, generator.run_dir)
    request = Request(num_images=number, balance=tuple(balance))
    job, *_ = generation.plan(request, generator, data_dir, output_dir, seed=seed)
    protocol = {
        "images": number,
        "balance": list(balance),
        "seed": seed,
        "generator_digest": generator.digest,
    }
    return SyntheticSource(output_dir, number, protocol, (job, generator))
