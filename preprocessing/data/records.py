"""The TFRecord schema, shared by the writer and every reader.

A data set directory holds

  crops/{train,validation,test}-?????-of-?????.tfrecord   image / map pairs
  full/{train,validation,test}-?????-of-?????.tfrecord    whole photographs
  dataset.json                                            what they are

Box features use the names of the TF Object Detection API. Images and maps are
PNG: lossless, because FID is sensitive to JPEG.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
import re
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Tuple

from preprocessing.data import taxonomy, tfrecords
from preprocessing.data.manifest import SPLITS, Box

if TYPE_CHECKING:
    import tensorflow as tf

FORMAT_VERSION = 1
UNKNOWN_SKIN_TYPE = 0
_BOX_SIDES = ("ymin", "xmin", "ymax", "xmax")
_SHARD = re.compile(r"^(?P<split>\w+)-(?P<index>\d{5})-of-(?P<count>\d{5})\.tfrecord$")


@dataclasses.dataclass(frozen=True)
class Record:
    """One example, crop or whole photograph.

    Attributes:
      image_png: the photograph, PNG-encoded uint8 RGB.
      map_png: its semantic map of the same size, PNG; empty for `full/` records.
      height: rows of both.
      width: columns of both.
      boxes: ROI boxes in pixels of this image.
      condition: an entry of `taxonomy.CONDITIONS`.
      fitzpatrick: 1..6, or `UNKNOWN_SKIN_TYPE` (possible in `full/` only).
      case_id: see `cases.Photograph`.
      patient_id: see `cases.Photograph`.
      image_id: see `cases.Photograph`; the crops of a photograph share it.
      synthetic: whether a program made the image.
      seed: that a generated image was painted with.
      generator_digest: sha256 of the generator, as hex; "" where it is not known.
    """

    image_png: bytes
    map_png: bytes
    height: int
    width: int
    boxes: Tuple[Box, ...]
    condition: str
    fitzpatrick: int
    case_id: str
    patient_id: str
    image_id: str
    synthetic: bool = False
    seed: int = 0
    generator_digest: str = ""


def serialize(record: Record) -> bytes:
    """Returns the record as a serialized `tf.train.Example`, byte-stable."""
    width, height = record.width, record.height
    features: Dict[str, tfrecords.Feature] = {
        "image/encoded": record.image_png,
        "image/height": height,
        "image/width": width,
        "image/object/bbox/xmin": [box.x0 / width for box in record.boxes],
        "image/object/bbox/ymin": [box.y0 / height for box in record.boxes],
        "image/object/bbox/xmax": [box.x1 / width for box in record.boxes],
        "image/object/bbox/ymax": [box.y1 / height for box in record.boxes],
        "condition": record.condition.encode(),
        "condition/code": taxonomy.code(record.condition),
        "fitzpatrick": record.fitzpatrick,
        "case_id": record.case_id.encode(),
        "patient_id": record.patient_id.encode(),
        "image_id": record.image_id.encode(),
    }
    if record.map_png:
        features["map/encoded"] = record.map_png
    if record.synthetic:
        features["synthetic"] = 1
        features["seed"] = record.seed
        features["generator/digest"] = record.generator_digest.encode()
    return tfrecords.encode_example(features)


@functools.lru_cache(maxsize=None)
def _schema(with_map: bool) -> Mapping[str, Any]:
    import tensorflow as tf  # Only readers need it; writers start in a tenth of the time.

    texts = ("image/encoded", "condition", "case_id", "patient_id", "image_id")
    numbers = ("image/height", "image/width", "condition/code", "fitzpatrick")
    features: Dict[str, Any] = {name: tf.io.FixedLenFeature([], tf.string) for name in texts}
    features.update({name: tf.io.FixedLenFeature([], tf.int64) for name in numbers})
    # Photographs do not carry these.
    features["synthetic"] = tf.io.FixedLenFeature([], tf.int64, 0)
    features["seed"] = tf.io.FixedLenFeature([], tf.int64, 0)
    features["generator/digest"] = tf.io.FixedLenFeature([], tf.string, "")
    for side in _BOX_SIDES:
        features[f"image/object/bbox/{side}"] = tf.io.VarLenFeature(tf.float32)
    if with_map:
        features["map/encoded"] = tf.io.FixedLenFeature([], tf.string)
    return features


def _parse(serialized: tf.Tensor, with_map: bool) -> Dict[str, tf.Tensor]:
    import tensorflow as tf

    parsed = tf.io.parse_single_example(serialized, _schema(with_map))
    boxes = [tf.sparse.to_dense(parsed.pop(f"image/object/bbox/{side}")) for side in _BOX_SIDES]
    parsed["boxes"] = tf.stack(boxes, axis=-1)
    return parsed


def parse_crop(serialized: tf.Tensor) -> Dict[str, tf.Tensor]:
    """Parses a `crops/` record; images stay encoded.

    Args:
      serialized: string scalar.

    Returns:
      The features of the schema by name (scalars), with the four box features
      joined as `boxes`, float32 [N, 4], rows (ymin, xmin, ymax, xmax) in [0, 1],
      the order of `tf.image`.
    """
    return _parse(serialized, with_map=True)


def parse_full(serialized: tf.Tensor) -> Dict[str, tf.Tensor]:
    """Parses a `full/` record; as `parse_crop`, without a map."""
    return _parse(serialized, with_map=False)


def decode_png(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes a PNG of a record to uint8 [H, W, 3]."""
    import tensorflow as tf

    return tf.ensure_shape(tf.io.decode_png(encoded, channels=3), [None, None, 3])


