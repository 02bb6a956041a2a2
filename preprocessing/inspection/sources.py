"""Looks at every photograph of a data set once, and keeps what the page needs.

What is kept of a photograph is small; pictures are kept of those only that are shown, a
few of each condition.
"""

import concurrent.futures
import csv
import functools
import io
import itertools
import os
import pathlib
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple, Union

import numpy as np
from PIL import Image

from common import progress
from preprocessing.cropping import windows
from preprocessing.data import manifest, photographs, records, skin, splits
from preprocessing.data.manifest import Box, Photograph
from preprocessing.duplicates import linked_patients, near_duplicates, thumbnails
from preprocessing.sharding import photograph_records, plans

PICTURE_SIDE = 384  # a click shows a picture as large as it is
_SIDE = 256  # Longer side at which photographs are looked at, pixels.
PER_CONDITION, MOST_SHOWN = 6, 48  # at least of each condition; of few, in all
_PAIRS_SHOWN = 24


class Look(NamedTuple):
    """What is known of one photograph.

    Attributes:
      row: of the manifest; of records, what they say.
      split: where it is, or where preprocessing will put it.
      size: (width, height) of the photograph, pixels; of records, of the scaled one.
      boxes: ROIs in shares of width and height, 0..1.
      ita: typology angle of the skin outside the ROIs, degrees; None: not visible.
      thumbnail: see `thumbnails`.
      estimated_type: skin type estimated from the skin's colour; None: cannot be said.
      no_crop: of a manifest, whether every window would have too much background; preprocessing
        looks at a larger picture and may find otherwise.
    """

    row: Photograph
    split: str
    size: Tuple[int, int]
    boxes: Tuple[Box, ...]
    ita: Optional[float]
    thumbnail: np.ndarray
    estimated_type: Optional[int] = None
    no_crop: bool = False

    @property
    def has_annotated_type(self) -> bool:
        """Whether a skin type is given that was not estimated on import."""
        known = self.row.fitzpatrick is not None
        return known and not manifest.is_estimated(self.row.skin_type_source)


