"""All that COCO files say about one photograph, whoever said it."""

import collections
import dataclasses
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from preprocessing.data import taxonomy
from preprocessing.data.manifest import Rejection
from preprocessing.importers import annotations, coco_boxes, files, tables
from preprocessing.importers.coco_json import Annotation, Export, Image
from preprocessing.importers.labels import LabelMapping, UnmappedLabelError

_NAMES: Mapping[str, Tuple[str, ...]] = {
    "condition": ("condition", "diagnosis"),
    "fitzpatrick": ("fitzpatrick", "fitzpatrick_skin_type", "skin_type"),
    "case_id": ("case_id", "case"),
    "patient_id": ("patient_id", "patient"),
    "annotator": ("annotator", "completed_by"),
    "confidence": ("confidence", "score"),
}
# Categories that say where and not what.
_REGIONS = frozenset({"lesion", "skin lesion", "region", "roi", "region of interest", "area"})


def attribute(attributes: Mapping[str, str], name: str) -> str:
    """Returns an attribute under whichever of its names, or ""."""
    return next((attributes[other] for other in _NAMES[name] if other in attributes), "")


@dataclasses.dataclass(frozen=True)
class Marking:
    """A usable annotation.

    Attributes:
      mark: who drew which box.
      label: the category, or what an attribute says instead.
      condition: of the taxonomy.
      attributes: see `coco_json.Image`.
    """

    mark: annotations.Mark
    label: str
    condition: str
    attributes: Mapping[str, str]


@dataclasses.dataclass
class Sheet:
    """All that is said about one photograph, in whichever files.

    Attributes:
      images: its entries in `images`; several if several people had it as a task.
      turned_size: whether the images' size may be the one before EXIF orientation. Label
        Studio writes that; of its annotations only outlines are drawn to it.
      total: annotations, usable or not.
      markings: the usable ones.
    """

    images: List[Image] = dataclasses.field(default_factory=list)
    turned_size: bool = False
    total: int = 0
    markings: List[Marking] = dataclasses.field(default_factory=list)

    def by_annotator(self) -> Dict[str, List[Marking]]:
        """The markings of each annotator who has any."""
        found: Dict[str, List[Marking]] = collections.defaultdict(list)
        for marking in self.markings:
            found[marking.mark.annotator].append(marking)
        return dict(found)

    def said(self, name: str) -> str:
        """The value of an attribute of the image, else of its annotations.

        Raises:
          ValueError: there are several.
        """
        images = [image.attributes for image in self.images]
        for sources in (images, [marking.attributes for marking in self.markings]):
            values = {attribute(attributes, name) for attributes in sources} - {""}
            if len(values) > 1:
                raise ValueError(f"{name}: it is {' and '.join(map(repr, sorted(values)))}")
            if values:
                return values.pop()
        return ""


def _confidence(attributes: Mapping[str, str]) -> float:
    text = attribute(attributes, "confidence")
    try:
        value = float(text or 1)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError(f"confidence: {text!r} is not a number above 0")
    return value


def _marking(
    annotation: Annotation, annotator: str, image: Image, mapping: LabelMapping
) -> Marking:
    """Makes a marking of an annotation.

    Raises:
      ValueError: it has no box or no condition.
    """
    label = attribute(annotation.attributes, "condition") or annotation.category
    if taxonomy.normalize(label) in _REGIONS:
        label = attribute(image.attributes, "condition") or label
    elif not label:
        raise ValueError("its category is not in the file's categories")
    return Marking(
        mark=annotations.Mark(
            attribute(annotation.attributes, "annotator") or annotator,
            coco_boxes.box_of(annotation.entry),
            _confidence(annotation.attributes),
        ),
        label=label,
        condition=mapping.condition(label),
        attributes=annotation.attributes,
    )


def image_id(path: str) -> str:
    """Returns a path without a photograph's extension."""
    return path.rsplit("/", 1)[0] + "/" + files.stem(path) if "/" in path else files.stem(path)


def _of_annotation(
    position: int, image: Optional[Image], file: str, error: ValueError
) -> Rejection:
    path = image.name if image else ""
    if isinstance(error, UnmappedLabelError):
        return tables.rejection(position, image_id(path), path, error)
    reason = f"{file}: annotation {position}: {error}"
    return Rejection(position, image_id(path), path, "annotation", reason)


def collect(
    exports: Sequence[Export], mapping: LabelMapping
) -> Tuple[Dict[str, Sheet], List[Rejection]]:
    """Gathers what all files say, by photograph."""
    sheets: Dict[str, Sheet] = collections.defaultdict(Sheet)
    rejections = []
    for export in exports:
        name = export.path.name
        for position in export.unnamed:
            reason = f"{name}: the image has no id or no file_name"
            rejections.append(Rejection(position, "", "", "row", reason))
        for image in export.images.values():
            sheets[image.name].images.append(image)
            sheets[image.name].turned_size |= export.label_studio
        for annotation in export.annotations:
            found = export.images.get(annotation.image_id)
            try:
                if found is None:
                    raise ValueError(f"image {annotation.image_id!r} is not in the file's images")
                sheets[found.name].total += 1
                # Whoever is not named did one task, which is one entry of one file.
                nameless = f"{name} image {annotation.image_id}"
                marking = _marking(annotation, nameless, found, mapping)
                sheets[found.name].markings.append(marking)
                if annotation.entry.get("segmentation"):
                    sheets[found.name].turned_size = False
            except ValueError as error:
                rejections.append(_of_annotation(annotation.position, found, name, error))
    return sheets, rejections
