"""From a public data set's folder to a case manifest."""

import collections
import concurrent.futures
import csv
import dataclasses
import functools
import os
import pathlib
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
import tqdm
from PIL import Image
from scipy import ndimage

from preprocessing import photographs, skin
from preprocessing.cases import Box, Photograph, Rejection
from preprocessing.importers import ham10000, pad_ufes_20
from preprocessing.importers.formats import Format

FORMATS: Mapping[str, Format] = {
    module.FORMAT.name: module.FORMAT for module in (pad_ufes_20, ham10000)
}
_EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
# Components smaller than these shares of the photograph, or of the largest
# component, are specks of the brush.
_SPECK_OF_PHOTOGRAPH = 2e-4
_SPECK_OF_LARGEST = 0.02


@dataclasses.dataclass(frozen=True)
class Report:
    """What an import did.

    Attributes:
      photographs: the manifest's rows.
      rejections: rows that are not in it, and why.
      mapped: number of rows by condition.
      roi_sources: number of rows by origin of the ROIs: "mask" or "skin".
      skin_type_sources: number of rows by origin of the skin type: "annotated",
        "estimated" or "unknown".
      agreement: (rows with annotation and estimate, equal ones, at most one type
        apart).
    """

    photographs: List[Photograph]
    rejections: List[Rejection]
    mapped: Mapping[str, int]
    roi_sources: Mapping[str, int]
    skin_type_sources: Mapping[str, int]
    agreement: Tuple[int, int, int]


def boxes_from_mask(mask: np.ndarray) -> Tuple[Box, ...]:
    """Returns the bounding boxes of a mask's connected components, without specks.

    Args:
      mask: bool [H, W].

    Returns:
      Boxes in pixels, largest component first; empty for an empty mask.
    """
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    slices = ndimage.find_objects(labels)
    smallest = max(_SPECK_OF_PHOTOGRAPH * mask.size, _SPECK_OF_LARGEST * areas.max(initial=0))
    boxes = []
    for index in np.argsort(-areas, kind="stable"):
        if areas[index] >= smallest:
            rows, columns = slices[index]
            boxes.append(Box(columns.start, rows.start, columns.stop, rows.stop))
    return tuple(boxes)


def find_files(input_dir: str, mask_suffix: str) -> Tuple[Dict[str, str], Dict[str, str]]:
    """Finds photographs and masks in whatever folders they lie.

    Returns:
      Photographs and masks by the photograph's name without folder and extension,
      as paths relative to `input_dir`. Of two with the same name the first by path
      counts.
    """
    images: Dict[str, str] = {}
    masks: Dict[str, str] = {}
    for folder, folders, names in os.walk(input_dir):
        folders.sort()
        for name in sorted(names):
            stem, extension = os.path.splitext(name)
            if extension.lower() not in _EXTENSIONS or name.startswith("."):
                continue
            path = os.path.relpath(os.path.join(folder, name), input_dir)
            if stem.endswith(mask_suffix):
                masks.setdefault(stem[: -len(mask_suffix)], path)
            else:
                images.setdefault(stem, path)
    return images, masks


def read_table(input_dir: str, layout: Format) -> List[Tuple[int, Dict[str, str]]]:
    """Reads the metadata table: (row number, cells by column).

    Raises:
      ValueError: no such table, or not the data set's columns.
    """
    folder = pathlib.Path(input_dir)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    found = [folder / name for name in layout.metadata_names if (folder / name).is_file()]
    if not found:
        raise ValueError(
            f"{folder}: no {layout.metadata_names[0]}; is this {layout.source}, --format="
            f"{layout.name}?"
        )
    with open(found[0], newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, delimiter="\t" if found[0].suffix == ".tab" else ",")
        missing = [name for name in layout.columns if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"{found[0]}: not {layout.name}: column {', '.join(missing)} missing")
        return [
            (reader.line_num, {key: (value or "").strip() for key, value in cells.items() if key})
            for cells in reader
        ]


class _Measured(NamedTuple):
    rois: Tuple[Box, ...]
    roi_source: str
    estimate: Optional[Tuple[int, float]]


