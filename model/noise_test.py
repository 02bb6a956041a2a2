import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from model import noise, numpy_noise

_SEEDS = ((0, 0), (1, 2), (-5, 7), (2**40 + 3, -(2**62)))


@tf.function
def _plain(seed, count, distribution):
    return noise.draw([count], seed, distribution)


@tf.function(jit_compile=True)
def _compiled(seed, count, distribution):
    return noise.draw([count], seed, distribution)


class NoiseTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(*_SEEDS)
    def test_uniform_values_are_the_same_everywhere(self, *seed):
        # 1,001 is no multiple of Philox's four words, and odd.
        expected = numpy_noise.draw([1001], seed, "uniform")
        for draw in (_plain, _compiled):
            drawn = draw(tf.constant(seed, tf.int64), 1001, "uniform")
            self.assertEqual(drawn.dtype, tf.float32)
            np.testing.assert_array_equal(drawn, expected)
        self.assertBetween(expected.min(), 0, 0.01)
        self.assertBetween(expected.max(), 0.99, 1 - 1e-8)

    @parameterized.parameters(*_SEEDS)
    def test_normal_values_are_the_same_up_to_rounding(self, *seed):
        expected = numpy_noise.draw([1001], seed, "normal")
        for draw in (_plain, _compiled):
            drawn = draw(tf.constant(seed, tf.int64), 1001, "normal")
            np.testing.assert_allclose(drawn, expected, atol=2e-6)

    @parameterized.parameters(*_SEEDS)
    def test_streams_are_the_same_everywhere(self, *seed):
        for data in (0, 3, 2**33):
            expected = numpy_noise.fold_in(seed, data)
            for fold in (noise.fold_in, tf.function(noise.fold_in, jit_compile=True)):
                folded = fold(tf.constant(seed, tf.int64), tf.constant(data, tf.int64))
                self.assertEqual(tuple(folded.numpy()), expected)

    def test_distributions(self):
        normal = numpy_noise.draw([400, 500], (3, 4), "normal")
        self.assertNear(normal.mean(), 0.0, 0.01)
        self.assertNear(normal.std(), 1.0, 0.01)
        self.assertNear((normal**4).mean(), 3.0, 0.1)
        self.assertNear((normal[:, ::2] * normal[:, 1::2]).mean(), 0.0, 0.01)
        uniform = numpy_noise.draw([200_000], (3, 4), "uniform")
        share, _ = np.histogram(uniform, 10, (0, 1))
        self.assertAllClose(share / 200_000, np.full(10, 0.1), atol=0.005)

    def test_seeds_and_streams_differ(self):
        drawn = {
            tuple(numpy_noise.draw([4], seed, "uniform"))
            for seed in (*_SEEDS, numpy_noise.fold_in((0, 0), 0), numpy_noise.fold_in((0, 0), 1))
        }
        self.assertLen(drawn, len(_SEEDS) + 2)


if __name__ == "__main__":
    tf.test.main()
