import collections

from absl.testing import absltest

from preprocessing.data.taxonomy import CONDITIONS, FITZPATRICK_TYPES
from preprocessing.demo import patients


class PlanTest(absltest.TestCase):
    def test_shares_are_long_tailed_and_the_eight_rarest_hold_17_percent(self):
        shares = sorted(patients.CONDITION_SHARES.values())
        self.assertLen(shares, 27)
        self.assertAlmostEqual(sum(shares), 1.0)
        self.assertAlmostEqual(sum(shares[:8]), 0.17, delta=0.01)
        self.assertEqual(patients.CONDITION_SHARES["Melanoma"], shares[0])

    def test_every_class_has_two_patients_and_every_type_its_share(self):
        for num_cases, seed in ((120, 0), (240, 1), (1000, 2)):
            jobs = patients.plan(num_cases, seed)
            self.assertLen(jobs, num_cases)
            seen = collections.defaultdict(set)
            types = collections.Counter(job.skin_type for job in jobs)
            for job in jobs:
                seen[job.condition].add(job.patient)
            self.assertEqual(set(seen), set(CONDITIONS))
            self.assertGreaterEqual(min(map(len, seen.values())), 2)
            for skin_type in FITZPATRICK_TYPES:
                self.assertGreaterEqual(types[skin_type], 0.08 * num_cases)

    def test_counts_are_imbalanced(self):
        counts = collections.Counter(job.condition for job in patients.plan(500, 3))
        self.assertGreater(counts["Eczema"], 5 * counts["Melanoma"])
        rare = sum(sorted(counts.values())[:8])
        self.assertAlmostEqual(rare / 500, 0.17, delta=0.02)

    def test_common_conditions_meet_all_skin_types(self):
        jobs = patients.plan(300, 4)
        types = {job.skin_type for job in jobs if job.condition == "Eczema"}
        self.assertEqual(types, set(FITZPATRICK_TYPES))

    def test_some_patients_come_twice_with_one_skin_type(self):
        jobs = patients.plan(240, 0)
        types = collections.defaultdict(list)
        for job in jobs:
            types[job.patient].append(job.skin_type)
        twice = [kinds for kinds in types.values() if len(kinds) > 1]
        self.assertNotEmpty(twice)
        self.assertLess(len(twice), 0.2 * len(types))
        self.assertTrue(all(len(set(kinds)) == 1 for kinds in twice))


class DescribeCaseTest(absltest.TestCase):
    def test_photographs_share_patient_and_lesions_but_not_the_pose(self):
        for seed in range(30):
            shots = patients.describe_case("Tinea", 4, 5, seed)
            self.assertBetween(len(shots), 1, 3)
            self.assertLen({shot.rois for shot in shots}, 1)
            self.assertLen({shot.surface for shot in shots}, 1)
            self.assertLen({shot.camera for shot in shots}, len(shots))

    def test_sizes(self):
        for seed in range(20):
            for shot in patients.describe_case("Acne", 2, 1, seed):
                short, long = sorted((shot.camera.width, shot.camera.height))
                self.assertBetween(short, 600, 960)
                self.assertBetween(long, 800, 1280)


if __name__ == "__main__":
    absltest.main()
