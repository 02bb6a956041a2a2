import numpy as np
import scipy.linalg
import tensorflow as tf
import tensorflow_gan as tfgan
from absl.testing import absltest, parameterized

from evaluation.frechet import distances


def _by_scipy(first, second):
    """The definition, with scipy's matrix square root."""
    covariances = [np.cov(part, rowvar=False) for part in (first, second)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    means = np.square(first.mean(axis=0) - second.mean(axis=0)).sum()
    return means + np.trace(covariances[0] + covariances[1] - 2.0 * root)


def _distance(first, second):
    return distances.FrechetReference(first).distance(second)


def _features(number, dimension, seed, shift=0.0, scale=1.0):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(dimension, dimension)) / np.sqrt(dimension)
    return scale * rng.normal(size=(number, dimension)) @ mixing + shift


class FrechetTest(parameterized.TestCase):
    @parameterized.parameters((400, 300, 12), (40, 300, 64), (300, 40, 64), (65, 64, 64))
    def test_equals_scipy(self, first, second, dimension):
        a, b = _features(first, dimension, 0), _features(second, dimension, 1, 0.3, 1.4)
        expected = _by_scipy(a, b)
        self._assert_close(_distance(a, b), expected)

    def _assert_close(self, value, expected):
        np.testing.assert_allclose(value, expected, rtol=1e-4)

    def test_equals_tf_gan(self):
        a, b = _features(500, 24, 0), _features(400, 24, 1, 0.5, 0.7)
        expected = tfgan.eval.frechet_classifier_distance_from_activations(
            tf.constant(a, tf.float64), tf.constant(b, tf.float64)
        )
        self._assert_close(_distance(a, b), float(expected))

    def test_closed_form_of_gaussians(self):
        # Samples whose mean and unbiased covariance are exactly m and s^2 I: the
        # distance is |m1 - m2|^2 + d (s1 - s2)^2 = 3 * 4 + 3 * (2 - 5)^2 = 39.
        corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, -1).T
        corners *= np.sqrt((len(corners) - 1) / len(corners))
        value = _distance(2.0 * corners, 5.0 * corners + 2.0)
        self._assert_close(value, 39.0)

    @parameterized.parameters((200, 16), (20, 64))
    def test_identical_sets_are_at_zero(self, number, dimension):
        features = _features(number, dimension, 2)
        scale = np.square(features).sum() / number
        self.assertLess(_distance(features, features), 1e-5 * scale)

    @parameterized.parameters((200, 150, 16), (20, 90, 64))
    def test_is_symmetric(self, first, second, dimension):
        a, b = _features(first, dimension, 3), _features(second, dimension, 4, 1.0)
        self._assert_close(_distance(a, b), _distance(b, a))

    def test_constant_dimensions_do_no_harm(self):
        a, b = _features(100, 8, 5), _features(100, 8, 6)
        a[:, 3] = b[:, 3] = 7.0
        keep = [i for i in range(8) if i != 3]
        self._assert_close(
            _distance(a, b),
            _distance(a[:, keep], b[:, keep]),
        )

    def test_extrapolation_removes_the_bias(self):
        # Both sides of one distribution: the true distance to the reference is the
        # small one of a very large sample.
        reference = distances.FrechetReference(_features(20000, 8, 7))
        rng = np.random.default_rng(0)
        mixing = np.random.default_rng(7).normal(size=(8, 8)) / np.sqrt(8)
        sample = rng.normal(size=(400, 8)) @ mixing
        biased = reference.distance(sample)
        extrapolated = distances.extrapolated_frechet_distance(
            reference, sample, np.random.default_rng(1)
        )
        self.assertLess(abs(extrapolated), 0.6 * biased)

    def test_extrapolation_needs_more_images_than_dimensions(self):
        reference = distances.FrechetReference(_features(100, 32, 0))
        rng = np.random.default_rng(0)
        self.assertIsNone(
            distances.extrapolated_frechet_distance(reference, _features(50, 32, 1), rng)
        )

    def test_bad_features(self):
        good = _features(10, 4, 0)
        broken = good.copy()
        broken[6, 2] = np.nan
        reference = distances.FrechetReference(good)
        with self.assertRaisesRegex(ValueError, "not finite for 1 of 10 images.* image 6"):
            reference.distance(broken)
        with self.assertRaisesRegex(ValueError, "1 reference images; at least 2"):
            distances.FrechetReference(good[:1])
        with self.assertRaisesRegex(ValueError, "3 dimensions cannot be compared with 4"):
            reference.distance(good[:, :3])
        with self.assertRaisesRegex(ValueError, r"shape \(10,\)"):
            reference.distance(good[:, 0])


class KernelTest(absltest.TestCase):
    def test_equals_the_definition(self):
        a = _features(30, 5, 0).astype(np.float32)
        b = _features(20, 5, 1, 0.4).astype(np.float32)

        def kernel(x, y):
            return (x @ y.T / 5 + 1.0) ** 3

        # Unbiased: the diagonal is left out.
        within = [
            (kernel(x, x).sum() - np.trace(kernel(x, x))) / (len(x) * (len(x) - 1)) for x in (a, b)
        ]
        expected = sum(within) - 2.0 * kernel(a, b).mean()
        np.testing.assert_allclose(distances.kernel_distance(a, b), expected, rtol=1e-4)


if __name__ == "__main__":
    absltest.main()
