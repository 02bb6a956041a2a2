import os

from absl import flags
from absl.testing import absltest, flagsaver

from synthesis import run_flags, trained_generator

_GENERATOR = run_flags.define_generator()
_DATA_DIR = run_flags.define_data_dir()
_EVALUATION_DIR = run_flags.define_evaluation_dir()
_OVERWRITE = run_flags.define_overwrite("measurements by another protocol")


class RunFlagsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.enter_context(
            absltest.mock.patch.dict(os.environ, {"BUILD_WORKING_DIRECTORY": self.folder})
        )
        self.generator = absltest.mock.create_autospec(
            trained_generator.TrainedGenerator, instance=True
        )

    def test_the_newest_run_unless_another_is_given(self):
        path = os.path.join(self.folder, "runs", "only")
        os.makedirs(path)
        with open(os.path.join(path, "config.json"), "w", encoding="utf-8") as file:
            file.write("{}")
        with absltest.mock.patch.object(trained_generator, "load") as load:
            _GENERATOR()
            with flagsaver.flagsaver(run_dir="mine", step=7):
                _GENERATOR()
        runs = [(path, None), (os.path.join(self.folder, "mine"), 7)]
        self.assertEqual([call.args for call in load.call_args_list], runs)

    def test_no_run(self):
        with self.assertRaisesRegex(ValueError, "no run there"):
            _GENERATOR()

    def test_records_are_the_runs_unless_given(self):
        self.generator.description = {"dataset": {"directory": "/records"}}
        self.assertEqual(_DATA_DIR(self.generator), "/records")
        with self.assertRaisesRegex(ValueError, "--data_dir=D is needed"):
            _DATA_DIR(None)
        with flagsaver.flagsaver(data_dir="other"):
            self.assertEqual(_DATA_DIR(self.generator), os.path.join(self.folder, "other"))
            self.assertEqual(_DATA_DIR(None), os.path.join(self.folder, "other"))

    def test_outputs_are_the_runs_unless_given(self):
        self.generator.run_dir = "/runs/mine"
        self.assertEqual(_EVALUATION_DIR(self.generator.run_dir), "/runs/mine/evaluation")
        with flagsaver.flagsaver(output_dir="out"):
            self.assertEqual(
                _EVALUATION_DIR(self.generator.run_dir), os.path.join(self.folder, "out")
            )

    def test_help(self):
        self.assertFalse(_OVERWRITE.value)
        self.assertEqual(flags.FLAGS["overwrite"].help, "Replace measurements by another protocol.")


if __name__ == "__main__":
    absltest.main()
