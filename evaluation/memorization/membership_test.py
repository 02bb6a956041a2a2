import itertools
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from evaluation.features import image_sets
from evaluation.memorization import membership, testing


def _brightness(inputs, training):
    """A discriminator that takes bright images for real."""
    del training
    _, image = inputs
    logits = tf.reduce_mean(image, axis=-1, keepdims=True)
    return logits, logits


class MembershipTest(absltest.TestCase):
    def test_area_under_curve(self):
        rng = np.random.default_rng(0)
        members, others = rng.integers(0, 5, 30) + 1.0, rng.integers(0, 5, 20) + 0.0
        pairs = [(m > o) + 0.5 * (m == o) for m, o in itertools.product(members, others)]
        self.assertAlmostEqual(membership.area_under_curve(members, others), np.mean(pairs))

    def test_photographs_are_scored_in_their_order_and_by_patient(self):
        folder = self.create_tempdir().full_path
        pixels = testing.write_records(folder, (40, 4, 20))
        training, held_out = (image_sets.real_images(folder, split) for split in ("train", "test"))
        generator = testing.PlantedGenerator(pixels["train"])
        with mock.patch.object(membership, "_discriminators", return_value=[_brightness]):
            found = membership.tell_members(generator, training, held_out)
            with mock.patch.object(membership, "_MOST", 10):
                few = membership.tell_members(generator, training, held_out)
        bright = [pixels[split].mean(axis=(1, 2, 3)) for split in ("train", "test")]
        self.assertAlmostEqual(found.value, membership.area_under_curve(*bright), places=6)
        self.assertBetween(found.value, found.low, found.high)
        self.assertGreater(few.high - few.low, found.high - found.low)

    def test_no_discriminator(self):
        with mock.patch.object(membership, "_discriminators", return_value=None):
            self.assertIsNone(membership.tell_members(None, None, None))


if __name__ == "__main__":
    absltest.main()
