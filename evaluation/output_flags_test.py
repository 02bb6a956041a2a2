import os

from absl.testing import absltest, flagsaver

from evaluation import output_flags
from synthesis import trained_generator


class OutputFlagsTest(absltest.TestCase):
    def test_outputs_are_the_runs_unless_given(self):
        generator = absltest.mock.create_autospec(trained_generator.TrainedGenerator, instance=True)
        generator.run_dir = "/runs/mine"
        self.assertEqual(output_flags.output_dir(generator), "/runs/mine/evaluation")
        user = absltest.mock.patch.dict(os.environ, {"BUILD_WORKING_DIRECTORY": "/me"})
        with user, flagsaver.flagsaver(output_dir="out"):
            self.assertEqual(output_flags.output_dir(generator), "/me/out")


if __name__ == "__main__":
    absltest.main()
