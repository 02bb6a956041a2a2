"""The averaged generator as a SavedModel."""

import tensorflow as tf

from common import files
from model.dermgan import DermGAN
from model.sampling import sample_images


def save(model: DermGAN, path: str) -> str:
    """Writes the averaged generator as a SavedModel, replacing an older one.

    The directory appears under its name only when it is complete.

    Args:
      model: a trained model.
      path: of the SavedModel directory.

    Returns:
      The path. The model's signature `from_map` takes `map`, uint8
      [B, S, S, 3], and `seed`, int64 [B], and returns `image`, uint8
      [B, S, S, 3]; image i depends on map i and seed i alone.
    """
    config = model.generator_config
    size = config.image_size

    module = tf.Module()
    module.generator = model.ema_generator

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, size, size, 3], tf.uint8, name="map"),
            tf.TensorSpec([None], tf.int64, name="seed"),
        ]
    )
    def from_map(semantic_map: tf.Tensor, seed: tf.Tensor) -> dict:
        return {"image": sample_images(module.generator, config, semantic_map, seed)}

    module.from_map = from_map
    with files.replacing(path) as temporary:
        tf.saved_model.save(module, str(temporary), signatures={"from_map": from_map})
    return path
