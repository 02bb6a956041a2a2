import numpy as np
import tensorflow as tf
from absl.testing import absltest

from training.program.first_values import distribution_of
from training.program.runner.first_value import first_value


class FirstValuesTest(absltest.TestCase):
    def test_distributions_are_told_apart(self):
        draws = np.random.default_rng(0).standard_normal((3, 3, 64, 64), np.float32)
        self.assertEqual(distribution_of(0.02 * draws), "normal")
        tf.keras.utils.set_random_seed(0)
        he = tf.keras.initializers.HeNormal()((4, 4, 64, 64)).numpy()
        self.assertEqual(distribution_of(he), "truncated")
        self.assertIsNone(distribution_of(np.random.default_rng(0).uniform(size=(100, 100))))
        self.assertIsNone(distribution_of(np.repeat(draws, 2, -1)))  # trained, or not independent
        self.assertIsNone(distribution_of(draws[0, 0, 0]))

    def test_drawn_again_they_are_alike(self):
        for kind, most in (("normal", 9.0), ("truncated", 2.28)):
            variable = {"value": [kind, 0.5, [0, 1]], "shape": [200, 100], "dtype": "float32"}
            drawn = first_value(variable, {})
            self.assertAlmostEqual(drawn.std(), 0.5, delta=0.01)
            self.assertLess(np.abs(drawn).max(), 0.5 * most)
            self.assertEqual(distribution_of(drawn), kind)
            np.testing.assert_array_equal(drawn, first_value(variable, {}))


if __name__ == "__main__":
    absltest.main()
