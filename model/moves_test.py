import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from model import moves

_SIZE = 16


def _draws(number, seed=0):
    return tf.constant(np.random.default_rng(seed).uniform(size=(number, moves.DRAWS)), tf.float32)


class MoveTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        shape = (64, _SIZE, _SIZE, 3)
        self.image = tf.constant(np.random.default_rng(1).uniform(-1, 1, shape), tf.float32)

    def test_no_strength_moves_nothing(self):
        (same,) = moves.move([self.image], tf.constant(0.0), _draws(64))
        np.testing.assert_array_equal(same, self.image)

    def test_all_batches_alike_and_every_pixel_from_the_picture(self):
        one, other = moves.move([self.image, 2 * self.image], tf.constant(1.0), _draws(64))
        np.testing.assert_array_equal(2 * one, other)
        moved = [np.any(a != b) for a, b in zip(one.numpy(), self.image.numpy())]
        self.assertBetween(np.mean(moved), 0.8, 1.0)
        for example, before in zip(one.numpy(), self.image.numpy()):
            self.assertTrue(set(example[..., 0].ravel()) <= set(before[..., 0].ravel()))

    @parameterized.parameters(
        # Asked for mirror, turn, shift; mirrored; transposed, upside down; shifts.
        ([0, 9, 9, 0, 9, 9, 0, 0], lambda x: x[:, ::-1]),
        ([9, 0, 9, 9, 0, 9, 0, 0], lambda x: x.transpose(1, 0, 2)),
        ([9, 0, 9, 9, 9, 0, 0, 0], lambda x: x[::-1]),
        # By two pixels of 16 or less; what is left open is mirrored.
        ([9, 9, 0, 9, 9, 9, 0.999, 0.5], lambda x: x[[*range(1, 16), 15]]),
        ([9, 9, 0, 9, 9, 9, 0.5, 0.0], lambda x: x[:, [1, 0, *range(14)]]),
    )
    def test_each_kind(self, draws, expected):
        (moved,) = moves.move([self.image[:1]], tf.constant(0.5), tf.constant([draws], tf.float32))
        np.testing.assert_array_equal(moved[0], expected(self.image[0].numpy()))

    def test_has_a_gradient(self):
        with tf.GradientTape() as tape:
            tape.watch(self.image)
            (moved,) = moves.move([self.image], tf.constant(0.9), _draws(64))
            value = tf.reduce_sum(moved)
        # Each moved pixel is one of the picture: in all, as many ones as pixels.
        gradient = tape.gradient(value, self.image)
        self.assertAlmostEqual(float(tf.reduce_sum(gradient)), self.image.shape.num_elements())


class AdaptiveMovesTest(absltest.TestCase):
    def test_follows_the_discriminators(self):
        adaptive = moves.AdaptiveMoves(target=0.6, images=100)
        for expected, sign in ((0.1, 0.7), (0.2, 1.0), (0.1, 0.5), (0.0, -1.0), (0.0, -1.0)):
            adaptive.adapt(tf.constant(sign), tf.constant(10))
            self.assertAlmostEqual(float(adaptive.strength), expected, places=5)
        for _ in range(20):
            adaptive.adapt(tf.constant(1.0), tf.constant(10))
        self.assertAlmostEqual(float(adaptive.strength), 0.9, places=5)

    def test_bad_settings(self):
        with self.assertRaisesRegex(ValueError, r"discriminator.moves 1.5 is not in \(0, 1\)"):
            moves.AdaptiveMoves(1.5, 10)
        with self.assertRaisesRegex(ValueError, "moves_images 0"):
            moves.AdaptiveMoves(0.5, 0)


if __name__ == "__main__":
    absltest.main()
