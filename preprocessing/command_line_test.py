import os
import pathlib
import subprocess
import sys
import textwrap
from unittest import mock

from absl.testing import absltest, parameterized

from preprocessing import command_line

_PROGRAM = """
from preprocessing import command_line
from absl import flags
flags.DEFINE_integer("size", 1, "")
def main(argv):
    if flags.FLAGS.size == 2: raise ValueError("bad size")
    if flags.FLAGS.size == 3: raise FileNotFoundError(2, "gone", "f.txt")
    if flags.FLAGS.size == 4: raise KeyError("bug")
    print(flags.FLAGS.size, argv[1:])
command_line.run(main, pass_unknown_flags={passing})
"""


class UserPathTest(absltest.TestCase):
    def test_is_relative_to_where_the_user_stands(self):
        with mock.patch.dict(os.environ, {"BUILD_WORKING_DIRECTORY": "/home/ada"}):
            self.assertEqual(command_line.user_path("x/y"), "/home/ada/x/y")
            self.assertEqual(command_line.user_path("/x"), "/x")
        with mock.patch.dict(os.environ, {"BUILD_WORKING_DIRECTORY": "", "HOME": "/home/ada"}):
            self.assertEqual(command_line.user_path("x"), str(pathlib.Path.cwd() / "x"))
            self.assertEqual(command_line.user_path("~/x"), "/home/ada/x")


class RunTest(parameterized.TestCase):
    def _run(self, *args, passing=False):
        program = pathlib.Path(self.create_tempdir().full_path) / "program.py"
        program.write_text(textwrap.dedent(_PROGRAM.format(passing=passing)))
        return subprocess.run(
            [sys.executable, str(program), *args],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
        )

    @parameterized.parameters(
        (["--size=2"], "error: bad size"),
        (["--size=3"], "error: [Errno 2] gone: 'f.txt'"),
        (["stray"], "error: unexpected argument 'stray'; see --help"),
    )
    def test_bad_input_ends_with_one_line(self, args, line):
        for passing in (False, True):
            result = self._run(*args, passing=passing)
            self.assertEqual(result.returncode, 1)
            self.assertEqual(result.stderr.strip(), line)

    def test_a_bug_keeps_its_traceback(self):
        result = self._run("--size=4")
        self.assertIn("Traceback", result.stderr)
        self.assertIn("KeyError: 'bug'", result.stderr)

    def test_unknown_flags(self):
        self.assertIn("Unknown command line flag", self._run("--runner=X").stderr)
        result = self._run("--runner=X", "--size=5", "--zone=a", passing=True)
        self.assertEqual(result.stdout.strip(), "5 ['--runner=X', '--zone=a']")
        result = self._run("--size=five", passing=True)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "^error: flag --size=five: .*; see --help\n$")


if __name__ == "__main__":
    absltest.main()
