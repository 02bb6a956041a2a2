"""Image files that tell nothing of where their pixels come from.

Real and synthetic pictures take the same way: uint8 pixels, resized, one JPEG encoder
with fixed settings and tables, no metadata. Up to its image data every file is then
the same, byte for byte. The length of the image data still differs, and smooth images
are often the synthetic ones: every file is filled up to the length of the longest.
"""

import io
from typing import List, Sequence

import numpy as np
from PIL import Image

QUALITY = 95
_START_OF_SCAN = b"\xff\xda"


def encode(pixels: np.ndarray, size: int) -> bytes:
    """Encodes a picture.

    Args:
      pixels: uint8 [H, W, 3].
      size: rows and columns of the file.

    Returns:
      A baseline JPEG of full chroma resolution.
    """
    image = Image.fromarray(pixels).resize((size, size), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()


def header(jpeg: bytes) -> bytes:
    """Returns what comes before the image data of a file of `encode`."""
    return jpeg[: jpeg.index(_START_OF_SCAN)]


def encode_alike(pictures: Sequence[np.ndarray], size: int) -> List[bytes]:
    """Encodes pictures so that their files differ in image data alone.

    Args:
      pictures: uint8 [H, W, 3], all of one size: where they are not, the resizing is
        visible and could tell them apart.
      size: rows and columns of the files.

    Returns:
      JPEG files of one length; what follows the end of an image is zero.

    Raises:
      ValueError: pictures of several sizes.
    """
    sizes = sorted({picture.shape for picture in pictures})
    if len(sizes) > 1:
        raise ValueError(f"pictures of several sizes would tell them apart: {sizes}")
    files = [encode(picture, size) for picture in pictures]
    assert len({header(file) for file in files}) <= 1
    longest = max(map(len, files), default=0)
    return [file.ljust(longest, b"\0") for file in files]
