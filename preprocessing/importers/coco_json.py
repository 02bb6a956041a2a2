"""What a COCO detection JSON says, as CVAT, Label Studio and others write it.

The format is cocodataset.org's `images`, `annotations`, `categories`; beyond it:

- CVAT has an `attributes` dictionary in each annotation.
- Label Studio has an image entry per *annotation task*, so that a photograph with
  several annotators comes several times, and (with
  LABEL_STUDIO_FORCE_ANNOTATOR_EXPORT) an `annotator` in each annotation. Photographs
  it did not download are named by URL.
- `file_name` may be a Windows path.
- VIA writes `image_id` as a text, polygons as one flat list, and a category several times.
- Roboflow has the name that a photograph was uploaded under in `extra`.
"""

import dataclasses
import hashlib
import json
import math
import pathlib
import re
import urllib.parse
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from preprocessing.data import manifest
from preprocessing.data.manifest import Box
from preprocessing.importers import files

# Keys of the format itself; what else an entry holds is an attribute of it.
_IMAGE_KEYS = frozenset(
    {"id", "width", "height", "file_name", "license", "flickr_url", "coco_url", "date_captured"}
    | {"attributes", "extra", "path"}
)
_ANNOTATION_KEYS = frozenset(
    {"id", "image_id", "category_id", "segmentation", "area", "bbox", "iscrowd", "ignore"}
    | {"attributes"}
)
# CVAT's own attributes, which describe the drawing and not the lesion.
_DRAWING = frozenset({"occluded", "rotation", "track_id", "keyframe", "is_crowd"})


@dataclasses.dataclass(frozen=True)
class Image:
    """An entry of `images`.

    Attributes:
      position: its place in the file, from 1.
      name: `file_name` as a path with forward slashes.
      size: (width, height), or None where it is not said.
      bad_size: what is said of it, where that is no size; else "".
      attributes: what else it says, by name in lower case with underscores.
      absolute: whether `file_name` starts at the root of somebody's computer.
      source: the name that the photograph had before a tool made copies of it, or "".
    """

    position: int
    name: str
    size: Optional[Tuple[int, int]]
    attributes: Mapping[str, str]
    absolute: bool = False
    source: str = ""
    bad_size: str = ""


@dataclasses.dataclass(frozen=True)
class Annotation:
    """An entry of `annotations`.

    Attributes:
      position: its place in the file, from 1.
      image_id: the `id` of its image.
      category: name of its category, or "".
      attributes: see `Image`.
      entry: the entry itself, for `box_of`.
    """

    position: int
    image_id: str
    category: str
    attributes: Mapping[str, str]
    entry: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Export:
    """One file.

    Attributes:
      name: its path below the collection's folder.
      images: by `id`, which is compared as a text: 7 is "7".
      unnamed: positions of images without `id` or `file_name`.
      annotations: in the file's order.
      label_studio: whether Label Studio wrote it.
      digest: of the file's bytes.
    """

    name: str
    images: Mapping[str, Image]
    unnamed: Sequence[int]
    annotations: Sequence[Annotation]
    label_studio: bool
    digest: str


