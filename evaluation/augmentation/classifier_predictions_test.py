import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from absl.testing import absltest

from evaluation.augmentation import classifier_predictions, classifier_testing
from preprocessing.data import taxonomy


class ClassifierPredictionsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = self.create_tempdir().full_path
        self.path = classifier_predictions.path_of(self.root, "real", "test", 0)

    def test_reads_back_what_was_written(self):
        classifier_testing.write_study(self.root, [0.5, 0.6, 0.7, 0.8, 0.9], [2.0], seeds=(7, 3))
        arms = classifier_predictions.read(self.root)
        self.assertEqual(
            [arm.arm for arm in arms],
            ["real", "real+synthetic", "real+synthetic x2", "real+oversampled",
             "real+class_weights"],
        )  # fmt: skip
        first, table = arms[0], classifier_testing.images()
        self.assertEqual(list(first.seeds), [3, 7])
        np.testing.assert_array_equal(first.scores[0], classifier_testing.scores(table, 0.5, 3))
        self.assertTrue(first.table.equals(table))
        self.assertEqual(first.trainings[0]["outcome"]["best_step"], 100)
        predictions = first.predictions()
        self.assertEqual(predictions.labels[0], taxonomy.code("Melanoma"))
        np.testing.assert_array_equal(predictions.predicted, first.scores.argmax(axis=2))
        self.assertAlmostEqual(predictions.correct.mean(), 0.5, delta=0.08)
        rows = np.arange(240) < 10
        self.assertEqual(first.select(rows).scores.shape, (2, 10, 27))
        self.assertLen(first.select(rows).table, 10)

    def test_anyones_tools_read_the_files(self):
        classifier_testing.write_study(self.root, [0.5])
        frame = pq.read_table(self.path).to_pandas()
        self.assertEqual(list(frame.columns[:3]), ["image_id", "case_id", "patient_id"])
        self.assertEqual(list(frame.columns[5:]), list(taxonomy.CONDITIONS))

    def test_the_ensemble_is_of_the_mean(self):
        classifier_testing.write_study(self.root, [0.5], seeds=(0, 1, 2))
        arm = classifier_predictions.read(self.root)[0]
        np.testing.assert_array_equal(arm.ensemble(), arm.scores.mean(axis=0).argmax(axis=1))

    def test_nothing_there(self):
        self.assertEmpty(classifier_predictions.read(self.root))
        classifier_testing.write_study(self.root, [0.5])
        self.assertEmpty(classifier_predictions.read(self.root, "extra"))

    def test_only_what_is_wanted(self):
        classifier_testing.write_study(self.root, [0.5, 0.6], seeds=(0, 1))
        [arm] = classifier_predictions.read(self.root, wanted=[("real", 1), ("fake", 0)])
        self.assertEqual((arm.arm, list(arm.seeds)), ("real", [1]))

    def test_arms_of_other_seeds(self):
        classifier_testing.write_study(self.root, [0.5, 0.6], seeds=(0, 1))
        classifier_predictions.path_of(self.root, "real+synthetic", "test", 1).unlink()
        with self.assertRaisesRegex(ValueError, r"synthetic has the seeds \[0\], real \[0, 1\]"):
            classifier_predictions.read(self.root)

    def test_arms_of_two_experiments(self):
        classifier_testing.write_study(self.root, [0.5, 0.6], seeds=(0,))
        path = classifier_predictions.path_of(self.root, "real+synthetic", "test", 0)
        training = classifier_predictions.read_training(path)
        training["protocol"]["study"]["weights"] = "imagenet"
        table = classifier_testing.images()
        scores = classifier_testing.scores(table, 0.5, 0)
        classifier_predictions.write(path, table, scores, training)
        with self.assertRaisesRegex(ValueError, "real.synthetic and real are of two experiments"):
            classifier_predictions.read(self.root)
        scores[3, 4] = np.nan
        with self.assertRaisesRegex(ValueError, f"{path}: the classifier's scores are not finite"):
            classifier_predictions.write(path, table, scores, training)

    def test_files_that_do_not_fit(self):
        classifier_testing.write_study(self.root, [0.5, 0.6])
        other = classifier_predictions.path_of(self.root, "real+synthetic", "test", 1)
        table = classifier_testing.images(seed=4)
        training = classifier_predictions.read_training(other)
        classifier_predictions.write(
            other, table, classifier_testing.scores(table, 0.5, 0), training
        )
        with self.assertRaisesRegex(ValueError, f"{other}: of other test images than the files"):
            classifier_predictions.read(self.root)

    def test_files_that_are_not_predictions(self):
        classifier_testing.write_study(self.root, [0.5], seeds=(0,))
        good = pq.read_table(self.path)
        for content, message in (
            (good.replace_schema_metadata({}), "not a file of predictions"),
            (good.drop(["Acne"]), "lacks the column 'Acne'"),
            (
                good.set_column(5, "Acne", pa.array(np.full(240, 2.0, np.float32))),
                "row 1: the scores are not probabilities",
            ),
        ):
            pq.write_table(content, self.path)
            with self.assertRaisesRegex(ValueError, f"{self.path}.*{message}"):
                classifier_predictions.read(self.root)
        shutil.copy(__file__, self.path)
        with self.assertRaisesRegex(ValueError, f"{self.path}: not a file of predictions"):
            classifier_predictions.read(self.root)


if __name__ == "__main__":
    absltest.main()
