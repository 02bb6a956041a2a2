"""The studio's program: its address, its end, and what it cannot serve."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from absl.testing import absltest

from common.testing_programs import run_program
from studio import testing

_ROOT = pathlib.Path(__file__).parent.parent


class MainTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        testing.train(cls.folder)  # the newest under runs/

    def _refused(self, *flags):
        done = run_program("studio", *flags, "--noopen", folder=self.folder)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        return done.stderr

    def test_serves_until_ctrl_c(self):
        process = subprocess.Popen(
            [sys.executable, "-m", "studio", "--noopen"],
            cwd=_ROOT,
            env={**os.environ, "BUILD_WORKING_DIRECTORY": self.folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.kill)
        address = process.stdout.readline().strip()
        self.assertIn("it shows photographs of patients", process.stdout.readline())
        self.assertRegex(address, r"^http://127\.0\.0\.1:\d+/[\w-]{20,}/$")
        with urllib.request.urlopen(address) as reply:
            self.assertIn('"name": "small", "step": 2', reply.read().decode())
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(re.sub("/[^/]+/$", "/guessed/", address))
        caught.exception.close()
        self.assertEqual(caught.exception.code, 404)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.communicate(), ("", ""))
        self.assertEqual(process.returncode, 0)

    def test_a_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.assertRegex(self._refused(f"--port={port}"), f"^error: .*{port}.*in use.*\n$")

    def test_no_generator(self):
        os.mkdir(os.path.join(self.folder, "empty"))
        self.assertRegex(
            self._refused("--run_dir=empty"), "^error: .*empty: not a run directory; .*\n$"
        )
        self.assertRegex(self._refused("--step=3"), "^error: .*no checkpoint.* 3.*\n$")
        self.assertRegex(self._refused("--compare_to=none"), "^error: .*none: not a run dir.*\n$")
        self.assertRegex(self._refused("--data_dir=empty"), "^error: .*empty/dataset.json.*\n$")
        done = run_program("studio", "--noopen", folder=os.path.join(self.folder, "empty"))
        self.assertRegex(done.stderr, "^error: .*no run.*//training:train.*\n$")


if __name__ == "__main__":
    absltest.main()