class Inspection(NamedTuple):
    """A data set as it was found.

    Attributes:
      source: the path that was looked at.
      from_records: whether it is a folder of records, not a manifest.
      looks: the usable photographs.
      rejections: what is not used, and why.
      pairs: near-duplicates across patients, positions in `looks`; None: not looked for.
      pictures: JPEGs by image id, of those that a report shows.
      crops: number of `crops/` records by split; empty for a manifest.
      image_size: of the crops, pixels.
      enlarged: of records, crops whose window was smaller than that; of a manifest,
        photographs of which most windows would be.
    """

    source: str
    from_records: bool
    looks: List[Look]
    rejections: List[manifest.Rejection]
    pairs: Optional[List[near_duplicates.Pair]]
    pictures: Dict[str, bytes]
    crops: Dict[str, int]
    image_size: int = 0
    enlarged: int = 0

    @property
    def per_condition(self) -> int:
        """How many photographs of each condition are shown; more of few conditions."""
        return max(PER_CONDITION, MOST_SHOWN // len({look.row.condition for look in self.looks}))

    def shown(self) -> Dict[str, List[Look]]:
        """The photographs of the contact sheets by condition, over all skin types."""
        groups: Dict[str, Dict[int, List[Look]]] = {}
        for look in sorted(self.looks, key=lambda look: splits.stable_fraction(look.row.image_id)):
            by_type = groups.setdefault(look.row.condition, {})
            by_type.setdefault(look.row.fitzpatrick or 0, []).append(look)
        shown = {}
        for condition, by_type in groups.items():
            of_types = (by_type[skin_type] for skin_type in sorted(by_type))
            turns = itertools.chain.from_iterable(itertools.zip_longest(*of_types))
            chosen = [look for look in turns if look is not None][: self.per_condition]
            shown[condition] = sorted(
                chosen, key=lambda look: (look.row.fitzpatrick or 9, look.row.image_id)
            )
        return shown

    def pairs_shown(self) -> List[near_duplicates.Pair]:
        """The near-duplicates whose pictures are there, closest first."""
        return sorted(self.pairs or [], key=lambda pair: -pair.correlation)[:_PAIRS_SHOWN]

    def wanted(self) -> Set[str]:
        """Image ids of all photographs that are shown."""
        ids = {look.row.image_id for looks in self.shown().values() for look in looks}
        for pair in self.pairs_shown():
            ids |= {self.looks[n].row.image_id for n in (pair.first, pair.second)}
        return ids


def _jpeg(image: Image.Image) -> bytes:
    scale = min(1.0, PICTURE_SIDE / max(image.size))
    width, height = (max(1, round(length * scale)) for length in image.size)
    buffer = io.BytesIO()
    image.resize((width, height), Image.Resampling.HAMMING).save(buffer, "JPEG", quality=82)
    return buffer.getvalue()


def _look(
    row: Photograph, split: str, image: Image.Image, size: Tuple[int, int], boxes: Sequence[Box]
) -> Look:
    """Measures a photograph; `boxes` are in pixels of `size`, `image` may be smaller."""
    width, height = size
    shares = tuple(Box(b.x0 / width, b.y0 / height, b.x1 / width, b.y1 / height) for b in boxes)
    x, y = image.size
    scaled = [Box(b.x0 * x, b.y0 * y, b.x1 * x, b.y1 * y) for b in shares]
    estimated, ita = skin.estimate_fitzpatrick(image, scaled) or (None, None)
    return Look(row, split, size, shares, ita, thumbnails.reduce(image), estimated)


def _pairs(looks: Sequence[Look]) -> List[near_duplicates.Pair]:
    stacked = np.array([look.thumbnail for look in looks], np.uint8)
    shape = (-1, thumbnails.SIDE, thumbnails.SIDE)
    return near_duplicates.find_pairs(
        stacked.reshape(shape), [look.row.patient_id for look in looks]
    )


def _seen(items: Iterable, total: int) -> Iterable:
    return progress.bar(items, total, "looking", "photographs")


def _reduced(
    row: Photograph, folder: str, max_pixels: int, side: int = _SIDE
) -> photographs.Decoded:
    path = os.path.join(folder, row.image)
    decoded = photographs.decode_photograph(
        path, max_pixels, lambda size: max(1, max(size) // side)
    )
    if decoded.says_generated and not row.synthetic:
        raise ValueError(f"{path}: its metadata say that a program made it; needs synthetic=1")
    if max(decoded.image.size) > side:
        decoded = decoded._replace(image=photograph_records.scale_whole(decoded.image, side))
    return decoded


def _mostly_enlarged(look: Look, settings: plans.Settings) -> bool:
    """Tells whether most windows around the photograph's first ROI would be enlarged."""
    if not look.boxes:
        return False
    (width, height), box = look.size, look.boxes[0]
    length = max((box.x1 - box.x0) * width, (box.y1 - box.y0) * height)
    window = length / ((settings.min_roi_share + settings.max_roi_share) / 2)
    return min(window, width, height) < settings.image_size


def _look_at_row(
    row: Photograph, folder: str, settings: plans.Settings
) -> Union[Look, manifest.Rejection]:
    try:
        decoded = _reduced(row, folder, settings.max_pixels)
        boxes = windows.fit_boxes(row.rois, *decoded.size)
    except ValueError as error:
        return manifest.Rejection(row.row, row.image_id, row.image, "photograph", str(error))
    split = splits.split_of(row, settings.split_fractions, settings.seed)
    look = _look(row, split, decoded.image, decoded.size, boxes)
    planned = (row, decoded.image, boxes, decoded.size, settings)
    return look._replace(no_crop=bool(boxes) and not photograph_records.plan_crops(*planned)[0])


def from_manifest(
    cases_path: Union[str, Sequence[str]],
    image_dir: Union[str, Sequence[str], None] = None,
    settings: Optional[plans.Settings] = None,
) -> Inspection:
    """Looks at the photographs of a manifest, on all cores.

    Args:
      cases_path: see `manifest`; one or several.
      image_dir: folder that the images are relative to, of several manifests one each;
        by default the manifest's own.
      settings: of splits, the pixel limit and whether to look for near-duplicates.

    Returns:
      What was found; splits are those that preprocessing would make.

    Raises:
      ValueError: not a manifest, or no usable photograph.
    """
    settings = settings or plans.Settings()
    cases = [cases_path] if isinstance(cases_path, str) else list(cases_path)
    image_dirs = [image_dir] if isinstance(image_dir, str) else list(image_dir or ())
    rows, rejections, folder = manifest.read_several(cases, image_dirs)
    look_at = functools.partial(_look_at_row, folder=folder, settings=settings)
    looks: List[Look] = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in _seen(pool.map(look_at, rows), len(rows)):
            if isinstance(found, Look):
                looks.append(found)
            else:
                rejections.append(found)
    if not looks:
        names, first = ", ".join(cases), rejections[0].reason
        raise ValueError(f"{names}: no usable photograph; the first: {first}")
    pairs = None
    if settings.find_duplicates:
        pairs = _pairs(looks)
        planned = [look.row for look in looks]
        decision = linked_patients.decide(planned, pairs, settings.split_fractions, settings.seed)
        looks = [look._replace(split=decision.splits[look.row.image_id]) for look in looks]
    enlarged = sum(_mostly_enlarged(look, settings) for look in looks)
    inspection = Inspection(
        *(cases[0], False, looks, rejections, pairs, {}, {}, settings.image_size, enlarged)
    )
    by_id = {row.image_id: row for row in rows}
    for image_id in inspection.wanted():
        decoded = _reduced(by_id[image_id], folder, settings.max_pixels, PICTURE_SIDE)
        inspection.pictures[image_id] = _jpeg(decoded.image)
    return inspection


def _full_records(data_dir: str, info: records.DatasetInfo) -> Iterator[Tuple[str, records.Record]]:
    """Yields (split, record)."""
    for split in manifest.SPLITS:
        if info.count("full", split):
            for record in records.read(data_dir, "full", split):
                yield split, record


def _look_at_record(split: str, record: records.Record) -> Look:
    row = Photograph(
        case_id=record.case_id,
        patient_id=record.patient_id,
        image_id=record.image_id,
        image="",
        condition=record.condition,
        fitzpatrick=record.fitzpatrick or None,
        split=split,
        synthetic=record.synthetic,
        fitzpatrick_source=record.fitzpatrick_source,
        ita=record.ita,
        monk=record.monk,
    )
    image = Image.fromarray(record.image())
    return _look(row, split, image, (record.width, record.height), record.boxes)


def _read_rejections(path: pathlib.Path) -> List[manifest.Rejection]:
    if not path.is_file():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return [
            manifest.Rejection(
                int(cells["row"]), *(cells[name] for name in manifest.Rejection._fields[1:])
            )
            for cells in csv.DictReader(file)
        ]


def from_records(data_dir: str, find_duplicates: bool = True) -> Inspection:
    """Looks at the `full/` records of a data set.

    Args:
      data_dir: what `//preprocessing:preprocess` wrote.
      find_duplicates: whether to look for near-duplicates.

    Returns:
      What was found; rejections are those of `rejected.csv`.

    Raises:
      ValueError: not a data set, or a record that cannot be read.
    """
    info = records.read_info(data_dir)
    total = sum(info.count("full", split) for split in manifest.SPLITS)
    looks = [_look_at_record(*one) for one in _seen(_full_records(data_dir, info), total)]
    if not looks:
        raise ValueError(f"{data_dir}: no full/ records")
    inspection = Inspection(
        data_dir,
        True,
        looks,
        _read_rejections(pathlib.Path(data_dir) / "rejected.csv"),
        _pairs(looks) if find_duplicates else None,
        {},
        {split: info.count("crops", split) for split in manifest.SPLITS},
        info.image_size,
        info.notes.get("crops_enlarged", 0),
    )
    wanted = inspection.wanted()
    for _, record in _full_records(data_dir, info):
        if record.image_id in wanted:
            inspection.pictures[record.image_id] = _jpeg(Image.fromarray(record.image()))
    return inspection
