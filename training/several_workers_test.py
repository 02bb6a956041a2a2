"""One training in two processes, which are two machines to TensorFlow."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import numpy as np
from absl.testing import absltest

from common.testing_programs import run_program
from training import testing_data

_ROOT = pathlib.Path(__file__).parent.parent
_STEPS = 40
_EVERY = 10  # steps between checkpoints
# Sums over workers are rounded otherwise than those of one process, and, as in `testing_steps`,
# rounding decides where Adam moves a weight whose gradient is zero: the losses of the first
# three steps differed by 1e-7, of 20 by up to 0.011, of 32 by 0.021.
_EXACT, _COMPARED = 3, 20
_SETTINGS = (
    *testing_data.SMALL_SETTINGS,
    "--data_dir=data",
    "--config.training.precision=float32",
    "--config.training.sample_every=1000",
    "--config.training.log_every=1",
    f"--config.training.checkpoint_every={_EVERY}",
    f"--config.training.steps={_STEPS}",
)


def _free_ports(number):
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in opened:
            one.bind(("localhost", 0))
        return [one.getsockname()[1] for one in opened]


class SeveralWorkersTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        testing_data.write_dataset(os.path.join(cls.folder, "data"))

    def _start(self, workdir, **settings):
        """Starts the chief and another; `settings` are further ones of the other alone."""
        addresses = [f"localhost:{port}" for port in _free_ports(2)]
        started = []
        for index in range(2):
            config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            own = [f"--config.{name}={value}" for name, value in settings.items() if index]
            command = [sys.executable, "-m", "training.train", f"--workdir={workdir}", *_SETTINGS]
            environment = {"TF_CONFIG": json.dumps(config), "BUILD_WORKING_DIRECTORY": self.folder}
            started.append(
                subprocess.Popen(
                    [*command, *own],
                    cwd=_ROOT,
                    env={**os.environ, **environment, "TMPDIR": self._temporary(index)},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            self.addCleanup(started[-1].communicate)
            self.addCleanup(started[-1].kill)
        return started

    def _temporary(self, index):
        folder = os.path.join(self.folder, f"temporary{index}")
        os.makedirs(folder, exist_ok=True)
        return folder

    def _lines(self, workdir):
        text = pathlib.Path(self.folder, workdir, "metrics.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def test_two_equal_one_and_go_on_after_a_kill(self):
        alone = run_program(
            "training.train", "--workdir=alone", *_SETTINGS, folder=self.folder, TF_CONFIG=""
        )
        self.assertEqual(alone.returncode, 0, alone.stderr)

        killed, survivor = self._start("together")[::-1]
        checkpoints = pathlib.Path(self.folder, "together", "checkpoints")
        while killed.poll() is None and not list(checkpoints.glob(f"ckpt-{_EVERY}.index")):
            time.sleep(0.02)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        self.assertFalse(list(checkpoints.glob(f"ckpt-{_STEPS}.index")), "killed too late to tell")
        _, said = survivor.communicate(timeout=120)
        self.assertEqual(survivor.returncode, 1, said)
        self.assertRegex(said, "error: lost the worker .*: it has ended .* at the last checkpoint")
        self.assertNotIn("Traceback", said)

        before = set(os.listdir(self._temporary(1)))
        for one, expected in zip(
            self._start("together"), (f"Trained for {_STEPS} steps", "the chief has written")
        ):
            out, said = one.communicate(timeout=300)
            self.assertEqual(one.returncode, 0, said)
            self.assertIn(expected, out)

        run = pathlib.Path(self.folder, "together")
        one, two = self._lines("alone"), self._lines("together")
        self.assertEqual([line["step"] for line in two], [*range(1, _STEPS + 1)])
        for mine, other in zip(two[:_COMPARED], one):
            for name in mine.keys() - {"images_per_second"}:
                relative = 1e-5 if mine["step"] <= _EXACT else 0.05
                # An accuracy jumps by a patch where a logit is near the boundary.
                absolute = 0.05 if name.startswith("accuracy") else 0
                np.testing.assert_allclose(
                    mine[name], other[name], relative, absolute, err_msg=name
                )
        # One event file of each start of the chief, and nothing left by the other.
        self.assertLen(list(run.glob("events.*")), 2)
        self.assertTrue((run / "generator" / "saved_model.pb").exists())
        self.assertFalse((run / ".lock").exists())
        left = set(os.listdir(self._temporary(1))) - before
        self.assertEmpty([name for name in left if name.startswith("dermgan-")])

    def test_workers_that_differ(self):
        for one in self._start("differ", **{"loss.l1": 7}):
            _, said = one.communicate(timeout=300)
            self.assertEqual(one.returncode, 1, said)
            self.assertIn("error: the workers differ: between the chief and worker 1, ", said)
            self.assertIn("config.loss.l1 was ", said)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "differ")))

    def test_bad_settings_are_one_line(self):
        three = {
            "cluster": {"worker": ["a:1", "b:1", "c:1"]},
            "task": {"type": "worker", "index": 0},
        }
        for config, flags, message in (
            ("{", _SETTINGS, "error: TF_CONFIG: invalid JSON"),
            (json.dumps(three), _SETTINGS, "batch_size 4 is not a multiple of the 3 workers of TF"),
            (json.dumps(three), _SETTINGS[1:2], "error: --data_dir is needed: several workers"),
        ):
            done = run_program(
                "training.train", "--workdir=run", *flags, folder=self.folder, TF_CONFIG=config
            )
            self.assertEqual(done.returncode, 1)
            self.assertIn(message, done.stderr)
            self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    absltest.main()
