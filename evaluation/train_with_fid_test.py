import json
import os
import pathlib
import subprocess
import sys

from absl.testing import absltest

from training import testing_data

_ROOT = pathlib.Path(__file__).parent.parent
_SETTINGS = [
    "--data_dir=data",
    "--workdir=run",
    "--trials=2",
    "--feature_network=embedded",
    "--config.model.image_size=32",
    "--config.model.base_filters=4",
    "--config.discriminator.base_filters=4",
    "--config.discriminator.scales=1",
    "--config.encoder.base_filters=0",
    "--config.loss.kl=0",
    "--config.loss.code=0",
    "--config.training.batch_size=4",
    "--config.training.steps=4",
    "--config.training.checkpoint_every=2",
    "--config.training.num_samples=4",
]


class TrainWithFidTest(absltest.TestCase):
    def _run(self, *flags):
        self.folder = self.create_tempdir().full_path
        testing_data.write_dataset(os.path.join(self.folder, "data"), per_split=(16, 16, 4))
        return subprocess.run(
            [sys.executable, "-m", "evaluation.train_with_fid", *_SETTINGS, *flags],
            cwd=_ROOT,
            env={**os.environ, "BUILD_WORKING_DIRECTORY": self.folder},
            capture_output=True,
            text=True,
            check=False,
        )

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
