"""Copies planted on purpose: what an audit must find, and how much of it it finds."""

import dataclasses
import hashlib
from typing import Callable, Dict, Sequence

import numpy as np
import tensorflow as tf
from PIL import Image
from scipy import ndimage
from skimage import color

from evaluation.features.image_sets import ImageSet
from training import input_pipeline

_BRIGHTNESS = 12  # of 255
_JPEG_QUALITY = 75
_DEGREES = 10
_SHARE = 0.8  # of a side
_LIGHTNESS, _YELLOWNESS = 15.0, 5.0  # of L* and b*, up or down: one or two skin types


def pick(images: ImageSet, positions: Sequence[int]) -> np.ndarray:
    """Returns the pixels of some images, uint8 [N, S, S, 3], reading all but keeping these."""
    wanted = {int(position) for position in positions}
    found: Dict[int, np.ndarray] = {}
    for position, image in enumerate(images.dataset().take(max(wanted, default=-1) + 1)):
        if position in wanted:
            found[position] = image.numpy()
    return np.stack([found[int(position)] for position in positions])


def with_mirrored(images: ImageSet) -> ImageSet:
    """Returns each image and, after it, its mirror image: a set of twice the size."""

    def both(image: tf.Tensor) -> tf.Tensor:
        return tf.stack([image, image[:, ::-1]])

    return dataclasses.replace(
        images,
        name=f"{images.name} and mirrored",
        digest=hashlib.sha256(b"with mirrored " + images.digest.encode()).hexdigest(),
        layouts=tuple(layout for layout in images.layouts for _ in range(2)),
        patients=tuple(patient for patient in images.patients for _ in range(2)),
        image_ids=tuple(image_id for image_id in images.image_ids for _ in range(2)),
        dataset=lambda: images.dataset().map(both).unbatch(),
    )


def jitter(images: np.ndarray, seed: int = 0) -> np.ndarray:
    """Changes images as training does, then in brightness, then by JPEG.

    Enlarged by 286 / 256 and cropped, mirrored at random (`input_pipeline.augment`),
    all values up or down by up to 12 of 255, JPEG of quality 75.

    Args:
      images: uint8 [N, S, S, 3].
      seed: of the changes.

    Returns:
      uint8 [N, S, S, 3].
    """
    config = input_pipeline.InputConfig(batch_size=1, seed=seed)
    rng = np.random.default_rng(seed)
    changed = []
    for position, image in enumerate(images):
        index = tf.constant(position, tf.int64)
        _, moved = input_pipeline.augment(tf.constant(image), tf.constant(image), config, index)
        shifted = moved.numpy() + rng.uniform(-_BRIGHTNESS, _BRIGHTNESS)
        bright = np.clip(np.round(shifted), 0, 255).astype(np.uint8)
        changed.append(tf.io.decode_jpeg(tf.io.encode_jpeg(bright, quality=_JPEG_QUALITY)).numpy())
    return np.stack(changed)


def _turned(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.rot90(image, rng.integers(1, 4))


def _tilted(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    degrees = _DEGREES * rng.choice([-1, 1])
    return ndimage.rotate(image, degrees, reshape=False, order=1, mode="reflect")


def _cropped(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    side = len(image)
    part = round(_SHARE * side)
    top, left = rng.integers(0, side - part + 1, 2)
    cut = Image.fromarray(image[top : top + part, left : left + part])
    return np.asarray(cut.resize((side, side), Image.Resampling.BICUBIC))


def _toned(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    colours = color.rgb2lab(image)
    colours[..., 0] += rng.uniform(-_LIGHTNESS, _LIGHTNESS)
    colours[..., 2] += rng.uniform(-_YELLOWNESS, _YELLOWNESS)
    return np.rint(255 * np.clip(color.lab2rgb(colours), 0, 1)).astype(np.uint8)


CHANGES: Dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "exact": lambda image, rng: image,
    "mirrored": lambda image, rng: image[:, ::-1],
    "turned 90": _turned,
    "turned 10": _tilted,
    "cropped": _cropped,
    "toned": _toned,
}
# Cropped: to 80 % of the side; toned: lighter or darker, as of another skin type.
KINDS = (*CHANGES, "jittered")


def plant(training: ImageSet, number: int, kind: str, seed: int = 0) -> ImageSet:
    """Returns copies of random training photographs.

    Args:
      training: the photographs.
      number: copies, at most as many as there are photographs.
      kind: one of `KINDS`.
      seed: chooses the photographs (the same of every kind) and the changes.

    Raises:
      ValueError: an unknown kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(len(training), min(number, len(training)), replace=False))
    pixels = pick(training, chosen.tolist())
    if kind == "jittered":
        pixels = jitter(pixels, seed)
    else:
        pixels = np.stack([CHANGES[kind](image, rng) for image in pixels])
    return ImageSet(
        name=f"planted {kind}",
        digest=hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).hexdigest(),
        layouts=tuple(training.layouts[i] for i in chosen),
        patients=tuple(training.patients[i] for i in chosen),
        image_ids=tuple(training.image_ids[i] for i in chosen),
        skin_type_sources=tuple(training.skin_type_sources[i] for i in chosen),
        dataset=lambda: tf.data.Dataset.from_tensor_slices(pixels),
    )
