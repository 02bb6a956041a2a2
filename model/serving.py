"""A generator ready to paint: from NumPy, and as a SavedModel."""

from typing import Iterator, Optional

import numpy as np
import tensorflow as tf

from common import files
from model.sampling import Code, sample_images


class Painter(tf.Module):
    """A generator with its signature; weights are read whenever it paints.

    `from_map` takes `map`, uint8 [B, S, S, 3], and `seed`, int64 [B], and returns
    `image`, uint8 [B, S, S, 3]; image i depends on map i and seed i alone.
    """

    def __init__(self, generator: tf.keras.Model):
        super().__init__()
        self.generator = generator
        self.image_size = generator.input_shape["map"][1]
        shape = [None, self.image_size, self.image_size, 3]

        @tf.function(
            input_signature=[
                tf.TensorSpec(shape, tf.uint8, name="map"),
                tf.TensorSpec([None], tf.int64, name="seed"),
            ],
            autograph=False,
        )
        def from_map(semantic_map: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"image": sample_images(generator, semantic_map, seed)}

        @tf.function(
            input_signature=[
                tf.TensorSpec(shape, tf.uint8),
                tf.TensorSpec([None], tf.int64),
                tf.TensorSpec([None, None], tf.float32),
                tf.TensorSpec([None, None], tf.float32),
            ],
            autograph=False,
        )
        def from_code(
            semantic_map: tf.Tensor, seed: tf.Tensor, mean: tf.Tensor, deviation: tf.Tensor
        ) -> tf.Tensor:
            return sample_images(generator, semantic_map, seed, Code(mean, deviation))

        self.from_map = from_map
        self._from_code = from_code  # no part of the SavedModel: it takes no codes

    def paint(
        self, semantic_maps: np.ndarray, seeds: np.ndarray, code: Optional[Code] = None
    ) -> np.ndarray:
        """Paints one image per map.

        Args:
          semantic_maps: uint8 [B, S, S, 3].
          seeds: int64 [B].
          code: in place of the global noise, float32 [B, N] each; by default it is drawn.

        Returns:
          uint8 [B, S, S, 3].
        """
        given = tf.constant(semantic_maps), tf.constant(seeds, tf.int64)
        painted = self.from_map(*given)["image"] if code is None else self._from_code(*given, *code)
        return painted.numpy()

    def paint_batches(
        self,
        semantic_maps: np.ndarray,
        seeds: np.ndarray,
        batch_size: int = 32,
        code: Optional[Code] = None,
    ) -> Iterator[np.ndarray]:
        """Paints many images, a batch at a time."""
        for start in range(0, len(semantic_maps), batch_size):
            part = slice(start, start + batch_size)
            some = None if code is None else Code(code.mean[part], code.deviation[part])
            yield self.paint(semantic_maps[part], seeds[part], some)

    def save(self, path: str) -> str:
        """Writes a SavedModel, replacing an older one when it is complete; returns its path."""
        # With the network itself, Keras would trace every layer for its own format.
        saved = tf.Module()
        saved.weights = self.generator.variables
        saved.from_map = self.from_map
        with files.replacing(path) as temporary:
            tf.saved_model.save(saved, str(temporary), signatures={"from_map": self.from_map})
        return path
