import json
import os
import pathlib
import shutil
import tempfile

from absl.testing import absltest

from common.testing_programs import run_program
from evaluation.fidelity import testing
from training import testing_data
from training.run import Run


class FidelityProgramTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        data_dir = os.path.join(cls.folder, "data")
        testing.write_dataset(data_dir, testing_data.IMAGE_SIZE, per_split=(8, 8, 24))
        config = testing_data.small_config(steps=2, checkpoint_every=1)
        Run(config, data_dir, os.path.join(cls.folder, "runs", "small")).train()

    def _run(self, *flags):
        program = run_program("evaluation.fidelity", "--num_images=8", *flags, folder=self.folder)
        return program.returncode, program.stdout, program.stderr

    def test_newest_run_is_measured(self):
        code, out, err = self._run()
        self.assertEqual(code, 0, err)
        folder = pathlib.Path(self.folder, "runs", "small", "evaluation")
        stored = json.loads((folder / "fidelity.json").read_text())
        self.assertEqual(stored["step"], 2)
        self.assertEqual(stored["protocol"]["real_images"], 24)
        for part in ("tone", "roi", "checkerboard"):
            self.assertIn("generated", stored[part])
            self.assertIn("real", stored[part])
        # The photographs are of known tone and place, whatever two steps taught the generator.
        self.assertGreater(stored["tone"]["real"]["correlation"]["value"], 0.97)
        self.assertGreater(stored["roi"]["real"]["iou"]["value"], 0.7)
        for name in ("fidelity.json", "fidelity.csv", "fidelity.png", "fidelity_examples.png"):
            self.assertIn(str(folder / name), out)
            self.assertGreater((folder / name).stat().st_size, 500)
        self.assertTrue(list(folder.glob("events.*")))
        self.assertFalse(list(folder.glob("*.tmp")))
        self.assertIn("next: look at", out)

    def test_bad_input_is_one_line(self):
        other = os.path.join(self.folder, "other")
        testing.write_dataset(other, size=64, per_split=(2, 8, 12))
        empty = os.path.join(self.folder, "unfinished")
        os.makedirs(empty)
        shutil.copy(os.path.join(self.folder, "runs", "small", "config.json"), empty)
        for flags, message in (
            (["--data_dir=other"], "crops of 64x64, the generator of"),
            (["--run_dir=unfinished"], "unfinished: no checkpoint yet"),
        ):
            code, out, err = self._run(*flags, "--output_dir=out")
            self.assertEqual(code, 1, err)
            self.assertIn("error: ", err)
            self.assertIn(message, err)
            self.assertNotIn("Traceback", err)
            self.assertEqual(out, "")
        self.assertFalse(os.path.exists(os.path.join(self.folder, "out")))


if __name__ == "__main__":
    absltest.main()
