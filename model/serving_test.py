import os

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from model.generator import GeneratorConfig, build_generator
from model.serving import Painter
from preprocessing.data import maps
from preprocessing.data.manifest import Box

_MAPS = np.stack([maps.encode(t, 3 * t, [Box(4, 4, 20, 20)], 32, 32) for t in (1, 4, 6)])
_SEEDS = np.array([1, 2, 3])


class PainterTest(parameterized.TestCase):
    @parameterized.parameters("float32", "mixed_bfloat16")
    def test_saved_model_gives_the_same_pixels(self, dtype):
        config = GeneratorConfig(32, base_filters=4, level_noise=2, map_encoding="embedding")
        painter = Painter(build_generator(config, dtype))
        path = os.path.join(self.create_tempdir().full_path, "generator")
        self.assertEqual(painter.save(path), path)
        if dtype == "float32":
            painter.save(path)  # replaces it
        self.assertEqual(os.listdir(os.path.dirname(path)), ["generator"])
        loaded = tf.saved_model.load(path).signatures["from_map"]
        seeds = tf.constant(_SEEDS, tf.int64)
        served = loaded(map=tf.constant(_MAPS), seed=seeds)["image"].numpy()
        expected = painter.paint(_MAPS, _SEEDS)
        self.assertEqual(served.dtype, np.uint8)
        self.assertLessEqual(np.abs(served.astype(int) - expected).max(), 1)

    def test_an_image_is_a_function_of_map_and_seed(self):
        settings = {"global_noise": 4, "pixel_noise": 2, "level_noise": 2}
        generator = build_generator(GeneratorConfig(32, 4, normalization="none", **settings))
        for weight in generator.weights:
            weight.assign(weight * 5)  # so that noise shows in 8 bits
        painter = Painter(generator)
        together = painter.paint(_MAPS, _SEEDS).astype(int)
        self.assertEqual(together.shape, (3, 32, 32, 3))
        (first, rest) = painter.paint_batches(_MAPS, _SEEDS, batch_size=2)
        self.assertLen(first, 2)
        self.assertLessEqual(np.abs(together[2] - rest[0]).max(), 1)
        other = painter.paint(_MAPS[2:], [7])
        self.assertGreater(np.abs(together[2] - other).max(), 1)


if __name__ == "__main__":
    absltest.main()
