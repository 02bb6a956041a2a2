import csv
import json
import pathlib
import shutil
import tempfile

from absl.testing import absltest

from common.testing_programs import run_program
from training import testing_data

_SETTINGS = [
    "--feature_network=embedded",
    "--cache_dir=cache",
    "--alpha=0.2",
    "--num_images=12",
    "--num_planted=6",
    "--num_pairs=6",
]


class MemorizationProgramTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        testing_data.train_run(cls.folder, steps=2)

    def _run(self, *flags):
        return run_program("evaluation.memorization", *_SETTINGS, *flags, folder=self.folder)

    def test_audits_and_gates(self):
        program = self._run("--max_copy_rate=0")
        out, err = program.stdout, program.stderr
        self.assertEqual(program.returncode, 1, err)
        self.assertRegex(err.splitlines()[-1], r"^refused: the copy rate on \w+ maps, .* above --m")
        self.assertNotIn("Traceback", err)
        run = pathlib.Path(self.folder, "runs", "small")
        for name in ("json", "csv", "png"):
            path = run / "evaluation" / f"memorization.{name}"
            self.assertTrue(path.is_file())
            self.assertIn(str(path), out)
        content = json.loads((run / "evaluation" / "memorization.json").read_text())
        self.assertFalse(content["gate"]["passed"])
        self.assertEqual(content["step"], 2)
        self.assertEqual(content["planted_copies_found"]["exact"]["share"], 1.0)
        self.assertBetween(content["membership"]["value"], 0.0, 1.0)
        self.assertIn("AUC", out)
        with open(run / "evaluation" / "memorization.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertLen(rows, 24)
        self.assertEqual({row["map_split"] for row in rows}, {"train", "validation"})
        self.assertIn("next: look at the pairs", out)

        no_checkpoint = pathlib.Path(self.folder, "empty")
        no_checkpoint.mkdir()
        shutil.copy(run / "config.json", no_checkpoint)
        programs = [
            (self._run("--run_dir=runs/small", "--max_copy_rate=-1"), 0, ""),
            (
                self._run("--run_dir=runs/small", "--seed=1"),
                1,
                "holds a measurement by another protocol",
            ),
            (self._run("--run_dir=empty"), 1, "empty: no checkpoint yet; train on, or pass"),
        ]
        for program, status, message in programs:
            self.assertEqual(program.returncode, status, program.stderr)
            self.assertIn(message, program.stderr)
            self.assertNotIn("Traceback", program.stderr)


if __name__ == "__main__":
    absltest.main()
