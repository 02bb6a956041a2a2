import os
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from evaluation.features import networks
from evaluation.memorization import audit, plants, study, testing
from evaluation.memorization.results import Protocol


class AuditTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.data_dir = folder.name
        cls.images = testing.write_records(cls.data_dir)
        cls.honest = testing.patterns(100, 9)

    @parameterized.parameters("exact", "mirrored", "jittered")
    def test_planted_copies_are_found(self, kind):
        copies = self.images["train"][10:30]
        if kind == "mirrored":
            copies = copies[:, :, ::-1]
        elif kind == "jittered":
            copies = plants.jitter(copies)
        painted = np.concatenate([copies, self.honest[:80]])
        evaluation, _ = testing.audit(self.data_dir, painted)
        matches = evaluation.generated["train"].matches
        found = matches.flagged[:20]
        self.assertGreaterEqual(found.mean(), 0.9)
        np.testing.assert_array_equal(matches.index[:20][found], np.arange(10, 30)[found])
        self.assertLess(matches.flagged[20:].mean(), 0.25)
        if kind == "exact":
            self.assertEqual(evaluation.generated["train"].score.identical, 20)
            self.assertFalse(matches.mirrored[:20].any())
        if kind == "mirrored":
            self.assertTrue(matches.mirrored[:20].all())
        rows = {row["patient_id"]: row["flagged"] for row in evaluation.patients}
        for patient in range(5, 15):
            self.assertGreaterEqual(rows[f"train_{patient}"], 1)

    def test_an_honest_generator_is_at_about_alpha(self):
        evaluation, _ = testing.audit(self.data_dir, self.honest, num_planted=20)
        copies = evaluation.generated["train"].score.copies
        bound = audit.honest_bound(100, 0.1, 2)
        self.assertLess(copies.interval[0], bound)
        self.assertLess(copies.share, 0.25)
        self.assertEqual(evaluation.generated["train"].score.identical, 0)
        self.assertAlmostEqual(evaluation.held_out.score.copies.share, 0.1, delta=0.07)
        self.assertEqual(evaluation.planted["exact"].share, 1.0)
        self.assertEqual(evaluation.planted["mirrored"].share, 1.0)
        self.assertGreaterEqual(evaluation.planted["jittered"].share, 0.9)
        self.assertEqual(set(evaluation.conditions), set(testing.CONDITIONS))
        total = sum(rates["copies"].total for rates in evaluation.conditions.values())
        self.assertEqual(total, 100)

    def test_all_map_splits_are_painted_with_their_own_seeds(self):
        evaluation, _ = testing.audit(
            self.data_dir, self.honest, map_splits=("train", "validation"), seed=3
        )
        self.assertEqual(list(evaluation.generated), ["train", "validation"])
        seeds = [one.seeds for one in evaluation.generated.values()]
        self.assertEmpty(set(seeds[0]) & set(seeds[1]))
        np.testing.assert_array_equal(seeds[1], np.arange(100) + 7 * 2**32)

    def test_training_maps_stay_as_they_are(self):
        layouts = study.sample_layouts(
            self.data_dir, "train", testing.CONDITIONS, 32, Protocol(num_images=130)
        )
        self.assertLen(layouts, 130)
        self.assertEqual({layout.boxes[0].x0 for layout in layouts}, {4.0})
        self.assertEqual(layouts[:10], layouts[60:70])
        varied = study.sample_layouts(
            self.data_dir, "test", testing.CONDITIONS, 32, Protocol(num_images=30)
        )
        self.assertGreater(len({layout.boxes[0].x0 for layout in varied}), 5)

    def test_a_leaked_photograph_is_told_and_does_not_hide_copies(self):
        folder = os.path.join(self.create_tempdir().full_path, "data")
        original = testing.patterns
        self.addCleanup(setattr, testing, "patterns", original)

        def leaking(number, seed):
            made = original(number, seed)
            if seed == 2:
                made[:4] = original(60, 0)[:4]
            return made

        testing.patterns = leaking
        testing.write_records(folder)
        copies = self.images["train"][:50]
        evaluation, _ = testing.audit(folder, copies)
        self.assertStartsWith(evaluation.notes[1], "4 held-out crops are training crops, too")
        self.assertIn("(test0 is train0)", evaluation.notes[1])
        self.assertEqual(evaluation.generated["train"].score.copies.share, 1.0)

    def test_bad_input(self):
        folder = os.path.join(self.create_tempdir().full_path, "data")
        testing.write_records(folder, shared_patient=True)
        with self.assertRaisesRegex(ValueError, "1 of 50 held-out patients .* 'train_0'"):
            testing.audit(folder, self.honest)
        with self.assertRaisesRegex(ValueError, "100 held-out photographs cannot calibrate"):
            testing.audit(self.data_dir, self.honest, alpha=0.01)
        for settings, message in (
            ({"alpha": 1.0}, "alpha 1 is not between 0 and 1"),
            ({"num_images": 0}, "num_images 0 is not positive"),
            ({"num_planted": -1}, "num_planted -1 is negative"),
            ({"map_splits": ()}, "map splits .*one or more"),
            ({"map_splits": ("testing",)}, "split 'testing' is not one of"),
            ({"held_out_split": "train"}, "held-out split 'train' is what the generator saw"),
        ):
            with self.assertRaisesRegex(ValueError, message):
                testing.audit(self.data_dir, self.honest, **settings)

    def test_other_records_than_those_of_the_run(self):
        generator = testing.PlantedGenerator(self.honest)
        generator.description = {"dataset": {"digest": "1" * 64}}
        network, settings = networks.embedded_network(), networks.FeatureSettings()
        with self.assertRaisesRegex(ValueError, "not the records that /runs/planted was trained"):
            study.Auditor(generator, self.data_dir, network, settings, Protocol(alpha=0.1))


if __name__ == "__main__":
    absltest.main()
