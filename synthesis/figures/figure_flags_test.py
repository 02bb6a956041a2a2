import os

from absl.testing import absltest, flagsaver

from synthesis import trained_generator
from synthesis.figures import figure_flags


class FigureFlagsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.enter_context(
            absltest.mock.patch.dict(os.environ, {"BUILD_WORKING_DIRECTORY": self.folder})
        )
        self.trained = absltest.mock.create_autospec(
            trained_generator.TrainedGenerator, instance=True
        )
        self.trained.conditions = ("Acne", "Melanoma")

    @flagsaver.flagsaver(output="new/F.png")
    def test_output_is_the_users(self):
        self.assertEqual(figure_flags.output(), os.path.join(self.folder, "new/F.png"))

    def test_output_is_needed(self):
        with self.assertRaisesRegex(ValueError, "--output=F.png is needed"):
            figure_flags.output()

    def test_conditions(self):
        self.assertEqual(figure_flags.conditions(self.trained), [])
        with flagsaver.flagsaver(condition=["melanoma", "Acne", "Melanoma"]):
            self.assertEqual(figure_flags.conditions(self.trained), ["Melanoma", "Acne"])
        with flagsaver.flagsaver(condition=["Cyst"]):
            with self.assertRaisesRegex(ValueError, "has never seen Cyst"):
                figure_flags.conditions(self.trained)
            with flagsaver.flagsaver(allow_unseen=True):
                self.assertEqual(figure_flags.conditions(self.trained), ["Cyst"])


if __name__ == "__main__":
    absltest.main()
