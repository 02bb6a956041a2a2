"""The small grey pictures that near-duplicates are found by.

Apart from the search itself (`duplicates`), because workers make them and should not
have to load what it needs.
"""

import base64

import numpy as np
from PIL import Image

SIDE = 48  # pixels


def reduce(image: Image.Image) -> np.ndarray:
    """Reduces an RGB photograph, of whatever proportions, to uint8 [SIDE, SIDE]."""
    return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.HAMMING))


def to_text(thumbnail: np.ndarray) -> str:
    """Writes a thumbnail for JSON."""
    return base64.b64encode(thumbnail.tobytes()).decode("ascii")


def from_text(text: str) -> np.ndarray:
    """Reads `to_text` back."""
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(SIDE, SIDE)
