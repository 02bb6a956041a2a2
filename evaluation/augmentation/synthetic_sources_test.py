import json
import pathlib
import tempfile

from absl.testing import absltest

from evaluation.augmentation import synthetic_sources
from preprocessing.data import records
from synthesis import trained_generator
from training import testing_data


class SyntheticSourcesTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        testing_data.train_run(str(cls.folder), steps=2)
        cls.data = str(cls.folder / "data")
        cls.generator = trained_generator.load(str(cls.folder / "runs" / "small"))
        cls.made = synthetic_sources.planned(
            cls.generator, cls.data, str(cls.folder / "synthetic"), 30, ["condition"]
        )
        cls.made.prepare()

    def test_paints_and_takes_what_is_there(self):
        info = records.read_info(self.made.data_dir)
        self.assertEqual((self.made.count, info.count("crops", "train")), (30, 30))
        # Training has 8 crops of each of the three conditions.
        by_condition = {
            name: sum(types.values()) for name, types in info.counts["crops"]["train"].items()
        }
        self.assertEqual(by_condition, {"Acne": 10, "Melanoma": 10, "Vitiligo": 10})
        self.assertEqual(self.made.protocol["generator_digest"], self.generator.digest)
        again = synthetic_sources.given(self.made.data_dir, self.data)
        self.assertEqual((again.count, again.job), (30, None))
        self.assertEqual(again.protocol["digest"], info.digest)
        again.prepare()  # nothing to do

    def test_a_generator_of_another_data_set_is_refused(self):
        other = self.create_tempdir().full_path
        testing_data.write_dataset(other, digest="1" * 64)
        message = r"trained on another data set \(000000000000\) than .* it may have seen test"
        with self.assertRaisesRegex(ValueError, message):
            synthetic_sources.given(self.made.data_dir, other)
        with self.assertRaisesRegex(ValueError, message):
            synthetic_sources.planned(self.generator, other, "out", 4, [])

    def test_requests_that_cannot_be_met(self):
        with self.assertRaisesRegex(ValueError, "balance 'both' is not made of condition, skin"):
            synthetic_sources.planned(self.generator, self.data, "out", 4, ["both"])

    def test_folders_that_are_not_jobs(self):
        folder = self.create_tempdir().full_path
        with self.assertRaisesRegex(ValueError, "not a finished job of //synthesis:generate"):
            synthetic_sources.given(folder, self.data)
        for text in ("{}", "[", json.dumps({"generator": 1, "dataset_digest": ""})):
            (pathlib.Path(folder) / "manifest.json").write_text(text)
            with self.assertRaisesRegex(ValueError, "not the manifest of generated images"):
                synthetic_sources.given(folder, self.data)


if __name__ == "__main__":
    absltest.main()
