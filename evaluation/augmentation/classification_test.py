import gc
from unittest import mock

import numpy as np
import scipy.stats
from absl.testing import absltest, parameterized
from sklearn import metrics

from evaluation.augmentation.classification import (
    Predictions,
    calibration_error,
    calibration_floor,
    confusion_counts,
    paired_differences,
    paired_t_test,
    summarize_arm,
    top_1,
    top_1_difference,
)
from evaluation.uncertainty import significance


def _random(seed, images=300, patients=100, classes=5, seeds=1, accuracy=0.6):
    """Predictions right with a chance that depends on the patient, as real ones do."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, images)
    owners = rng.integers(0, patients, images)
    chance = np.clip(accuracy + 0.2 * rng.normal(size=patients), 0, 1)[owners]
    right = rng.random((seeds, images)) < chance
    wrong = (labels + rng.integers(1, classes, (seeds, images))) % classes
    return Predictions(labels, np.where(right, labels, wrong), classes, owners.tolist())


def _with(predictions, predicted):
    return Predictions(
        predictions.labels, np.atleast_2d(predicted), predictions.num_classes, predictions.patients
    )


def _null(seed, spread, seeds, images=240):
    """Two arms of equal worth, whose trainings differ in accuracy by a spread."""
    rng = np.random.default_rng([seed, 77])
    labels = np.arange(images) % 5
    owners = rng.integers(0, images // 2, images).tolist()
    arms = []
    for _ in range(2):
        accuracy = np.clip(0.6 + spread * rng.normal(size=(seeds, 1)), 0.05, 0.95)
        right = rng.random((seeds, images)) < accuracy
        wrong = (labels + rng.integers(1, 5, (seeds, images))) % 5
        arms.append(Predictions(labels, np.where(right, labels, wrong), 5, owners))
    return arms


class SummaryTest(parameterized.TestCase):
    @parameterized.parameters(range(3))
    def test_equal_to_scikit_learn(self, seed):
        predictions = _random(seed)
        labels, predicted = predictions.labels, predictions.predicted[0]
        summary = summarize_arm(predictions, replicates=10)
        precision, recall, f1, support = metrics.precision_recall_fscore_support(
            labels, predicted, labels=range(5), zero_division=0
        )
        for name, expected in (("precision", precision), ("recall", recall), ("f1", f1)):
            np.testing.assert_allclose([one.value for one in summary.per_class[name]], expected)
        self.assertEqual(summary.support, tuple(support))
        for name, value in (
            ("top_1", metrics.accuracy_score(labels, predicted)),
            ("balanced_accuracy", metrics.balanced_accuracy_score(labels, predicted)),
            ("macro_f1", f1.mean()),
        ):
            self.assertAlmostEqual(summary.overall[name].value, value)
        np.testing.assert_array_equal(
            confusion_counts(predictions)[0],
            metrics.confusion_matrix(labels, predicted),
        )

    def test_a_class_without_test_images_is_undefined(self):
        labels = np.array([0, 0, 1, 1, 0, 1])
        predicted = np.array([[0, 0, 2, 0, 0, 0]])
        summary = summarize_arm(Predictions(labels, predicted, 4, list("abcdef")), 50)
        f1 = [one.value for one in summary.per_class["f1"]]
        np.testing.assert_allclose(f1, [0.75, 0.0, np.nan, np.nan])
        # Never predicted but there: 0, not undefined.
        self.assertEqual(summary.per_class["precision"][1].value, 0.0)
        self.assertAlmostEqual(summary.overall["macro_f1"].value, 0.375)
        self.assertAlmostEqual(summary.overall["balanced_accuracy"].value, 0.5)
        self.assertIsNone(summary.per_class["f1"][2].as_dict()["value"])

    def test_seeds_are_averaged(self):
        one = _random(1, seeds=2)
        parts = [summarize_arm(_with(one, row), 10).overall["top_1"].value
                 for row in one.predicted]  # fmt: skip
        self.assertAlmostEqual(summarize_arm(one, 10).overall["top_1"].value, np.mean(parts))

    def test_few_patients_have_no_interval(self):
        one = summarize_arm(_random(0, patients=2), 10).overall["top_1"]
        self.assertTrue(np.isnan(one.low))

    def test_intervals_cover_the_truth(self):
        # The accuracy over patients is known; about 95 of 100 intervals must hold it.
        covered = 0
        for seed in range(100):
            rng = np.random.default_rng([seed, 9])
            owners = np.repeat(np.arange(60), 3)
            chance = np.repeat(rng.beta(3, 2, 60), 3)  # mean 0.6
            right = rng.random(180) < chance
            labels = np.zeros(180, int)
            one = Predictions(labels, np.where(right, 0, 1)[None], 2, owners.tolist())
            interval = summarize_arm(one, 400, seed).overall["top_1"]
            covered += interval.low <= 0.6 <= interval.high
        self.assertBetween(covered, 87, 100)

    def test_intervals_of_repeated_images_do_not_shrink(self):
        one = _random(3, images=100, patients=100)
        many = Predictions(
            np.tile(one.labels, 5), np.tile(one.predicted, 5), 5, list(one.patients) * 5
        )
        widths = []
        for predictions in (one, many):
            interval = summarize_arm(predictions, 1000).overall["top_1"]
            widths.append(interval.high - interval.low)
        self.assertAlmostEqual(widths[0], widths[1], delta=0.01)

    def test_bad_predictions(self):
        labels = np.array([0, 1])
        for arguments, message in (
            ((np.array([], int), np.zeros((1, 0), int), 2, []), "no test image"),
            ((labels, np.zeros((1, 3), int), 2, ["a", "b"]), r"\(1, 3\) are not of 2 test"),
            ((labels, np.zeros((1, 2), int), 2, ["a"]), "1 patients of 2"),
            ((labels, np.full((1, 2), 2), 2, ["a", "b"]), "prediction 2 is not in 0..1"),
            ((labels - 1, np.zeros((1, 2), int), 2, ["a", "b"]), "label -1 is not in 0..1"),
        ):
            with self.assertRaisesRegex(ValueError, message):
                Predictions(*arguments)


class PairedDifferencesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        # statsmodels collects garbage at every correction, which takes longer than the rest.
        self.enter_context(mock.patch.object(gc, "collect"))

    @parameterized.parameters(1, 3)
    def test_identical_arms_do_not_differ(self, seeds):
        one = _random(0, seeds=seeds)
        overall, classes = paired_differences(one, one, 200)
        for difference in (*overall.values(), *classes):
            self.assertEqual(difference.estimate.value, 0.0)
            # Only other trainings, where there are several, could differ, to either side.
            self.assertAlmostEqual(difference.estimate.low, -difference.estimate.high)
            self.assertEqual(difference.estimate.high > 0, seeds > 1)
            self.assertEqual(difference.p_adjusted, 1.0)
            self.assertFalse(difference.significant)
        self.assertEqual(paired_t_test(one, one), 1.0)
        self.assertEqual(significance.mcnemar(one.correct[0], one.correct[0]), 1.0)

    @parameterized.parameters(1, 3)
    def test_accuracy_alone_is_what_all_numbers_say_of_it(self, seeds):
        one, other = _random(1, seeds=seeds), _random(1, seeds=seeds, accuracy=0.7)
        found = top_1_difference(one, other, 300)
        expected = paired_differences(one, other, 300)[0]["top_1"]
        alone = summarize_arm(one, 300).overall["top_1"]
        for ours, theirs in ((top_1(one, 300), alone), (found.estimate, expected.estimate)):
            for field in ("value", "low", "high"):
                self.assertAlmostEqual(getattr(ours, field), getattr(theirs, field), places=6)
        self.assertEqual(found.p, expected.p)
        with self.assertRaisesRegex(ValueError, "not of the same test images"):
            top_1_difference(one, _random(2), 300)

    def test_a_planted_improvement_of_one_class_is_found(self):
        one = _random(2, images=1500, patients=500, accuracy=0.5)
        rng = np.random.default_rng(0)
        mended = (one.labels == 3) & (rng.random(1500) < 0.5)
        other = _with(one, np.where(mended, one.labels, one.predicted[0]))
        overall, classes = paired_differences(one, other, 1000)
        self.assertTrue(classes[3].significant)
        self.assertGreater(classes[3].estimate.low, 0)
        self.assertGreater(overall["top_1"].estimate.low, 0)
        self.assertLess(paired_t_test(one, other), 1e-6)
        self.assertLess(significance.mcnemar(one.correct[0], other.correct[0]), 1e-6)

    def test_chance_is_significant_as_often_as_it_should_be(self):
        # Trainings differ, some by much; the arms do not. Five of a hundred may be found.
        for spread, seeds in ((0.0, 1), (0.0, 3), (0.1, 2), (0.1, 3)):
            found = [
                paired_differences(*_null(seed, spread, seeds), 400, seed)[0]["top_1"].significant
                for seed in range(100)
            ]
            self.assertLessEqual(np.sum(found), 11, (spread, seeds))  # P < 0.01 at 5 %

    def test_small_classes_are_significant_as_often_as_they_should_be(self):
        tested = found = 0
        for seed in range(60):
            one, other = _null(seed, 0.0, 1, images=100)  # 20 of each of five classes
            _, classes = paired_differences(one, other, 400, seed)
            tested += sum(np.isfinite(change.p) for change in classes)
            found += sum(change.p < 0.05 for change in classes)
        self.assertGreater(tested, 150)
        self.assertLess(found / tested, 0.08)

    def test_classes_of_few_patients_are_not_tested(self):
        labels = np.array([0] * 30 + [1] * 14)
        one = Predictions(labels, np.zeros((1, 44), int), 2, list(range(44)))
        overall, classes = paired_differences(one, _with(one, labels), 400)
        self.assertEqual(classes[1].estimate.value, 1.0)
        self.assertTrue(np.isnan([classes[1].estimate.low, classes[1].p_adjusted]).all())
        self.assertEqual(classes[0].p_adjusted, classes[0].p)  # the only test
        self.assertTrue(overall["top_1"].significant)
        self.assertTrue(np.isnan(summarize_arm(one, 50).per_class["f1"][1].low))

    def test_trainings_that_differ_widen_the_interval(self):
        one = _random(0, images=900, patients=300, seeds=3)
        widths = []
        for share in (0.0, 0.2):
            # The second training gets a share of the images wrong, the third right.
            bent = np.tile(one.predicted[0], (3, 1))
            part = np.arange(900) < 900 * share
            bent[1, part] = (one.labels[part] + 1) % 5
            bent[2, part] = one.labels[part]
            interval = summarize_arm(_with(one, bent), 1000).overall["top_1"]
            widths.append(interval.high - interval.low)
        self.assertGreater(widths[1], 3 * widths[0])

    def test_too_few_replicates(self):
        one = _random(0)
        with self.assertRaisesRegex(ValueError, "replicates 199 are too few .* 5 .* at least 200"):
            paired_differences(one, one, 199)

    def test_classes_without_test_images_are_no_tests(self):
        labels = np.array([0, 1] * 20)
        one = Predictions(labels, labels[None], 3, list(range(40)))
        _, classes = paired_differences(one, _with(one, 1 - labels), 200)
        self.assertTrue(np.isnan(classes[2].p_adjusted))
        self.assertFalse(classes[2].significant)
        self.assertAlmostEqual(classes[0].p_adjusted, 2 * classes[0].p)

    def test_other_test_images(self):
        with self.assertRaisesRegex(ValueError, "not of the same test images"):
            paired_differences(_random(0), _random(1))


class TestsTest(parameterized.TestCase):
    def test_t_test_is_scipys_on_correctness(self):
        one, other = _random(0), _random(5)
        other = _with(one, other.predicted)
        expected = scipy.stats.ttest_rel(*(1.0 * arm.correct[0] for arm in (one, other))).pvalue
        self.assertAlmostEqual(paired_t_test(one, other), expected)


class CalibrationTest(absltest.TestCase):
    def test_sure_and_right_or_wrong(self):
        scores = np.eye(3)[[0, 1, 2, 0]]
        self.assertEqual(calibration_error(np.array([0, 1, 2, 0]), scores), 0.0)
        self.assertEqual(calibration_error(np.array([1, 2, 0, 1]), scores), 1.0)
        self.assertEqual(calibration_error(np.array([0, 1, 0, 1]), scores), 0.5)

    def test_sure_at_the_right_rate(self):
        scores = np.tile([0.75, 0.25], (4, 1))
        self.assertAlmostEqual(calibration_error(np.array([0, 0, 0, 1]), scores), 0.0)
        self.assertAlmostEqual(calibration_error(np.array([1, 1, 1, 1]), scores), 0.75)

    def test_the_floor_is_what_chance_alone_shows(self):
        rng = np.random.default_rng(0)
        chance = rng.uniform(0.5, 1.0, 200)
        scores = np.stack([chance, 1 - chance], axis=1)
        errors = [
            calibration_error((rng.random(200) > chance).astype(int), scores) for _ in range(200)
        ]
        self.assertAlmostEqual(calibration_floor(scores), np.mean(errors), delta=0.006)

    def test_not_probabilities(self):
        for scores in (np.ones((2, 3)), np.array([[np.nan, 0, 0]] * 2)):
            with self.assertRaisesRegex(ValueError, "not probabilities"):
                calibration_error(np.array([0, 1]), scores)


if __name__ == "__main__":
    absltest.main()
