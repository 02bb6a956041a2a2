import json
import math

import numpy as np
from absl.testing import absltest

from evaluation.uncertainty import cluster_bootstrap
from evaluation.uncertainty.cluster_bootstrap import Estimate


class ClusterBootstrapTest(absltest.TestCase):
    def test_mean_of_independent_images(self):
        values = np.random.default_rng(0).normal(5.0, 2.0, 400)
        (one,) = cluster_bootstrap.estimate(lambda rows: [values[rows].mean()], range(400))
        self.assertEqual(one.value, values.mean())
        # The standard error of the mean, 2 / sqrt(400) = 0.1, on both sides.
        self.assertAlmostEqual(one.high - one.low, 2 * 1.96 * 0.1, delta=0.03)

    def test_images_of_a_patient_are_not_independent(self):
        by_patient = np.random.default_rng(0).normal(0.0, 1.0, 20)
        values, patients = np.repeat(by_patient, 20), np.repeat(np.arange(20), 20).tolist()

        def statistic(rows):
            return [values[rows].mean()]

        (clustered,) = cluster_bootstrap.estimate(statistic, patients)
        (naive,) = cluster_bootstrap.estimate(statistic, range(400))
        # sqrt(20) wider, because the 20 crops of a patient say the same.
        ratio = (clustered.high - clustered.low) / (naive.high - naive.low)
        self.assertAlmostEqual(ratio, math.sqrt(20), delta=0.8)

    def test_two_samples_several_numbers(self):
        first, second = np.arange(10.0), np.arange(10.0) + 4.0
        difference, ratio = cluster_bootstrap.estimate(
            lambda a, b: [
                second[b].mean() - first[a].mean(),
                second[b].mean() / first[a].mean(),
            ],
            range(10),
            range(10),
        )
        self.assertEqual(difference.value, 4.0)
        self.assertEqual(ratio.value, 8.5 / 4.5)
        self.assertLess(difference.low, 4.0)
        self.assertGreater(ratio.high, ratio.value)

    def test_seed_and_few_clusters(self):
        values = np.arange(6.0)

        def statistic(rows):
            return [values[rows].mean(), math.nan]

        first, second = (
            cluster_bootstrap.estimate(statistic, range(6), seed=seed) for seed in (1, 1)
        )
        self.assertEqual(first[0], second[0])
        self.assertTrue(math.isnan(first[1].value) and math.isnan(first[1].low))
        (alone, _) = cluster_bootstrap.estimate(statistic, ["a", "a", "b", "b", "b", "b"])
        self.assertEqual(alone.value, 2.5)
        self.assertTrue(math.isnan(alone.low))

    def test_numbers_by_name(self):
        values = np.arange(6.0)

        def statistic(rows):
            return {"mean": values[rows].mean(), ("most", 1): values[rows].max()}

        found = cluster_bootstrap.estimate_by_name(statistic, range(6), replicates=50, seed=2)
        expected = cluster_bootstrap.estimate(
            lambda rows: [values[rows].mean(), values[rows].max()], range(6), replicates=50, seed=2
        )
        self.assertEqual(found, {"mean": expected[0], ("most", 1): expected[1]})
        self.assertEqual(
            cluster_bootstrap.as_dicts({"mean": Estimate(1.0)}),
            {"mean": {"value": 1.0, "low": None, "high": None}},
        )

    def test_counts_are_those_of_drawing_rows(self):
        values = np.random.default_rng(0).normal(size=50)
        counts = cluster_bootstrap.draw_counts(50, 4000, np.random.default_rng(1))
        self.assertEqual(counts.shape, (4000, 50))
        self.assertEqual(set(counts.sum(axis=1)), {50})
        low, high = cluster_bootstrap.interval_of(counts @ values / 50)
        (rows,) = cluster_bootstrap.estimate(
            lambda drawn: [values[drawn].mean()], range(50), replicates=4000
        )
        self.assertAlmostEqual(low, rows.low, delta=0.02)
        self.assertAlmostEqual(high, rows.high, delta=0.02)

    def test_p_of_no_difference(self):
        p_value = cluster_bootstrap.p_of_no_difference
        self.assertEqual(p_value(np.arange(1.0, 100.0)), 2 / 100)  # none is on the other side
        self.assertEqual(p_value(np.array([-1.0, 1.0, 1.0, 1.0, np.nan])), 2 * 2 / 5)
        self.assertEqual(p_value(np.zeros(9)), 1.0)
        self.assertTrue(math.isnan(p_value(np.full(3, np.nan))))

    def test_texts(self):
        self.assertEqual(f"{Estimate(1.0, 0.5, 2.0):.1f}", "1.0 (0.5 to 2.0)")
        self.assertEqual(f"{Estimate(1.0):.1f}", "1.0")
        self.assertEqual(f"{Estimate(math.nan):.1f}", "-")
        self.assertEqual(
            json.dumps(Estimate(1.0).as_dict()), '{"value": 1.0, "low": null, "high": null}'
        )

    def test_mean_of_what_is_known(self):
        self.assertEqual(cluster_bootstrap.mean([1.0, math.nan, 3.0]), 2.0)
        self.assertTrue(math.isnan(cluster_bootstrap.mean([])))


if __name__ == "__main__":
    absltest.main()
