import numpy as np
from absl.testing import absltest, parameterized

from evaluation.reader_study import power
from evaluation.reader_study.power import Panel
from evaluation.uncertainty import cluster_bootstrap


class PowerTest(parameterized.TestCase):
    def test_simulates_the_rates_asked_for(self):
        panel = Panel(3000, 300, fpr=0.3, difference=0.22, reader_sd=0.4, picture_sd=0.2)
        real, synthetic = power.simulate_study(panel, np.random.default_rng(0))
        self.assertEqual(real.shape, (3000, 300))
        self.assertAlmostEqual(real.mean(), 0.52, delta=0.02)
        self.assertAlmostEqual(synthetic.mean(), 0.30, delta=0.02)
        # Readers differ by more than chance, 0.5 / sqrt(300) = 0.03.
        self.assertGreater(real.mean(axis=1).std(), 0.1)

    def test_interval_is_that_of_the_score(self):
        panel = Panel(8, 60, 0.3, 0.1, 0.4, 0.5)
        real, synthetic = power.simulate_study(panel, np.random.default_rng(1))
        low, high = power.difference_interval(real, synthetic, np.random.default_rng(2), 4000)
        reference = cluster_bootstrap.estimate(
            lambda r, a, b: [real[np.ix_(r, a)].mean() - synthetic[np.ix_(r, b)].mean()],
            range(8),
            range(60),
            range(60),
            replicates=4000,
        )[0]
        self.assertAlmostEqual(low, reference.low, delta=0.01)
        self.assertAlmostEqual(high, reference.high, delta=0.01)

    def test_more_readers_find_more_and_no_difference_is_seldom_found(self):
        def find(readers, difference):
            panel = Panel(readers, 40, 0.3, difference, 0.4, 0.5)
            return power.power_of(panel, studies=60, seed=0)

        few, many, none = find(4, 0.22), find(16, 0.22), find(10, 0.0)
        self.assertGreater(few[0], many[0])
        self.assertGreater(many[1], few[1])
        self.assertGreater(many[1], 0.9)
        self.assertLess(none[1], 0.15)

    @parameterized.parameters(
        ((1, 40, 0.3, 0.1, 0.4, 0.5), "1 readers of 40 pictures are too few"),
        ((5, 40, 0.3, 0.7, 0.4, 0.5), "FPR 0.3 and TPR 1 must be between 0 and 1"),
        ((5, 40, 0.3, 0.1, -1, 0.5), "SDs -1 and 0.5 must not be negative"),
    )
    def test_names_what_makes_no_panel(self, fields, message):
        with self.assertRaisesRegex(ValueError, message):
            Panel(*fields)


if __name__ == "__main__":
    absltest.main()
