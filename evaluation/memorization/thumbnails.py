"""Thumbnails: where an image is light and dark, for copies that feature networks miss.

Pooled features change more when a photograph is cropped, turned or lightened than they
differ between patients. A thumbnail without its mean colour does not, once it is turned by
quarters and compared with windows of the photograph: those that training cuts out of it,
smaller ones, and the photograph turned a little.
"""

import dataclasses
import hashlib
import math

import numpy as np
import tensorflow as tf

from evaluation.features import on_disk
from evaluation.features.image_sets import ImageSet
from evaluation.features.networks import FeatureNetwork
from evaluation.memorization.nearest_neighbours import Views
from model.images import to_float

SIZE = 8
DIMENSION = SIZE * SIZE * 3
_SIDE = 160  # of the images that windows are cut from
_DEGREES = (-10, 10)
# Pixels of a thumbnail's pixel, and where windows of that size begin: pix2pix jitter shows
# 256 / 286 of a side (`input_pipeline`), which is 144 of 160; the others show 80 %.
_WINDOWS = ((18, (0, 8, 16)), (16, (0, 8, 16, 24, 32)))
NUM_WINDOWS = len(_DEGREES) + sum(len(offsets) ** 2 for _, offsets in _WINDOWS)


def _without_mean(small: tf.Tensor) -> tf.Tensor:
    """Takes the mean colour of thumbnails away, [N, SIZE, SIZE, 3] to [N, DIMENSION]."""
    centred = small - tf.reduce_mean(small, axis=[1, 2], keepdims=True)
    return tf.reshape(centred, [-1, DIMENSION])


def thumbnails(images: tf.Tensor) -> tf.Tensor:
    """Makes images small and takes away their mean colour.

    Args:
      images: float32 [N, H, W, 3] in [-1, 1].

    Returns:
      float32 [N, DIMENSION].
    """
    return _without_mean(tf.image.resize(images, [SIZE, SIZE], "area"))


def _turn(images: tf.Tensor, degrees: float) -> tf.Tensor:
    """Turns square images about their middle; what comes in from outside is reflected."""
    side = int(images.shape[1])
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    middle = (side - 1) / 2
    across = middle - cosine * middle + sine * middle
    along = middle - sine * middle - cosine * middle
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=[[cosine, -sine, across, sine, cosine, along, 0.0, 0.0]],
        output_shape=[side, side],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )


@tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)], autograph=False)
def windows(images: tf.Tensor) -> tf.Tensor:
    """Makes the thumbnails of what copies may show of images.

    Args:
      images: uint8 [N, S, S, 3].

    Returns:
      float32 [NUM_WINDOWS, N, DIMENSION]: corners, edges and middle at 256 / 286 of the side,
      25 places at 80 % of it, and the whole turned by 10 degrees to either side.
    """
    scaled = to_float(images)
    large = tf.image.resize(scaled, [_SIDE, _SIDE], "bilinear", antialias=True)
    large = tf.ensure_shape(large, [None, _SIDE, _SIDE, 3])
    found = []
    for pixel, offsets in _WINDOWS:
        stride = math.gcd(pixel, *offsets)
        means = tf.nn.avg_pool2d(large, pixel, stride, "VALID")
        step, last = pixel // stride, (SIZE - 1) * pixel // stride + 1
        starts = [offset // stride for offset in offsets]
        for top in starts:
            for left in starts:
                part = means[:, top : top + last : step, left : left + last : step]
                found.append(_without_mean(part))
    found += [thumbnails(_turn(large, degrees)) for degrees in _DEGREES]
    return tf.stack(found)


def windows_of(images: ImageSet, batch_size: int = 64) -> np.ndarray:
    """Returns the `windows` of a set, float16 [NUM_WINDOWS, N, DIMENSION], in a mapped file."""
    found = on_disk.empty((NUM_WINDOWS, len(images), DIMENSION), np.float16)
    done = 0
    for batch in images.dataset().batch(batch_size):
        found[:, done : done + len(batch)] = windows(batch)
        done += len(batch)
    return found


def add_thumbnails(network: FeatureNetwork) -> FeatureNetwork:
    """Returns a network that gives features and, behind them, thumbnails.

    One pass over the images then serves both.
    """

    def call(images: tf.Tensor) -> tf.Tensor:
        return tf.concat([network.call(images), thumbnails(images)], axis=-1)

    digest = hashlib.sha256(f"{network.digest} with thumbnails {SIZE}".encode()).hexdigest()
    return dataclasses.replace(network, digest=digest, call=call)


def split_views(plain: np.ndarray, mirrored: np.ndarray) -> "dict[str, Views]":
    """Parts what such a network gives for images and for their mirror images.

    Args:
      plain: float32 [N, d + DIMENSION].
      mirrored: the same of the mirror images.

    Returns:
      `features` and `thumbnails`.
    """
    start = plain.shape[1] - DIMENSION
    return {
        "features": Views(plain[:, :start], mirrored[:, :start]),
        "thumbnails": Views(plain[:, start:], mirrored[:, start:], side=SIZE),
    }
