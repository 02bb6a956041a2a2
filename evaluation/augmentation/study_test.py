import tempfile

from absl.testing import absltest

from evaluation.augmentation import arms
from evaluation.augmentation import study as augmentation_study
from evaluation.augmentation.configs import demo, paper
from evaluation.augmentation.study import Study
from training import testing_data


def _config(**training):
    config = demo.get_config()
    config.model.input_size = 32
    config.training.update(training)
    return config


class AugmentationStudyTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.data_dir = folder.name
        testing_data.write_dataset(cls.data_dir)

    def _study(self, **fields):
        settings = {
            "data_dir": self.data_dir,
            "config": _config(),
            "arms": arms.make_arms([], []),
            "seeds": [0],
            "weights": "none",
            "synthetic": None,
            "workdir": self.create_tempdir().full_path,
        }
        return Study(**{**settings, **fields})

    def test_reads_the_images_of_a_study(self):
        study = self._study(arms=arms.make_arms(["real+synthetic"], []), seeds=[4, 2])
        data = augmentation_study.read_data(study)
        self.assertEqual((len(data.train), len(data.validation)), (24, 8))
        self.assertEqual({name: len(test) for name, test in data.tests.items()}, {"test": 8})
        self.assertEqual(data.train.pixels.shape[1:], (40, 40, 3))
        self.assertEmpty(data.synthetic)
        self.assertEqual(study.plan(), [("real", 4), ("real+synthetic", 4), ("real", 2),
                                        ("real+synthetic", 2)])  # fmt: skip

    def test_a_workdir_holds_one_experiment(self):
        study = self._study()
        augmentation_study.read_data(study)
        augmentation_study.read_data(study)
        other = self._study(workdir=study.workdir, config=_config(learning_rate=1e-4))
        message = "config.training.learning_rate was 0.002, is 0.0001.; choose another --workdir"
        with self.assertRaisesRegex(ValueError, message):
            augmentation_study.read_data(other)

    def test_photographs_of_training_are_no_extra_test(self):
        extra = self.create_tempdir().full_path
        testing_data.write_dataset(extra, per_split=(3, 3, 3), digest="2" * 64)
        study = self._study(extra_test=extra)
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

    def test_configs_have_the_same_fields(self):
        ours, theirs = demo.get_config(), paper.get_config()
        for group in ("data", "model", "augmentation", "training"):
            self.assertEqual(sorted(ours[group]), sorted(theirs[group]))


if __name__ == "__main__":
    absltest.main()
