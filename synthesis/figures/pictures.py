"""Pictures of what a generator paints, as PNG files."""

import io
import os
import pathlib

from common import files
from synthesis import provenance
from synthesis.figures import image_tables
from synthesis.figures.image_tables import Table
from synthesis.trained_generator import TrainedGenerator

_CM_PER_INCH = 2.54


def check_output(path: str, overwrite: bool) -> None:
    """Makes sure that a picture can be written and that nothing gets lost.

    Raises:
      ValueError: not a name of a PNG file, a folder, an existing file without
        `overwrite`, or a place where nothing can be written.
    """
    target = pathlib.Path(path)
    if target.suffix.lower() != ".png":
        raise ValueError(f"{target}: --output is a PNG file, so its name ends in .png")
    if target.is_dir():
        raise ValueError(f"{target}: is a folder; --output is a file")
    if target.exists() and not overwrite:
        raise ValueError(f"{target}: exists; choose another --output or pass --overwrite")
    folder = next(parent for parent in target.parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ValueError(f"{target}: cannot be written; {folder} is not a writable folder")


def describe(generator: TrainedGenerator, seed: int) -> str:
    """Returns what a footer says of images: who painted them, and how they are enlarged."""
    size, times = generator.image_size, image_tables.enlargement(generator.image_size)
    enlarged = f", enlarged {times} times (Lanczos; maps: nearest neighbour)" if times > 1 else ""
    run = os.path.basename(os.path.normpath(generator.run_dir))
    return f"{run}, step {generator.step:,}, seed {seed}; {size}x{size} pixels{enlarged}."


def save(table: Table, path: str) -> str:
    """Writes the picture of a table as a PNG that appears only when complete.

    Args:
      table: what to show.
      path: of the PNG; its folder is made.

    Returns:
      The path and its size on paper, in words.
    """
    picture = image_tables.draw(table)
    dpi = picture.info["dpi"][0]
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", dpi=(dpi, dpi))
    png = buffer.getvalue()
    if table.mark is not None:
        png = provenance.stamp(png, table.mark)
    files.write_bytes(path, png)
    width, height = (length / dpi * _CM_PER_INCH for length in picture.size)
    return f"{path} ({width:.1f} x {height:.1f} cm at {dpi:.0f} dpi)"
