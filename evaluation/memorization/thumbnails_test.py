import numpy as np
import tensorflow as tf
from absl.testing import absltest

from evaluation.features import networks
from evaluation.memorization import testing, thumbnails


def _images(number=3):
    pixels = testing.patterns(number, 0)
    return networks.FeatureExtractor(networks.embedded_network()).prepare(pixels)


class ThumbnailsTest(absltest.TestCase):
    def test_the_mean_colour_is_taken_away(self):
        images = 0.5 * _images()
        first = thumbnails.thumbnails(images)
        second = thumbnails.thumbnails(images + [0.1, -0.2, 0.3])
        self.assertEqual(first.shape, (3, thumbnails.DIMENSION))
        np.testing.assert_allclose(first, second, atol=1e-5)
        colours = tf.reshape(first, [3, -1, 3])
        np.testing.assert_allclose(tf.reduce_mean(colours, axis=1), np.zeros((3, 3)), atol=1e-5)

    def test_a_window_is_nearer_to_the_jittered_image(self):
        images = _images()
        large = tf.image.resize(images, [334, 334])[:, :299, 35:]  # top right
        jittered = thumbnails.thumbnails(large).numpy()
        number, size = thumbnails.NUM_WINDOWS, thumbnails.DIMENSION
        parts = thumbnails.windows(images).numpy().reshape(3, number, size)
        np.testing.assert_allclose(parts[:, 2], jittered, atol=1e-5)

    def test_windows_of_another_size(self):
        images = _images()[:, :48, :48]
        large = tf.image.resize(images, [54, 54])[:, 3:51, 6:]  # right, in the middle
        size = thumbnails.DIMENSION
        part = thumbnails.windows(images).numpy()[:, 5 * size : 6 * size]
        np.testing.assert_allclose(part, thumbnails.thumbnails(large), atol=1e-5)

    def test_features_and_thumbnails_are_parted_as_they_were_joined(self):
        network = networks.embedded_network()
        images = _images()
        for with_windows in (False, True):
            both = thumbnails.add_thumbnails(network, with_windows)
            self.assertNotEqual(both.digest, network.digest)
            found = both.call(images).numpy()
            views = thumbnails.split_views(found, found, with_windows)
            np.testing.assert_array_equal(views["features"].plain, network.call(images))
            np.testing.assert_array_equal(views["thumbnails"].plain, thumbnails.thumbnails(images))
            self.assertLen(views["thumbnails"].references(), 30 if with_windows else 3)
            self.assertLen(views["features"].references(), 3)


if __name__ == "__main__":
    absltest.main()