def measure(
    paths: Tuple[str, Optional[str]], input_dir: str, estimate_skin_type: bool
) -> Union[_Measured, str]:
    """Finds the ROIs of one photograph, and its skin type if asked to.

    Args:
      paths: photograph and mask (or None), relative to `input_dir`.
      input_dir: the data set's folder.
      estimate_skin_type: whether to measure it.

    Returns:
      The findings, or the reason why there are none.
    """
    try:
        image = photographs.read_photograph(os.path.join(input_dir, paths[0]))
        mask = None
        if paths[1]:
            mask = photographs.read_photograph(os.path.join(input_dir, paths[1])).convert("L")
            if mask.size != image.size:
                mask = mask.resize(image.size, Image.Resampling.NEAREST)
            mask = mask.point(lambda value: 255 * (value > 127))
    except ValueError as error:
        return str(error)
    if mask is not None:
        rois, source = boxes_from_mask(np.asarray(mask) > 0), "mask"
        if not rois:
            return f"{os.path.join(input_dir, paths[1] or '')}: the mask is empty"
    else:
        rois, source = (skin.skin_box(image),), "skin"
    estimate = None
    if estimate_skin_type:
        estimate = skin.estimate_fitzpatrick(image, rois if source == "mask" else (), mask)
    return _Measured(rois, source, estimate)


def _completed(photograph: Photograph, path: str, found: _Measured) -> Photograph:
    skin_type, source = photograph.fitzpatrick, "annotated"
    if skin_type is None:
        skin_type, source = (found.estimate[0], "estimated") if found.estimate else (None, "")
    extra = {"roi_source": found.roi_source, "fitzpatrick_source": source}
    if found.estimate:
        extra["ita"] = f"{found.estimate[1]:.1f}"
    return dataclasses.replace(
        photograph,
        image=pathlib.PurePath(path).as_posix(),
        fitzpatrick=skin_type,
        rois=found.rois,
        extra={**extra, **photograph.extra},
    )


_Paths = Tuple[str, Optional[str]]


def _find_rows(
    input_dir: str, layout: Format
) -> Tuple[List[Tuple[Photograph, _Paths]], List[Rejection]]:
    """Matches the table's rows with photographs and masks."""
    images, masks = find_files(input_dir, layout.mask_suffix)
    found: List[Tuple[Photograph, _Paths]] = []
    rejections = []
    for row, cells in read_table(input_dir, layout):
        try:
            photograph = dataclasses.replace(layout.parse(cells), row=row)
            if photograph.image not in images:
                raise ValueError(f"image: no file {photograph.image}.* below {input_dir}")
        except ValueError as error:
            name = cells.get("image_id") or cells.get("img_id", "")
            rejections.append(Rejection(row, name, "", "row", str(error)))
            continue
        found.append((photograph, (images[photograph.image], masks.get(photograph.image))))
    return found, rejections


def _compare(pairs: Sequence[Tuple[int, int]]) -> Tuple[int, int, int]:
    apart = [abs(annotated - estimated) for annotated, estimated in pairs]
    return len(apart), apart.count(0), apart.count(0) + apart.count(1)


def import_photographs(
    format_name: str, input_dir: str, estimate_skin_type: bool = False, workers: int = 0
) -> Report:
    """Reads a data set's table, photographs and masks.

    Args:
      format_name: a key of `FORMATS`.
      input_dir: the data set's folder, unpacked.
      estimate_skin_type: fill unknown skin types from the ITA of the skin.
      workers: processes; 0 takes one per core.

    Returns:
      The photographs, `image` relative to `input_dir`, and what happened.

    Raises:
      ValueError: unknown format, no table, or no usable row.
    """
    if format_name not in FORMATS:
        raise ValueError(f"format {format_name!r} is not one of {', '.join(sorted(FORMATS))}")
    pending, rejections = _find_rows(input_dir, FORMATS[format_name])
    work = functools.partial(measure, input_dir=input_dir, estimate_skin_type=estimate_skin_type)
    kept, skin_types = [], []
    with concurrent.futures.ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        results = pool.map(work, (paths for _, paths in pending), chunksize=16)
        bar = tqdm.tqdm(results, total=len(pending), unit=" photographs", disable=None)
        for (photograph, paths), found in zip(pending, bar):
            if isinstance(found, str):
                where = photograph.image_id, paths[0]
                rejections.append(Rejection(photograph.row, *where, "photograph", found))
                continue
            kept.append(_completed(photograph, paths[0], found))
            if photograph.fitzpatrick and found.estimate:
                skin_types.append((photograph.fitzpatrick, found.estimate[0]))
    if not kept:
        why = f"; row {rejections[0].row}: {rejections[0].reason}" if rejections else ""
        raise ValueError(f"{input_dir}: no usable row{why}")
    return Report(
        photographs=kept,
        rejections=rejections,
        mapped=collections.Counter(photograph.condition for photograph in kept),
        roi_sources=collections.Counter(photograph.extra["roi_source"] for photograph in kept),
        skin_type_sources=collections.Counter(
            photograph.extra["fitzpatrick_source"] or "unknown" for photograph in kept
        ),
        agreement=_compare(skin_types),
    )
