import dataclasses
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest

from evaluation.augmentation import arms as augmentation_arms
from evaluation.augmentation import (
    classifier_predictions,
    classifier_testing,
    fitting,
    synthetic_sources,
)
from evaluation.augmentation import study as augmentation_study
from evaluation.augmentation.configs import demo
from evaluation.augmentation.study import Study
from preprocessing.data import records as examples
from synthesis import trained_generator
from training import testing_data


def _config(**training):
    config = demo.get_config()
    config.model.input_size = 32
    config.training.steps = 4
    config.training.batch_size = 8
    config.training.validate_every = 2
    config.training.precision = "float32"
    config.training.update(training)
    return config


class AugmentationTrainingTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        testing_data.train_run(folder.name, steps=2)
        generator = trained_generator.load(str(cls.folder / "runs" / "small"))
        cls.synthetic = synthetic_sources.planned(
            generator, str(cls.folder / "data"), str(cls.folder / "synthetic"), 30, ["condition"]
        )

    def _study(self, arms=(), ratios=(), **fields):
        settings = {
            "data_dir": str(self.folder / "data"),
            "config": _config(),
            "arms": augmentation_arms.make_arms(arms, ratios),
            "seeds": [0],
            "weights": "none",
            "synthetic": self.synthetic,
            "workdir": self.create_tempdir().full_path,
        }
        return Study(**{**settings, **fields})

    def _other_data(self, seed):
        """Writes records of noise, which resembles no photograph of training."""
        folder = self.create_tempdir().full_path
        testing_data.write_dataset(folder, per_split=(3, 3, 3), shards=1, digest=str(seed) * 64)
        rng = np.random.default_rng(seed)
        for split in ("train", "validation", "test"):
            records = [
                examples.Record(
                    testing_data.png(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)),
                    b"", 32, 32, (), "Acne", 1, f"{split}{i}", f"{split}{i}", f"{split}{i}",
                )
                for i in range(3)
            ]  # fmt: skip
            [shard] = examples.list_shards(folder, "full", split)
            testing_data.write_records(pathlib.Path(shard), records)
        return folder

    def test_trains_every_arm_and_stores_what_it_says(self):
        study = self._study(ratios=[0.5])
        data = augmentation_study.read_data(study)
        fitting.run(study, data)
        self.assertEqual(
            classifier_testing.files(study.predictions_dir),
            [f"{arm}/test_seed_0.parquet"
             for arm in ("real", "real_synthetic_x0.5")],
        )  # fmt: skip
        arms = classifier_predictions.read(study.predictions_dir)
        for arm in arms:
            self.assertEqual(arm.scores.shape, (1, 16, 27))
            self.assertEqual(set(arm.table["patient_id"]), {f"test{i}" for i in range(16)})
            self.assertIn(arm.trainings[0]["outcome"]["best_step"], (2, 4))
        protocol = arms[1].trainings[0]["protocol"]
        self.assertEqual((protocol["arm"], protocol["synthetic_images"]), (
            "real+synthetic x0.5", 12))  # fmt: skip
        self.assertAlmostEqual(protocol["share"], 1 / 3)
        self.assertEqual(protocol["study"]["photographs"], dict.fromkeys(
            ("Acne", "Melanoma", "Vitiligo"), 8))  # fmt: skip
        self.assertNotEmpty(list(pathlib.Path(study.workdir).glob("logs/real/seed_0/*/events.*")))

        # What is there stays; a seed and a test set are added.
        written = {path: path.stat().st_mtime_ns
                   for path in pathlib.Path(study.workdir).rglob("*.[hp]*[5t]")}  # fmt: skip
        extra = self._other_data(seed=2)
        more = dataclasses.replace(
            study, seeds=[0, 3], arms=augmentation_arms.make_arms([], []), extra_test=extra
        )
        fitting.run(more, augmentation_study.read_data(more))
        self.assertLen(written, 4)
        for path, when in written.items():
            self.assertEqual(path.stat().st_mtime_ns, when)
        [again] = classifier_predictions.read(study.predictions_dir, wanted=more.plan())
        self.assertEqual(list(again.seeds), [0, 3])
        self.assertFalse(np.array_equal(again.scores[0], again.scores[1]))
        [other] = classifier_predictions.read(study.predictions_dir, "extra")
        self.assertEqual(other.scores.shape, (2, 9, 27))
        # Seed 0 was not trained again for it: its weights were kept.
        self.assertEqual(other.trainings[0]["outcome"], arms[0].trainings[0]["outcome"])

        # Another extra set is refused.
        different = dataclasses.replace(more, extra_test=self._other_data(seed=3))
        with self.assertRaisesRegex(ValueError, "extra_seed_0.parquet: of other test photographs"):
            fitting.run(different, augmentation_study.read_data(different))

    def test_too_few_synthetic_images(self):
        study = self._study(ratios=[5])
        data = augmentation_study.read_data(study)
        with self.assertRaisesRegex(ValueError, "takes 120 synthetic images; there are 30"):
            fitting.run(study, data)


if __name__ == "__main__":
    absltest.main()
