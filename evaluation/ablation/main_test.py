import os

import numpy as np
import pandas as pd
from absl.testing import absltest

from common.testing_programs import run_program
from training import testing_data

_SETTINGS = [
    "--trials=4",
    "--feature_network=embedded",
    *testing_data.SMALL_SETTINGS,
    "--config.training.steps=2",
]


class AblationProgramTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        testing_data.write_dataset(os.path.join(self.folder, "data"), per_split=(16, 8, 16))

    def _run(self, *flags):
        folder = self.folder
        return run_program("evaluation.ablation", *flags, folder=folder, XDG_CACHE_HOME=folder)

    def test_trains_measures_and_takes_runs(self):
        flags = [*_SETTINGS, "--data_dir=data", "--workdir=study", "--variants=full,no_roi"]
        done = self._run(*flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("| no ROI loss |", done.stdout)
        table = pd.read_csv(os.path.join(self.folder, "study", "ablation.csv"))
        self.assertEqual(table["variant"].tolist(), ["real", "full", "no_roi"])
        self.assertTrue(np.isfinite(table["difference"][2]))

        # The same from the runs themselves.
        runs = "full=study/full/seed_0,no_roi=study/no_roi/seed_0"
        done = self._run(
            "--trials=4", "--feature_network=embedded", f"--run_dirs={runs}", "--workdir=again"
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        again = pd.read_csv(os.path.join(self.folder, "again", "ablation.csv"))
        pd.testing.assert_frame_equal(again, table)

        # What is there is not replaced by something else unasked.
        for flags, message in (
            ([*_SETTINGS, "--variants=full", "--data_dir=data"], "holds .*no_roi.*not asked for"),
            ([f"--run_dirs={runs}", "--trials=3"], "holds a measurement by another protocol"),
            ([f"--run_dirs={runs}", "--seeds=0,1"], "--run_dirs and --seeds exclude each other"),
        ):
            done = self._run("--feature_network=embedded", "--workdir=study", *flags)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, f"error: .*{message}")

    def test_bad_flags(self):
        for flag, message in (
            ("--seeds=a", "--seeds=a: "),
            ("--variants=no_gan", "variant 'no_gan' is not one of full"),
            ("--config.loss.roi=0.0", "loss.roi is 0.0: the full model has none"),
        ):
            done = self._run(*_SETTINGS, "--data_dir=data", flag)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"error: {message}", done.stderr)
        done = self._run("--run_dirs=full")
        self.assertEqual(done.returncode, 1)
        self.assertIn("error: run_dirs: 'full' is not VARIANT=DIRECTORY", done.stderr)


if __name__ == "__main__":
    absltest.main()
