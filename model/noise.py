"""Random numbers that are the same on every device, compiled or not; `numpy_noise` has a twin.

TensorFlow's own stateless floats differ between its kernels and XLA as soon as the seed
is not a constant. Its *integers* from Philox 4x32-10 (Salmon et al. 2011) do not, so all
noise is made from those: uniform values exactly, normal ones (Box and Muller 1958) up to
the rounding of logarithm, sine and cosine, 5e-7.

`GENERATOR` names the scheme wherever provenance is written: another one paints other
images from the same seed.
"""

import math
from typing import Sequence

import numpy as np
import tensorflow as tf

from model import numpy_noise

GENERATOR = "philox4x32-10/box-muller/2"
DISTRIBUTIONS = numpy_noise.DISTRIBUTIONS

_ALGORITHM = "philox"
_UNIT = 2.0**-24  # a float32 holds 24 bits


def fold_in(seed: tf.Tensor, data: tf.Tensor) -> tf.Tensor:
    """Makes a seed of its own for a stream of numbers.

    Args:
      seed: int64 [2].
      data: int64 scalar that names the stream.

    Returns:
      int64 [2].
    """
    return tf.random.experimental.stateless_fold_in(
        tf.cast(seed, tf.int64), tf.cast(data, tf.int64), alg=_ALGORITHM
    )


def draw(shape: Sequence[int], seed: tf.Tensor, distribution: str) -> tf.Tensor:
    """Draws numbers.

    Args:
      shape: of the result; numbers, or int32 scalars.
      seed: int64 [2].
      distribution: "normal" (standard) or "uniform" (in [0, 1)).

    Returns:
      float32 of this shape.
    """
    count = math.prod(shape)
    seed = tf.cast(seed, tf.int64)
    if distribution == "uniform":
        return tf.reshape(_unit(_bits(count, seed)), shape)
    pairs = (count + 1) // 2
    bits = _bits(2 * pairs, seed)
    # In (0, 1], of which the logarithm is finite.
    radius = tf.sqrt(-2.0 * tf.math.log(_unit(bits[:pairs]) + _UNIT))
    angle = (2.0 * np.pi) * _unit(bits[pairs:])
    normal = tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], 0)
    return tf.reshape(normal[:count], shape)


def _bits(count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    return tf.random.stateless_uniform(
        [count], seed, minval=None, maxval=None, dtype=tf.uint32, alg=_ALGORITHM
    )


def _unit(bits: tf.Tensor) -> tf.Tensor:
    """Takes uint32 to float32 in [0, 1), exactly."""
    # XLA and GPUs convert int32 in one instruction; 24 bits are positive in it.
    return (
        tf.cast(
            tf.bitcast(tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32)), tf.int32),
            tf.float32,
        )
        * _UNIT
    )
