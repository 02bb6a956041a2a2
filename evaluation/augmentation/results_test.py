import dataclasses
import json

import numpy as np
from absl.testing import absltest
from sklearn import metrics

from evaluation.augmentation import predictions, results, testing
from evaluation.augmentation.results import Results
from evaluation.uncertainty import significance
from preprocessing.data import taxonomy

_REPLICATES = 400


class ResultsTest(absltest.TestCase):
    def _compute(self, accuracies, **options) -> Results:
        root = self.create_tempdir().full_path
        testing.write_predictions(root, accuracies, **options)
        arms = predictions.read_predictions(root)
        return results.compute_results("test", arms, _REPLICATES)

    def test_numbers_of_an_arm(self):
        found = self._compute([0.6, 0.6, 0.6, 0.6], seeds=(5,))
        arm = found.arms[0]
        self.assertEqual(arm.name, "real")
        said = arm.predictions.predictions()
        self.assertAlmostEqual(
            arm.summary.overall["top_1"].value,
            metrics.accuracy_score(said.labels, said.predicted[0]),
        )
        # 0.7 is said each time; the error is the distance to how often it is right.
        self.assertAlmostEqual(arm.calibration, abs(0.7 - said.correct.mean()), places=5)
        # Of 240 right with a chance of 0.7: mean absolute error sqrt(2 / pi * 0.21 / 240).
        self.assertAlmostEqual(arm.calibration_floor, 0.0236, delta=0.006)
        self.assertEqual(sorted(arm.skin_types), ["1", "2", "3", "4", "5"])
        number, estimate = arm.skin_types["3"]
        of_type = arm.predictions.table["fitzpatrick"].to_numpy() == 3
        self.assertEqual(number, 48)
        self.assertAlmostEqual(estimate.value, said.correct[0, of_type].mean())
        self.assertEqual(arm.confusion.sum(), 240)

    def test_small_skin_types_are_listed_not_judged(self):
        root = self.create_tempdir().full_path
        arm = testing.write_predictions(root, [0.5], seeds=(0,))[0]
        table = testing.images()
        table.loc[:9, "fitzpatrick"] = 6
        predictions.write_predictions(
            predictions.path_of(root, "real", "test", 0),
            table,
            testing.scores(table, 0.5, 0),
            testing.training(arm, 0),
        )
        [arm] = predictions.read_predictions(root)
        number, estimate = results.measure_arm(arm, 50).skin_types["6"]
        self.assertEqual(number, 10)
        self.assertTrue(np.isnan(estimate.value))

    def test_estimated_skin_types_are_told_apart(self):
        root = self.create_tempdir().full_path
        arm = testing.write_predictions(root, [0.5], seeds=(0,))[0]
        table = testing.images()
        rows = table["fitzpatrick"] == 3
        table.loc[rows & (table.index < 120), "fitzpatrick_source"] = "estimated"
        predictions.write_predictions(
            predictions.path_of(root, "real", "test", 0),
            table,
            testing.scores(table, 0.5, 0),
            testing.training(arm, 0),
        )
        found = results.compute_results("test", predictions.read_predictions(root), 50)
        numbers = {group: number for group, (number, _) in found.arms[0].skin_types.items()}
        estimated = int((table["fitzpatrick_source"] == "estimated").sum())
        self.assertEqual((numbers["3"], numbers["3 (estimated)"]), (48 - estimated, estimated))
        self.assertNotIn("2 (estimated)", numbers)
        self.assertIn("they are told apart", results.notes(found)[-1])

    def test_is_json(self):
        content = self._compute([0.6] * 4).as_dict()
        stored = json.loads(json.dumps(content, allow_nan=False))
        acne = stored["arms"][1]["per_class"]["Acne"]
        self.assertEqual((acne["test_images"], acne["f1"]["value"]), (0, None))
        self.assertIsNone(stored["comparisons"][0]["f1"]["Acne"]["p_adjusted"])
        self.assertLen(stored["comparisons"], 5)
        self.assertLen(stored["comparisons"][0]["f1"], len(taxonomy.CONDITIONS))

    def test_without_the_real_arm(self):
        root = self.create_tempdir().full_path
        testing.write_predictions(root, [0.6, 0.6])
        arms = predictions.read_predictions(root)
        with self.assertRaisesRegex(ValueError, "no predictions of the arm 'real'"):
            results.compute_results("test", arms[1:], 10)
        only = results.compute_results("test", arms[:1], 20)
        self.assertLen(only.arms, 1)
        self.assertEmpty(only.comparisons)


