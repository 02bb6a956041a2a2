"""The TFRecord schema: one writer and one reader.

A data set directory holds

  crops/{train,validation,test}-?????-of-?????.tfrecord   image / map pairs
  full/{train,validation,test}-?????-of-?????.tfrecord    whole photographs
  dataset.json                                            what they are

Box features use the names of the TF Object Detection API. Images and maps are
PNG: lossless, because FID is sensitive to JPEG.

`read` yields records in their order, for programs that look at each; `stream` and
`parse` are for `tf.data` pipelines. Only they import TensorFlow: writers start in a
tenth of the time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import math
import pathlib
import re
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

import numpy as np
from PIL import Image

from preprocessing.data import photographs, taxonomy, tfrecords
from preprocessing.data.manifest import SPLITS, Box

if TYPE_CHECKING:
    import tensorflow as tf

FORMAT_VERSION = 2
DRAWN_CODE = "drawn"
_DEMO_IMAGE = re.compile(r"^demo_\d+_\d+$")
_SHARD = re.compile(r"^(?P<split>\w+)-(?P<index>\d{5})-of-(?P<count>\d{5})\.tfrecord$")
_BOX_SIDES = tuple(f"image/object/bbox/{side}" for side in ("xmin", "ymin", "xmax", "ymax"))
# Features of a record beside its boxes: the attribute of `Record` and its type.
_FEATURES: Mapping[str, Tuple[str, type]] = {
    "image/encoded": ("image_png", bytes),
    "map/encoded": ("map_png", bytes),
    "image/height": ("height", int),
    "image/width": ("width", int),
    "condition": ("condition", str),
    "condition/code": ("condition_code", int),
    "fitzpatrick": ("fitzpatrick", int),
    "fitzpatrick/source": ("fitzpatrick_source", str),
    "case_id": ("case_id", str),
    "patient_id": ("patient_id", str),
    "image_id": ("image_id", str),
    "ita": ("ita", float),
    "monk": ("monk", int),
    "synthetic": ("synthetic", bool),
    "seed": ("seed", int),
    "generator/digest": ("generator_digest", str),
    "code/source": ("code_source", str),
}
# Features that records may lack, and what that says; photographs lack the map, too.
_OPTIONAL: Mapping[str, Any] = {
    "ita": None,
    "monk": None,
    "synthetic": False,
    "seed": 0,
    "generator/digest": "",
    "code/source": "",
}
_READ_AT_ONCE = 64


@dataclasses.dataclass(frozen=True)
class Record:
    """One example, crop or whole photograph.

    Attributes:
      image_png: the photograph, PNG-encoded uint8 RGB.
      map_png: its semantic map of the same size, PNG; empty for `full/` records.
      height: rows of both.
      width: columns of both.
      boxes: ROI boxes in pixels of this image.
      condition: a name of the taxonomy.
      fitzpatrick: 1..6, or `taxonomy.UNKNOWN_SKIN_TYPE`.
      case_id: see `manifest.Photograph`.
      patient_id: see `manifest.Photograph`.
      image_id: see `manifest.Photograph`; the crops of a photograph share it.
      synthetic: whether a program made the image.
      seed: that a generated image was painted with.
      generator_digest: sha256 of the generator, as hex; "" where it is not known.
      fitzpatrick_source: one of `manifest.SKIN_TYPE_SOURCES`.
      ita: individual typology angle of the skin, degrees; None where not measured.
      monk: Monk skin tone, 1..10; None where not annotated.
      code_source: of a generated image's code: `DRAWN_CODE`, or the pseudonym of the
        photograph whose code was used; "" where it is not known.
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
    fitzpatrick_source: str = "annotated"
    ita: Optional[float] = None
    monk: Optional[int] = None
    code_source: str = ""

    @property
    def condition_code(self) -> int:
        """The taxonomy's code of the condition."""
        return taxonomy.code(self.condition)

    def image(self) -> np.ndarray:
        """Decodes the photograph, uint8 [H, W, 3]."""
        return np.asarray(Image.open(io.BytesIO(self.image_png)).convert("RGB"))

    def semantic_map(self) -> np.ndarray:
        """Decodes the map, uint8 [H, W, 3]."""
        return np.asarray(Image.open(io.BytesIO(self.map_png)).convert("RGB"))


def serialize(record: Record) -> bytes:
    """Returns the record as a serialized `tf.train.Example`, byte-stable."""
    size = (record.width, record.height) * 2
    features: Dict[str, tfrecords.Feature] = {
        name: [box[side] / size[side] for box in record.boxes]
        for side, name in enumerate(_BOX_SIDES)
    }
    for name, (attribute, _) in _FEATURES.items():
        value = getattr(record, attribute)
        if value != _OPTIONAL.get(name, b""):
            features[name] = value
    return tfrecords.encode_example(features)


