import json

import numpy as np
from absl.testing import absltest
from sklearn import metrics

from evaluation.augmentation import classifier_predictions, classifier_testing
from evaluation.augmentation import results as augmentation_results
from evaluation.augmentation.results import Results
from preprocessing.data import taxonomy

_REPLICATES = 400


class AugmentationResultsTest(absltest.TestCase):
    def _compute(self, accuracies, **options) -> Results:
        root = self.create_tempdir().full_path
        classifier_testing.write_study(root, accuracies, **options)
        arms = classifier_predictions.read(root)
        return augmentation_results.compute("test", arms, _REPLICATES)

    def test_numbers_of_an_arm(self):
        results = self._compute([0.6, 0.6, 0.6, 0.6], seeds=(5,))
        arm = results.arms[0]
        self.assertEqual(arm.name, "real")
        predictions = arm.predictions.predictions()
        self.assertAlmostEqual(
            arm.summary.overall["top_1"].value,
            metrics.accuracy_score(predictions.labels, predictions.predicted[0]),
        )
        # 0.7 is said each time; the error is the distance to how often it is right.
        self.assertAlmostEqual(arm.calibration, abs(0.7 - predictions.correct.mean()), places=5)
        # Of 240 right with a chance of 0.7: mean absolute error sqrt(2 / pi * 0.21 / 240).
        self.assertAlmostEqual(arm.calibration_floor, 0.0236, delta=0.006)
        self.assertEqual(sorted(arm.skin_types), [1, 2, 3, 4, 5])
        number, estimate = arm.skin_types[3]
        of_type = arm.predictions.table["fitzpatrick"].to_numpy() == 3
        self.assertEqual(number, 48)
        self.assertAlmostEqual(estimate.value, predictions.correct[0, of_type].mean())
        self.assertEqual(arm.confusion.sum(), 240)

    def test_small_skin_types_are_listed_not_judged(self):
        root = self.create_tempdir().full_path
        arm = classifier_testing.write_study(root, [0.5], seeds=(0,))[0]
        table = classifier_testing.images()
        table.loc[:9, "fitzpatrick"] = 6
        classifier_predictions.write(
            classifier_predictions.path_of(root, "real", "test", 0),
            table,
            classifier_testing.scores(table, 0.5, 0),
            classifier_testing.training(arm, 0),
        )
        [arm] = classifier_predictions.read(root)
        number, estimate = augmentation_results.measure_arm(arm, 50).skin_types[6]
        self.assertEqual(number, 10)
        self.assertTrue(np.isnan(estimate.value))

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
        classifier_testing.write_study(root, [0.6, 0.6])
        arms = classifier_predictions.read(root)
        with self.assertRaisesRegex(ValueError, "no predictions of the arm 'real'"):
            augmentation_results.compute("test", arms[1:], 10)
        only = augmentation_results.compute("test", arms[:1], 20)
        self.assertLen(only.arms, 1)
        self.assertEmpty(only.comparisons)


if __name__ == "__main__":
    absltest.main()
