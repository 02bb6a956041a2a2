"""COCO detection JSON: your own photographs, annotated with CVAT, Label Studio and others.

Categories are conditions, or regions such as "lesion" with the condition as an
attribute. Attributes, of the image or of its annotations (CVAT's labels have them):

| attribute | other names | meaning |
|---|---|---|
| `condition` | `diagnosis` | the condition, if the category does not say it |
| `fitzpatrick` | `fitzpatrick_skin_type`, `skin_type` | 1 to 6, I to VI, FST1 to FST6 |
| `case_id` | `case` | the consultation; without it, the patient |
| `patient_id` | `patient` | the person; without it, the case, else the photograph |
| `annotator` | `completed_by` | who drew the box |
| `confidence` | `score` | of the annotator, above 0 |

Copies that Roboflow made of one photograph share its name, which stands for a patient who is
not named.

A photograph that several people annotated (in one file by `annotator`, or as several
image entries, or in several files) becomes one: condition by vote, boxes that more
than half of them drew, at an overlap of 0.5, median skin type. The manifest has one
condition per photograph: one on which a person marked several is rejected. Which file an
image is, and what folders say about splits: `exports`.
"""

import collections
import dataclasses
import pathlib
from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from preprocessing.data import taxonomy
from preprocessing.data.manifest import Box, Photograph, Rejection
from preprocessing.importers import annotations, coco_json, exports, files, formats
from preprocessing.importers.coco_json import Annotation, Export, Image
from preprocessing.importers.formats import Contents, Entry, Format
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


def _attribute(attributes: Mapping[str, str], name: str) -> str:
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
      file: the first of them.
      images: its entries in `images`; several if several people had it as a task.
      tasks: how many people had it to annotate, as far as files and entries tell.
      turned_size: whether the images' size may be the one before EXIF orientation. Label
        Studio writes that; of its annotations only outlines are drawn to it.
      total: annotations, usable or not.
      markings: the usable ones.
      split: which one folders or files put it in, if any.
    """

    file: str = ""
    images: List[Image] = dataclasses.field(default_factory=list)
    tasks: float = 0
    turned_size: bool = False
    total: int = 0
    markings: List[Marking] = dataclasses.field(default_factory=list)
    split: Optional[str] = None

    def where(self) -> str:
        """Where the photograph is described, for messages."""
        return f"{self.file}: image {self.images[0].position}"

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
            values = {_attribute(attributes, name) for attributes in sources} - {""}
            if len(values) > 1:
                raise ValueError(f"{name}: it is {' and '.join(map(repr, sorted(values)))}")
            if values:
                return values.pop()
        return ""


def _confidence(attributes: Mapping[str, str]) -> float:
    text = _attribute(attributes, "confidence")
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
    label = _attribute(annotation.attributes, "condition") or annotation.category
    if taxonomy.normalize(label) in _REGIONS:
        label = _attribute(image.attributes, "condition") or label
    elif not label:
        raise ValueError("its category is not in the file's categories")
    return Marking(
        mark=annotations.Mark(
            _attribute(annotation.attributes, "annotator") or annotator,
            coco_json.box_of(annotation.entry),
            _confidence(annotation.attributes),
        ),
        label=label,
        condition=mapping.condition(label),
        attributes=annotation.attributes,
    )


def _image_id(path: str) -> str:
    """Returns a path without a photograph's extension."""
    return path.rsplit("/", 1)[0] + "/" + files.stem(path) if "/" in path else files.stem(path)


def _of_annotation(position: int, path: str, file: str, error: ValueError) -> Rejection:
    if isinstance(error, UnmappedLabelError):
        return formats.rejection(position, _image_id(path), path, error)
    reason = f"{file}: annotation {position}: {error}"
    return Rejection(position, _image_id(path), path, "annotation", reason)


def _describe(export: Export, paths: Mapping[str, str], sheets: Dict[str, Sheet]) -> None:
    """Notes which photographs an export describes, and how many people had them to annotate."""
    entries = collections.Counter(paths.values())
    for number, path in paths.items():
        sheet = sheets[path]
        sheet.file = sheet.file or export.name
        sheet.images.append(export.images[number])
        sheet.turned_size |= export.label_studio
        if export.annotations:
            # An entry is a task in Label Studio alone; elsewhere it may be listed twice.
            sheet.tasks += 1 if export.label_studio else 1 / entries[path]