class VerdictTest(absltest.TestCase):
    def _compute(self, accuracies, **options) -> Results:
        root = self.create_tempdir().full_path
        testing.write_predictions(root, accuracies, **options)
        return results.compute_results("test", predictions.read_predictions(root), 400)

    def test_a_planted_improvement_is_found_and_told(self):
        found = self._compute([0.5, 0.5, 0.5, 0.5], melanoma=0.95, seeds=(0, 1, 2))
        comparison = found.comparison("real", "real+synthetic")
        [(name, change)] = [
            one for one in comparison.significant_classes() if one[1].estimate.value > 0.2
        ]
        self.assertEqual(name, "Melanoma")
        self.assertLess(change.p_adjusted, 0.05)
        text = results.verdict(found)
        self.assertRegex(text, r"top-1 accuracy by \+1\d\.\d points \(95% interval \+.*better")
        self.assertRegex(text, r"balanced accuracy by \+1\d\.\d points")
        self.assertRegex(text, r"macro F1 by \+1\d\.\d points")
        self.assertNotIn("No classifier is better", text)
        self.assertRegex(text, r"Melanoma \+0\.\d\d")
        self.assertRegex(text, r"Against real\+oversampled, .* significantly better")
        self.assertRegex(text, r"Against real\+class_weights, ")

    def test_several_controls_are_corrected_for(self):
        found = self._compute([0.5, 0.62, 0.5, 0.5], seeds=(0,))
        held = [one for one in found.comparisons if one.second == "real+synthetic"]
        self.assertLen(held, 3)
        p = [one.overall["macro_f1"].p for one in held]
        adjusted = [one.overall["macro_f1"].p_adjusted for one in held]
        np.testing.assert_allclose(adjusted, significance.holm(p))
        self.assertGreater(min(adjusted), min(p))
        other = found.comparison("real", "real+oversampled").overall["macro_f1"]
        self.assertEqual(other.p_adjusted, other.p)

    def test_what_is_excluded(self):
        found = self._compute([0.5, 0.5], seeds=(0,))
        estimate = found.comparison("real", "real+synthetic").overall["balanced_accuracy"].estimate
        note = results.notes(found)[0]
        self.assertIn(f"a gain above {100 * estimate.high:.1f} points is excluded", note)
        # Of 80 patients with 3 photographs each, right by half: about 0.5 / sqrt(240) * sqrt(2)
        # is the standard error of a difference, and 2.8 of them are found.
        found = float(note.split("finds one of ")[1].split()[0])
        self.assertBetween(found, 9, 17)

    def test_differences_by_skin_type(self):
        found = self._compute([0.5, 0.9, 0.5, 0.5], seeds=(0,))
        changes = found.comparison("real", "real+synthetic").skin_types
        self.assertEqual(sorted(changes), ["1", "2", "3", "4", "5"])
        real, synthetic = (arm.skin_types["3"][1].value for arm in found.arms[:2])
        self.assertAlmostEqual(changes["3"].estimate.value, synthetic - real)
        np.testing.assert_allclose(
            [one.p_adjusted for one in changes.values()],
            significance.holm([one.p for one in changes.values()]),
        )
        self.assertFalse(found.comparison("real", "real+oversampled").skin_types)

    def test_no_difference_is_called_so(self):
        found = self._compute([0.6] * 4)
        text = results.verdict(found)
        self.assertIn("no significant difference", text)
        self.assertIn("F1 differs significantly in none of 4 conditions", text)
        self.assertNotIn("better", text)

    def test_harm_is_called_so(self):
        found = self._compute([0.8, 0.4, 0.8, 0.8], seeds=(0,))
        self.assertIn("balanced accuracy: any gain is excluded", results.notes(found)[0])
        text = results.verdict(found)
        self.assertRegex(text, r"by -\d\d\.\d points .*significantly worse")

    def test_classifiers_that_learnt_nothing_are_told(self):
        text = results.verdict(self._compute([0.2] * 4))
        self.assertIn("No classifier is better than always naming the most common condition", text)
        self.assertIn("(0.250)", text)

    def test_conditions_without_photographs_are_noted(self):
        self.assertEqual(
            results.notes(self._compute([0.5] * 2, seeds=(0,)))[1:],
            [
                "Psoriasis has 60 test images and no photograph to train on: arms without "
                "synthetic images of it can only err",
                "without a test image, so undefined: Acne",
            ],
        )

    def test_another_arm_with_synthetic_images_is_judged_in_its_place(self):
        root = self.create_tempdir().full_path
        testing.write_predictions(root, [0.5, 0.9, 0.5, 0.5], seeds=(0,))
        named = {"real+synthetic": "synthetic_then_real"}
        found = [
            dataclasses.replace(one, arm=named.get(one.arm, one.arm))
            for one in predictions.read_predictions(root)
        ]
        text = results.verdict(results.compute_results("test", found, 400))
        self.assertRegex(
            text,
            r"Adding synthetic images \(synthetic_then_real\) changes .* significantly better.*"
            r"Against real\+oversampled, which has the same frequencies",
        )
        self.assertNotIn("class_weights", text)

    def test_without_the_synthetic_arm(self):
        self.assertIn("No verdict", results.verdict(self._compute([0.5])))


if __name__ == "__main__":
    absltest.main()
