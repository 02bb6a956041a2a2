"""A test case that runs a program as its users do, beside a small trained run."""

import shutil
import subprocess
import tempfile

from absl.testing import absltest

from common import testing_programs
from training import testing_data


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
        return testing_programs.run_program(self.program, *flags, folder=self.folder)
