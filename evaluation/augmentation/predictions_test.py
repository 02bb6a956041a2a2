import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from absl.testing import absltest

from evaluation.augmentation import predictions, testing
from preprocessing.data import taxonomy


class PredictionsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = self.create_tempdir().full_path
        self.path = predictions.path_of(self.root, "real", "test", 0)

    def test_reads_back_what_was_written(self):
        testing.write_predictions(self.root, [0.5, 0.6, 0.7, 0.8, 0.9], [2.0], seeds=(7, 3))
        arms = predictions.read_predictions(self.root)
        self.assertEqual(
            [arm.arm for arm in arms],
            ["real", "real+synthetic", "real+synthetic x2", "real+oversampled",
             "real+class_weights"],
        )  # fmt: skip
        first, table = arms[0], testing.images()
        self.assertEqual(list(first.seeds), [3, 7])
        np.testing.assert_array_equal(first.scores[0], testing.scores(table, 0.5, 3))
        self.assertTrue(first.table.equals(table))
        self.assertEqual(first.trainings[0]["outcome"]["best_step"], 100)
        said = first.predictions()
        self.assertEqual(said.labels[0], taxonomy.code("Melanoma"))
        np.testing.assert_array_equal(said.predicted, first.scores.argmax(axis=2))
        self.assertAlmostEqual(said.correct.mean(), 0.5, delta=0.08)
        rows = np.arange(240) < 10
        self.assertEqual(first.select(rows).scores.shape, (2, 10, 27))
        self.assertLen(first.select(rows).table, 10)

    def test_anyones_tools_read_the_files(self):
        testing.write_predictions(self.root, [0.5])
        frame = pq.read_table(self.path).to_pandas()
        self.assertEqual(list(frame.columns[:3]), ["image_id", "case_id", "patient_id"])
        self.assertEqual(list(frame.columns[6:]), list(taxonomy.CONDITIONS))

    def test_the_ensemble_is_of_the_mean(self):
        testing.write_predictions(self.root, [0.5], seeds=(0, 1, 2))
        arm = predictions.read_predictions(self.root)[0]
        np.testing.assert_array_equal(arm.ensemble(), arm.scores.mean(axis=0).argmax(axis=1))

    def test_nothing_there(self):
        self.assertEmpty(predictions.read_predictions(self.root))
        testing.write_predictions(self.root, [0.5])
        self.assertEmpty(predictions.read_predictions(self.root, "extra"))

    def test_only_what_is_wanted(self):
        testing.write_predictions(self.root, [0.5, 0.6], seeds=(0, 1))
        [arm] = predictions.read_predictions(self.root, wanted=[("real", 1), ("fake", 0)])
        self.assertEqual((arm.arm, list(arm.seeds)), ("real", [1]))

    def test_arms_of_other_seeds(self):
        testing.write_predictions(self.root, [0.5, 0.6], seeds=(0, 1))
        predictions.path_of(self.root, "real+synthetic", "test", 1).unlink()
        with self.assertRaisesRegex(ValueError, r"synthetic has the seeds \[0\], real \[0, 1\]"):
            predictions.read_predictions(self.root)

    def test_arms_of_two_experiments(self):
        testing.write_predictions(self.root, [0.5, 0.6], seeds=(0,))
        path = predictions.path_of(self.root, "real+synthetic", "test", 0)
        training = predictions.read_training(path)
        training["protocol"]["study"]["weights"] = "imagenet"
        table = testing.images()
        scores = testing.scores(table, 0.5, 0)
        predictions.write_predictions(path, table, scores, training)
        with self.assertRaisesRegex(ValueError, "real.synthetic and real are of two experiments"):
            predictions.read_predictions(self.root)
        scores[3, 4] = np.nan
        with self.assertRaisesRegex(ValueError, f"{path}: the classifier's scores are not finite"):
            predictions.write_predictions(path, table, scores, training)

    def test_files_that_do_not_fit(self):
        testing.write_predictions(self.root, [0.5, 0.6])
        other = predictions.path_of(self.root, "real+synthetic", "test", 1)
        table = testing.images(seed=4)
        training = predictions.read_training(other)
        predictions.write_predictions(other, table, testing.scores(table, 0.5, 0), training)
        with self.assertRaisesRegex(ValueError, f"{other}: of other test images than the files"):
            predictions.read_predictions(self.root)

    def test_files_that_are_not_predictions(self):
        testing.write_predictions(self.root, [0.5], seeds=(0,))
        good = pq.read_table(self.path)
        for content, message in (
            (good.replace_schema_metadata({}), "not a file of predictions"),
            (good.drop(["Acne"]), "another taxonomy than that of .*: lacks .'Acne'."),
            (
                good.set_column(6, "Acne", pa.array(np.full(240, 2.0, np.float32))),
                "row 1: the scores are not probabilities",
            ),
        ):
            pq.write_table(content, self.path)
            with self.assertRaisesRegex(ValueError, f"{self.path}.*{message}"), taxonomy.apart():
                taxonomy.adopt(taxonomy.PAPER, "records")
                predictions.read_predictions(self.root)
        shutil.copy(__file__, self.path)
        with self.assertRaisesRegex(ValueError, f"{self.path}: not a file of predictions"):
            predictions.read_predictions(self.root)


if __name__ == "__main__":
    absltest.main()
