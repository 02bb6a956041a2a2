"""Noise for the generator, and images from it.

All randomness of images is drawn here, from seeds, and enters the network through its inputs: the
same numbers on every device, compiled by XLA or not (`model.noise`).
`sample_images` is the way from maps to pictures inside TensorFlow; `serving.Painter`
wraps it for NumPy and as a SavedModel.
"""

import math
from typing import NamedTuple, Optional, Union

import numpy as np
import tensorflow as tf

from model import images, noise
from model.generator import noise_inputs


class Code(NamedTuple):
    """What takes the place of global noise: `mean + deviation * drawn`, value by value.

    An encoder reads both from a photograph; a deviation of 0 leaves nothing to the seed,
    a mean of 0 with a deviation of 1 all.
    """

    mean: Union[tf.Tensor, np.ndarray]  # float32 [B, N]
    deviation: Union[tf.Tensor, np.ndarray]


def batch_noise(
    generator: tf.keras.Model, batch_size: Union[int, tf.Tensor], seed: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Draws noise for a batch, for training, from a seed, int32 or int64 [2].

    All inputs of one distribution are parts of one draw: a stream of its own for each
    would be hundreds of operations, and on an accelerator as many small kernels.

    Returns:
      The generator's noise inputs by name, float32 [batch_size, ...].
    """
    drawn = {}
    for index, distribution in enumerate(noise.DISTRIBUTIONS):
        shapes = {
            name: shape
            for name, (shape, its) in noise_inputs(generator).items()
            if its == distribution
        }
        if shapes:
            sizes = [math.prod(shape) for shape in shapes.values()]
            rows = noise.draw([batch_size, sum(sizes)], noise.fold_in(seed, index), distribution)
            for (name, shape), part in zip(shapes.items(), tf.split(rows, sizes, axis=1)):
                drawn[name] = tf.reshape(part, [batch_size, *shape])
    return drawn


def seeded_noise(generator: tf.keras.Model, seeds: tf.Tensor) -> dict[str, tf.Tensor]:
    """Draws noise per example from seeds, int64 [B]: as `batch_noise`, float32 [B, ...]."""

    def one(seed: tf.Tensor) -> dict[str, tf.Tensor]:
        drawn = batch_noise(generator, 1, tf.stack([seed, tf.zeros_like(seed)]))
        return {name: value[0] for name, value in drawn.items()}

    inputs = noise_inputs(generator)
    if not inputs:
        return {}
    signature = {name: tf.TensorSpec(shape, tf.float32) for name, (shape, _) in inputs.items()}
    return tf.map_fn(one, tf.cast(seeds, tf.int64), fn_output_signature=signature)


def sample_images(
    generator: tf.keras.Model,
    semantic_maps: tf.Tensor,
    seeds: tf.Tensor,
    code: Optional[Code] = None,
) -> tf.Tensor:
    """Samples images from a generator.

    Args:
      generator: from `build_generator`.
      semantic_maps: uint8 [B, S, S, 3].
      seeds: int64 [B]; image i depends on map i, seed i and code i alone.
      code: in place of the generator's global noise; by default that is drawn.

    Returns:
      uint8 [B, S, S, 3].
    """
    inputs = {"map": images.to_float(semantic_maps), **seeded_noise(generator, seeds)}
    if code is not None:
        inputs["global_noise"] = code.mean + code.deviation * inputs["global_noise"]
    return images.to_uint8(generator(inputs, training=False))
