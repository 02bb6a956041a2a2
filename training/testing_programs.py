"""A test case that runs a program as its users do, beside a small trained run."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from absl.testing import absltest

from training import testing_data

_ROOT = pathlib.Path(__file__).parent.parent


class ProgramTestCase(absltest.TestCase):
    """Has `data` and `runs/small` in the folder where its user stands.

    Attributes:
      program: module to run; set by the test.
      folder: where the user stands.
    """

    program: str
    folder: str

    @classmethod
    def setUpClass(cls) -> None:
        """Trains the run once, or copies it."""
        super().setUpClass()
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        testing_data.train_run(cls.folder, steps=2)

    def run_program(self, *flags: str) -> "subprocess.CompletedProcess[str]":
        """Runs the program in a process of its own; its output is text."""
        return subprocess.run(
            [sys.executable, "-m", self.program, *flags],
            cwd=_ROOT,
            env={**os.environ, "BUILD_WORKING_DIRECTORY": self.folder},
            capture_output=True,
            text=True,
            check=False,
        )
