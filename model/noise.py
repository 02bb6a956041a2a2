"""Random numbers that are the same on every device, compiled or not, in TensorFlow and NumPy.

TensorFlow's own stateless floats differ between its kernels and XLA as soon as the seed
is not a constant. Its *integers* from Philox 4x32-10 (Salmon et al. 2011) do not, so all
noise is made from those: uniform values exactly, normal ones (Box and Muller 1958) up to
the rounding of logarithm, sine and cosine, 5e-7.

`GENERATOR` names the scheme wherever provenance is written: another one paints other
images from the same seed.
"""

import math
from typing import Sequence, Tuple

import numpy as np
import tensorflow as tf

GENERATOR = "philox4x32-10/box-muller/2"
DISTRIBUTIONS = ("normal", "uniform")

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


def fold_in_numpy(seed: Sequence[int], data: int) -> Tuple[int, int]:
    """Returns what `fold_in` does, without TensorFlow."""
    low, high = (int(word) for word in _bits_numpy(2, seed))
    first = np.array(low | high << 32, np.uint64).astype(np.int64)
    return int(first), data


def draw_numpy(shape: Sequence[int], seed: Sequence[int], distribution: str) -> np.ndarray:
    """Returns what `draw` does, without TensorFlow."""
    count = int(np.prod(shape))
    if distribution == "uniform":
        return _unit_numpy(_bits_numpy(count, seed)).reshape(shape)
    pairs = (count + 1) // 2
    bits = _bits_numpy(2 * pairs, seed)
    radius = np.sqrt(np.float32(-2) * np.log(_unit_numpy(bits[:pairs]) + np.float32(_UNIT)))
    angle = np.float32(2 * np.pi) * _unit_numpy(bits[pairs:])
    normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
    return normal[:count].reshape(shape)


def _unit_numpy(bits: np.ndarray) -> np.ndarray:
    return (bits >> np.uint32(8)).astype(np.float32) * np.float32(_UNIT)


def _bits_numpy(count: int, seed: Sequence[int]) -> np.ndarray:
    """Returns uint32 [count]; key and counter come from the seed as in TensorFlow."""
    words = [int(part) & (1 << 64) - 1 for part in seed]
    counter = np.array([[word & 0xFFFFFFFF, word >> 32] for word in words], np.uint32)
    mixed = _philox(counter.reshape(1, 4), (0x3EC8F720, 0x02461E29))[0]
    blocks = -(-count // 4)
    counters = np.zeros((blocks, 4), np.uint32)
    counters[:, 0] = np.arange(blocks)
    counters[:, 2:] = mixed[2:]
    return _philox(counters, (int(mixed[0]), int(mixed[1]))).reshape(-1)[:count]


def _philox(counters: np.ndarray, key: Tuple[int, int]) -> np.ndarray:
    """Ten rounds of Philox 4x32.

    Args:
      counters: uint32 [n, 4].
      key: two numbers of 32 bits.

    Returns:
      uint32 [n, 4].
    """
    a, b, c, d = (counters[:, column].astype(np.uint64) for column in range(4))
    low = np.uint64(0xFFFFFFFF)
    for turn in range(10):
        left = a * np.uint64(0xD2511F53)
        right = c * np.uint64(0xCD9E8D57)
        keys = [
            np.uint64((word + turn * step) & 0xFFFFFFFF)
            for word, step in zip(key, (0x9E3779B9, 0xBB67AE85))
        ]
        a, b, c, d = (
            (right >> np.uint64(32)) ^ b ^ keys[0],
            right & low,
            (left >> np.uint64(32)) ^ d ^ keys[1],
            left & low,
        )
    return np.stack([a, b, c, d], 1).astype(np.uint32)
