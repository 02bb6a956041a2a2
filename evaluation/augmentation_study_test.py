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
from preprocessing import taxonomy
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
        cls.synthetic = synthetic_sources.generate(
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
        extra = self.create_tempdir().full_path
        testing_data.write_dataset(extra, per_split=(3, 3, 3))
        # Other patients, else the extra test would be refused.
        study = self._study(arms=["real+class_weights"], ratios=[0.5], extra_test=extra)
        with self.assertRaisesRegex(ValueError, f"{extra}: patient 'train0' is in train too"):
            augmentation_study.read_data(study)
        study = dataclasses.replace(study, extra_test=None)
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
        ratio = arms[1].trainings[0]["protocol"]
        self.assertEqual((ratio["arm"], ratio["synthetic_images"]), ("real+synthetic x0.5", 12))
        self.assertNotEmpty(list(pathlib.Path(study.workdir).glob("logs/real/seed_0/*/events.*")))

        # What is there stays; another seed is added; another experiment is refused.
        written = {path: path.stat().st_mtime_ns
                   for path in pathlib.Path(study.predictions_dir).rglob("*.parquet")}  # fmt: skip
        only_real = augmentation_arms.make_arms([], [])
        more = dataclasses.replace(study, seeds=[0, 3], arms=only_real)
        augmentation_study.run(more, data)
        for path, when in written.items():
            self.assertEqual(path.stat().st_mtime_ns, when)
        again = classifier_predictions.read(study.predictions_dir)[0]
        self.assertEqual(list(again.seeds), [0, 3])
        self.assertFalse(np.array_equal(again.scores[0], again.scores[1]))
        other = dataclasses.replace(study, config=_config(learning_rate=1e-4))
        with self.assertRaisesRegex(ValueError, "config.training.learning_rate was 0.002, is 0.0"):
            augmentation_study.run(other, data)

    def test_protocols_say_what_arms_depend_on(self):
        study = self._study(arms=augmentation_arms.NAMES)
        entries = augmentation_study.protocols(study, augmentation_study.read_data(study))
        self.assertEqual([entry["arm"] for entry in entries], list(augmentation_arms.NAMES))
        self.assertIsNone(entries[0]["synthetic"])
        # The controls have the frequencies of the synthetic images.
        for entry in entries[1:]:
            self.assertEqual(entry["synthetic"]["digest"], self.synthetic.digest)
        self.assertEqual([entry["synthetic_images"] for entry in entries], [0, 30, 0, 0])

    def test_classes_without_photographs_are_noted(self):
        data = augmentation_study.read_data(self._study())
        self.assertEmpty(augmentation_study.notes(data))
        acne = taxonomy.code("Acne")
        train = dataclasses.replace(data.train, labels=np.full(24, taxonomy.code("Vitiligo")))
        lines = augmentation_study.notes(dataclasses.replace(data, train=train))
        self.assertIn("Acne has 6 test images and no photograph to train on", lines[0])
        test = dataclasses.replace(data.tests["test"], labels=np.full(16, acne))
        lines = augmentation_study.notes(dataclasses.replace(data, tests={"test": test}))
        self.assertEqual(lines, ["without a test image, so undefined: Melanoma, Vitiligo"])

    def test_bad_settings(self):
        with self.assertRaisesRegex(ValueError, r"seeds \[1, 1\] are not distinct"):
            self._study(seeds=[1, 1])
        data = augmentation_study.read_data(self._study())
        with self.assertRaisesRegex(ValueError, "--weights=/no.h5: No such file"):
            augmentation_study.run(self._study(weights="/no.h5"), data)
        with self.assertRaisesRegex(ValueError, "takes 120 synthetic images; there are 30"):
            augmentation_study.run(self._study(ratios=[5]), data)

    def test_configs_have_the_same_fields(self):
        ours, theirs = demo.get_config(), paper.get_config()
        for group in ("data", "model", "augmentation", "training"):
            self.assertEqual(sorted(ours[group]), sorted(theirs[group]))


if __name__ == "__main__":
    absltest.main()