def shard_name(split: str, index: int, count: int) -> str:
    """Returns a shard's file name, e.g. "train-00002-of-00016.tfrecord"."""
    return f"{split}-{index:05d}-of-{count:05d}.tfrecord"


def list_shards(data_dir: str, kind: str, split: str) -> List[str]:
    """Lists the record files of a split, sorted.

    Args:
      data_dir: what `//preprocessing:preprocess` wrote.
      kind: "crops" or "full".
      split: "train", "validation" or "test".

    Raises:
      ValueError: unknown split, none found, or some missing.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is not one of {', '.join(SPLITS)}")
    folder = pathlib.Path(data_dir) / kind
    found = {}
    counts = set()
    for path in sorted(folder.glob(f"{split}-*.tfrecord")):
        match = _SHARD.match(path.name)
        if match and match["split"] == split:
            found[int(match["index"])] = str(path)
            counts.add(int(match["count"]))
    if not found:
        raise ValueError(f"{folder}: no {split} records; make them with //preprocessing:preprocess")
    if len(counts) > 1:
        raise ValueError(f"{folder}: {split} shards of different runs: -of-{sorted(counts)}")
    missing = sorted(set(range(counts.pop())) - set(found))
    if missing:
        raise ValueError(f"{folder}: {split} shard {missing[0]:05d} is missing")
    return [found[index] for index in sorted(found)]


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """What `dataset.json` says.

    Attributes:
      image_size: rows and columns of the crops.
      full_size: longer side of the `full/` photographs.
      taxonomy: condition names by code.
      counts: examples by kind ("crops", "full"), split, condition and skin type
        (as text; "0" is unknown).
      digest: sha256 over the contents of the record files, as hex.
      settings: the options that made the records.
      packages: versions of the packages that made them.
      notes: figures that a reader of the counts should know, e.g. how many crops
        show their lesion only in part.
    """

    image_size: int
    full_size: int
    taxonomy: Tuple[str, ...]
    counts: Mapping[str, Mapping[str, Mapping[str, Mapping[str, int]]]]
    digest: str
    settings: Mapping[str, Any]
    packages: Mapping[str, str]
    notes: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def to_json(self) -> str:
        """Returns the text of `dataset.json`."""
        fields = {"format_version": FORMAT_VERSION, **dataclasses.asdict(self)}
        return json.dumps(fields, indent=2, sort_keys=True) + "\n"

    def count(self, kind: str, split: str) -> int:
        """Returns the number of examples of a kind in a split."""
        return sum(sum(by_type.values()) for by_type in self.counts[kind].get(split, {}).values())


def read_info(data_dir: str) -> DatasetInfo:
    """Reads and checks `dataset.json`.

    Raises:
      ValueError: missing, unreadable, of another format or of another taxonomy.
    """
    path = pathlib.Path(data_dir) / "dataset.json"
    if not path.is_file():
        raise ValueError(f"{path}: no such file; make a data set with //preprocessing:preprocess")
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        version = fields.pop("format_version")
        info = DatasetInfo(**{**fields, "taxonomy": tuple(fields["taxonomy"])})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not a data set description ({error})") from error
    if version != FORMAT_VERSION:
        raise ValueError(f"{path}: format version {version}, this program reads {FORMAT_VERSION}")
    if info.taxonomy != taxonomy.CONDITIONS:
        ours, theirs = set(taxonomy.CONDITIONS), set(info.taxonomy)
        what = f"lacks {sorted(ours - theirs)}, adds {sorted(theirs - ours)}"
        if ours == theirs:
            what = "the same conditions in another order"
        raise ValueError(f"{path}: another taxonomy: {what}")
    return info
