"""Noise for the generator, and images from it.

All randomness is drawn here, from seeds, and enters the network through its inputs.
"""

from typing import Dict

import tensorflow as tf

from model import images
from model.generator import GeneratorConfig, noise_shapes


def batch_noise(config: GeneratorConfig, batch_size: tf.Tensor, seed: tf.Tensor) -> Dict:
    """Draws noise for a batch, for training.

    Args:
      config: the architecture.
      batch_size: int32 scalar.
      seed: int32 or int64 [2]; the same seed gives the same noise.

    Returns:
      The generator's noise inputs by name, float32 [batch_size, ...].
    """
    noise = {}
    for index, (name, (shape, distribution)) in enumerate(noise_shapes(config).items()):
        draw = (
            tf.random.stateless_normal if distribution == "normal" else tf.random.stateless_uniform
        )
        stream = tf.random.experimental.stateless_fold_in(tf.cast(seed, tf.int64), index)
        noise[name] = draw(tf.concat([[batch_size], shape], 0), stream)
    return noise


def seeded_noise(config: GeneratorConfig, seeds: tf.Tensor) -> Dict[str, tf.Tensor]:
    """Draws noise per example, for sampling: image i depends on seed i alone.

    Args:
      config: the architecture.
      seeds: int64 [B].

    Returns:
      The generator's noise inputs by name, float32 [B, ...].
    """
    shapes = noise_shapes(config)

    def one(seed: tf.Tensor) -> Dict[str, tf.Tensor]:
        drawn = batch_noise(config, tf.constant(1), tf.stack([seed, tf.zeros_like(seed)]))
        return {name: value[0] for name, value in drawn.items()}

    if not shapes:
        return {}
    signature = {name: tf.TensorSpec(shape, tf.float32) for name, (shape, _) in shapes.items()}
    return tf.map_fn(one, tf.cast(seeds, tf.int64), fn_output_signature=signature)


def sample_images(
    generator: tf.keras.Model, config: GeneratorConfig, semantic_maps: tf.Tensor, seeds: tf.Tensor
) -> tf.Tensor:
    """Samples images from a generator.

    Args:
      generator: from `build_generator`.
      config: its architecture.
      semantic_maps: uint8 [B, S, S, 3].
      seeds: int64 [B]; image i depends on map i and seed i alone.

    Returns:
      uint8 [B, S, S, 3].
    """
    inputs = {"map": images.to_float(semantic_maps), **seeded_noise(config, seeds)}
    return images.to_uint8(generator(inputs, training=False))
