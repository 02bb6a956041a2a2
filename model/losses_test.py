import math

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from model import losses
from model.discriminator import Judgement

_REAL = tf.constant([[[[2.0]], [[-1.0]]]])
_FAKE = tf.constant([[[[0.5]], [[-3.0]]]])


def _softplus(x):
    return math.log1p(math.exp(x))


class AdversarialLossTest(parameterized.TestCase):
    def test_non_saturating(self):
        generator, discriminator, boundary = losses.adversarial("non_saturating")
        self.assertEqual(boundary, 0)
        self.assertAlmostEqual(
            float(generator(_FAKE)), (_softplus(-0.5) + _softplus(3)) / 2, places=5
        )
        real = (_softplus(-2) + _softplus(1)) / 2
        fake = (_softplus(0.5) + _softplus(-3)) / 2
        self.assertAlmostEqual(float(discriminator(_REAL, _FAKE)), real + fake, places=5)

    def test_least_squares(self):
        generator, discriminator, boundary = losses.adversarial("least_squares")
        self.assertEqual(boundary, 0.5)
        self.assertAlmostEqual(float(generator(_FAKE)), (0.25 + 16) / 4, places=5)
        real, fake = (1 + 4) / 4, (0.25 + 9) / 4
        self.assertAlmostEqual(float(discriminator(_REAL, _FAKE)), real + fake, places=5)

    @parameterized.parameters(*losses.ADVERSARIAL)
    def test_eager_equals_graph(self, kind):
        generator, discriminator, _ = losses.adversarial(kind)
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
            losses.adversarial("hinge")


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


def _judgement(real, fake):
    return Judgement(*(tf.fill((1, 2, 2, 1), value) for value in (real, 1.0, fake, 4.0)))


class PairedTest(absltest.TestCase):
    def test_with_codes_every_second_example(self):
        codes = losses.Codes(*[tf.zeros((1, 1))] * 4)
        batch = tf.range(5)
        empty = [tf.zeros((0,))] * 3
        kind = losses.adversarial("least_squares")
        self.assertLen(losses.ForwardPass(*empty, {}, kind).paired(batch), 5)
        chosen = losses.ForwardPass(*empty, {}, kind, codes).paired(batch)
        np.testing.assert_array_equal(chosen, [0, 2, 4])

    def test_kl_of_a_narrow_code(self):
        # 1/2 (m^2 + s^2 - ln s^2 - 1) for m = 1, s^2 = 1/e.
        value = losses.kl_loss(tf.constant([[1.0]]), tf.constant([[-1.0]]))
        self.assertAlmostEqual(float(value), 0.5 * (1 + math.exp(-1) + 1 - 1), places=6)


class WeightedTest(absltest.TestCase):
    def test_every_loss_has_a_weight_and_a_value(self):
        chosen = losses.weighted(l1=3.0, gan=2)
        self.assertEqual([loss.name for loss in chosen], list(losses.NAMES))
        self.assertEqual({loss.name: loss.weight for loss in chosen if loss.weight}, _ASKED)
        with self.assertRaisesRegex(ValueError, "loss weight l1 is -1; it may not be negative"):
            losses.weighted(l1=-1)
        with self.assertRaisesRegex(ValueError, "loss weight gan is nan"):
            losses.weighted(gan=math.nan)
        with self.assertRaisesRegex(ValueError, "loss 'l2' is not one of gan, l1, roi, feature_"):
            losses.weighted(l2=1.0)

    def test_values_are_means_over_the_discriminators_of_their_view(self):
        both = {
            "image": [_judgement(1.0, 0.0), _judgement(0.0, 2.0)],
            "roi": [_judgement(1.0, 3.0)],
        }
        semantic_map, image = np.full((1, 2, 2, 3), -1.0, "f"), np.zeros((1, 2, 2, 3), "f")
        semantic_map[0, 0, 0] = 0.0  # one pixel of ROI
        generated = np.full_like(image, 0.5)
        generated[0, 0, 0] = 0.25
        pictures = map(tf.constant, (semantic_map, image, generated))
        codes = losses.Codes(
            *(tf.constant([value]) for value in ([1.0, 0], [0.0, 0], [2.0, 0], [0.0, 1]))
        )
        seen = losses.ForwardPass(*pictures, both, losses.adversarial("least_squares"), codes)
        values = {loss.name: float(loss.function(seen)) for loss in losses.weighted()}
        expected = {
            "gan": (0.5 * 1 + 0.5 * 1) / 2,
            "l1": (3 * 0.5 + 0.25) / 4,
            "roi": 0.25,
            "feature_matching": 3.0**2,
            "roi_gan": 0.5 * 2**2,
            "kl": 0.5 * 1.0**2,
            "code": (2.0 + 1.0) / 2,
        }
        self.assertSameElements(values, expected)
        for name, value in expected.items():
            self.assertAlmostEqual(values[name], value, places=6, msg=name)
        # Half of 1/2 (real - 1)^2 + 1/2 fake^2.
        judged = [float(losses.discriminator_loss(seen, view)) for view in ("image", "roi")]
        np.testing.assert_allclose(judged, [(0 + 0.5 * 2.5) / 2, 0.5 * 4.5], rtol=1e-6)

    def test_the_roi_view_is_dark_around_the_boxes(self):
        image, roi = np.ones((1, 2, 2, 3), "f"), np.array([[[True, False], [False, False]]])
        np.testing.assert_array_equal(losses.VIEWS["image"](image, roi), image)
        self.assertEqual(losses.VIEWS["roi"](image, roi).numpy().sum(), 3)


_ASKED = {"gan": 2, "l1": 3.0}


if __name__ == "__main__":
    absltest.main()
