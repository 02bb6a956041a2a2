import os

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from model import serving
from model.dermgan import DermGAN
from model.discriminator import DiscriminatorConfig
from model.generator import GeneratorConfig
from preprocessing.data import maps
from preprocessing.data.manifest import Box


class ServingTest(absltest.TestCase):
    def test_gives_the_pixels_of_the_library(self):
        for dtype in ("float32", "mixed_bfloat16"):
            config = GeneratorConfig(32, base_filters=4, level_noise=2, map_encoding="embedding")
            model = DermGAN(config, DiscriminatorConfig(base_filters=4), dtype=dtype)
            path = os.path.join(self.create_tempdir().full_path, "generator")
            self.assertEqual(serving.save(model, path), path)
            if dtype == "float32":
                serving.save(model, path)  # replaces it
            self.assertEqual(os.listdir(os.path.dirname(path)), ["generator"])
            drawn = np.stack(
                [maps.encode(t, 3 * t, [Box(4, 4, 20, 20)], 32, 32) for t in (1, 4, 6)]
            )
            seeds = tf.constant([1, 2, 3], tf.int64)
            loaded = tf.saved_model.load(path).signatures["from_map"]
            served = loaded(map=tf.constant(drawn), seed=seeds)["image"].numpy()
            expected = model.generate(drawn, seeds).numpy()
            self.assertEqual(served.dtype, np.uint8)
            self.assertLessEqual(np.abs(served.astype(int) - expected).max(), 1)


if __name__ == "__main__":
    absltest.main()
