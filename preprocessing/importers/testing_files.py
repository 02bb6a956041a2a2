"""Small generated files in the layouts of public collections, for tests."""

import csv
import json
import pathlib
from typing import Any, Mapping, Sequence, Tuple

import numpy as np
from PIL import Image

from preprocessing.data.manifest import Box

SIZE = (120, 90)
LESION = Box(40, 30, 70, 50)
# ITA of about 35 degrees: type 3.
TONE = (204, 158, 122)
DARK_TONE = (92, 62, 48)


def write_photograph(
    path: pathlib.Path, tone: Tuple[int, int, int] = TONE, size: Tuple[int, int] = SIZE
) -> None:
    """Draws skin with a dark lesion at `LESION`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.array(tone) + np.random.default_rng(0).normal(0, 3, (size[1], size[0], 3))
    pixels[int(LESION.y0) : int(LESION.y1), int(LESION.x0) : int(LESION.x1)] *= 0.5
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)


def write_mask(path: pathlib.Path, size: Tuple[int, int] = SIZE) -> None:
    """Draws the mask of the lesion, with a speck in a corner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros((size[1], size[0]), np.uint8)
    mask[size[1] // 3 : size[1] * 5 // 9, size[0] // 3 : size[0] * 7 // 12] = 255
    mask[1, 1] = 255
    Image.fromarray(mask).save(path)


def write_table(path: pathlib.Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes a CSV with the keys of the first row as header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_json(path: pathlib.Path, data: Any) -> None:
    """Writes a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")
