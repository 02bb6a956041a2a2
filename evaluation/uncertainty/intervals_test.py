import math

import numpy as np
from absl.testing import absltest, parameterized
from statsmodels.stats import proportion

from evaluation.uncertainty import intervals
from evaluation.uncertainty.intervals import Rate


class IntervalsTest(parameterized.TestCase):
    def test_trials(self):
        # The standard deviation of 1, 2, 3 is 1.
        self.assertEqual(intervals.mean_of_trials([1, 2, 3]), {"mean": 2.0, "interval": 1.96})
        self.assertEqual(intervals.mean_of_trials([5]), {"mean": 5.0, "interval": 0.0})

    def test_student(self):
        # Of two numbers: 12.706 standard errors, here of 0.125.
        np.testing.assert_allclose(intervals.student([0.5, 0.25]), (-1.2133, 1.9633), atol=1e-3)
        self.assertTrue(math.isnan(intervals.student([1.0])[0]))

    @parameterized.parameters(("exact", "beta"), ("wilson", "wilson"))
    def test_binomial(self, method, name_of_statsmodels):
        np.testing.assert_allclose(
            intervals.binomial(7, 30, method),
            proportion.proportion_confint(7, 30, method=name_of_statsmodels),
        )
        self.assertTrue(math.isnan(intervals.binomial(0, 0, method)[1]))


class RateTest(absltest.TestCase):
    def test_interval(self):
        # Clopper-Pearson of nothing in 100: 1 - 0.025 ** (1 / 100).
        low, high = Rate(0, 100).interval
        self.assertEqual(low, 0.0)
        self.assertAlmostEqual(high, 1 - 0.025**0.01, places=6)
        self.assertEqual(Rate(1, 4).share, 0.25)

    def test_excess(self):
        difference, low, high = Rate(30, 100).excess(Rate(10, 100))
        self.assertAlmostEqual(difference, 0.2)
        self.assertGreater(low, 0.05)
        self.assertLess(high, 0.35)
        _, low, high = Rate(10, 100).excess(Rate(10, 100))
        self.assertLess(low, 0)
        self.assertGreater(high, 0)


if __name__ == "__main__":
    absltest.main()
