import json
import pathlib
import shutil

from absl.testing import absltest

from training.testing_programs import ProgramTestCase

_SETTINGS = [
    "--config.model.input_size=32",
    "--config.training.steps=2",
    "--config.training.validate_every=1",
    "--config.training.batch_size=4",
    "--num_synthetic=12",
]


class AugmentationProgramTest(ProgramTestCase):
    program = "evaluation.augmentation"

    def test_trains_measures_and_redoes_the_statistics(self):
        done = self.run_program(*_SETTINGS, "--arms=real+synthetic", "--seeds=0")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Adding synthetic images changes top-1 accuracy by", done.stdout)
        folder = pathlib.Path(self.folder, "runs/small/evaluation/augmentation")
        report = json.loads((folder / "augmentation.json").read_text())
        arms = report["results"]["test"]["arms"]
        self.assertEqual([arm["arm"] for arm in arms], ["real", "real+synthetic"])
        self.assertEqual([arm["synthetic_images"] for arm in arms], [0, 12])
        for name in ("augmentation.md", "augmentation.csv", "figure_8.png", "confusion.png"):
            self.assertGreater((folder / name).stat().st_size, 500, name)

        # From the predictions alone, somewhere else, the same.
        shutil.move(folder / "predictions", pathlib.Path(self.folder, "stored"))
        done = self.run_program("--from_predictions=stored", "--workdir=again")
        self.assertEqual(done.returncode, 0, done.stderr)
        again = json.loads(pathlib.Path(self.folder, "again/augmentation.json").read_text())
        self.assertEqual(again["results"], report["results"])

    def test_bad_flags(self):
        for flag, message in (
            (["--from_predictions=nowhere"], "nowhere: no predictions there"),
            (["--from_predictions=x", "--seeds=1"], "--from_predictions and --seeds exclude"),
            (["--config.data.view=half"], "data.view 'half' is not one of full, crops"),
        ):
            done = self.run_program(*flag)
            self.assertEqual(done.returncode, 1)
            self.assertIn("error: ", done.stderr)
            self.assertIn(message, done.stderr)
            self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    absltest.main()
