import os

from absl.testing import absltest, flagsaver

from synthesis import run_flags, trained_generator


class RunFlagsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.enter_context(
            absltest.mock.patch.dict(os.environ, {"BUILD_WORKING_DIRECTORY": self.folder})
        )

    def test_the_newest_run_unless_another_is_given(self):
        path = os.path.join(self.folder, "runs", "only")
        os.makedirs(path)
        with open(os.path.join(path, "config.json"), "w", encoding="utf-8") as file:
            file.write("{}")
        with absltest.mock.patch.object(trained_generator, "load") as load:
            run_flags.generator()
            with flagsaver.flagsaver(run_dir="mine", step=7):
                run_flags.generator()
        runs = [(path, None), (os.path.join(self.folder, "mine"), 7)]
        self.assertEqual([call.args for call in load.call_args_list], runs)

    def test_no_run(self):
        with self.assertRaisesRegex(ValueError, "no run there"):
            run_flags.run_dir()


if __name__ == "__main__":
    absltest.main()
