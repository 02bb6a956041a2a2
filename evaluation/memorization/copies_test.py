import numpy as np
from absl.testing import absltest, parameterized

from evaluation.memorization import copies
from evaluation.memorization.nearest_neighbours import Neighbours
from evaluation.uncertainty.intervals import Rate


def _neighbours(ratio, index=None):
    ratio = np.array(ratio, np.float64)
    index = np.arange(len(ratio)) if index is None else np.array(index)
    return Neighbours(index, 2 * ratio, ratio > 0.5, np.full(len(ratio), 2.0), 1e-6)


class CalibrationTest(parameterized.TestCase):
    @parameterized.parameters((99, 0.01, 1), (219, 0.01, 2), (16, 0.1, 1), (1000, 0.05, 50))
    def test_rank(self, number, alpha, rank):
        ratios = np.random.default_rng(0).permutation(np.arange(1.0, number + 1))
        self.assertEqual(copies.calibrate_thresholds({"features": ratios}, alpha)["features"], rank)

    def test_criteria_share_alpha(self):
        ratios = np.arange(1.0, 200)
        found = copies.calibrate_thresholds({"features": ratios, "thumbnails": 2 * ratios}, 0.02)
        self.assertEqual(found, {"features": 2.0, "thumbnails": 4.0})

    def test_too_few_photographs(self):
        both = {"features": np.ones(50), "thumbnails": np.ones(50)}
        message = "50 held-out .* alpha 0.01: at least 199 are needed .*, or --alpha=0.04$"
        with self.assertRaisesRegex(ValueError, message):
            copies.calibrate_thresholds(both, 0.01)
        copies.calibrate_thresholds(both, 0.04)

    def test_honest_images_are_flagged_at_about_alpha(self):
        rng = np.random.default_rng(0)
        rates = []
        for _ in range(200):
            held_out, honest = rng.normal(1.0, 0.2, (2, 199))
            threshold = copies.calibrate_thresholds({"features": held_out}, 0.05)["features"]
            rates.append((honest <= threshold).mean())
        self.assertAlmostEqual(np.mean(rates), 0.05, delta=0.005)
        bound = copies.honest_bound(199, 0.05, 1)
        self.assertAlmostEqual(bound, 0.079, delta=0.005)  # Beta(10, 190), 95 %
        held_out = rng.normal(1.0, 0.2, 600)
        patients = [f"p{index // 3}" for index in range(600)]
        rate = copies.held_out_rate({"features": held_out}, patients, 0.05)
        self.assertAlmostEqual(rate.share, 0.05, delta=0.01)

    def test_held_out_rate_needs_other_patients(self):
        ratios = {"features": np.arange(1.0, 20)}
        self.assertIsNone(copies.held_out_rate(ratios, ["a"] * 19, 0.05))

    def test_a_patient_in_both_sets(self):
        copies.check_patients(["a", "b"], ["c"])
        with self.assertRaisesRegex(ValueError, "1 of 2 held-out patients .* e.g. 'b'; make the"):
            copies.check_patients(["a", "b"], ["c", "b", "b"])


class MatchTest(absltest.TestCase):
    def test_the_more_suspicious_criterion_decides(self):
        found = copies.match_neighbours(
            {"features": _neighbours([0.4, 0.2, 1.0]), "thumbnails": _neighbours([0.5, 0.9, 0.9])},
            {"features": 0.2, "thumbnails": 0.5},
        )
        self.assertEqual(found.criterion.tolist(), ["thumbnails", "features", "thumbnails"])
        self.assertEqual(found.ratio.tolist(), [0.5, 0.2, 0.9])
        self.assertEqual(found.flagged.tolist(), [True, True, False])
        self.assertEqual(found.copy_rate(), Rate(2, 3))


class PatientsTest(absltest.TestCase):
    def test_counts_by_hand(self):
        patients = ["a", "a", "b", "c", "d"]
        rows = copies.count_patients(
            patients, np.array([0, 1, 1, 2, 3, 3]), np.array([2, 3]), np.array([2])
        )
        self.assertEqual([row["patient_id"] for row in rows], ["b", "a", "c"])
        self.assertEqual(
            [(row["training_crops"], row["generated"], row["held_out"]) for row in rows],
            [(1, 1, 1), (2, 3, 0), (1, 2, 1)],
        )
        self.assertEqual([row["flagged"] for row in rows], [1, 0, 0])
        self.assertEqual(rows[1]["generated_share"], 0.5)

    def test_a_patient_that_attracts_many(self):
        patients = [f"p{index}" for index in range(20)]
        generated = np.array([4] * 50 + list(range(20)) * 5)
        rows = copies.count_patients(
            patients, generated, np.array(list(range(20)) * 5), np.zeros(0, np.int64)
        )
        self.assertEqual(rows[0]["patient_id"], "p4")
        self.assertLess(rows[0]["p"], 1e-5)
        self.assertGreater(rows[1]["p"], 0.5)


if __name__ == "__main__":
    absltest.main()