def _collect(
    located: exports.Located, mapping: LabelMapping
) -> Tuple[Dict[str, Sheet], List[Rejection]]:
    """Gathers what all files say, by photograph."""
    sheets: Dict[str, Sheet] = collections.defaultdict(Sheet)
    rejections = []
    for export, paths in zip(located.exports, located.paths):
        for position in export.unnamed:
            reason = f"{export.name}: image {position} has no id or no file_name"
            rejections.append(Rejection(position, "", "", "row", reason))
        _describe(export, paths, sheets)
        entries = collections.Counter(paths.values())
        for annotation in export.annotations:
            path = paths.get(annotation.image_id, "")
            try:
                found = export.images.get(annotation.image_id)
                if found is None:
                    raise ValueError(f"image {annotation.image_id!r} is not in the file's images")
                if not path:
                    continue  # The image is among the rejections.
                sheets[path].total += 1
                # Whoever is not named did one task: a file, or in it one entry of several.
                task = f" image {annotation.image_id}" if entries[path] > 1 else ""
                marking = _marking(annotation, export.name + task, found, mapping)
                sheets[path].markings.append(marking)
                if annotation.entry.get("segmentation"):
                    sheets[path].turned_size = False
            except ValueError as error:
                rejections.append(_of_annotation(annotation.position, path, export.name, error))
    return sheets, rejections


def _condition(sheet: Sheet, mapping: LabelMapping) -> Tuple[str, str]:
    """Returns (condition, label) of a photograph.

    Raises:
      ValueError: nobody says it, a person marked several, or people disagree.
    """
    votes = []
    for annotator, markings in sheet.by_annotator().items():
        conditions = sorted({marking.condition for marking in markings})
        if len(conditions) > 1:
            raise ValueError(
                f"several conditions, {' and '.join(conditions)}, marked by {annotator}; the "
                "manifest has one per photograph"
            )
        votes.append({conditions[0]: max(marking.mark.confidence for marking in markings)})
    labels = {_attribute(image.attributes, "condition") for image in sheet.images} - {""}
    if labels:
        label = sheet.said("condition")
        condition = mapping.condition(label)
        others = sorted({name for vote in votes for name in vote} - {condition})
        if others:
            raise ValueError(
                f"the image's condition is {condition}, its annotations' {' and '.join(others)}"
            )
        return condition, label
    if not votes:
        reason = f"none of its {sheet.total} annotations can be used"
        raise ValueError(reason if sheet.total else "it has no annotation")
    result = annotations.vote(votes)
    if result.winner is None:
        raise ValueError(f"its annotators disagree: {' or '.join(result.tied)}")
    chosen = [marking.label for marking in sheet.markings if marking.condition == result.winner]
    return result.winner, collections.Counter(chosen).most_common(1)[0][0]


def _rois(sheet: Sheet) -> Tuple[Tuple[Box, ...], List[str]]:
    """Returns the boxes of a photograph, and why others are not among them.

    Raises:
      ValueError: there are boxes, but none that enough annotators drew.
    """
    marks = [marking.mark for marking in sheet.markings]
    annotators = max(len(sheet.by_annotator()), round(sheet.tasks))
    if annotators == 1 or not marks:
        return tuple(mark.box for mark in marks), []
    needed = annotations.majority(annotators)
    clusters = annotations.cluster_boxes(marks)
    rois = tuple(cluster.box for cluster in clusters if len(cluster.marks) >= needed)
    if not rois:
        raise ValueError(f"no box that {needed} of its {annotators} annotators drew")
    alone = [
        f"box {' '.join(f'{value:.0f}' for value in cluster.box)!r} was drawn by "
        f"{len(cluster.marks)} of {annotators} annotators"
        for cluster in clusters
        if len(cluster.marks) < needed
    ]
    return rois, alone


def _types(said: Iterable[Union[Image, Marking]]) -> List[int]:
    types = (formats.parse_skin_type(_attribute(one.attributes, "fitzpatrick")) for one in said)
    return [value for value in types if value]


def _skin_types(sheet: Sheet) -> Dict[str, int]:
    """Returns the skin type that each annotator gave: the median over their boxes."""
    medians = {
        annotator: annotations.median_step(_types(markings))
        for annotator, markings in sheet.by_annotator().items()
    }
    return {annotator: median for annotator, median in medians.items() if median}


