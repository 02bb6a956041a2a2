import dataclasses
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest

from evaluation import (
    augmentation_arms,
    augmentation_study,
    classifier_predictions,
    classifier_testing,
    synthetic_sources,
)
from evaluation.augmentation_study import Study
from evaluation.classifier_configs import demo, paper
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


class AugmentationStudyTest(absltest.TestCase):
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

    def test_trains_every_arm_and_stores_what_it_says(self):
        study = self._study(arms=["real+class_weights"], ratios=[0.5])
        data = augmentation_study.read_data(study)
        augmentation_study.run(study, data)
        self.assertEqual(
            classifier_testing.files(study.predictions_dir),
            [f"{arm}/test_seed_0.parquet"
             for arm in ("real", "real_class_weights", "real_synthetic_x0.5")],
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
        extra = self.create_tempdir().full_path
        testing_data.write_dataset(extra, per_split=(3, 3, 3), image_size=40, digest="2" * 64)
        more = dataclasses.replace(
            study, seeds=[0, 3], arms=augmentation_arms.make_arms([], []), extra_test=extra
        )
        augmentation_study.run(more, augmentation_study.read_data(more))
        self.assertLen(written, 6)
        for path, when in written.items():
            self.assertEqual(path.stat().st_mtime_ns, when)
        [again] = classifier_predictions.read(study.predictions_dir, wanted=more.plan())
        self.assertEqual(list(again.seeds), [0, 3])
        self.assertFalse(np.array_equal(again.scores[0], again.scores[1]))
        [other] = classifier_predictions.read(study.predictions_dir, "extra")
        self.assertEqual(other.scores.shape, (2, 9, 27))
        # Seed 0 was not trained again for it: its weights were kept.
        self.assertEqual(other.trainings[0]["outcome"], arms[0].trainings[0]["outcome"])

        # Another extra set is refused, and so is another experiment.
        changed = self.create_tempdir().full_path
        testing_data.write_dataset(changed, per_split=(3, 3, 4), image_size=40, digest="3" * 64)
        different = dataclasses.replace(more, extra_test=changed)
        with self.assertRaisesRegex(ValueError, "extra_seed_0.parquet: of other test photographs"):
            augmentation_study.run(different, augmentation_study.read_data(different))
        different = dataclasses.replace(study, config=_config(learning_rate=1e-4))
        with self.assertRaisesRegex(ValueError, "config.training.learning_rate was 0.002, is 0.0"):
            augmentation_study.read_data(different)

    def test_photographs_of_training_are_no_extra_test(self):
        extra = self.create_tempdir().full_path
        testing_data.write_dataset(extra, per_split=(3, 3, 3), digest="2" * 64)
        study = self._study(synthetic=None, extra_test=extra)
        with self.assertRaisesRegex(ValueError, f"{extra}: photograph 'train0' is in train too"):
            augmentation_study.read_data(study)

    def test_bad_settings(self):
        with self.assertRaisesRegex(ValueError, r"seeds \[1, 1\] are not distinct"):
            self._study(seeds=[1, 1])
        with self.assertRaisesRegex(ValueError, "--weights=/no.h5: no such file"):
            self._study(weights="/no.h5")
        with self.assertRaisesRegex(ValueError, "training.steps 0 is not positive"):
            self._study(config=_config(steps=0))
        config = _config()
        del config.augmentation
        with self.assertRaisesRegex(ValueError, "not a classifier's configuration: config.augment"):
            self._study(config=config)
        study = self._study(ratios=[5])
        data = augmentation_study.read_data(study)
        with self.assertRaisesRegex(ValueError, "takes 120 synthetic images; there are 30"):
            augmentation_study.run(study, data)

    def test_configs_have_the_same_fields(self):
        ours, theirs = demo.get_config(), paper.get_config()
        for group in ("data", "model", "augmentation", "training"):
            self.assertEqual(sorted(ours[group]), sorted(theirs[group]))


if __name__ == "__main__":
    absltest.main()
