"""Reading one photograph safely, whatever camera or program wrote it."""

import pathlib
import struct
import threading
import zlib

import numpy as np
from PIL import ExifTags, Image

DEFAULT_MAX_PIXELS = 100_000_000
MIN_SIDE = 16

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What Pillow's decoders raise for broken files.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)


_LIMIT_LOCK = threading.Lock()


def _open(path: str) -> Image.Image:
    """Opens a file without Pillow's fixed pixel limit; ours names the file."""
    with _LIMIT_LOCK:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(path)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except (TypeError, *_BROKEN):
        return 1  # Damaged metadata does not make the photograph unusable.


def _to_rgb(image: Image.Image) -> Image.Image:
    """Converts any Pillow mode to 8-bit RGB; transparent parts become white.

    Raises:
      ValueError: floating-point pixels, whose range the file does not tell.
    """
    if image.mode == "RGB":
        return image
    if image.mode == "F":
        raise ValueError("floating-point pixels; save it with 8 or 16 bits per channel")
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.int64)
        if values.max() > 255:
            values = values >> 8
        image = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def read_photograph(path: str, max_pixels: int = DEFAULT_MAX_PIXELS) -> Image.Image:
    """Reads a photograph as people see it.

    The EXIF orientation is applied, then all metadata (GPS, names, thumbnails,
    colour profiles) is left behind; values are taken as sRGB. Grey, 16-bit, CMYK,
    palette and transparent files become 8-bit RGB; of an animation the first frame
    is taken.

    Args:
      path: the file.
      max_pixels: refuse larger photographs before decoding them (decompression
        bombs).

    Returns:
      An RGB image with nothing but its pixels.

    Raises:
      ValueError: one line with the file and the reason: missing, not an image,
        truncated, too large, or too small.
    """
    if not pathlib.Path(path).is_file():
        raise ValueError(f"{path}: no such file")
    try:
        with _open(path) as source:
            width, height = source.size
            if width * height > max_pixels:
                raise ValueError(
                    f"{width}x{height} pixels are more than the limit of {max_pixels}; "
                    "scale it down or raise the pixel limit"
                )
            if min(width, height) < MIN_SIDE:
                raise ValueError(f"{width}x{height} pixels; at least {MIN_SIDE}x{MIN_SIDE} needed")
            orientation = _orientation(source)
            source.load()
            image = _to_rgb(source)
    except Image.UnidentifiedImageError as error:
        raise ValueError(f"{path}: not an image that can be read") from error
    except _BROKEN as error:
        raise ValueError(f"{path}: {_one_line(error)}") from error
    if orientation in _TRANSPOSITIONS:
        image = image.transpose(_TRANSPOSITIONS[orientation])
    bare = Image.new("RGB", (1, 1))
    bare.im, bare._size = image.im, image.size
    return bare


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