def _extra(sheet: Sheet, label: str) -> Dict[str, str]:
    """Returns the columns to carry along: every attribute, different values joined."""
    values: Dict[str, Dict[str, None]] = {"label": {label: None}}
    sources = [one.attributes for one in sheet.images] + [one.attributes for one in sheet.markings]
    for attributes in sources:
        for key, value in attributes.items():
            values.setdefault(key, {})[value] = None
    values["annotators"] = dict.fromkeys(sheet.by_annotator())
    return dict(formats.extra_columns({key: ";".join(found) for key, found in values.items()}))


def _entry(path: str, sheet: Sheet, mapping: LabelMapping) -> Tuple[Entry, List[Rejection]]:
    condition, label = _condition(sheet, mapping)
    rois, alone = _rois(sheet)
    case, patient = sheet.said("case_id"), sheet.said("patient_id")
    first = sheet.images[0]
    if first.bad_size:
        raise ValueError(f"its size cannot be read: {first.bad_size}")
    sizes = sorted({image.size for image in sheet.images if image.size})
    if len(sizes) > 1:
        raise ValueError(f"annotated at different sizes: {' and '.join(map(str, sizes))}")
    name = _image_id(path)
    source = exports.source_of(path, next((one.source for one in sheet.images if one.source), ""))
    photograph = Photograph(
        case_id=case or patient or source or name,
        patient_id=patient or case or source or name,
        image_id=name,
        image=path,
        condition=condition,
        fitzpatrick=annotations.median_step(
            _types(sheet.images) or list(_skin_types(sheet).values())
        ),
        rois=rois,
        split=sheet.split,
        extra=_extra(sheet, label),
        row=first.position,
    )
    entry = Entry(photograph, label, frame=first.size, turned_frame=sheet.turned_size)
    return entry, [Rejection(first.position, name, path, "annotation", reason) for reason in alone]


def _notes(sheets: Mapping[str, Sheet], entries: Sequence[Entry]) -> Tuple[str, ...]:
    conditions, skin_types, overlaps = [], [], []
    for sheet in sheets.values():
        people = sheet.by_annotator()
        said = {name: {one.condition for one in markings} for name, markings in people.items()}
        conditions.append({name: min(found) for name, found in said.items() if len(found) == 1})
        try:
            skin_types.append(_skin_types(sheet))
        except ValueError:
            pass  # The photograph is among the rejections for it.
        overlap = annotations.mean_pairwise_iou([marking.mark for marking in sheet.markings])
        if overlap is not None:
            overlaps.append(overlap)
    notes = [
        annotations.agreement("condition", conditions),
        annotations.agreement("skin type", skin_types, numbers=True),
    ]
    texts = [str(one) for one in notes if one]
    if overlaps:
        texts.append(
            f"boxes: {len(overlaps)} photographs with several annotators, mean pairwise IoU "
            f"{sum(overlaps) / len(overlaps):.2f}"
        )
    copied = sum(bool(sheet.images[0].source) for sheet in sheets.values())
    if copied:
        texts.append(f"{copied} photographs are Roboflow's: copies of one count as one patient's")
    described = [sheets[entry.photograph.image] for entry in entries]
    alone = sum(not (one.said("patient_id") or one.said("case_id")) for one in described)
    if alone:
        texts.append(
            f"{alone} of {len(entries)} photographs name no patient and no case: those of one "
            "person may be in different splits"
        )
    return tuple(texts)


def _read(folder: pathlib.Path, mapping: LabelMapping) -> Contents:
    read, passed_over = coco_json.read_exports(folder)
    located = exports.locate(read, files.PhotographFiles(str(folder)))
    sheets, rejections = _collect(located, mapping)
    rejections = [*located.rejections, *rejections]
    entries = []
    for path, sheet in sheets.items():
        sheet.split = located.splits.get(path)
        try:
            entry, alone = _entry(path, sheet, mapping)
        except ValueError as error:
            row = sheet.images[0].position
            if not isinstance(error, UnmappedLabelError):
                error = ValueError(f"{sheet.where()}: {error}")
            rejections.append(formats.rejection(row, _image_id(path), path, error))
            continue
        entries.append(entry)
        rejections += alone
    entries, moved = exports.one_split_per_patient(entries)
    notes = (*passed_over, *_notes(sheets, entries), *located.notes, *moved)
    return Contents(entries, rejections, notes)


FORMAT = Format(
    name="coco",
    source="COCO detection JSON (your own photographs, under your own terms)",
    read=_read,
)
