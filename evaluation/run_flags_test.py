import json
import os

from absl.testing import absltest, flagsaver

from evaluation import run_flags
from synthesis import trained_generator


class RunFlagsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.enter_context(
            absltest.mock.patch.dict(os.environ, {"BUILD_WORKING_DIRECTORY": self.folder})
        )

    def test_run_dir_is_the_users(self):
        with flagsaver.flagsaver(run_dir="runs/mine"):
            self.assertEqual(run_flags.run_dir(), os.path.join(self.folder, "runs/mine"))
        path = os.path.join(self.folder, "runs", "only")
        os.makedirs(path)
        with open(os.path.join(path, "config.json"), "w", encoding="utf-8") as file:
            json.dump({}, file)
        self.assertEqual(run_flags.run_dir(), path)

    def test_records_and_outputs_are_the_runs_unless_given(self):
        generator = absltest.mock.create_autospec(trained_generator.TrainedGenerator, instance=True)
        generator.description = {"dataset": {"directory": "/records"}}
        generator.run_dir = "/runs/mine"
        self.assertEqual(run_flags.data_dir(generator), "/records")
        self.assertEqual(run_flags.output_dir(generator), "/runs/mine/evaluation")
        with flagsaver.flagsaver(data_dir="other", output_dir="out"):
            self.assertEqual(run_flags.data_dir(generator), os.path.join(self.folder, "other"))
            self.assertEqual(run_flags.output_dir(generator), os.path.join(self.folder, "out"))


if __name__ == "__main__":
    absltest.main()
