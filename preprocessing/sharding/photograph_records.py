"""What is made of one photograph: records of the whole and of windows, a thumbnail."""

import os
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from PIL import Image

from preprocessing.cropping import windows
from preprocessing.data import manifest, maps, photographs, png_encoding, records, skin, taxonomy
from preprocessing.duplicates import thumbnails
from preprocessing.sharding.plans import Settings

# The share of background needs no fine mask.
_MASK_SIDE = 48
# Longer side, pixels, that a JPEG is decoded at for its thumbnail, at least: of 1600x1200
# that takes half of the time.
_SIDE_FOR_THUMBNAIL = 128


class Processed(NamedTuple):
    """What became of one photograph.

    Attributes:
      full: its `full/` record, if it could be used.
      crops: its `crops/` records.
      placed: the window of each crop.
      rejections: what was not made, and why.
    """

    full: List[records.Record]
    crops: List[records.Record]
    placed: List[windows.Crop]
    rejections: List[manifest.Rejection]


def _scaled(
    image: Image.Image, size: Tuple[int, int], box: Tuple[float, float, float, float]
) -> Image.Image:
    """Scales part of a photograph with antialiasing.

    Pillow's Hamming filter is as sharp as its bicubic one when scaling down, at half
    the time; it is not meant for enlarging. Where the part is a whole multiple of the
    size, averages of blocks are the result. From two and a half times the size on,
    such averages come first, at 1.25 times the size or more: half the time of the
    filter alone, 45 dB from Lanczos where that has 48.
    """
    across, down = (box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1]
    method = Image.Resampling.BICUBIC if min(across, down) < 1 else Image.Resampling.HAMMING
    whole = across == down and across.is_integer()
    return image.resize(size, method, box=box, reducing_gap=1.0 if whole else 1.25)


def _record(
    row: manifest.Photograph,
    image: Image.Image,
    boxes: Sequence[manifest.Box],
    map_png: bytes = b"",
) -> records.Record:
    return records.Record(
        image_png=png_encoding.encode_photograph(np.asarray(image)),
        map_png=map_png,
        height=image.height,
        width=image.width,
        boxes=tuple(boxes),
        condition=row.condition,
        fitzpatrick=row.fitzpatrick or taxonomy.UNKNOWN_SKIN_TYPE,
        case_id=row.case_id,
        patient_id=row.patient_id,
        image_id=row.image_id,
        synthetic=row.synthetic,
        fitzpatrick_source=row.skin_type_source,
        ita=row.ita,
        monk=row.monk,
    )


def scale_whole(image: Image.Image, full_size: int) -> Image.Image:
    """Scales a photograph so that its longer side is `full_size`."""
    scale = full_size / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    return _scaled(image, (width, height), (0, 0, *image.size))


def make_full(
    row: manifest.Photograph,
    whole: Image.Image,
    boxes: Sequence[manifest.Box],
    size: Tuple[int, int],
) -> records.Record:
    """Makes the `full/` record.

    Args:
      row: the manifest's row.
      whole: the scaled photograph.
      boxes: its ROIs in pixels of the unscaled one.
      size: (width, height) of the unscaled one.
    """
    across, down = whole.width / size[0], whole.height / size[1]
    scaled = [
        manifest.Box(box.x0 * across, box.y0 * down, box.x1 * across, box.y1 * down)
        for box in boxes
    ]
    return _record(row, whole, scaled)


def make_crop(
    row: manifest.Photograph, decoded: photographs.Decoded, crop: windows.Crop, image_size: int
) -> records.Record:
    """Makes a `crops/` record: a window, scaled, and its semantic map."""
    x0, y0, size = (length / decoded.divisor for length in crop.window)
    scaled = _scaled(decoded.image, (image_size, image_size), (x0, y0, x0 + size, y0 + size))
    drawn = maps.encode(
        row.fitzpatrick or taxonomy.UNKNOWN_SKIN_TYPE,
        taxonomy.code(row.condition),
        crop.boxes,
        image_size,
        image_size,
    )
    return _record(row, scaled, crop.boxes, png_encoding.encode_map(drawn))


