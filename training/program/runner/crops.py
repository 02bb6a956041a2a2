"""Crops and maps out of photographs, as preprocessing makes them; NumPy and Pillow alone.

photographs.zip   JPEG files, no metadata
crops.csv         one row per crop: where it is in its photograph, and what its map shows
"""

import concurrent.futures
import csv
import io
import os
import pathlib
import zipfile
from typing import Any, Sequence

import numpy as np
from PIL import Image

PHOTOGRAPHS = "photographs.zip"
TABLE = "crops.csv"
LEVEL, BASE = 42, 6  # of maps

# EXIF orientation -> how the decoded photograph is turned.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def draw_map(size: int, skin_type: int, code: int, boxes: Sequence[Sequence[float]]) -> np.ndarray:
    """Draws a semantic map, uint8 [size, size, 3], as the project's `maps.encode`."""
    drawn = np.zeros((size, size, 3), np.uint8)
    drawn[..., 0] = LEVEL * skin_type
    for left, top, right, bottom in boxes:
        x0, y0 = (min(max(round(low), 0), size - 1) for low in (left, top))
        x1, y1 = max(round(right), x0 + 1), max(round(bottom), y0 + 1)
        drawn[y0:y1, x0:x1, 1:] = LEVEL * (1 + code // BASE), LEVEL * (1 + code % BASE)
    return drawn


def decode(jpeg: bytes, divisor: int = 1, orientation: int = 1) -> Image.Image:
    """Decodes a photograph, at a part of its size where the decoder can, and turns it."""
    image: Image.Image = Image.open(io.BytesIO(jpeg))
    if divisor > 1:
        image.draft(None, (image.width // divisor, image.height // divisor))
    image = image.convert("RGB")
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image


def cut(image: Image.Image, window: Sequence[float], size: int) -> np.ndarray:
    """Scales a window (left, top, right, bottom), uint8 [size, size, 3].

    The filters are those of the project's `photograph_records`.
    """
    left, top, right, bottom = window
    across, down = (right - left) / size, (bottom - top) / size
    method = Image.Resampling.BICUBIC if min(across, down) < 1 else Image.Resampling.HAMMING
    whole = across == down and across.is_integer()
    gap = 1.0 if whole else 1.25
    return np.asarray(
        image.resize((size, size), method, box=(left, top, right, bottom), reducing_gap=gap)
    )


def read_rows(folder: pathlib.Path) -> list[dict[str, Any]]:
    """Reads the rows of crops.csv as they stand."""
    with open(folder / TABLE, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_table(folder: pathlib.Path) -> list[dict[str, Any]]:
    """Reads the rows of the crops of photographs; windows and boxes become numbers."""
    rows = read_rows(folder)
    for row in rows:
        for name in ("skin_type", "code", "divisor", "orientation"):
            row[name] = int(row[name])
        row["window"] = tuple(float(row[side]) for side in ("left", "top", "right", "bottom"))
        boxes = filter(None, row["boxes"].split(";"))
        row["boxes"] = [tuple(map(float, box.split())) for box in boxes]
    return rows


def read(folder: pathlib.Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Makes all crops of a folder.

    Returns:
      Maps and images, uint8 [N, size, size, 3] each, in the order of the table.

    Raises:
      ValueError: names the photograph that cannot be decoded.
    """
    rows = read_table(folder)
    maps, images = (np.empty((len(rows), size, size, 3), np.uint8) for _ in range(2))
    of_photograph: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        of_photograph.setdefault(row["photograph"], []).append(number)

    with zipfile.ZipFile(folder / PHOTOGRAPHS) as archive:
        packed = {name: archive.read(f"{name}.jpg") for name in of_photograph}

    def work(name: str) -> None:
        numbers = of_photograph[name]
        first = rows[numbers[0]]
        try:
            image = decode(packed[name], first["divisor"], first["orientation"])
        except (OSError, SyntaxError) as error:
            raise ValueError(f"{folder / PHOTOGRAPHS}: {name}.jpg: {error}") from error
        for number in numbers:
            row = rows[number]
            images[number] = cut(image, row["window"], size)
            maps[number] = draw_map(size, row["skin_type"], row["code"], row["boxes"])

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(work, of_photograph))
    return maps, images
