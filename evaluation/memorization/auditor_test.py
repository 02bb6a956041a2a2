import os
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from common import pseudonyms
from evaluation.features import networks
from evaluation.features.image_sets import ImageSet
from evaluation.memorization import auditor, copies, plants, testing
from evaluation.memorization.auditor import Auditor, AuditProtocol, JudgedSet
from evaluation.memorization.nearest_neighbours import Neighbours
from evaluation.uncertainty.intervals import Rate
from synthesis.layouts import Layout


def _judged(ratio, conditions):
    ratio = np.array(ratio, np.float64)
    number = len(ratio)
    layouts = tuple(Layout(condition, 1, ()) for condition in conditions)
    names = ("",) * number
    images = ImageSet(
        "images", "0", layouts, names, names, names, lambda: tf.data.Dataset.range(number)
    )
    ones = np.ones(number)
    found = Neighbours(np.zeros(number, np.int64), ratio, ratio < 0, ones, 1e-3)
    neighbours = {"features": found, "thumbnails": found}
    matches = copies.match_neighbours(neighbours, {"features": 0.5, "thumbnails": 0.4})
    return JudgedSet(images, np.arange(number), neighbours, matches, matches.copy_rate())


class JudgedSetTest(absltest.TestCase):
    def test_seeds_are_those_of_the_images(self):
        protocol = AuditProtocol(num_images=3, seed=2)
        self.assertEqual(protocol.painting_seed("train"), 4)
        self.assertEqual(
            protocol.image_seeds("validation").tolist(), [5 * 2**32 + i for i in range(3)]
        )

    def test_score(self):
        score = _judged([0.0, 0.5, 0.9, 1.5], ["Acne"] * 4)
        self.assertEqual(score.copies, Rate(2, 4))
        self.assertEqual(score.authentic, Rate(1, 4))
        self.assertEqual(score.identical, 1)
        self.assertEqual(score.quantiles("features")["50"], 0.7)
        self.assertEqual(score.as_dict()["copies"]["share"], 0.5)

    def test_conditions(self):
        held_out = _judged([1.2, 0.9], ["Acne", "Acne"])
        first = _judged([0.1, 1.1], ["Acne", "Vitiligo"])
        second = _judged([2.0], ["Acne"])
        found = auditor.rates_by_condition(held_out, [first, second])
        self.assertEqual(
            found["Acne"],
            {"copies": Rate(1, 2), "authentic": Rate(1, 2), "held_out_authentic": Rate(1, 2)},
        )
        self.assertEqual(found["Vitiligo"]["copies"], Rate(0, 1))
        self.assertIsNone(found["Vitiligo"]["held_out_authentic"])

    def test_misreadings(self):
        near = _judged([0.9] * 20 + [1.1] * 20, ["Acne"] * 40)
        far = _judged([1.9] * 40, ["Acne"] * 40)
        rows = [
            {"patient_id": "a", "p": 0.01, "flagged": 0},
            {"patient_id": "b", "p": 0.01, "flagged": 2},
        ]
        self.assertEmpty(auditor.misreadings(near, {"train": near}, rows[1:]))
        found = auditor.misreadings(near, {"train": near, "validation": far}, rows)
        self.assertStartsWith(found[0], "images of validation maps are more often authentic")
        self.assertStartsWith(found[1], "nearest remarkably often without a flagged copy: 1")


class AuditTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.data_dir = folder.name
        cls.images = testing.write_records(cls.data_dir)
        cls.honest = testing.patterns(100, 9)

    def test_planted_copies_are_found(self):
        originals, rng = self.images["train"][10:30], np.random.default_rng(1)
        made = {
            kind: np.stack([change(image, rng) for image in originals])
            for kind, change in plants.CHANGES.items()
        }
        made["jittered"] = plants.jitter(originals)
        self.assertCountEqual(made, plants.KINDS)
        painted = np.concatenate([*made.values(), self.honest[:80]])
        evaluation, _ = testing.audit(self.data_dir, painted)
        matches = evaluation.generated["train"].matches
        for number, kind in enumerate(made):
            part = slice(20 * number, 20 * number + 20)
            found, view = matches.flagged[part], matches.view[part]
            self.assertGreaterEqual(found.mean(), 0.9, kind)
            np.testing.assert_array_equal(
                matches.index[part][found], np.arange(10, 30)[found], kind
            )
            if kind == "exact":
                self.assertFalse(view.any())
            if kind == "mirrored":
                self.assertTrue((view == 1).all())
            if kind == "turned 90":
                self.assertTrue((view[found] >= 2).all())
        self.assertLess(matches.flagged[20 * len(made) :].mean(), 0.25)
        # To the features, exact and mirrored ones are the photograph itself.
        self.assertEqual(evaluation.generated["train"].identical, 40)
        rows = {row["patient_id"]: row["flagged"] for row in evaluation.patients}
        names = pseudonyms.load_or_create(self.data_dir)
        for patient in range(5, 15):
            self.assertGreaterEqual(rows[names.name("patient", f"train_{patient}")], 5)

    def test_an_honest_generator_is_at_about_alpha(self):
        evaluation, _ = testing.audit(self.data_dir, self.honest, num_planted=20)
        rate = evaluation.generated["train"].copies
        bound = copies.honest_bound(100, 0.1, 2)
        self.assertLess(rate.interval[0], bound)
        self.assertLess(rate.share, 0.25)
        self.assertEqual(evaluation.generated["train"].identical, 0)
        self.assertAlmostEqual(evaluation.held_out.copies.share, 0.1, delta=0.07)
        self.assertEqual(list(evaluation.planted), list(plants.KINDS))
        self.assertEqual(evaluation.planted["exact"].share, 1.0)
        for kind, rate in evaluation.planted.items():
            self.assertGreaterEqual(rate.share, 0.9, kind)
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
        layouts = auditor.sample_layouts(
            self.data_dir, "train", testing.CONDITIONS, 32, AuditProtocol(num_images=130)
        )
        self.assertLen(layouts, 130)
        self.assertEqual({layout.boxes[0].x0 for layout in layouts}, {4.0})
        self.assertEqual(layouts[:10], layouts[60:70])
        varied = auditor.sample_layouts(
            self.data_dir, "test", testing.CONDITIONS, 32, AuditProtocol(num_images=30)
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
        evaluation, _ = testing.audit(folder, self.images["train"][:50])
        self.assertStartsWith(evaluation.notes[1], "4 held-out crops are training crops, too")
        names = pseudonyms.load_or_create(folder)
        ours, theirs = (names.name("photograph", one) for one in ("test0", "train0"))
        self.assertIn(f"({ours} is {theirs})", evaluation.notes[1])
        self.assertEqual(evaluation.generated["train"].copies.share, 1.0)

    def test_bad_input(self):
        folder = os.path.join(self.create_tempdir().full_path, "data")
        testing.write_records(folder, shared_patient=True)
        with self.assertRaisesRegex(ValueError, "1 of 50 held-out patients .* 'train_0'"):
            testing.audit(folder, self.honest)
        with self.assertRaisesRegex(ValueError, "100 held-out crops cannot calibrate"):
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
        extractor = networks.FeatureExtractor(networks.embedded_network())
        with self.assertRaisesRegex(ValueError, "not the records that /runs/planted was trained"):
            Auditor(generator, self.data_dir, extractor, AuditProtocol(alpha=0.1))


if __name__ == "__main__":
    absltest.main()
