"""Images for the classifier, decoded once and kept at one size on disk.

The paper's classifier sees uncropped photographs: `full/` records. Generated images
are `crops/` records. Both are scaled to a square (the aspect ratio is not kept, as
usual for MobileNet), so that their shape does not tell them apart.
"""

import dataclasses
import hashlib
import os
import pathlib
from typing import Any, Dict, Iterable, List, Sequence, Tuple

import numpy as np
import tensorflow as tf

from preprocessing.data import record_errors, taxonomy
from preprocessing.data import records as examples
from preprocessing.data.manifest import SPLITS

_BATCH = 64
# Correlation at 32x32. 200 photographs of HAM10000, scaled or encoded again (JPEG 40), all
# have more than 0.992 with themselves; of 9 million pairs of other lesions none has 0.988.
_SAME_PHOTOGRAPH = 0.99
_TEXTS = ("image_id", "case_id", "patient_id")


@dataclasses.dataclass(frozen=True)
class Images:
    """Images of one size and what is known of each.

    Attributes:
      pixels: uint8 [N, S, S, 3]; usually a file that is mapped into memory.
      labels: condition codes, int64 [N].
      skin_types: Fitzpatrick types, int64 [N]; 0 is unknown.
      image_ids: texts [N].
      case_ids: texts [N].
      patient_ids: texts [N].
      digests: of each encoded image, hex texts [N].
    """

    pixels: np.ndarray
    labels: np.ndarray
    skin_types: np.ndarray
    image_ids: np.ndarray
    case_ids: np.ndarray
    patient_ids: np.ndarray
    digests: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def digest(self) -> str:
        """Returns what identifies the images, hex."""
        return hashlib.sha256("".join(self.digests.tolist()).encode()).hexdigest()


def _decoded(serialized: tf.Tensor, kind: str, size: int) -> Dict[str, tf.Tensor]:
    parse = examples.parse_crop if kind == "crops" else examples.parse_full
    parsed = parse(serialized)
    image = tf.cast(examples.decode_png(parsed["image/encoded"]), tf.float32)
    image = tf.image.resize(image, (size, size), antialias=True)
    names = ("image/encoded", "condition/code", "fitzpatrick", "synthetic", *_TEXTS)
    return {
        "pixels": tf.saturate_cast(tf.round(image), tf.uint8),
        **{name: parsed[name] for name in names},
    }


def _batches(
    data_dir: str, kind: str, split: str, size: int
) -> Iterable[Tuple[str, Dict[str, Any]]]:
    for shard in examples.list_shards(data_dir, kind, split):
        records = tf.data.TFRecordDataset(shard)
        decoded = records.map(lambda one: _decoded(one, kind, size), tf.data.AUTOTUNE)
        with record_errors.naming(shard, kind):
            for batch in decoded.batch(_BATCH).prefetch(2):
                yield shard, {name: value.numpy() for name, value in batch.items()}


def _read(
    data_dir: str, kind: str, split: str, size: int, synthetic: bool, path: pathlib.Path
) -> Dict[str, np.ndarray]:
    """Writes the pixels to a file and returns the columns of what is known of each image."""
    columns: Dict[str, List[Any]] = {}
    with open(path, "wb") as file:
        for shard, batch in _batches(data_dir, kind, split, size):
            record_errors.check_synthetic(shard, split, bool(batch["synthetic"].any()))
            kept = batch.pop("synthetic").astype(bool) == synthetic
            batch = {name: values[kept] for name, values in batch.items()}
            file.write(batch.pop("pixels").tobytes())
            encoded = batch.pop("image/encoded")
            columns.setdefault("digest", []).extend(
                hashlib.sha256(one).hexdigest() for one in encoded
            )
            for name, values in batch.items():
                texts = name in _TEXTS
                columns.setdefault(name, []).extend(v.decode() if texts else v for v in values)
    return {name: np.array(values) for name, values in columns.items()}


def read_images(
    data_dir: str, kind: str, split: str, size: int, cache_dir: str, synthetic: bool = False
) -> Images:
    """Reads the images of a split, or takes them from the cache.

    Args:
      data_dir: what `//preprocessing:preprocess` or `//synthesis:generate` wrote.
      kind: "full" or "crops".
      split: "train", "validation" or "test".
      size: rows and columns that images are scaled to.
      cache_dir: folder for the decoded images.
      synthetic: whether to take the generated images or the photographs of a split.

    Raises:
      ValueError: no such records, corrupt ones, none of the kind that is wanted, or
        synthetic images outside the training split.
    """
    info = examples.read_info(data_dir)
    name = f"{kind}_{split}_{size}_{'synthetic' if synthetic else 'photographs'}"
    stem = pathlib.Path(cache_dir) / f"{info.digest[:16]}_{name}"
    table, pixels = stem.with_suffix(".npz"), stem.with_suffix(".uint8")
    if not table.exists():
        stem.parent.mkdir(parents=True, exist_ok=True)
        temporary = stem.with_suffix(f".{os.getpid()}.tmp")
        try:
            columns = _read(data_dir, kind, split, size, synthetic, temporary)
            if not columns or not len(columns["digest"]):
                what = "synthetic image" if synthetic else "photograph"
                raise ValueError(f"{data_dir}: no {what} in {kind}/{split}")
            temporary.replace(pixels)
        finally:
            temporary.unlink(missing_ok=True)
        with open(temporary, "wb") as file:
            np.savez(file, **columns)
        temporary.replace(table)
    columns = dict(np.load(table))
    number = len(columns["digest"])
    return Images(
        pixels=np.memmap(pixels, np.uint8, "r", shape=(number, size, size, 3)),
        labels=columns["condition/code"],
        skin_types=columns["fitzpatrick"],
        image_ids=columns["image_id"],
        case_ids=columns["case_id"],
        patient_ids=columns["patient_id"],
        digests=columns["digest"],
    )


def read_every_split(data_dir: str, size: int, cache_dir: str) -> Images:
    """Reads the photographs of all splits, for a test set that nothing was trained on."""
    info = examples.read_info(data_dir)
    splits = [split for split in SPLITS if info.count("full", split)]
    if not splits:
        raise ValueError(f"{data_dir}: no photograph in full/")
    parts = [read_images(data_dir, "full", split, size, cache_dir) for split in splits]
    return Images(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in dataclasses.fields(Images)
        }
    )


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


def none_of(images: Images) -> Images:
    """Returns an empty set of images of the same size."""
    fields = dataclasses.fields(images)
    return Images(**{field.name: getattr(images, field.name)[:0] for field in fields})


def class_counts(images: Images) -> np.ndarray:
    """Returns the number of images by condition code, int64 [27]."""
    return np.bincount(images.labels, minlength=len(taxonomy.CONDITIONS))
