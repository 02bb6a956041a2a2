"""From a public collection's folder to a case manifest."""

import collections
import concurrent.futures
import dataclasses
import functools
import os
import pathlib
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from common import progress
from preprocessing.data import manifest
from preprocessing.data.manifest import Photograph, Rejection
from preprocessing.importers import coco, ddi, fitzpatrick17k, ham10000, isic, pad_ufes_20, scin
from preprocessing.importers.files import PhotographFiles, stem
from preprocessing.importers.formats import Contents, Entry, Format
from preprocessing.importers.measuring import Measured, measure

FORMATS: Mapping[str, Format] = {
    module.FORMAT.name: module.FORMAT
    for module in (pad_ufes_20, ham10000, isic, fitzpatrick17k, ddi, scin, coco)
}


@dataclasses.dataclass(frozen=True)
class Report:
    """What an import did.

    Attributes:
      photographs: the manifest's rows.
      rejections: rows, photographs and annotations that are not in it, and why.
      labels: number of rows by (label of the collection, condition).
      unmapped: number of rejections by what is wrong with their label.
      unused_overrides: labels of the user's mapping that do not occur.
      roi_sources: numbers of photographs and of their ROIs, by the origin of these:
        "boxes", "mask" or "skin".
      skin_type_sources: number of rows by origin of the skin type: "annotated",
        "self_reported", "pair", "pair_estimated", "estimated" or "unknown".
      agreement: (rows with annotation and estimate, equal ones, at most one type
        apart).
      notes: see `formats.Contents`; and how many photographs no row names.
      table: see `formats.Contents`.
    """

    photographs: List[Photograph]
    rejections: List[Rejection]
    labels: Mapping[Tuple[str, str], int]
    unmapped: Mapping[str, int]
    unused_overrides: Tuple[str, ...]
    roi_sources: Mapping[str, Tuple[int, int]]
    skin_type_sources: Mapping[str, int]
    agreement: Tuple[int, int, int]
    notes: Tuple[str, ...]
    table: str

    @property
    def conditions(self) -> Mapping[str, int]:
        """Number of rows by condition, most frequent first."""
        return dict(collections.Counter(row.condition for row in self.photographs).most_common())


def _count_rois(photographs: Sequence[Photograph]) -> Mapping[str, Tuple[int, int]]:
    counts: Dict[str, Tuple[int, int]] = {}
    for row in photographs:
        number, rois = counts.get(row.extra["roi_source"], (0, 0))
        counts[row.extra["roi_source"]] = number + 1, rois + len(row.rois)
    return counts


def _skin_type(entry: Entry, estimate: Optional[int]) -> Tuple[Optional[int], str]:
    """Returns the skin type and who says it: annotation before estimate."""
    annotated = entry.photograph.fitzpatrick
    if annotated is not None:
        return annotated, entry.skin_type_source
    if entry.skin_types:
        lighter, darker = entry.skin_types
        if estimate is None:
            return darker, "pair"
        return min(max(estimate, lighter), darker), "pair_estimated"
    return (None, "") if estimate is None else (estimate, "estimated")


def _completed(entry: Entry, path: str, found: Measured) -> Photograph:
    skin_type, source = _skin_type(entry, found.estimate[0] if found.estimate else None)
    return dataclasses.replace(
        entry.photograph,
        image=path,
        fitzpatrick=skin_type,
        rois=found.rois,
        fitzpatrick_source=source,
        ita=round(found.estimate[1], 1) if found.estimate else None,
        extra={"roi_source": found.roi_source, **entry.photograph.extra},
    )


def _find_files(
    contents: Contents, files: PhotographFiles
) -> Tuple[List[Tuple[Entry, str, Optional[str]]], List[Rejection]]:
    """Matches entries with the paths of photographs and masks."""
    found = []
    rejections = []
    # Rejected photographs count too: another's file must not be taken for theirs.
    images = {entry.photograph.image for entry in contents.entries}
    images.update(rejection.image for rejection in contents.rejections)
    names = collections.Counter(map(stem, images))
    taken: Dict[Tuple[str, str], int] = {}
    for entry in contents.entries:
        row = entry.photograph
        try:
            path = files.find(row.image, anywhere=names[stem(row.image)] == 1)
            for key in (("image_id", row.image_id), ("image", path)):
                if key in taken:
                    raise ValueError(f"{key[0]}: {key[1]!r} is already on row {taken[key]}")
            taken[("image_id", row.image_id)] = taken[("image", path)] = row.row
        except ValueError as error:
            rejections.append(Rejection(row.row, row.image_id, row.image, "file", str(error)))
            continue
        found.append((entry, path, files.mask_of(path)))
    return found, rejections


