"""Puts a reader study together: what readers are asked, their pages, the key."""

import dataclasses
import secrets
from typing import Any, Dict, Mapping, Optional, Sequence

import numpy as np

from common import files
from evaluation.reader_study import design as reader_study_design
from evaluation.reader_study import encoding, pages
from evaluation.reader_study import key as reader_study_key
from evaluation.reader_study.design import Design, Material, Picture
from evaluation.reader_study.key import Key, Reader
from evaluation.reader_study.pages import PageText


@dataclasses.dataclass(frozen=True)
class Request:
    """What is to be built.

    Attributes:
      design: how much of what.
      readers: how many.
      image_pixels: rows and columns of the image files.
      conditions: to show; all of the painter's by default.
      seed: of choice and order; drawn at random by default.
      text: of the first page.
    """

    design: Design
    readers: int = 10
    image_pixels: int = 256
    conditions: Optional[Sequence[str]] = None
    seed: Optional[int] = None
    text: PageText = PageText()


def check_output(folder: str, overwrite: bool) -> None:
    """Raises ValueError if a study is there: without its key its answers are lost."""
    if reader_study_key.key_path(folder).exists() and not overwrite:
        raise ValueError(
            f"{folder}: holds a study, and only its own key can score its answers; choose another "
            "--output_dir or pass --overwrite"
        )


def make_key(
    request: Request,
    seed: int,
    material: Material,
    pictures: Mapping[str, Picture],
    sources: Mapping[str, Any],
) -> Key:
    """Returns the key of a study, with tokens that no seed repeats."""
    width = max(2, len(str(request.readers)))
    readers: Dict[str, Reader] = {}
    for number in range(1, request.readers + 1):
        name = f"reader_{number:0{width}d}"
        trials = reader_study_design.trials(material, request.design.repeats, seed, number)
        readers[name] = Reader(name, secrets.token_urlsafe(24), trials)
    made_from = {
        **sources,
        "design": dataclasses.asdict(request.design),
        "seed": seed,
        "image_pixels": request.image_pixels,
        "jpeg_quality": encoding.QUALITY,
        "conditions": sorted({one.condition for one in pictures.values()}),
    }
    return Key(secrets.token_hex(8), made_from, pictures, readers)


def write(
    folder: str, key: Key, pixels: Mapping[str, np.ndarray], image_pixels: int, text: PageText
) -> None:
    """Writes the pages of a study, and its key.

    Args:
      folder: of the study; pages of an earlier study there are removed.
      key: of the study.
      pixels: uint8 [S, S, 3] by picture id.
      image_pixels: rows and columns of the image files.
      text: of the first page.
    """
    encoded = dict(zip(pixels, encoding.encode_alike(list(pixels.values()), image_pixels)))
    reader_study_key.write(folder, key)
    for old in reader_study_key.page_path(folder, "any").parent.glob("reader_*.html"):
        old.unlink()
    for reader in key.readers.values():
        page = pages.render(key.study, reader, encoded, text)
        files.write_text(reader_study_key.page_path(folder, reader.name), page)
