import json
import pathlib
import tempfile

from absl.testing import absltest

from evaluation import synthetic_sources
from preprocessing import examples
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
        cls.made = synthetic_sources.generate(
            cls.generator, cls.data, str(cls.folder / "synthetic"), 30, ["condition"]
        )

    def test_generates_and_takes_what_is_there(self):
        info = examples.read_info(self.made.data_dir)
        self.assertEqual(info.count("crops", "train"), 30)
        # Training has 8 crops of each of the three conditions.
        by_condition = {
            name: sum(types.values()) for name, types in info.counts["crops"]["train"].items()
        }
        self.assertEqual(by_condition, {"Acne": 10, "Melanoma": 10, "Vitiligo": 10})
        self.assertEqual(self.made.digest, info.digest)
        self.assertEqual(self.made.generator_digest, self.generator.digest)
        self.assertEqual(synthetic_sources.read(self.made.data_dir, self.data), self.made)
        again = synthetic_sources.generate(
            self.generator, self.data, self.made.data_dir, 30, ["condition"]
        )
        self.assertEqual(again, self.made)

    def test_a_generator_of_another_data_set_is_refused(self):
        other = self.create_tempdir().full_path
        testing_data.write_dataset(other, digest="1" * 64)
        message = r"trained on another data set \(000000000000\) than .* it may have seen test"
        with self.assertRaisesRegex(ValueError, message):
            synthetic_sources.read(self.made.data_dir, other)
        with self.assertRaisesRegex(ValueError, message):
            synthetic_sources.generate(
                self.generator, other, self.create_tempdir().full_path, 4, []
            )

    def test_folders_that_are_not_jobs(self):
        folder = self.create_tempdir().full_path
        with self.assertRaisesRegex(ValueError, "not a finished job of //synthesis:generate"):
            synthetic_sources.read(folder, self.data)
        for text in ("{}", "[", json.dumps({"generator": 1, "dataset_digest": ""})):
            (pathlib.Path(folder) / "manifest.json").write_text(text)
            with self.assertRaisesRegex(ValueError, "not the manifest of generated images"):
                synthetic_sources.read(folder, self.data)


if __name__ == "__main__":
    absltest.main()