def largest_divisor(
    boxes: Sequence[manifest.Box], size: Tuple[int, int], settings: Settings
) -> int:
    """How far a photograph may be reduced while nothing of it must be enlarged for it."""
    spare = max(size) / settings.full_size
    if boxes:
        smallest = windows.smallest_window(boxes, min(size), settings)
        spare = min(spare, smallest / settings.image_size)
    return int(spare)


def _open(
    row: manifest.Photograph,
    image_dir: str,
    settings: Settings,
    largest_divisor: Callable[[Tuple[int, int]], int],
) -> Tuple[photographs.Decoded, List[manifest.Box]]:
    """Reads a photograph, and its ROIs inside its frame.

    Raises:
      ValueError: it cannot be used, for this reason.
    """
    path = os.path.join(image_dir, row.image)
    decoded = photographs.decode_photograph(path, settings.max_pixels, largest_divisor)
    if decoded.says_generated and not row.synthetic:
        raise ValueError(
            f"{path}: its metadata say that a program made it (IPTC digital source type); with "
            "synthetic=1 in its row it is used, for training only"
        )
    try:
        return decoded, windows.fit_boxes(row.rois, *decoded.size)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def thumbnail_of(
    row: manifest.Photograph, image_dir: str, settings: Settings
) -> Optional[np.ndarray]:
    """Returns what near-duplicates are found by, see `thumbnails.reduce`.

    None where the photograph cannot be used; `process_photograph` says why.
    """
    try:
        decoded, _ = _open(row, image_dir, settings, lambda size: max(size) // _SIDE_FOR_THUMBNAIL)
    except ValueError:
        return None
    return thumbnails.reduce(decoded.image)


def plan_crops(
    row: manifest.Photograph,
    whole: Image.Image,
    boxes: Sequence[manifest.Box],
    size: Tuple[int, int],
    settings: Settings,
) -> Tuple[List[windows.Crop], List[str]]:
    """Plans a photograph's crops, see `windows.plan_crops`.

    Args:
      row: the manifest's row.
      whole: the photograph, scaled.
      boxes: its ROIs, at least one, pixels of the photograph.
      size: (width, height) of the photograph.
      settings: the options.
    """
    divisor = -(-max(whole.size) // _MASK_SIDE)
    scale = max(whole.size) / max(size) / divisor
    mask = skin.skin_mask(np.asarray(whole.reduce(divisor)), boxes, scale)
    rng = windows.generator_for(settings.seed, "crop", row.image_id)
    return windows.plan_crops(boxes, size, mask, scale, settings, rng)


def process_photograph(row: manifest.Photograph, image_dir: str, settings: Settings) -> Processed:
    """Reads a photograph and makes its records.

    Args:
      row: the manifest's row.
      image_dir: folder that `row.image` is relative to.
      settings: the options.

    Returns:
      Records and, for everything that was not made, a rejection. A photograph
      without ROI has a `full/` record only.
    """

    def rejection(stage: str, reason: str) -> manifest.Rejection:
        return manifest.reject(row.row, row.image_id, row.image, stage, reason)

    try:
        decoded, boxes = _open(
            row, image_dir, settings, lambda size: largest_divisor(row.rois, size, settings)
        )
    except ValueError as error:
        return Processed([], [], [], [rejection("photograph", str(error))])
    whole = scale_whole(decoded.image, settings.full_size)
    full = [make_full(row, whole, boxes, decoded.size)]
    if not boxes:
        reason = "no ROI; only the full record was made"
        return Processed(full, [], [], [rejection("crop", reason)])
    placed, reasons = plan_crops(row, whole, boxes, decoded.size, settings)
    crops = [make_crop(row, decoded, crop, settings.image_size) for crop in placed]
    return Processed(full, crops, placed, [rejection("crop", reason) for reason in reasons])
