import math

import numpy as np
from absl.testing import absltest, parameterized

from evaluation.uncertainty import significance


class SignificanceTest(parameterized.TestCase):
    @parameterized.parameters((0, 0, 1.0), (5, 5, 1.0), (10, 0, 2 / 2**10), (1, 4, 0.375))
    def test_mcnemar(self, gained, lost, expected):
        first = np.array([False] * gained + [True] * lost + [True, False] * 7)
        second = np.array([True] * gained + [False] * lost + [True, False] * 7)
        self.assertAlmostEqual(significance.mcnemar(first, second), expected)

    def test_holm(self):
        np.testing.assert_allclose(
            significance.holm([0.01, np.nan, 0.04, 0.03, 0.005]), [0.03, np.nan, 0.06, 0.06, 0.02]
        )
        np.testing.assert_allclose(significance.holm([0.9, 0.8]), [1.0, 1.0])
        np.testing.assert_array_equal(significance.holm([np.nan] * 2), [np.nan] * 2)

    def test_fleiss_kappa(self):
        # Of three pictures, two readers agree on two: 2/3; half of all answers are yes, so
        # by chance 1/2.
        rows = np.array([[1, 0, 1], [1, 0, 0]], bool)
        self.assertAlmostEqual(significance.fleiss_kappa(rows), (2 / 3 - 1 / 2) / (1 - 1 / 2))
        rows = np.array([[1, 0, 1, 0]] * 3, bool)
        self.assertEqual(significance.fleiss_kappa(rows), 1.0)
        for nothing in (rows[:1], np.ones((3, 4), bool), np.zeros((3, 4), bool), rows[:, :0]):
            self.assertTrue(math.isnan(significance.fleiss_kappa(nothing)))


if __name__ == "__main__":
    absltest.main()
