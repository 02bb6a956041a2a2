import math

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from model import losses

_REAL = tf.constant([[[[2.0]], [[-1.0]]]])
_FAKE = tf.constant([[[[0.5]], [[-3.0]]]])


def _softplus(x):
    return math.log1p(math.exp(x))


class AdversarialLossTest(parameterized.TestCase):
    def test_non_saturating(self):
        generator, discriminator = losses.adversarial_losses("non_saturating")
        self.assertAlmostEqual(
            float(generator(_FAKE)), (_softplus(-0.5) + _softplus(3)) / 2, places=5
        )
        real = (_softplus(-2) + _softplus(1)) / 2
        fake = (_softplus(0.5) + _softplus(-3)) / 2
        self.assertAlmostEqual(float(discriminator(_REAL, _FAKE)), real + fake, places=5)

    def test_least_squares(self):
        generator, discriminator = losses.adversarial_losses("least_squares")
        self.assertAlmostEqual(float(generator(_FAKE)), (0.25 + 16) / 4, places=5)
        real, fake = (1 + 4) / 4, (0.25 + 9) / 4
        self.assertAlmostEqual(float(discriminator(_REAL, _FAKE)), real + fake, places=5)

    @parameterized.parameters(*losses.ADVERSARIAL_LOSSES)
    def test_eager_equals_graph(self, kind):
        generator, discriminator = losses.adversarial_losses(kind)
        self.assertAlmostEqual(
            float(tf.function(generator)(_FAKE)), float(generator(_FAKE)), places=6
        )
        self.assertAlmostEqual(
            float(tf.function(discriminator)(_REAL, _FAKE)),
            float(discriminator(_REAL, _FAKE)),
            places=6,
        )

    def test_unknown_kind(self):
        with self.assertRaisesRegex(ValueError, "adversarial loss 'hinge' is not one of non_sat"):
            losses.adversarial_losses("hinge")


class ReconstructionLossTest(absltest.TestCase):
    def test_l1(self):
        image, generated = np.zeros((2, 2, 2, 3)), np.full((2, 2, 2, 3), 0.5)
        generated[0] = -0.25
        self.assertAlmostEqual(float(losses.reconstruction_loss(image, generated)), 0.375)

    def test_roi_is_normalized_by_its_area(self):
        image = np.zeros((2, 4, 4, 3), np.float32)
        generated = np.zeros((2, 4, 4, 3), np.float32)
        roi = np.zeros((2, 4, 4), bool)
        roi[0, :1, :1] = True  # one pixel, wrong by 0.6
        roi[1, :2, :4] = True  # eight pixels, wrong by 0.2
        generated[0], generated[1] = 9.0, 9.0  # outside does not count
        generated[0, 0, 0] = 0.6
        generated[1, :2] = 0.2
        loss = losses.roi_reconstruction_loss(image, generated, roi)
        self.assertAlmostEqual(float(loss), (0.6 + 0.2) / 2, places=6)

    def test_no_roi_counts_as_zero_with_finite_gradient(self):
        image = tf.zeros((2, 4, 4, 3))
        generated = tf.ones((2, 4, 4, 3))
        roi = tf.constant(np.stack([np.zeros((4, 4), bool), np.ones((4, 4), bool)]))
        with tf.GradientTape() as tape:
            tape.watch(generated)
            loss = losses.roi_reconstruction_loss(image, generated, roi)
        self.assertAlmostEqual(float(loss), 0.5)
        gradient = tape.gradient(loss, generated).numpy()
        self.assertTrue(np.isfinite(gradient).all())
        self.assertEqual(np.abs(gradient[0]).max(), 0)


class FeatureMatchingLossTest(absltest.TestCase):
    def test_is_mean_square_and_detached_from_the_real_side(self):
        real, fake = tf.Variable([[[[1.0, 2.0]]]]), tf.Variable([[[[0.0, 4.0]]]])
        with tf.GradientTape() as tape:
            loss = losses.feature_matching_loss(real, fake)
        self.assertAlmostEqual(float(loss), (1 + 4) / 2)
        real_gradient, fake_gradient = tape.gradient(loss, [real, fake])
        self.assertIsNone(real_gradient)
        np.testing.assert_allclose(fake_gradient, [[[[-1.0, 2.0]]]])

    def test_reduced_precision_features_give_a_float32_loss(self):
        loss = losses.feature_matching_loss(
            tf.ones((1, 1, 1, 2), tf.bfloat16), tf.zeros((1, 1, 1, 2), tf.bfloat16)
        )
        self.assertEqual((loss.dtype, float(loss)), (tf.float32, 1.0))


if __name__ == "__main__":
    absltest.main()
