import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from common.testing_programs import run_program
from training import testing_data

_ROOT = pathlib.Path(__file__).parent.parent
_SETTINGS = [
    "--config.model.image_size=32",
    "--config.model.base_filters=4",
    "--config.discriminator.base_filters=4",
    "--config.discriminator.scales=1",
    "--config.training.batch_size=4",
    "--config.training.log_every=5",
    "--config.training.checkpoint_every=10",
    "--config.training.sample_every=1000",
    "--config.training.num_samples=4",
]


class TrainProgramTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        testing_data.write_dataset(os.path.join(self.folder, "data"))

    def _start(self, workdir, *flags):
        return subprocess.Popen(
            [sys.executable, "-m", "training.train", f"--workdir={workdir}", *_SETTINGS, *flags],
            cwd=_ROOT,
            env={**os.environ, "BUILD_WORKING_DIRECTORY": self.folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _run(self, workdir, *flags):
        program = self._start(workdir, *flags)
        out, err = program.communicate()
        return program.returncode, out, err

    def _weights(self, workdir):
        folder = os.path.join(self.folder, workdir, "checkpoints")
        reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(folder))
        return {
            name: reader.get_tensor(name)
            for name in reader.get_variable_to_shape_map()
            if not name.startswith(("_CHECKPOINTABLE", "save_counter"))
        }

    def test_a_killed_run_continues_exactly(self):
        flags = ["--data_dir=data", "--config.training.steps=40"]
        self.assertEqual(self._run("whole", *flags)[0], 0)
        program = self._start("killed", *flags)
        checkpoints = pathlib.Path(self.folder, "killed", "checkpoints")
        while program.poll() is None and not list(checkpoints.glob("ckpt-20.index")):
            time.sleep(0.02)
        program.send_signal(signal.SIGKILL)
        program.communicate()
        self.assertFalse(list(checkpoints.glob("ckpt-40.index")), "killed too late to tell")
        code, out, err = self._run("killed", *flags, "--resume")
        self.assertEqual(code, 0, err)
        self.assertIn("Trained for 40 steps", out)
        whole, resumed = self._weights("whole"), self._weights("killed")
        self.assertEqual(set(whole), set(resumed))
        self.assertTrue(any("optimizer" in name for name in whole))
        for name, value in whole.items():
            np.testing.assert_array_equal(resumed[name], value, name)
        lines = [
            pathlib.Path(self.folder, run, "metrics.jsonl").read_text().splitlines()
            for run in ("whole", "killed")
        ]
        self.assertEqual(len(lines[0]), len(lines[1]))

    def test_bad_flags_are_one_line(self):
        for flags, message in (
            (
                ["--config.model.imagesize=3"],
                "no field config.model.imagesize; closest is config.mo",
            ),
            (
                ["--config.training.batch_size=many"],
                "invalid literal for int() with base 10: 'many'",
            ),
            (["--data_dir=nowhere"], "nowhere/dataset.json: no such file; make a data set with"),
            (["--data_dir=data", "--config.loss.l1=-3"], "error: loss weight l1 is -3"),
        ):
            done = run_program("training.train", "--workdir=run", *flags, folder=self.folder)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(message, done.stderr)
            self.assertNotIn("Traceback", done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "run")))


if __name__ == "__main__":
    absltest.main()