def _without_row(
    contents: Contents, files: PhotographFiles, pending: Sequence[Tuple[Entry, str, Optional[str]]]
) -> List[str]:
    """Says how many photographs no row names, usable or not."""
    named = {path for _, path, _ in pending}
    for rejection in contents.rejections:
        named.update(one.path for one in files.candidates(rejection.image) if one.fits)
        named.update(one.path for one in files.candidates(rejection.image_id) if one.fits)
    rest = files.unnamed(named)
    if not rest:
        return []
    return [f"pictures without a row: {len(rest)}, {rest[0]} the first"]


def _compare(pairs: Sequence[Tuple[int, int]]) -> Tuple[int, int, int]:
    apart = [abs(annotated - estimated) for annotated, estimated in pairs]
    return len(apart), apart.count(0), apart.count(0) + apart.count(1)


def import_photographs(
    format_name: str,
    input_dir: str,
    estimate_skin_type: bool = False,
    overrides: Optional[Mapping[str, str]] = None,
    workers: int = 0,
) -> Report:
    """Reads a collection's tables, photographs and masks.

    Args:
      format_name: a key of `FORMATS`.
      input_dir: the collection's folder, unpacked.
      estimate_skin_type: fill unknown skin types from the colour of the skin.
      overrides: condition by label, which win over the collection's own mapping.
      workers: processes; 0 takes one per core.

    Returns:
      The photographs, `image` relative to `input_dir`, and what happened.

    Raises:
      ValueError: unknown format, no table, or no usable row.
    """
    if format_name not in FORMATS:
        raise ValueError(f"format {format_name!r} is not one of {', '.join(sorted(FORMATS))}")
    layout = FORMATS[format_name]
    mapping = layout.mapping(overrides)
    contents = layout.read(pathlib.Path(input_dir), mapping)
    files = PhotographFiles(input_dir, layout.mask_suffix)
    pending, missing = _find_files(contents, files)
    rejections = [*contents.rejections, *missing]
    work = functools.partial(measure, input_dir=input_dir, estimate_skin_type=estimate_skin_type)
    labels: collections.Counter = collections.Counter()
    kept, skin_types = [], []
    with concurrent.futures.ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        results = pool.map(work, *zip(*pending), chunksize=16)
        bar = progress.bar(results, len(pending), "reading", "photographs")
        for (entry, path, _), found in zip(pending, bar):
            row = entry.photograph
            if isinstance(found, str):
                rejections.append(Rejection(row.row, row.image_id, path, "photograph", found))
                continue
            completed = _completed(entry, path, found)
            try:
                manifest.check_row(completed, pathlib.Path(input_dir))
            except ValueError as error:
                rejections.append(Rejection(row.row, row.image_id, path, "row", str(error)))
                continue
            rejections += [
                Rejection(row.row, row.image_id, path, "annotation", reason)
                for reason in found.unusable
            ]
            kept.append(completed)
            labels[entry.label, row.condition] += 1
            if row.fitzpatrick and found.estimate and found.estimate[0]:
                skin_types.append((row.fitzpatrick, found.estimate[0]))
    if not kept:
        where = f"{contents.table} row {rejections[0].row}: " if contents.table else ""
        raise ValueError(f"{input_dir}: no usable row; {where}{rejections[0].reason}")
    return Report(
        photographs=kept,
        rejections=rejections,
        labels=labels,
        unmapped=collections.Counter(one.reason for one in rejections if one.stage == "label"),
        unused_overrides=mapping.unused_overrides(),
        roi_sources=_count_rois(kept),
        skin_type_sources=collections.Counter(row.skin_type_source for row in kept),
        agreement=_compare(skin_types),
        notes=(*contents.notes, *_without_row(contents, files, pending)),
        table=contents.table,
    )
