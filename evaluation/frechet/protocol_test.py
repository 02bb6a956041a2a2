import numpy as np
from absl.testing import absltest, parameterized

from evaluation.frechet import distances, protocol
from evaluation.frechet.protocol import TrialProtocol


def _patients(number, each):
    return [f"p{index // each}" for index in range(number)]


class PartingTest(parameterized.TestCase):
    @parameterized.parameters(0, 1, 2)
    def test_no_patient_on_both_sides(self, seed):
        patients = np.array(_patients(90, 3) + ["big"] * 20)
        chosen = protocol.part_patients(patients, np.random.default_rng(seed))
        self.assertEmpty(set(patients[chosen]) & set(patients[~chosen]))
        self.assertLess(abs(chosen.sum() - (~chosen).sum()), 21)

    def test_one_patient_cannot_be_parted(self):
        with self.assertRaisesRegex(ValueError, "1 patient; at least 2"):
            protocol.part_patients(["a"] * 9, np.random.default_rng(0))


class TrialsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.patients = _patients(240, 2)
        self.real = rng.normal(size=(240, 6))
        self.same = rng.normal(size=(300, 6))
        self.other = self.same + 1.0

    def test_the_same_distribution_is_at_the_floor(self):
        scores = protocol.run_trials(self.real, self.patients, self.same, TrialProtocol(trials=20))
        generated = np.mean(scores.generated["frechet"])
        floor = np.mean(scores.floor["frechet"])
        self.assertAlmostEqual(generated / floor, 1.0, delta=0.4)
        self.assertEqual(scores.num_images, 108)  # nine tenths of half of 240
        self.assertLen(scores.floor["recall"], 20)

    def test_another_distribution_is_above_it(self):
        scores = protocol.run_trials(self.real, self.patients, self.other, TrialProtocol(trials=9))
        self.assertAlmostEqual(
            np.mean(scores.generated["frechet"]) - np.mean(scores.floor["frechet"]), 6.0, delta=1.0
        )
        self.assertGreater(np.mean(scores.generated["kernel"]), 1.0)
        self.assertAlmostEqual(scores.extrapolated, 6.0, delta=1.0)

    def test_a_trial_by_hand(self):
        one = TrialProtocol(trials=1, partings=1, num_images=50, seed=3)
        scores = protocol.run_trials(self.real, self.patients, self.other, one)
        chosen = protocol.part_patients(self.patients, np.random.default_rng([3, 1, 0]))
        rng = np.random.default_rng([3, 2, 0])
        drawn = self.other[rng.choice(300, 50, replace=False)]
        expected = distances.FrechetReference(self.real[chosen]).distance(drawn)
        np.testing.assert_allclose(scores.generated["frechet"], [expected])

    def test_repeats_exactly(self):
        first, second = (
            protocol.run_trials(self.real, self.patients, self.other, TrialProtocol(trials=4))
            for _ in range(2)
        )
        self.assertEqual(first, second)

    def test_trials_without_spread(self):
        summary = protocol.run_trials(
            self.real, self.patients, self.same, TrialProtocol(trials=1)
        ).summary()
        self.assertEqual(summary["generated"]["frechet"]["interval"], 0.0)

    def test_bad_input(self):
        with self.assertRaisesRegex(ValueError, "images_per_trial 200 is more than there are"):
            protocol.run_trials(self.real, self.patients, self.same, TrialProtocol(num_images=200))
        with self.assertRaisesRegex(ValueError, "too few"):
            protocol.run_trials(self.real[:10], self.patients[:10], self.same, TrialProtocol())
        broken = self.same.copy()
        broken[0, 0] = np.inf
        with self.assertRaisesRegex(ValueError, "generated features are not finite"):
            protocol.run_trials(self.real, self.patients, broken, TrialProtocol())
        with self.assertRaisesRegex(ValueError, "trials 0"):
            TrialProtocol(trials=0)
        with self.assertRaisesRegex(ValueError, "smallest_group 5 is not above the 5"):
            TrialProtocol(smallest_group=5)


class GroupsTest(absltest.TestCase):
    def test_small_groups_are_listed_not_measured(self):
        rng = np.random.default_rng(0)
        real = rng.normal(size=(200, 3))
        groups = np.array(["large"] * 160 + ["small"] * 40)
        made = rng.normal(size=(200, 3))
        made[:150] += 5.0
        made_groups = np.array(["large"] * 150 + ["small"] * 50)
        scores, too_small = protocol.run_trials_by_group(
            real, _patients(200, 1), groups, made, made_groups, TrialProtocol(trials=5)
        )
        self.assertEqual(list(scores), ["large"])
        self.assertGreater(min(scores["large"].generated["frechet"]), 50.0)
        self.assertRegex(too_small["small"], "40 photographs .* 50 generated; 50 are needed")

    def test_note_on_singular_covariances(self):
        self.assertIn("singular", protocol.singular_note(100, 100))
        self.assertEqual(protocol.singular_note(101, 100), "")


if __name__ == "__main__":
    absltest.main()
