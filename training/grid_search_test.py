import os
import pathlib

import pandas as pd
from absl.testing import absltest

from common.testing_programs import run_program
from training import testing_data

_SETTINGS = [
    *testing_data.SMALL_SETTINGS,
    "--config.training.log_every=2",
    "--steps=4",
]


class GridSearchProgramTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        testing_data.write_dataset(os.path.join(self.folder, "data"))

    def _run(self, *flags):
        program = run_program("training.grid_search", *flags, *_SETTINGS, folder=self.folder)
        return program.returncode, program.stdout, program.stderr

    def test_searches(self):
        flags = ["--data_dir=data", "--workdir=search", "--l1=3,30", "--roi=2"]
        flags += ["--feature_matching=1", "--objective=roi", "--config=paper"]
        flags += ["--config.data.conditions=all", "--config.loss.l1=7"]
        code, out, err = self._run(*flags)
        self.assertEqual(code, 0, err)
        table = pd.read_csv(os.path.join(self.folder, "search", "grid_search.csv"))
        self.assertCountEqual(table["loss.l1"], [3, 30])
        self.assertTrue(table["objective.roi"].is_monotonic_increasing)
        for name in table["directory"]:
            run = pathlib.Path(self.folder, "search", name)
            for output in ("config.json", "metrics.jsonl", "generator/saved_model.pb"):
                self.assertTrue((run / output).is_file(), output)
        self.assertIn("Trained with 2 combinations", out)
        train = f"//training:train -- --config=paper --data_dir={self.folder}/data --config."
        self.assertIn(train, out)
        self.assertIn("--config.data.conditions=all", out)
        self.assertNotIn("--config.loss.l1=7", out)
        best = int(table["loss.l1"][0])
        self.assertIn(f"--config.loss.gan=1 --config.loss.l1={best} --config.loss.roi=2", out)

    def test_a_bad_flag_is_one_line(self):
        code, _, err = self._run("--workdir=search", "--data_dir=data", "--gan=1,-2")
        self.assertEqual(code, 1)
        self.assertIn("weights of gan: '-2' is not a number from 0 up", err)
        self.assertLen(err.strip().splitlines(), 1)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "search")))


if __name__ == "__main__":
    absltest.main()
