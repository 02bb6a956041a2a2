"""Thumbnails: where an image is light and dark, for copies that feature networks miss.

Pooled features change more when a photograph is cropped and lightened than they
differ between patients; a thumbnail without its mean colour does not, once it is
compared with the windows that training cuts out of the photograph.
"""

import dataclasses
import hashlib
from typing import Dict, Tuple

import numpy as np
import tensorflow as tf

from evaluation.features.networks import FeatureNetwork
from evaluation.memorization.nearest_neighbours import Views

SIZE = 8
DIMENSION = SIZE * SIZE * 3
NUM_WINDOWS = 9


def _jitter(side: int) -> Tuple[int, Tuple[int, int, int]]:
    """Returns the enlarged side and the windows' offsets: pix2pix jitter, as `input_pipeline`."""
    enlarged = round(side * 286 / 256)
    return enlarged, (0, (enlarged - side) // 2, enlarged - side)


def thumbnails(images: tf.Tensor) -> tf.Tensor:
    """Makes images small and takes away their mean colour.

    Args:
      images: float32 [N, H, W, 3] in [-1, 1].

    Returns:
      float32 [N, DIMENSION].
    """
    small = tf.image.resize(images, [SIZE, SIZE], "area")
    centred = small - tf.reduce_mean(small, axis=[1, 2], keepdims=True)
    return tf.reshape(centred, [-1, DIMENSION])


def windows(images: tf.Tensor) -> tf.Tensor:
    """Makes the thumbnails of what pix2pix jitter shows of images.

    Args:
      images: float32 [N, S, S, 3] in [-1, 1].

    Returns:
      float32 [N, NUM_WINDOWS * DIMENSION]: corners, edges and centre of the images
      enlarged by 286 / 256.
    """
    side = images.shape[1]
    enlarged, offsets = _jitter(side)
    large = tf.image.resize(images, [enlarged, enlarged], "bilinear")
    parts = [
        thumbnails(large[:, top : top + side, left : left + side])
        for top in offsets
        for left in offsets
    ]
    return tf.concat(parts, axis=-1)


def add_thumbnails(network: FeatureNetwork, with_windows: bool) -> FeatureNetwork:
    """Returns a network that gives features and, behind them, thumbnails.

    One pass over the images then serves both.

    Args:
      network: of the features.
      with_windows: whether the thumbnails of the windows follow, too.
    """

    def call(images: tf.Tensor) -> tf.Tensor:
        parts = [network.call(images), thumbnails(images)]
        return tf.concat(parts + ([windows(images)] if with_windows else []), axis=-1)

    offsets = _jitter(network.input_size)[1] if with_windows else ()
    what = f"{network.digest} with thumbnails {SIZE} {offsets}"
    return dataclasses.replace(network, digest=hashlib.sha256(what.encode()).hexdigest(), call=call)


def split_views(plain: np.ndarray, mirrored: np.ndarray, with_windows: bool) -> Dict[str, Views]:
    """Parts what such a network gives for images and for their mirror images.

    Args:
      plain: float32 [N, d + DIMENSION (1 + NUM_WINDOWS or 0)].
      mirrored: the same of the mirror images.
      with_windows: as of `add_thumbnails`.

    Returns:
      `features` and `thumbnails`.
    """
    extra = DIMENSION * (1 + NUM_WINDOWS * with_windows)
    start = plain.shape[1] - extra
    end = start + DIMENSION
    jittered = None
    if with_windows:
        jittered = plain[:, end:].reshape(len(plain), NUM_WINDOWS, DIMENSION)
    return {
        "features": Views(plain[:, :start], mirrored[:, :start]),
        "thumbnails": Views(plain[:, start:end], mirrored[:, start:end], jittered),
    }
