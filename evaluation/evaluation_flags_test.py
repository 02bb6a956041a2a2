import os

from absl.testing import absltest, flagsaver

from evaluation import evaluation_flags, features
from synthesis import trained_generator
from training import testing_data


class FlagsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.enter_context(
            absltest.mock.patch.dict(os.environ, {"BUILD_WORKING_DIRECTORY": self.folder})
        )

    def test_run_dir_is_the_users(self):
        with flagsaver.flagsaver(run_dir="runs/mine"):
            self.assertEqual(evaluation_flags.run_dir(), os.path.join(self.folder, "runs/mine"))
        os.makedirs(os.path.join(self.folder, "runs", "only"))
        with open(os.path.join(self.folder, "runs", "only", "config.json"), "w") as file:
            file.write("{}")
        self.assertEqual(evaluation_flags.run_dir(), os.path.join(self.folder, "runs", "only"))

    def test_data_dir_is_given_or_the_runs(self):
        generator = absltest.mock.create_autospec(trained_generator.TrainedGenerator, instance=True)
        generator.description = {"dataset": {"directory": "/records"}}
        self.assertEqual(evaluation_flags.data_dir(generator), "/records")
        with flagsaver.flagsaver(data_dir="other"):
            self.assertEqual(
                evaluation_flags.data_dir(generator), os.path.join(self.folder, "other")
            )
        with self.assertRaisesRegex(ValueError, "--data_dir is needed"):
            evaluation_flags.data_dir(None)

    def test_no_embedded_network_for_other_data(self):
        testing_data.write_dataset(self.folder)
        self.enter_context(absltest.mock.patch.object(features, "DEFAULT_NETWORK", "/no/such/net"))
        with self.assertRaisesRegex(ValueError, "/no/such/net: cannot be loaded"):
            evaluation_flags.network(self.folder, None)
        with flagsaver.flagsaver(feature_network="embedded"):
            self.assertEqual(evaluation_flags.network(self.folder, None).name, "embedded")

    def test_cache(self):
        with flagsaver.flagsaver(cache_dir=""):
            self.assertEqual(evaluation_flags.feature_settings().cache_dir, "")
        with flagsaver.flagsaver(cache_dir="kept", resize="bicubic"):
            settings = evaluation_flags.feature_settings()
        self.assertEqual(settings.cache_dir, os.path.join(self.folder, "kept"))
        self.assertEqual(settings.resize, "bicubic")


if __name__ == "__main__":
    absltest.main()
