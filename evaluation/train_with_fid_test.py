import json
import os
import pathlib

from absl.testing import absltest

from common.testing_programs import run_program
from training import testing_data

_SETTINGS = [
    "--data_dir=data",
    "--workdir=run",
    "--trials=2",
    "--feature_network=embedded",
    *testing_data.SMALL_SETTINGS,
    "--config.training.steps=4",
    "--config.training.checkpoint_every=2",
]


class TrainWithFidTest(absltest.TestCase):
    def _run(self, *flags):
        self.folder = self.create_tempdir().full_path
        testing_data.write_dataset(os.path.join(self.folder, "data"), per_split=(16, 16, 4))
        return run_program("evaluation.train_with_fid", *_SETTINGS, *flags, folder=self.folder)

    def test_measures_and_keeps_the_best(self):
        done = self._run()
        self.assertEqual(done.returncode, 0, done.stderr)
        run = pathlib.Path(self.folder, "run")
        self.assertLen((run / "evaluation" / "fid_over_training.csv").read_text().split(), 3)
        self.assertIn(json.loads((run / "best" / "best.json").read_text())["step"], (2, 4))

    def test_steps_without_checkpoint(self):
        done = self._run("--fid_every=3")
        self.assertEqual(done.returncode, 1)
        self.assertIn("error: --fid_every=3 is not a multiple of", done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "run")))


if __name__ == "__main__":
    absltest.main()
