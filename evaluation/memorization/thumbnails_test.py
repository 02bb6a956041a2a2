import numpy as np
import tensorflow as tf
from absl.testing import absltest
from scipy import ndimage

from evaluation.features import image_sets, networks
from evaluation.memorization import testing, thumbnails
from evaluation.memorization.nearest_neighbours import Views, as_seen


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

    def test_windows_are_what_copies_show(self):
        pixels = testing.patterns(3, 0)
        large = tf.image.resize(tf.cast(pixels, tf.float32) / 127.5 - 1, [160, 160])
        found = thumbnails.windows(pixels).numpy()
        self.assertEqual(found.shape, (36, 3, thumbnails.DIMENSION))
        self.assertLen(found, thumbnails.NUM_WINDOWS)
        jittered = thumbnails.thumbnails(large[:, :144, 16:])  # top right
        np.testing.assert_allclose(found[2], jittered, atol=1e-5)
        cropped = thumbnails.thumbnails(large[:, 32:, 16:144])  # bottom, in the middle
        np.testing.assert_allclose(found[9 + 22], cropped, atol=1e-5)
        for number, degrees in ((34, -10), (35, 10)):
            turned = ndimage.rotate(
                large, degrees, axes=(2, 1), reshape=False, order=1, mode="reflect"
            )
            expected = thumbnails.thumbnails(turned).numpy()
            self.assertLess(np.abs(found[number] - expected).max(), 0.02)

    def test_windows_of_a_set_are_in_its_order(self):
        folder = self.create_tempdir().full_path
        pixels = testing.write_records(folder, (5, 4, 4))["train"]
        found = thumbnails.windows_of(image_sets.real_images(folder, "train"), batch_size=2)
        np.testing.assert_allclose(found, thumbnails.windows(pixels), atol=2e-3)

    def test_features_and_thumbnails_are_parted_as_they_were_joined(self):
        network = networks.embedded_network()
        images = _images()
        both = thumbnails.add_thumbnails(network)
        self.assertNotEqual(both.digest, network.digest)
        found = both.call(images).numpy()
        views = thumbnails.split_views(found, found)
        np.testing.assert_array_equal(views["features"].plain, network.call(images))
        np.testing.assert_array_equal(views["thumbnails"].plain, thumbnails.thumbnails(images))
        self.assertLen(list(views["features"].views()), 2)
        self.assertLen(list(views["thumbnails"].views()), 8)

    def test_a_view_is_the_thumbnail_of_the_turned_image(self):
        images = _images().numpy()
        plain, mirrored = (
            thumbnails.thumbnails(one).numpy() for one in (images, images[:, :, ::-1])
        )
        for number, view in enumerate(Views(plain, mirrored, side=thumbnails.SIZE).views()):
            turned = images[:, :, ::-1] if number % 2 else images
            turned = np.rot90(turned, number // 2, axes=(1, 2))
            np.testing.assert_allclose(view, thumbnails.thumbnails(turned), atol=1e-4)
            np.testing.assert_array_equal(as_seen(turned[0], number), images[0])


if __name__ == "__main__":
    absltest.main()
