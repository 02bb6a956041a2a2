import os

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from model import layers, modulation, sampling
from model.generator import GeneratorConfig, build_generator, noise_inputs, noise_shapes

_ALL = {
    "global_noise": 4,
    "pixel_noise": 2,
    "level_noise": 2,
    "map_encoding": "embedding",
    "modulation": 8,
    "roi_side": 8,
    "output_filters": 4,
    "activation_limit": 4.0,
    "num_conditions": 5,
}


class LayerTest(parameterized.TestCase):
    @parameterized.parameters(
        (layers.ResizeConv2D(4, 5, "plain", True, name="r"),),
        (layers.MapEmbedding(4, 0.5, 3, 5, dtype="mixed_bfloat16"),),
        (layers.Limit(3.0),),
        (layers.Dropout(0.25),),
        (modulation.MapStyles(8, 4, 3, 5),),
        (modulation.Modulation(dtype="mixed_bfloat16"),),
    )
    def test_configuration_makes_the_same_layer(self, layer):
        again = tf.keras.utils.deserialize_keras_object(
            tf.keras.utils.serialize_keras_object(layer)
        )
        self.assertIs(type(again), type(layer))
        self.assertEqual(again.get_config(), layer.get_config())


class GeneratorTest(parameterized.TestCase):
    @parameterized.parameters(
        ({"normalization": "instance"},),
        ({"normalization": "batch", "dropout": 0.0, "synchronized": True, **_ALL},),
    )
    def test_a_saved_generator_paints_the_same(self, settings):
        config = GeneratorConfig(32, base_filters=4, **settings)
        generator = build_generator(config, "mixed_bfloat16")
        path = os.path.join(self.create_tempdir().full_path, "generator.keras")
        generator.save(path)
        loaded = tf.keras.models.load_model(path)
        clone = tf.keras.models.clone_model(generator)
        clone.set_weights(generator.get_weights())
        maps = tf.cast(np.random.default_rng(0).integers(0, 7, (2, 32, 32, 3)) * 42, tf.uint8)
        seeds = tf.constant([1, 2], tf.int64)
        expected = sampling.sample_images(generator, maps, seeds)
        for other in (loaded, clone):
            self.assertEqual(list(noise_inputs(other)), list(noise_shapes(config)))
            images = sampling.sample_images(other, maps, seeds)
            np.testing.assert_array_equal(images, expected)


if __name__ == "__main__":
    absltest.main()
