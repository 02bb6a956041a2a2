import numpy as np
from absl.testing import absltest

from evaluation.frechet import diversity


def _directions(degrees):
    angles = np.radians(np.asarray(degrees, float))
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def _chord(degrees):
    return 2 * np.sin(np.radians(degrees) / 2)


class DiversityTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        # Acne: patients a and b, 60 degrees apart; the two photographs of a do not
        # count as a pair. Melanoma: one patient.
        self.real = 3.0 * _directions([0, 0, 60, 90, 180])
        self.conditions = ["Acne", "Acne", "Acne", "Melanoma", "Melanoma"]
        self.patients = ["a", "a", "b", "c", "c"]

    def _measure(self, generated, map_conditions):
        return diversity.measure_diversity(
            np.asarray(generated),
            map_conditions,
            range(len(map_conditions)),
            self.real,
            self.conditions,
            self.patients,
        )

    def test_is_the_share_of_what_patients_differ(self):
        generated = [_directions([10, 40]), 5.0 * _directions([0, 60])]
        measured = self._measure(generated, ["Acne", "Acne"])
        self.assertEqual((measured.maps, measured.images_per_map), (2, 2))
        within = (_chord(30) + _chord(60)) / 2
        self.assertAlmostEqual(measured.within_map.value, within)
        self.assertAlmostEqual(measured.between_patients.value, _chord(60))
        self.assertAlmostEqual(measured.ratio.value, within / _chord(60))

    def test_one_picture_per_map_has_none(self):
        same = _directions([20, 20, 20])
        measured = self._measure([same, same, same], ["Acne"] * 3)
        self.assertAlmostEqual(measured.ratio.value, 0.0, places=6)

    def test_interval_knows_of_maps_and_patients(self):
        rng = np.random.default_rng(0)
        self.real = _directions(rng.uniform(0, 90, 40))
        self.conditions, self.patients = ["Acne"] * 40, [f"p{i // 2}" for i in range(40)]
        same_spread = [_directions([start, start + 30]) for start in range(0, 60, 5)]
        measured = self._measure(same_spread, ["Acne"] * 12)
        self.assertAlmostEqual(measured.within_map.high, measured.within_map.low)
        for number in (measured.between_patients, measured.ratio):
            self.assertGreater(number.high - number.low, 0.1 * number.value)
            self.assertBetween(number.value, number.low, number.high)

    def test_conditions_of_one_patient(self):
        usable = diversity.conditions_of_two_patients(self.conditions, self.patients)
        self.assertEqual(usable, {"Acne"})
        with self.assertRaisesRegex(ValueError, "no photographs of two patients with Melanoma"):
            self._measure([_directions([0, 60])], ["Melanoma"])

    def test_a_single_image_of_a_map(self):
        with self.assertRaisesRegex(ValueError, r"shape \(1, 1, 2\), not \[maps, 2 or more"):
            self._measure([_directions([0])], ["Acne"])


if __name__ == "__main__":
    absltest.main()
