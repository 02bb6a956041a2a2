"""Batches for the classifier: gathered by number, jittered as in every arm alike."""

import dataclasses
from typing import Sequence, Tuple

import numpy as np
import tensorflow as tf

from evaluation.augmentation.classifier_data import Images

# Images are kept this much larger than the classifier sees them, so that a crop is not
# an enlargement.
STORED_SCALE = 1.25
_GREY = (0.299, 0.587, 0.114)  # luma of ITU-R BT.601


@dataclasses.dataclass(frozen=True)
class Jitter:
    """How images vary in training.

    Attributes:
      flip_horizontal: half of the images.
      flip_vertical: half of the images.
      crop: least share of each side that a random crop keeps; 1 is off.
      saturation: factors are drawn from 1 - x to 1 + x.
      contrast: factors are drawn from 1 - x to 1 + x.
      brightness: what is added is drawn from -x to x, where the range is 1.
    """

    flip_horizontal: bool = True
    flip_vertical: bool = True
    crop: float = 0.7
    saturation: float = 0.2
    contrast: float = 0.2
    brightness: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.crop <= 1:
            raise ValueError(f"augmentation.crop {self.crop} is not in (0, 1]")
        for name in ("saturation", "contrast", "brightness"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"augmentation.{name} {getattr(self, name)} is not in 0..1")


def stored_size(input_size: int) -> int:
    """Returns the rows and columns that images are kept with."""
    return round(input_size * STORED_SCALE)


def apply(images: tf.Tensor, jitter: Jitter, input_size: int, seed: tf.Tensor) -> tf.Tensor:
    """Varies a batch, each image by its own draws.

    Args:
      images: float32 [B, H, W, 3] in [-1, 1], B known when the graph is built.
      jitter: how.
      input_size: rows and columns of the result.
      seed: int64 [2]; decides everything.

    Returns:
      float32 [B, input_size, input_size, 3] in [-1, 1].
    """
    batch = images.shape[0]
    seeds = tf.random.experimental.stateless_split(seed, 8)

    def uniform(number: int, low: float, high: float) -> tf.Tensor:
        return tf.random.stateless_uniform([batch, 1, 1, 1], seeds[number], low, high)

    side = uniform(0, jitter.crop, 1.0)[:, :, 0, 0]
    top = uniform(1, 0.0, 1.0)[:, :, 0, 0] * (1.0 - side)
    left = uniform(2, 0.0, 1.0)[:, :, 0, 0] * (1.0 - side)
    boxes = tf.concat([top, left, top + side, left + side], axis=1)
    images = tf.image.crop_and_resize(images, boxes, tf.range(batch), [input_size, input_size])
    for number, axis, wanted in ((3, 2, jitter.flip_horizontal), (4, 1, jitter.flip_vertical)):
        if wanted:
            flipped = tf.reverse(images, [axis])
            images = tf.where(uniform(number, 0.0, 1.0) < 0.5, flipped, images)
    grey = tf.reduce_sum(images * tf.constant(_GREY), axis=-1, keepdims=True)
    images = grey + (images - grey) * uniform(5, 1 - jitter.saturation, 1 + jitter.saturation)
    mean = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
    images = mean + (images - mean) * uniform(6, 1 - jitter.contrast, 1 + jitter.contrast)
    images += 2.0 * uniform(7, -jitter.brightness, jitter.brightness)
    return tf.clip_by_value(images, -1.0, 1.0)


def to_float(images: tf.Tensor) -> tf.Tensor:
    """Scales uint8 to float32 in [-1, 1], what MobileNet takes."""
    return tf.cast(images, tf.float32) / 127.5 - 1.0


def training_batches(
    sources: Sequence[Images],
    order: np.ndarray,
    weights: np.ndarray,
    jitter: Jitter,
    input_size: int,
    batch_size: int,
    seed: int,
) -> tf.data.Dataset:
    """Makes the batches of a training.

    Args:
      sources: photographs, then synthetic images, as `arms.draw` numbers
        them.
      order: numbers of the images, int64 [steps * batch_size].
      weights: of the loss by condition code, float32.
      jitter: how images vary.
      input_size: rows and columns that the classifier sees.
      batch_size: images of a step.
      seed: of the variation.

    Returns:
      (images float32 [B, S, S, 3] in [-1, 1], codes int64 [B], weights float32 [B]).
    """
    first = np.cumsum([0, *(len(source) for source in sources)])
    labels = np.concatenate([source.labels for source in sources])
    size = sources[0].pixels.shape[1]

    def gather(numbers: np.ndarray) -> np.ndarray:
        which = np.searchsorted(first, numbers, side="right") - 1
        images = np.empty((len(numbers), size, size, 3), np.uint8)
        for index, source in enumerate(sources):
            ours = which == index
            images[ours] = source.pixels[numbers[ours] - first[index]]
        return images

    def batch(step: tf.Tensor, numbers: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        images = tf.numpy_function(gather, [numbers], tf.uint8)
        images = tf.ensure_shape(images, [batch_size, size, size, 3])
        images = apply(
            to_float(images), jitter, input_size, tf.stack([tf.constant(seed, tf.int64), step])
        )
        codes = tf.gather(tf.constant(labels), numbers)
        return images, codes, tf.gather(tf.constant(weights), codes)

    numbers = tf.data.Dataset.from_tensor_slices(order).batch(batch_size, drop_remainder=True)
    return numbers.enumerate().map(batch, tf.data.AUTOTUNE).prefetch(4)


def whole_batches(images: Images, input_size: int, batch_size: int) -> tf.data.Dataset:
    """Makes batches (images, codes) of whole images, in order, for measuring."""

    def batches() -> object:
        for start in range(0, len(images), batch_size):
            part = slice(start, start + batch_size)
            yield np.asarray(images.pixels[part]), images.labels[part]

    size = images.pixels.shape[1]
    signature = (
        tf.TensorSpec([None, size, size, 3], tf.uint8),
        tf.TensorSpec([None], tf.int64),
    )
    data = tf.data.Dataset.from_generator(batches, output_signature=signature)
    return data.map(
        lambda pixels, codes: (
            tf.image.resize(to_float(pixels), (input_size, input_size), antialias=True),
            codes,
        ),
        tf.data.AUTOTUNE,
    ).prefetch(2)