def _text(value: Any) -> str:
    """Writes an attribute's value; of a person, the e-mail address or number."""
    if isinstance(value, Mapping):
        value = value.get("email") or value.get("id") or json.dumps(value, sort_keys=True)
    if isinstance(value, (list, tuple)):
        return ";".join(_text(part) for part in value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    # A manifest's cell holds no control characters.
    return "" if value is None else re.sub(r"[\x00-\x1f\ud800-\udfff]+", " ", str(value)).strip()


def _attributes(entry: Mapping[str, Any], own: frozenset) -> Dict[str, str]:
    found = {key: value for key, value in entry.items() if key not in own}
    inner = entry.get("attributes")
    if isinstance(inner, Mapping):
        found.update((key, value) for key, value in inner.items() if key not in _DRAWING)
    texts = {re.sub(r"\W+", "_", str(key).strip().lower()): _text(found[key]) for key in found}
    return {key: text for key, text in texts.items() if text}


def _id(value: Any) -> str:
    """Returns an identifier as a text, or "" for what cannot be one."""
    return _text(value) if isinstance(value, (int, float, str)) else ""


_ABSOLUTE = re.compile(r"(?i)(file:/*)?([a-z]:|~|[\\/])")
# Roboflow's copies: "<name>_jpg.rf.<digest>.jpg".
_ROBOFLOW = re.compile(r"(?i)(.+?)(_(jpe?g|png|bmp|tiff?|webp|heic))?\.rf\.[0-9a-z]{8,}(\.\w+)?")


def _source(entry: Mapping[str, Any], name: str) -> str:
    """Returns the name that a photograph had before Roboflow made copies of it, or ""."""
    extra = entry.get("extra")
    uploaded = extra.get("name") if isinstance(extra, Mapping) else None
    copied = _ROBOFLOW.fullmatch(name.rsplit("/", 1)[-1])
    return files.stem(str(uploaded)) if uploaded else copied[1] if copied else ""


def _path(file_name: str) -> str:
    """Returns the path that a `file_name` stands for, with forward slashes."""
    if "://" in file_name or file_name.startswith(("/data/local-files/", "/data/upload/")):
        url = urllib.parse.urlsplit(file_name)
        inside = urllib.parse.parse_qs(url.query).get("d")  # Label Studio's local storage.
        file_name = inside[0] if inside else urllib.parse.unquote(url.path)
    return "/".join(files.split_path(re.sub("^/*[A-Za-z]:", "", file_name)))


def _size(entry: Mapping[str, Any]) -> Optional[Tuple[int, int]]:
    size = _numbers([entry.get("width"), entry.get("height")], 2)
    return (int(size[0]), int(size[1])) if size and min(size) >= 1 else None


def _bad_size(entry: Mapping[str, Any]) -> str:
    """Returns a size that cannot be read; 0 and nothing say that it is not known."""
    said = [value for value in (entry.get("width"), entry.get("height")) if value not in ("", None)]
    bad = [value for value in said if math.isnan(_number(value)) or _number(value) < 0]
    return f"width {entry.get('width')!r}, height {entry.get('height')!r}"[:80] if bad else ""


def _entries(data: Mapping[str, Any], key: str) -> List[Mapping[str, Any]]:
    entries = data[key]
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise ValueError(f"{key!r} is not a list of objects")
    return entries


def _put(found: Dict[str, str], what: str, number: str, name: str) -> None:
    """Files a name under its number, which may have no other."""
    if found.setdefault(number, name) != name:
        raise ValueError(f"{what} id {number!r} is {found[number]} and {name}")


def _export(data: Mapping[str, Any], file: str, digest: str) -> Export:
    images: Dict[str, Image] = {}
    names: Dict[str, str] = {}
    categories: Dict[str, str] = {}
    unnamed = []
    for position, entry in enumerate(_entries(data, "images"), 1):
        file_name = _text(entry.get("file_name"))
        name, number = _path(file_name), _id(entry.get("id"))
        if not name or not number:
            unnamed.append(position)
            continue
        _put(names, "image", number, name)
        absolute = _ABSOLUTE.match(file_name) is not None
        attributes = _attributes(entry, _IMAGE_KEYS)
        about = _size(entry), attributes, absolute, _source(entry, name), _bad_size(entry)
        images[number] = Image(position, name, *about)
    for entry in _entries(data, "categories"):
        _put(categories, "category", _id(entry.get("id")), _text(entry.get("name")))
    annotations = [
        Annotation(
            position=position,
            image_id=_id(entry.get("image_id")),
            category=categories.get(_id(entry.get("category_id")), ""),
            attributes=_attributes(entry, _ANNOTATION_KEYS),
            entry=entry,
        )
        for position, entry in enumerate(_entries(data, "annotations"), 1)
    ]
    info = data.get("info")
    contributor = info.get("contributor") if isinstance(info, Mapping) else None
    return Export(file, images, unnamed, annotations, contributor == "Label Studio", digest)


def read_exports(folder: pathlib.Path) -> Tuple[List[Export], List[str]]:
    """Reads every COCO JSON below a folder.

    Returns:
      The exports, and what was passed over, a line each: files that cannot be read. JSON
      files with something else in them are not worth a line.

    Raises:
      ValueError: no such folder, or no such file.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    exports: List[Export] = []
    notes = []
    for path in sorted(folder.rglob("*.json")):
        name = path.relative_to(folder).as_posix()
        if files.is_hidden(name.split("/")):
            continue
        try:
            content = path.read_bytes()
            data = json.loads(content)
            if not isinstance(data, dict) or not {"images", "annotations", "categories"} <= set(
                data
            ):
                continue
            exports.append(_export(data, name, hashlib.sha256(content).hexdigest()))
        except (ValueError, RecursionError, OSError) as error:
            notes.append(f"{name}: passed over, cannot be read: {error}")
    if not exports:
        why = "".join(f"; {note}" for note in notes[:1])
        raise ValueError(
            f"{folder}: no JSON file with images, annotations and categories below it{why}"
        )
    return exports, notes


# Larger numbers are no pixels; JSON's may be of any length.
_LARGEST = 1e9


def _number(value: Any) -> float:
    """Returns a number that may be written as a text; NaN for anything else."""
    try:
        number = float(value) if isinstance(value, (int, float, str)) else math.nan
    except (ValueError, OverflowError):
        return math.nan
    return number if abs(number) <= _LARGEST else math.nan


def _numbers(value: Any, count: int) -> Optional[List[float]]:
    """Returns `count` numbers (for 0 an even number of them), or None."""
    numbers = list(map(_number, value)) if isinstance(value, (list, tuple)) else []
    fits = len(numbers) == count if count else numbers and len(numbers) % 2 == 0
    return numbers if fits and not any(map(math.isnan, numbers)) else None


def _box_of_polygons(polygons: Sequence[Any]) -> Optional[Box]:
    if polygons and not isinstance(polygons[0], (list, tuple)):
        polygons = [polygons]  # One outline, as VIA writes it.
    outlines = [_numbers(polygon, 0) for polygon in polygons]
    whole = [outline for outline in outlines if outline is not None]
    if not whole or len(whole) < len(outlines):
        return None
    points = np.concatenate([np.reshape(outline, (-1, 2)) for outline in whole])
    return Box(*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


def _runs_of_text(text: str) -> Optional[List[int]]:
    """Reads compressed runs as pycocotools' `rleFrString` does, or returns None.

    Each character holds five bits from "0" on, lowest first; a sixth says that more follow,
    and the last is the sign. From the fourth on, a run is told by its difference to the run
    two before.
    """
    runs: List[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 30:
            return None
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            signed = value - (1 << shift) if bits & 16 else value
            runs.append(signed + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs


def _box_of_runs(segmentation: Mapping[str, Any]) -> Optional[Box]:
    """Returns the box around a run-length mask, compressed or not.

    Runs of zeros and of ones take turns, down one column after the other.
    """
    size, counts = _numbers(segmentation.get("size"), 2), segmentation.get("counts")
    runs = _runs_of_text(counts) if isinstance(counts, str) else counts
    if size is None or not isinstance(runs, list) or any(map(math.isnan, map(_number, runs))):
        return None
    height = int(size[0])
    lengths = np.array([int(_number(run)) for run in runs], np.int64)
    if height < 1 or (lengths < 0).any() or lengths.sum() != height * int(size[1]):
        raise ValueError(
            f"segmentation: runs of {lengths.sum()} pixels do not fit its size "
            f"{size[0]:g}x{size[1]:g}"
        )
    ends = np.cumsum(lengths)
    marked = lengths[1::2] > 0
    first, last = (ends - lengths)[1::2][marked], ends[1::2][marked] - 1
    if not len(first):
        return None
    within = (first // height == last // height).all()
    top, bottom = (min(first % height), max(last % height)) if within else (0, height - 1)
    corners = first[0] // height, top, last[-1] // height + 1, bottom + 1
    return Box(*(float(value) for value in corners))


def _around_turned(box: Box, degrees: float) -> Box:
    """Returns the upright box around one that is turned about its centre."""
    cosine, sine = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    width, height = box.x1 - box.x0, box.y1 - box.y0
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    half = (width * cosine + height * sine) / 2, (width * sine + height * cosine) / 2
    return Box(x - half[0], y - half[1], x + half[0], y + half[1])


def box_of(entry: Mapping[str, Any]) -> Box:
    """Returns the half-open box of an entry of `annotations`, in pixels.

    `bbox` counts; without one, the outline in `segmentation` (polygons, or a run-length
    mask). The box of a crowd is one like others: it shows where
    a group of lesions is. CVAT's `rotation` (degrees, about the centre) turns a `bbox`; the
    upright box around it counts.

    Raises:
      ValueError: there is none, or it is empty.
    """
    attributes = entry.get("attributes")
    corner = _numbers(entry.get("bbox"), 4)
    segmentation = entry.get("segmentation")
    found: Optional[Box] = None
    if corner is not None and any(corner):
        x, y, width, height = corner
        found = Box(x, y, x + width, y + height)
        turn = _number(attributes.get("rotation")) if isinstance(attributes, Mapping) else 0.0
        if abs(turn) > 0 and width > 0 and height > 0:  # Not so for NaN.
            found = _around_turned(found, turn)
    elif entry.get("bbox") and corner is None:
        raise ValueError(f"bbox {entry['bbox']!r} is not [x, y, width, height]")
    elif isinstance(segmentation, list):
        found = _box_of_polygons(segmentation)
    elif isinstance(segmentation, Mapping):
        found = _box_of_runs(segmentation)
    if found is None:
        raise ValueError("no bbox, and no segmentation to take one from")
    if found.x0 >= found.x1 or found.y0 >= found.y1:
        raise ValueError(f"box {manifest.format_rois([found])!r} is empty")
    return found
