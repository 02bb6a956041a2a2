"""Reading one photograph safely, whatever camera or program wrote it."""

import io
import os
import re
import threading
import warnings
from typing import IO, Callable, NamedTuple, Tuple, Union

import numpy as np
from PIL import ExifTags, Image

from common import files

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
_TURNED = (5, 6, 7, 8)  # Orientations that swap width and height.
# What cameras, phones and collections use. Pillow knows many more, some of which start
# another program (EPS) or are read by slow ones (text): not for files from anywhere.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "JPEG2000", "AVIF")
_LIMIT_LOCK = threading.Lock()
# Both also as parts of composites, https://cv.iptc.org/newscodes/digitalsourcetype.
_GENERATED = re.compile(r"trainedAlgorithmicMedia|algorithmicMedia", re.IGNORECASE)
# About EXIF blocks that cameras and editors cut off; of EXIF only the orientation
# matters here. A filter for the process: those of `catch_warnings` mix up threads.
warnings.filterwarnings(
    "ignore", r"(?s)Corrupt EXIF data|Truncated File Read|Metadata Warning", UserWarning, r"PIL\."
)


def _open(file: Union[str, IO[bytes]]) -> Image.Image:
    """Opens a file without Pillow's fixed pixel limit; ours names the file."""
    with _LIMIT_LOCK:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=_FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _orientation(image: Image.Image) -> int:
    if image.format == "TIFF":
        return 1  # Pillow applies it, and tells the size of the upright photograph.
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return 1  # Damaged metadata does not make the photograph unusable.


def _says_generated(image: Image.Image) -> bool:
    """Looks for IPTC's mark in the XMP packet, wherever the format keeps it."""
    for key in ("XML:com.adobe.xmp", "xmp"):
        packet = image.info.get(key, "")
        text = packet.decode("utf-8", "replace") if isinstance(packet, bytes) else str(packet)
        if _GENERATED.search(text):
            return True
    return False


def says_generated(encoded: bytes) -> bool:
    """Tells whether the metadata of an encoded image say that a program made it.

    They inform the honest: whoever takes them out is believed. What is no image says nothing.
    """
    try:
        return _says_generated(Image.open(io.BytesIO(encoded), formats=_FORMATS))
    except Exception:  # Decoders raise whatever the bytes lead them to.
        return False


class _RefusalError(ValueError):
    """What a file is refused for, other than its decoder's complaints."""


def _to_rgb(image: Image.Image) -> Image.Image:
    """Converts any Pillow mode to 8-bit RGB; transparent parts become white.

    Raises:
      ValueError: floating-point or 32-bit pixels, whose range the file does not tell.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode == "F":
        raise _RefusalError("floating-point pixels; save it with 8 or 16 bits per channel")
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise _RefusalError("32-bit pixels; save it with 8 or 16 bits per channel")
        if values.max() > 255:
            values = values >> 8
        image = Image.fromarray(values.astype(np.uint8))
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def _file_of(path: str) -> Union[str, IO[bytes]]:
    """Returns what is opened: of an object its bytes, since decoders go to and fro in a file.

    Raises:
      ValueError: there is no such file, or it may not be read.
      OSError: a storage that does not answer; other errors of its client.
    """
    if files.is_remote(path):
        try:
            return io.BytesIO(files.read_bytes(path))
        except (FileNotFoundError, PermissionError) as error:
            missing = isinstance(error, FileNotFoundError)
            raise ValueError(f"{path}: {'no such file' if missing else 'no permission'}") from error
    if not os.path.isfile(path):
        # To open a pipe would wait for ever.
        what = "is not a regular file" if os.path.exists(path) else "no such file"
        raise ValueError(f"{path}: {what}")
    return path


class Decoded(NamedTuple):
    """A photograph, possibly of reduced size.

    Attributes:
      image: RGB, with nothing but its pixels.
      size: (width, height) of the photograph in the file, upright.
      divisor: pixels of the file per pixel of `image`, the same along both sides.
      says_generated: whether the file's metadata say that a program made it, by
        IPTC's digital source type.
    """

    image: Image.Image
    size: Tuple[int, int]
    divisor: int
    says_generated: bool


def _reduce_while_decoding(source: Image.Image, most: int) -> int:
    """Sets a JPEG up to be decoded at 1/2, 1/4 or 1/8 of its size; returns the divisor.

    The decoder leaves the finest frequencies of each 8x8 block out, which saves most
    of its time on a photograph of many megapixels. Only where that divides both
    sides: boxes would be off by a part of a pixel.
    """
    width, height = source.size
    for divisor in (8, 4, 2):
        if divisor <= most and width % divisor == 0 and height % divisor == 0:
            source.draft(None, (width // divisor, height // divisor))
            return width // source.width
    return 1


def decode_photograph(
    path: str,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    largest_divisor: Callable[[Tuple[int, int]], int] = lambda size: 1,
) -> Decoded:
    """Reads a photograph as people see it, or a reduced copy of it.

    The EXIF orientation is applied, then all metadata (GPS, names, thumbnails,
    colour profiles) is left behind; values are taken as sRGB. Grey, 16-bit, CMYK,
    palette and transparent files become 8-bit RGB; of an animation the first frame
    is taken.

    Args:
      path: the file.
      max_pixels: refuse larger photographs before decoding them (decompression
        bombs).
      largest_divisor: how far a photograph of such a (width, height) may be reduced.
        Only a JPEG is, where that saves time.

    Returns:
      The photograph.

    Raises:
      ValueError: one line with the file and the reason: missing, not an image,
        truncated, too large, or too small.
      OSError: object storage that does not answer; other errors of its client.
    """
    file = _file_of(path)
    try:
        with _open(file) as source:
            width, height = source.size
            if width * height > max_pixels:
                raise _RefusalError(
                    f"{width}x{height} pixels are more than the limit of {max_pixels}; "
                    "scale it down or raise the pixel limit"
                )
            if min(width, height) < MIN_SIDE:
                raise _RefusalError(
                    f"{width}x{height} pixels; at least {MIN_SIDE}x{MIN_SIDE} needed"
                )
            orientation = _orientation(source)
            says_generated = _says_generated(source)
            size = (height, width) if orientation in _TURNED else (width, height)
            divisor = 1
            if source.format in ("JPEG", "MPO"):
                divisor = _reduce_while_decoding(source, largest_divisor(size))
            source.load()
            image = _to_rgb(source)
    except Image.UnidentifiedImageError as error:
        heic = path.lower().endswith((".heic", ".heif"))
        advice = "; HEIC is not read, export it as JPEG" if heic else ""
        raise ValueError(f"{path}: not an image that can be read{advice}") from error
    except _RefusalError as error:
        raise ValueError(f"{path}: {error}") from error
    except Exception as error:  # Decoders raise whatever the bytes lead them to.
        if isinstance(error, OSError) and error.errno:
            raise ValueError(f"{path}: {error.strerror}") from error
        text = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: cut off or damaged ({text})") from error
    if orientation in _TRANSPOSITIONS:
        image = image.transpose(_TRANSPOSITIONS[orientation])
    bare = Image.new("RGB", (1, 1))
    bare.im, bare._size = image.im, image.size
    return Decoded(bare, size, divisor, says_generated)


def read_photograph(path: str, max_pixels: int = DEFAULT_MAX_PIXELS) -> Image.Image:
    """Reads a photograph in its full size; see `decode_photograph`."""
    return decode_photograph(path, max_pixels).image