def stream(
    shards: tf.Tensor, codes: Optional[Iterable[int]] = None, files_at_once: int = 1
) -> tf.data.Dataset:
    """Returns the serialized records of files, for `parse`.

    Args:
      shards: string [N], e.g. of `list_shards`.
      codes: of the conditions to keep; all by default.
      files_at_once: from how many files records are taken in turn.
    """
    import tensorflow as tf

    files = tf.data.Dataset.from_tensor_slices(shards)
    serialized = files.interleave(tf.data.TFRecordDataset, cycle_length=files_at_once)
    if codes is None:
        return serialized
    wanted = tf.constant(list(codes), tf.int64)
    return serialized.filter(
        lambda one: tf.reduce_any(parse(one, ["condition/code"])["condition/code"] == wanted)
    )


def parse(serialized: tf.Tensor, names: Iterable[str]) -> Dict[str, tf.Tensor]:
    """Parses records; images stay encoded.

    Args:
      serialized: string [B], or one scalar.
      names: features of the schema, but for the boxes.

    Returns:
      By name, bytes, int64 or float32 [B], or scalars.
    """
    import tensorflow as tf

    dtypes = {bytes: tf.string, str: tf.string, float: tf.float32}
    empty = {tf.string: b"", tf.float32: math.nan, tf.int64: 0}
    schema = {}
    for name in names:
        dtype = dtypes.get(_FEATURES[name][1], tf.int64)
        default = empty[dtype] if name in _OPTIONAL else None
        schema[name] = tf.io.FixedLenFeature([], dtype, default)
    return tf.io.parse_example(serialized, schema)


