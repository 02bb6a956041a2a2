"""Looks at every photograph of a data set once, and keeps what a report needs."""

import concurrent.futures
import csv
import functools
import io
import os
import pathlib
from typing import Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np
import tqdm
from PIL import Image

from preprocessing.cropping import cutting, roi_windows
from preprocessing.data import manifest, photographs, skin, splits
from preprocessing.data import records as examples
from preprocessing.data.manifest import Box, Photograph
from preprocessing.duplicates import linked_patients, near_duplicates, thumbnails
from preprocessing.inspection.looks import Inspection, Look
from preprocessing.sharding import plans

PICTURE_SIDE = 224
_SIDE = 256  # Longer side at which photographs are looked at, pixels.


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
    estimate = skin.estimate_fitzpatrick(image, scaled)
    ita = estimate[1] if estimate else None
    return Look(row, split, size, shares, ita, thumbnails.reduce(image))


def _pairs(looks: Sequence[Look]) -> List[near_duplicates.Pair]:
    stacked = np.array([look.thumbnail for look in looks], np.uint8)
    shape = (-1, thumbnails.SIDE, thumbnails.SIDE)
    return near_duplicates.find_pairs(
        stacked.reshape(shape), [look.row.patient_id for look in looks]
    )


def _progress(items: Iterable, total: int, what: str) -> tqdm.tqdm:
    return tqdm.tqdm(items, desc=what, total=total, unit=" photographs", disable=None)


def _reduced(row: Photograph, folder: str, max_pixels: int) -> photographs.Decoded:
    path = os.path.join(folder, row.image)
    decoded = photographs.decode_photograph(
        path, max_pixels, lambda size: max(1, max(size) // _SIDE)
    )
    if decoded.says_generated and not row.synthetic:
        raise ValueError(f"{path}: its metadata say that a program made it; needs synthetic=1")
    if max(decoded.image.size) > _SIDE:
        decoded = decoded._replace(image=cutting.scale_whole(decoded.image, _SIDE))
    return decoded


def _look_at_row(
    row: Photograph, folder: str, settings: plans.Settings
) -> Union[Look, manifest.Rejection]:
    try:
        decoded = _reduced(row, folder, settings.max_pixels)
        boxes = roi_windows.fit_boxes(row.rois, *decoded.size)
    except ValueError as error:
        return manifest.Rejection(row.row, row.image_id, row.image, "photograph", str(error))
    split = splits.split_of(row, settings.split_fractions, settings.seed)
    return _look(row, split, decoded.image, decoded.size, boxes)


def from_manifest(
    cases_path: str,
    image_dir: Optional[str] = None,
    settings: Optional[plans.Settings] = None,
) -> Inspection:
    """Looks at the photographs of a manifest, on all cores.

    Args:
      cases_path: see `cases`.
      image_dir: folder that the images are relative to; by default the manifest's own.
      settings: of splits, the pixel limit and whether to look for near-duplicates.

    Returns:
      What was found; splits are those that preprocessing would make.

    Raises:
      ValueError: not a manifest, or no usable photograph.
    """
    settings = settings or plans.Settings()
    rows, rejections = manifest.read_cases(cases_path, image_dir)
    folder = os.path.abspath(image_dir or os.path.dirname(os.path.abspath(cases_path)))
    look_at = functools.partial(_look_at_row, folder=folder, settings=settings)
    looks: List[Look] = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in _progress(pool.map(look_at, rows), len(rows), "looking"):
            if isinstance(found, Look):
                looks.append(found)
            else:
                rejections.append(found)
    if not looks:
        raise ValueError(f"{cases_path}: no usable photograph; the first: {rejections[0].reason}")
    pairs = None
    if settings.find_duplicates:
        pairs = _pairs(looks)
        planned = [look.row for look in looks]
        decision = linked_patients.decide(planned, pairs, settings.split_fractions, settings.seed)
        looks = [look._replace(split=decision.splits[look.row.image_id]) for look in looks]
    inspection = Inspection(cases_path, False, looks, rejections, pairs, {}, {})
    by_id = {row.image_id: row for row in rows}
    for image_id in inspection.wanted():
        decoded = _reduced(by_id[image_id], folder, settings.max_pixels)
        inspection.pictures[image_id] = _jpeg(decoded.image)
    return inspection


def _full_records(data_dir: str, info: examples.DatasetInfo) -> Iterator[Tuple[str, dict]]:
    """Yields (split, parsed record with NumPy values)."""
    # A manifest is looked at without TensorFlow.
    import tensorflow as tf

    from preprocessing.data import record_errors

    for split in manifest.SPLITS:
        if info.count("full", split):
            for path in examples.list_shards(data_dir, "full", split):
                shard = tf.data.TFRecordDataset(path).map(examples.parse_full)
                with record_errors.naming(path, "full"):
                    for parsed in shard.as_numpy_iterator():
                        yield split, parsed


def _decoded(parsed: dict) -> Image.Image:
    return Image.open(io.BytesIO(parsed["image/encoded"])).convert("RGB")


def _look_at_record(split: str, parsed: dict) -> Look:
    width, height = int(parsed["image/width"]), int(parsed["image/height"])
    boxes = [
        Box(x0 * width, y0 * height, x1 * width, y1 * height)
        for y0, x0, y1, x1 in parsed["boxes"].tolist()
    ]
    row = Photograph(
        case_id=parsed["case_id"].decode(),
        patient_id=parsed["patient_id"].decode(),
        image_id=parsed["image_id"].decode(),
        image="",
        condition=parsed["condition"].decode(),
        fitzpatrick=int(parsed["fitzpatrick"]) or None,
        split=split,
        synthetic=bool(parsed["synthetic"]),
    )
    return _look(row, split, _decoded(parsed), (width, height), boxes)


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
    info = examples.read_info(data_dir)
    total = sum(info.count("full", split) for split in manifest.SPLITS)
    looks = [
        _look_at_record(*record)
        for record in _progress(_full_records(data_dir, info), total, "looking")
    ]
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
    )
    wanted = inspection.wanted()
    for _, parsed in _full_records(data_dir, info):
        image_id = parsed["image_id"].decode()
        if image_id in wanted:
            inspection.pictures[image_id] = _jpeg(_decoded(parsed))
    return inspection
