"""What a COCO detection JSON says, as CVAT, Label Studio and others write it.

The format is cocodataset.org's `images`, `annotations`, `categories`; beyond it:

- CVAT has an `attributes` dictionary in each annotation.
- Label Studio has an image entry per *annotation task*, so that a photograph with
  several annotators comes several times, and (with
  LABEL_STUDIO_FORCE_ANNOTATOR_EXPORT) an `annotator` in each annotation. Photographs
  it did not download are named by URL.
- `file_name` may be a Windows path.
"""

import dataclasses
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
    | {"attributes"}
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
      attributes: what else it says, by name in lower case with underscores.
    """

    position: int
    name: str
    size: Optional[Tuple[int, int]]
    attributes: Mapping[str, str]


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
    image_id: Any
    category: str
    attributes: Mapping[str, str]
    entry: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Export:
    """One file.

    Attributes:
      path: where it is.
      images: by `id`.
      unnamed: positions of images without `id` or `file_name`.
      annotations: in the file's order.
      label_studio: whether Label Studio wrote it.
    """

    path: pathlib.Path
    images: Mapping[Any, Image]
    unnamed: Sequence[int]
    annotations: Sequence[Annotation]
    label_studio: bool


def _text(value: Any) -> str:
    """Writes an attribute's value; of a person, the e-mail address or number."""
    if isinstance(value, Mapping):
        value = value.get("email") or value.get("id") or json.dumps(value, sort_keys=True)
    if isinstance(value, (list, tuple)):
        return ";".join(_text(part) for part in value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    # A manifest's cell holds no control characters.
    return "" if value is None else re.sub(r"[\x00-\x1f]+", " ", str(value)).strip()


def _attributes(entry: Mapping[str, Any], own: frozenset) -> Dict[str, str]:
    found = {key: value for key, value in entry.items() if key not in own}
    inner = entry.get("attributes")
    if isinstance(inner, Mapping):
        found.update((key, value) for key, value in inner.items() if key not in _DRAWING)
    texts = {re.sub(r"\W+", "_", str(key).strip().lower()): _text(found[key]) for key in found}
    return {key: text for key, text in texts.items() if text}


def _id(value: Any) -> Any:
    """Returns an identifier, or None for what cannot be one."""
    return value if isinstance(value, (int, float, str)) else None


def _path(file_name: str) -> str:
    """Returns the path that a `file_name` stands for, with forward slashes."""
    if "://" in file_name or file_name.startswith(("/data/local-files/", "/data/upload/")):
        url = urllib.parse.urlsplit(file_name)
        inside = urllib.parse.parse_qs(url.query).get("d")  # Label Studio's local storage.
        file_name = inside[0] if inside else urllib.parse.unquote(url.path)
    return "/".join(files.split_path(file_name))


def _size(entry: Mapping[str, Any]) -> Optional[Tuple[int, int]]:
    size = entry.get("width"), entry.get("height")
    if all(isinstance(side, (int, float)) and 1 <= side < 1e9 for side in size):
        return int(size[0]), int(size[1])  # type: ignore[arg-type]
    return None


def _entries(data: Mapping[str, Any], key: str, path: pathlib.Path) -> List[Mapping[str, Any]]:
    entries = data[key]
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise ValueError(f"{path}: {key!r} is not a list of objects")
    return entries


def _export(data: Mapping[str, Any], path: pathlib.Path) -> Export:
    images: Dict[Any, Image] = {}
    unnamed = []
    for position, entry in enumerate(_entries(data, "images", path), 1):
        name = _path(str(entry.get("file_name") or ""))
        number = _id(entry.get("id"))
        if not name or number is None:
            unnamed.append(position)
            continue
        if number in images and images[number].name != name:
            raise ValueError(f"{path}: image id {number!r} is {images[number].name} and {name}")
        images[number] = Image(position, name, _size(entry), _attributes(entry, _IMAGE_KEYS))
    categories = {
        _id(entry.get("id")): _text(entry.get("name"))
        for entry in _entries(data, "categories", path)
    }
    annotations = [
        Annotation(
            position=position,
            image_id=_id(entry.get("image_id")),
            category=categories.get(_id(entry.get("category_id")), ""),
            attributes=_attributes(entry, _ANNOTATION_KEYS),
            entry=entry,
        )
        for position, entry in enumerate(_entries(data, "annotations", path), 1)
    ]
    info = data.get("info")
    contributor = info.get("contributor") if isinstance(info, Mapping) else None
    return Export(path, images, unnamed, annotations, contributor == "Label Studio")


def read_exports(folder: pathlib.Path) -> List[Export]:
    """Reads every COCO JSON below a folder; other JSON files are passed over.

    Raises:
      ValueError: no such folder, no such file, or one that is broken.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    exports = []
    for path in sorted(folder.rglob("*.json")):
        try:
            data = json.loads(path.read_text(encoding="utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: not a JSON file: {error}") from error
        if isinstance(data, dict) and {"images", "annotations", "categories"} <= set(data):
            exports.append(_export(data, path))
    if not exports:
        raise ValueError(f"{folder}: no JSON file with images, annotations and categories below it")
    return exports


# Larger numbers are no pixels; JSON's may be of any length.
_LARGEST = 1e9


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value) <= _LARGEST  # Not so for NaN.


def _numbers(value: Any, count: int) -> Optional[List[float]]:
    """Returns `count` numbers (for 0 an even number of them), or None."""
    if not isinstance(value, (list, tuple)) or not all(map(_is_number, value)):
        return None
    fits = len(value) == count if count else value and len(value) % 2 == 0
    return [float(one) for one in value] if fits else None


def _box_of_polygons(polygons: Sequence[Any]) -> Optional[Box]:
    outlines = [_numbers(polygon, 0) for polygon in polygons]
    whole = [outline for outline in outlines if outline is not None]
    if not whole or len(whole) < len(outlines):
        return None
    points = np.concatenate([np.reshape(outline, (-1, 2)) for outline in whole])
    return Box(*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


def _box_of_runs(segmentation: Mapping[str, Any]) -> Optional[Box]:
    """Returns the box around a run-length mask that is not compressed.

    Runs of zeros and of ones take turns, down one column after the other.
    """
    size, runs = _numbers(segmentation.get("size"), 2), segmentation.get("counts")
    if size is None or not isinstance(runs, list) or not all(map(_is_number, runs)):
        return None
    height = int(size[0])
    lengths = np.array(runs, np.int64)
    if height < 1 or (lengths < 0).any() or lengths.sum() != height * int(size[1]):
        return None
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
    mask that is not compressed). The box of a crowd is one like others: it shows where
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
        turn = attributes.get("rotation") if isinstance(attributes, Mapping) else None
        if isinstance(turn, (int, float)) and turn and width > 0 and height > 0:
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