def decode_png(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes a PNG of a record to uint8 [H, W, 3]."""
    import tensorflow as tf

    return tf.ensure_shape(tf.io.decode_png(encoded, channels=3), [None, None, 3])


@contextlib.contextmanager
def naming(path: str, kind: str) -> Iterator[None]:
    """Turns TensorFlow's errors about a record file into `ValueError`s of one line.

    Args:
      path: of the file that is read within.
      kind: "crops" or "full".

    Raises:
      ValueError: the file is truncated or corrupt, or its records are of another kind.
    """
    import tensorflow as tf

    try:
        yield
    except tf.errors.DataLossError as error:
        good = 0
        with contextlib.suppress(tf.errors.DataLossError):
            for _ in tf.data.TFRecordDataset(path):
                good += 1
        message = f"{path}: truncated or corrupt TFRecord after {good} good records"
        raise ValueError(message) from error
    except tf.errors.InvalidArgumentError as error:
        reason = " ".join(error.message.rpartition("}} ")[2].partition(" [Op:")[0].split())
        name = "crop" if kind == "crops" else kind
        raise ValueError(f"{path}: not a {name} record: {reason}") from error


def read_file(
    path: str, kind: str, images: bool = True, at_once: int = _READ_AT_ONCE
) -> Iterator[Record]:
    """Yields the records of a file in their order, `at_once` parsed together; see `read`.

    An image whose own metadata say that a program made it is synthetic, whatever the record
    says.
    """
    import tensorflow as tf

    left_out = {"condition/code"}
    if kind == "full":
        left_out.add("map/encoded")
    if not images:
        left_out.add("image/encoded")
    names = [name for name in _FEATURES if name not in left_out]
    sides = {name: tf.io.RaggedFeature(tf.float32) for name in _BOX_SIDES}
    with naming(path, kind):
        batches = tf.data.TFRecordDataset(path).batch(at_once).prefetch(1)
        for serialized in batches:
            boxes = tf.io.parse_example(serialized, sides)
            columns = {
                _FEATURES[name][0]: _values(name, parsed)
                for name, parsed in parse(serialized, names).items()
            }
            size = (columns["width"], columns["height"])
            shares = tf.stack([boxes[side].values for side in _BOX_SIDES], axis=-1)
            ends = boxes[_BOX_SIDES[0]].row_splits
            columns["boxes"] = _pixel_boxes(shares.numpy(), ends.numpy(), *size)
            for values in zip(*columns.values()):
                fields = {"image_png": b"", "map_png": b"", **dict(zip(columns, values))}
                fields["synthetic"] |= photographs.says_generated(fields["image_png"])
                yield Record(**fields)


def _pixel_boxes(
    shares: np.ndarray, ends: np.ndarray, widths: List[int], heights: List[int]
) -> List[Tuple[Box, ...]]:
    """Boxes by record; those of record i are the rows `ends[i]` to `ends[i + 1]`."""
    size = np.stack([widths, heights] * 2, axis=-1)
    pixels = (shares.astype(np.float64) * np.repeat(size, np.diff(ends), axis=0)).tolist()
    return [
        tuple(Box(*box) for box in pixels[start:end]) for start, end in zip(ends[:-1], ends[1:])
    ]


def _values(name: str, parsed: tf.Tensor) -> List[Any]:
    """The values of a feature as `Record` has them."""
    values, kind = parsed.numpy().tolist(), _FEATURES[name][1]
    if kind is str:
        return [value.decode() for value in values]
    if name == "ita":
        return [None if math.isnan(value) else value for value in values]
    return [value or None for value in values] if name == "monk" else list(map(kind, values))


def check_synthetic(path: str, split: str, synthetic: bool) -> None:
    """Raises ValueError for a synthetic image outside the training split."""
    if synthetic and split != "train":
        raise ValueError(f"{path}: holds synthetic images; a {split} split is of photographs only")


def read(
    data_dir: str,
    kind: str,
    split: str,
    conditions: Optional[Iterable[str]] = None,
    images: bool = True,
) -> Iterator[Record]:
    """Yields the records of a split in their order.

    Args:
      data_dir: what `//preprocessing:preprocess` or `//synthesis:generate` wrote.
      kind: "crops" or "full".
      split: "train", "validation" or "test".
      conditions: those to keep; all by default.
      images: whether to read the photographs; without, `image_png` is empty.

    Raises:
      ValueError: no records, none of the conditions, a corrupt file, or a synthetic
        image outside the training split.
    """
    wanted = None if conditions is None else set(conditions)
    found = False
    for shard in list_shards(data_dir, kind, split):
        for record in read_file(shard, kind, images):
            check_synthetic(shard, split, record.synthetic)
            if wanted is None or record.condition in wanted:
                found = True
                yield record
    if not found:
        what = "crop" if kind == "crops" else "photograph"
        raise ValueError(f"{data_dir}: no {split} {what} of the wanted conditions")


def is_demo_image(image_id: str) -> bool:
    """Tells whether an id is one of the procedural demo cases'."""
    return bool(_DEMO_IMAGE.match(image_id))


def is_demo_dataset(data_dir: str, split: str, conditions: Optional[Iterable[str]] = None) -> bool:
    """Tells by the first crop of a split whether records are of the procedural demo cases."""
    return is_demo_image(next(read(data_dir, "crops", split, conditions, images=False)).image_id)


def shard_name(split: str, index: int, count: int) -> str:
    """Returns a shard's file name, e.g. "train-00002-of-00016.tfrecord"."""
    return f"{split}-{index:05d}-of-{count:05d}.tfrecord"


def is_shard(name: str) -> bool:
    """Tells whether a file's name is one of `shard_name`."""
    match = _SHARD.match(name)
    return match is not None and match["split"] in SPLITS


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
      aliases: condition by other spellings.
      counts: examples by kind ("crops", "full"), split, condition and skin type
        (as text; "0" is unknown).
      digest: sha256 over the contents of the record files, as hex.
      settings: the options that made the records.
      packages: versions of the packages that made them.
      notes: figures that a reader of the counts should know, e.g. how many crops
        show their lesion only in part.
      skin_type_sources: examples by kind and who says their skin type, one of
        `manifest.SKIN_TYPE_SOURCES`.
      monk: examples by kind and annotated Monk skin tone (as text).
    """

    image_size: int
    full_size: int
    taxonomy: Tuple[str, ...]
    counts: Mapping[str, Mapping[str, Mapping[str, Mapping[str, int]]]]
    digest: str
    settings: Mapping[str, Any]
    packages: Mapping[str, str]
    notes: Mapping[str, int] = dataclasses.field(default_factory=dict)
    skin_type_sources: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)
    aliases: Mapping[str, str] = dataclasses.field(default_factory=dict)
    monk: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)

    def to_json(self) -> str:
        """Returns the text of `dataset.json`."""
        fields = {"format_version": FORMAT_VERSION, **dataclasses.asdict(self)}
        return json.dumps(fields, indent=2, sort_keys=True) + "\n"

    @property
    def patients_unnamed(self) -> bool:
        """Whether each photograph counts as a patient, as where nobody named any."""
        photographs = self.notes.get("photographs", 0) - self.notes.get("synthetic", 0)
        return 1 < photographs == self.notes.get("patients")

    def count(self, kind: str, split: str) -> int:
        """Returns the number of examples of a kind in a split."""
        return sum(sum(by_type.values()) for by_type in self.counts[kind].get(split, {}).values())


def read_info(data_dir: str) -> DatasetInfo:
    """Reads and checks `dataset.json`, and adopts its taxonomy.

    Raises:
      ValueError: missing, unreadable, of another format, or of another taxonomy than
        what was read before.
    """
    path = pathlib.Path(data_dir) / "dataset.json"
    if not path.is_file():
        raise ValueError(f"{path}: no such file; make a data set with //preprocessing:preprocess")
    names = {field.name for field in dataclasses.fields(DatasetInfo)}
    info = None
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        version = int(fields["format_version"])
        if version == FORMAT_VERSION:  # Keys that this program does not know are for others.
            known = {name: value for name, value in fields.items() if name in names}
            info = DatasetInfo(**{**known, "taxonomy": tuple(known["taxonomy"])})
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a data set description ({error})") from error
    if info is None:
        cure = "; run preprocess again" if version < FORMAT_VERSION else ""
        raise ValueError(
            f"{path}: format version {version}, this program reads {FORMAT_VERSION}{cure}"
        )
    taxonomy.adopt(taxonomy.Taxonomy(info.taxonomy, info.aliases), str(path))
    return info
