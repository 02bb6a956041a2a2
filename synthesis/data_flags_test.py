import os

from absl.testing import absltest, flagsaver

from synthesis import data_flags, trained_generator


class DataFlagsTest(absltest.TestCase):
    def test_records_are_the_runs_unless_given(self):
        generator = absltest.mock.create_autospec(trained_generator.TrainedGenerator, instance=True)
        generator.description = {"dataset": {"directory": "/records"}}
        self.assertEqual(data_flags.data_dir(generator), "/records")
        user = absltest.mock.patch.dict(os.environ, {"BUILD_WORKING_DIRECTORY": "/me"})
        with user, flagsaver.flagsaver(data_dir="other"):
            self.assertEqual(data_flags.data_dir(generator), "/me/other")


if __name__ == "__main__":
    absltest.main()
