import dataclasses
import pathlib
import tempfile
from unittest import mock

import numpy as np
from absl.testing import absltest

from evaluation.augmentation import classifier, images, predictions, selection, testing
from evaluation.augmentation.arms import make_arms
from evaluation.augmentation.configs import demo, paper
from evaluation.augmentation.study import Study, check_conditions, read_data, train_arms
from preprocessing.data import records
from synthesis import trained_generator
from training import testing_data


def _config(**training):
    config = demo.get_config()
    config.model.input_size = 32
    config.training.update(training)
    return config


class StudyTest(absltest.TestCase):
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
            "arms": make_arms([], []),
            "seeds": [0],
            "weights": "none",
            "synthetic": None,
            "workdir": self.create_tempdir().full_path,
        }
        return Study(**{**settings, **fields})

    def test_reads_the_images_of_a_study(self):
        study = self._study(arms=make_arms(["real+synthetic"], []), seeds=[4, 2])
        data = read_data(study)
        self.assertEqual((len(data.train), len(data.validation)), (24, 8))
        self.assertEqual({name: len(test) for name, test in data.tests.items()}, {"test": 8})
        self.assertEqual(data.train.pixels.shape[1:], (40, 40, 3))
        self.assertEmpty(data.synthetic)
        self.assertEqual(study.plan(), [("real", 4), ("real+synthetic", 4), ("real", 2),
                                        ("real+synthetic", 2)])  # fmt: skip

    def test_a_workdir_holds_one_experiment(self):
        study = self._study()
        read_data(study)
        read_data(study)
        other = self._study(workdir=study.workdir, config=_config(learning_rate=1e-4))
        message = "config.training.learning_rate was 0.002, is 0.0001.; choose another --workdir"
        with self.assertRaisesRegex(ValueError, message):
            read_data(other)
        newer = mock.patch("importlib.metadata.version", return_value="99.0")
        with newer, self.assertRaisesRegex(ValueError, "packages.keras was .*, is .99.0"):
            read_data(study)

    def test_photographs_of_training_are_no_extra_test(self):
        extra = self.create_tempdir().full_path
        testing_data.write_dataset(extra, per_split=(3, 3, 3), digest="2" * 64)
        study = self._study(extra_test=extra)
        with self.assertRaisesRegex(ValueError, f"{extra}: photograph 'train0' is in train too"):
            read_data(study)

    def test_one_condition(self):
        folder = self.create_tempdir().full_path
        testing_data.write_dataset(folder, conditions=("Acne",))
        with self.assertRaisesRegex(ValueError, "show one condition, Acne; a classifier tells two"):
            check_conditions(folder, "full")
        check_conditions(self.data_dir, "crops")

    def test_bad_settings(self):
        with self.assertRaisesRegex(ValueError, r"seeds \[1, 1\] are not distinct"):
            self._study(seeds=[1, 1])
        with self.assertRaisesRegex(ValueError, "--weights=/no.h5: no such file"):
            self._study(weights="/no.h5")
        with self.assertRaisesRegex(ValueError, "training.steps 0 is not positive"):
            self._study(config=_config(steps=0))
        config = _config()
        config.data.view = "half"
        with self.assertRaisesRegex(ValueError, "data.view 'half' is not one of full, crops"):
            self._study(config=config)
        config = _config()
        config.strong_augmentation.rotation = 181
        with self.assertRaisesRegex(ValueError, "strong_augmentation.rotation 181.* not in 0..180"):
            self._study(config=config)
        config = _config()
        del config.augmentation
        with self.assertRaisesRegex(ValueError, "not a classifier's configuration: config.augment"):
            self._study(config=config)

    def test_configs_have_the_same_fields(self):
        ours, theirs = demo.get_config(), paper.get_config()
        for group in ("data", "model", "augmentation", "strong_augmentation", "training"):
            self.assertEqual(sorted(ours[group]), sorted(theirs[group]))


class TrainArmsTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        testing_data.train_run(folder.name, steps=2)
        generator = trained_generator.load(str(cls.folder / "runs" / "small"))
        cls.synthetic = images.planned_images(
            generator, str(cls.folder / "data"), str(cls.folder / "synthetic"), 30, ["condition"]
        )

    def _study(self, arms=(), ratios=(), **fields):
        settings = {
            "data_dir": str(self.folder / "data"),
            "config": _config(steps=4, batch_size=8, validate_every=2, precision="float32"),
            "arms": make_arms(arms, ratios),
            "seeds": [0],
            "weights": "none",
            "synthetic": self.synthetic,
            "workdir": self.create_tempdir().full_path,
        }
        return Study(**{**settings, **fields})

    def _other_data(self, seed, conditions=("Acne",) * 3):
        """Writes records of noise, which resembles no photograph of training."""
        folder = self.create_tempdir().full_path
        testing_data.write_dataset(folder, per_split=(3, 3, 3), shards=1, digest=str(seed) * 64)
        rng = np.random.default_rng(seed)
        for split in ("train", "validation", "test"):
            noise = [
                records.Record(
                    testing_data.png(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)),
                    b"", 32, 32, (), conditions[i], 1, f"{split}{i}", f"{split}{i}", f"{split}{i}",
                )
                for i in range(3)
            ]  # fmt: skip
            [shard] = records.list_shards(folder, "full", split)
            testing_data.write_records(pathlib.Path(shard), noise)
        return folder

    def test_trains_every_arm_and_stores_what_it_says(self):
        study = self._study(ratios=[0.5])
        data = read_data(study)
        train_arms(study, data)
        self.assertEqual(
            testing.files(study.predictions_dir),
            [f"{arm}/test_seed_0.parquet"
             for arm in ("real", "real_synthetic_x0.5")],
        )  # fmt: skip
        found = predictions.read_predictions(study.predictions_dir)
        for arm in found:
            self.assertEqual(arm.scores.shape, (1, 16, 27))
            self.assertEqual(
                set(arm.table["patient_id"]),
                {study.names("test").name("patient", f"test{i}") for i in range(16)},
            )
            self.assertIn(arm.trainings[0]["outcome"]["best_step"], (2, 4))
        protocol = found[1].trainings[0]["protocol"]
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
        more = dataclasses.replace(study, seeds=[0, 3], arms=make_arms([], []), extra_test=extra)
        train_arms(more, read_data(more))
        self.assertLen(written, 4)
        for path, when in written.items():
            self.assertEqual(path.stat().st_mtime_ns, when)
        [again] = predictions.read_predictions(study.predictions_dir, wanted=more.plan())
        self.assertEqual(list(again.seeds), [0, 3])
        self.assertFalse(np.array_equal(again.scores[0], again.scores[1]))
        [other] = predictions.read_predictions(study.predictions_dir, "extra")
        self.assertEqual(other.scores.shape, (2, 9, 27))
        # Seed 0 was not trained again for it: its weights were kept.
        self.assertEqual(other.trainings[0]["outcome"], found[0].trainings[0]["outcome"])

        # Another extra set is refused.
        different = dataclasses.replace(more, extra_test=self._other_data(seed=3))
        with self.assertRaisesRegex(ValueError, "extra_seed_0.parquet: of other test photographs"):
            train_arms(different, read_data(different))

    def test_filtered_arms_show_what_is_kept(self):
        study = self._study(["real+agreed", "real+near"])
        data = read_data(study)
        keep = np.arange(30) % 3 == 1
        nothing = mock.patch.object(selection, "agreed", return_value=np.zeros(30, bool))
        with nothing, self.assertRaisesRegex(ValueError, "'real.agreed', seed 0: .* none of 30"):
            train_arms(study, data)
        shown = []
        draw = classifier.training_batches

        def noting(images, order, *rest, **options):
            shown.append(set(order[order >= 24] - 24))
            return draw(images, order, *rest, **options)

        filters = mock.patch.multiple(selection, agreed=lambda *_: keep, near=lambda *_: ~keep)
        with filters, mock.patch.object(classifier, "training_batches", noting):
            train_arms(study, data)
        self.assertLen(shown, 2)  # the arm `real` was there
        self.assertNotEmpty(shown[0])
        self.assertContainsSubset(shown[0], set(np.flatnonzero(keep)))
        self.assertContainsSubset(shown[1], set(np.flatnonzero(~keep)))
        found = {arm.arm: arm for arm in predictions.read_predictions(study.predictions_dir)}
        protocols = {name: arm.trainings[0]["protocol"] for name, arm in found.items()}
        self.assertEqual(protocols["real+agreed"]["synthetic_images"], 10)
        self.assertEqual(protocols["real+near"]["synthetic_images"], 20)

    def test_few_photographs_other_ones_for_each_seed(self):
        config = _config(steps=4, batch_size=8, validate_every=2, precision="float32")
        config.data.photographs = 2
        shown, compared = [], []
        draw = classifier.training_batches

        def noting(sources, order, *rest, **options):
            shown.append(set(order))
            return draw(sources, order, *rest, **options)

        def near(model, synthetic, photographs, size):
            compared.append(len(photographs))
            return np.ones(len(synthetic), bool)

        study = self._study(["real+near"], config=config, seeds=[0, 1])
        data = read_data(study)
        noted = mock.patch.object(classifier, "training_batches", noting)
        with noted, mock.patch.object(selection, "near", near):
            train_arms(study, data)
        self.assertEqual(compared, [6, 6])
        shown = [{number for number in one if number < 24} for one in shown[::2]]
        for numbers in shown:
            self.assertLen(numbers, 6)
            np.testing.assert_array_equal(np.bincount(data.train.labels[list(numbers)])[
                np.unique(data.train.labels)], [2, 2, 2])  # fmt: skip
        self.assertNotEqual(*shown)
        arm = predictions.read_predictions(study.predictions_dir)[0]
        self.assertEqual(arm.trainings[0]["protocol"]["photographs"], 6)

    def test_conditions_that_training_lacks_are_left_out_of_another_test(self):
        extra = self._other_data(seed=4, conditions=("Acne", "Eczema", "Vitiligo"))
        data = read_data(self._study(extra_test=extra))
        self.assertLen(data.tests["extra"], 6)
        self.assertEqual(data.left_out, 3)
        self.assertContainsSubset(set(data.tests["extra"].labels), set(data.train.labels))
        nothing = self._other_data(seed=5, conditions=("Eczema",) * 3)
        with self.assertRaisesRegex(ValueError, f"{nothing}: no photograph of the wanted"):
            read_data(self._study(extra_test=nothing))

    def test_too_few_synthetic_images(self):
        study = self._study(ratios=[5])
        data = read_data(study)
        with self.assertRaisesRegex(ValueError, "takes 120 synthetic images; there are 30"):
            train_arms(study, data)


if __name__ == "__main__":
    absltest.main()
