import os

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from tools import mobilenet_features


class MobileNetFeaturesTest(absltest.TestCase):
    def test_the_interface_of_feature_networks(self):
        folder = os.path.join(self.create_tempdir().full_path, "net")
        mobilenet_features.write(None, folder)
        loaded = tf.saved_model.load(folder)
        images = np.random.default_rng(0).uniform(-1, 1, (2, 299, 299, 3)).astype(np.float32)
        found = loaded(tf.constant(images))
        self.assertEqual(list(found), [mobilenet_features.LAYER])
        self.assertEqual(found[mobilenet_features.LAYER].shape, (2, 1024))
        self.assertTrue(np.isfinite(found[mobilenet_features.LAYER]).all())
        with self.assertRaisesRegex(ValueError, "not empty"):
            mobilenet_features.write(None, folder)

    def test_other_weights(self):
        folder = self.create_tempdir().full_path
        with self.assertRaisesRegex(ValueError, "nowhere.h5: no such file"):
            mobilenet_features.write("nowhere.h5", folder)
        other = os.path.join(folder, "other.h5")
        tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))]).save_weights(other)
        with self.assertRaisesRegex(
            ValueError, "other.h5: no weights of MobileNet 1.0 without top"
        ):
            mobilenet_features.write(other, os.path.join(folder, "net"))


if __name__ == "__main__":
    absltest.main()
