import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from evaluation.augmentation import classifier_input
from evaluation.augmentation.classifier_data import Images
from evaluation.augmentation.classifier_input import Jitter

_OFF = Jitter(False, False, 1.0, 0.0, 0.0, 0.0)
_SEED = tf.constant([1, 2], tf.int64)


def _images(number, size=20, first_value=0):
    """Image i has the value first_value + i everywhere and the label i modulo 3."""
    values = (first_value + np.arange(number)).astype(np.uint8)
    pixels = np.broadcast_to(values[:, None, None, None], (number, size, size, 3))
    texts = np.array([f"i{i}" for i in range(number)])
    return Images(np.array(pixels), np.arange(number) % 3, np.ones(number, np.int64), *[texts] * 4)


def _noise(batch=16, size=20):
    return tf.constant(np.random.default_rng(0).uniform(-1, 1, (batch, size, size, 3)), tf.float32)


class JitterTest(parameterized.TestCase):
    def test_off_changes_nothing(self):
        images = _noise()
        np.testing.assert_allclose(
            classifier_input.apply(images, _OFF, 20, _SEED), images, atol=1e-5
        )

    def test_flips(self):
        images = _noise(batch=64)
        for axis, jitter in (
            (2, Jitter(True, False, 1, 0, 0, 0)),
            (1, Jitter(False, True, 1, 0, 0, 0)),
        ):
            flipped = tf.reverse(images, [axis]).numpy()
            result = classifier_input.apply(images, jitter, 20, _SEED).numpy()
            same = np.isclose(result, images, atol=1e-5).all(axis=(1, 2, 3))
            other = np.isclose(result, flipped, atol=1e-5).all(axis=(1, 2, 3))
            self.assertTrue(np.all(same ^ other))
            self.assertBetween(other.mean(), 0.25, 0.75)

    def test_crops_show_a_part_at_the_wanted_size(self):
        ramp = tf.linspace(-1.0, 1.0, 40)[None, None, :, None] * tf.ones((64, 40, 1, 3))
        result = classifier_input.apply(ramp, Jitter(False, False, 0.5, 0, 0, 0), 20, _SEED).numpy()
        self.assertEqual(result.shape, (64, 20, 20, 3))
        seen = (result.max(axis=(1, 2, 3)) - result.min(axis=(1, 2, 3))) / 2
        self.assertBetween(seen.min(), 0.5 - 1e-3, 0.6)
        self.assertBetween(seen.max(), 0.9, 1 + 1e-3)
        # Windows lie anywhere in the image.
        self.assertLess(result.min(axis=(1, 2, 3)).min(), -0.95)
        self.assertGreater(result.max(axis=(1, 2, 3)).max(), 0.95)

    def test_photometric_changes(self):
        images = _noise(batch=256) * 0.3
        result = classifier_input.apply(images, Jitter(False, False, 1, 0, 0, 0.1), 20, _SEED)
        added = (result - images).numpy()
        self.assertLess(np.ptp(added, axis=(1, 2, 3)).max(), 1e-5)
        self.assertBetween(added.max(), 0.18, 0.2 + 1e-5)  # the range is 2 here
        self.assertBetween(added.min(), -0.2 - 1e-5, -0.18)
        result = classifier_input.apply(images, Jitter(False, False, 1, 0, 0.2, 0), 20, _SEED)
        factors = result.numpy().std(axis=(1, 2, 3)) / images.numpy().std(axis=(1, 2, 3))
        self.assertBetween(factors.min(), 0.79, 0.84)
        self.assertBetween(factors.max(), 1.16, 1.21)
        grey = tf.ones((4, 20, 20, 3)) * 0.3
        saturated = classifier_input.apply(grey, Jitter(False, False, 1, 1.0, 0, 0), 20, _SEED)
        np.testing.assert_allclose(saturated, grey, atol=1e-5)

    def test_a_seed_decides_and_images_differ(self):
        images = tf.repeat(_noise(batch=1), 4, axis=0)
        first, again = (classifier_input.apply(images, Jitter(), 16, _SEED) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        self.assertFalse(np.allclose(first[0], first[1]))
        other = classifier_input.apply(images, Jitter(), 16, tf.constant([1, 3], tf.int64))
        self.assertFalse(np.allclose(first, other))
        self.assertLessEqual(np.abs(first).max(), 1.0)

    @parameterized.parameters(
        ({"crop": 0.0}, "crop 0.0 is not in"), ({"saturation": 1.5}, "saturation 1.5 is not in")
    )
    def test_bad_settings(self, fields, message):
        with self.assertRaisesRegex(ValueError, f"augmentation.{message}"):
            Jitter(**fields)


class BatchesTest(absltest.TestCase):
    def test_training_batches_follow_the_order(self):
        sources = (_images(5), _images(4, first_value=100))
        order = np.array([4, 5, 0, 8, 6, 1, 2])  # the last does not fill a batch
        weights = np.array([1.0, 2.0, 3.0], np.float32)
        batches = list(
            classifier_input.training_batches(sources, order, weights, _OFF, 16, 3, seed=0)
        )
        self.assertLen(batches, 2)
        values = np.concatenate([batch[0].numpy()[:, 0, 0, 0] for batch in batches])
        np.testing.assert_allclose(
            np.round((values + 1) * 127.5), [4, 100, 0, 103, 101, 1], atol=1e-3
        )
        codes = np.concatenate([batch[1].numpy() for batch in batches])
        np.testing.assert_array_equal(codes, [1, 0, 0, 0, 1, 1])
        np.testing.assert_array_equal(
            np.concatenate([batch[2].numpy() for batch in batches]), weights[codes]
        )

    def test_whole_batches_are_all_images_in_order(self):
        batches = list(classifier_input.whole_batches(_images(7), 16, 3))
        self.assertEqual([len(images) for images, _ in batches], [3, 3, 1])
        values = np.concatenate([images.numpy()[:, 8, 8, 1] for images, _ in batches])
        np.testing.assert_allclose((values + 1) * 127.5, np.arange(7), atol=1e-3)
        np.testing.assert_array_equal(np.concatenate([codes for _, codes in batches]),
                                      np.arange(7) % 3)  # fmt: skip

    def test_stored_size(self):
        self.assertEqual(classifier_input.stored_size(96), 120)


if __name__ == "__main__":
    absltest.main()
