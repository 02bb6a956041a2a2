"""A run that lives in object storage: trained, killed, gone on with and measured elsewhere."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from common import files, locks, mirrors, testing_s3
from common.testing_programs import run_program
from training import testing_data

_ROOT = pathlib.Path(__file__).parent.parent
_RUN = f"s3://{testing_s3.BUCKET}/runs/mine"
_TRAIN = (
    *("--data_dir=data", *testing_data.SMALL_SETTINGS, "--config.training.steps=40"),
    *("--config.training.checkpoint_every=2", "--config.training.log_every=2"),
    *("--config.training.sample_every=20", "--config.training.precision=float32"),
)


def _values(run_dir):
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(f"{run_dir}/checkpoints"))
    names = [name for name in reader.get_variable_to_shape_map() if "OBJECT_GRAPH" not in name]
    return {name: reader.get_tensor(name) for name in names if "save_counter" not in name}


class RunInStorageTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.server = self.enter_context(testing_s3.serving_s3())
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        testing_data.write_dataset(os.path.join(self.folder, "data"), per_split=(24, 16, 16))

    def _run(self, module, *flags, machine=0, **kwargs):
        cache = os.path.join(self.folder, f"machine{machine}")
        return run_program(module, *flags, folder=self.folder, XDG_CACHE_HOME=cache, **kwargs)

    def _copy(self, machine):
        folder = pathlib.Path(self.folder, f"machine{machine}", "dermgan", "folders")
        return folder / files.digest_of(_RUN)[:24] / "mine"

    def _kill_after_a_checkpoint(self):
        environment = {"BUILD_WORKING_DIRECTORY": self.folder, "XDG_CACHE_HOME": self.folder}
        command = [sys.executable, "-m", "training.train", f"--workdir={_RUN}", *_TRAIN]
        process = subprocess.Popen(
            command, cwd=_ROOT, env={**os.environ, **environment}, stderr=subprocess.DEVNULL
        )
        while not files.at(f"{_RUN}/{mirrors.INDEX}").exists():
            self.assertIsNone(process.poll())
            time.sleep(0.02)
        process.kill()
        process.wait()

    def test_trained_killed_and_measured_elsewhere(self):
        done = self._run("training.train", "--workdir=whole", *_TRAIN)
        self.assertEqual(done.returncode, 0, done.stderr)
        self._kill_after_a_checkpoint()
        self.server.fail("PUT .*/metrics.jsonl", 1000, status=403)
        done = self._run("training.train", f"--workdir={_RUN}", *_TRAIN, machine=1)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stderr, "(?s)runs/mine: not written to yet: .*error: .*Forbidden")
        self.server.allow()
        done = self._run("training.train", f"--workdir={_RUN}", *_TRAIN, machine=1)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, rf"note: {_RUN}: \d+ files of .*/mine written")
        self.assertFalse(files.at(f"{_RUN}/{locks.FILE_NAME}").exists())
        fid = ("--feature_network=embedded", "--trials=2", "--num_images=16")
        done = self._run("evaluation.fid", f"--run_dir={_RUN}", *fid, machine=2)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, rf"note: {_RUN}: \d+ files of .*/mine written")
        expected, found = (_values(run) for run in (f"{self.folder}/whole", self._copy(2)))
        self.assertEqual(set(found), set(expected))
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, name)
        self.assertTrue(files.at(f"{_RUN}/evaluation/fid.json").exists())

        begun = ("training.train", f"--init_from={_RUN}", "--workdir=other", *_TRAIN)
        for machine in (0, 1):  # goes on, though the copies lie elsewhere
            done = self._run(*begun, machine=machine)
            self.assertEqual(done.returncode, 0, done.stderr)
        config = json.loads(pathlib.Path(self.folder, "other", "config.json").read_text())
        self.assertEqual(config["init_from"]["run_dir"], _RUN)

    def test_errors(self):
        done = self._run("evaluation.fid", f"--run_dir={_RUN}")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, f"^error: {_RUN}: nothing is there\n$")
        files.write_text(f"{_RUN}/notes.txt", "no run")
        done = self._run("evaluation.fid", f"--run_dir={_RUN}")
        self.assertRegex(done.stderr, f"^error: {_RUN}: not a run directory; .*\n$")

        for wrong in ("ftp://host/runs", "s3:///runs"):
            done = self._run("training.train", f"--workdir={wrong}", *_TRAIN)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, f"^error: {wrong}: .*\n$")


if __name__ == "__main__":
    absltest.main()
