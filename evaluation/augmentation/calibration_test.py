import numpy as np
from absl.testing import absltest

from evaluation.augmentation import calibration


class CalibrationTest(absltest.TestCase):
    def test_sure_and_right_or_wrong(self):
        scores = np.eye(3)[[0, 1, 2, 0]]
        self.assertEqual(calibration.calibration_error(np.array([0, 1, 2, 0]), scores), 0.0)
        self.assertEqual(calibration.calibration_error(np.array([1, 2, 0, 1]), scores), 1.0)
        self.assertEqual(calibration.calibration_error(np.array([0, 1, 0, 1]), scores), 0.5)

    def test_sure_at_the_right_rate(self):
        scores = np.tile([0.75, 0.25], (4, 1))
        self.assertAlmostEqual(calibration.calibration_error(np.array([0, 0, 0, 1]), scores), 0.0)
        self.assertAlmostEqual(calibration.calibration_error(np.array([1, 1, 1, 1]), scores), 0.75)

    def test_the_floor_is_what_chance_alone_shows(self):
        rng = np.random.default_rng(0)
        chance = rng.uniform(0.5, 1.0, 200)
        scores = np.stack([chance, 1 - chance], axis=1)
        errors = [
            calibration.calibration_error((rng.random(200) > chance).astype(int), scores)
            for _ in range(200)
        ]
        self.assertAlmostEqual(calibration.calibration_floor(scores), np.mean(errors), delta=0.006)

    def test_not_probabilities(self):
        for scores in (np.ones((2, 3)), np.array([[np.nan, 0, 0]] * 2)):
            with self.assertRaisesRegex(ValueError, "not probabilities"):
                calibration.calibration_error(np.array([0, 1]), scores)


if __name__ == "__main__":
    absltest.main()
