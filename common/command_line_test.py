import os
import pathlib
import subprocess
import sys
import textwrap
from unittest import mock

from absl import flags
from absl.testing import absltest, parameterized

from common import command_line

_PROGRAM = """
from common import command_line
from absl import flags
flags.DEFINE_integer("size", 1, "")
# As TensorFlow's, which takes seconds to load.
class OpError(Exception): pass
class ResourceExhaustedError(OpError): pass
class PermissionDeniedError(OpError): pass
class InvalidArgumentError(OpError): pass
def main(argv):
    if flags.FLAGS.size == 2: raise ValueError("bad size")
    if flags.FLAGS.size == 3: raise FileNotFoundError(2, "gone", "f.txt")
    if flags.FLAGS.size == 4: raise KeyError("bug")
    if flags.FLAGS.size == 16: raise KeyboardInterrupt
    if flags.FLAGS.size == 17:
        with command_line.stoppable("begin again"): raise KeyboardInterrupt
    if flags.FLAGS.size == 6: raise MemoryError
    if flags.FLAGS.size == 7: raise ResourceExhaustedError("OOM when\\nallocating")
    if flags.FLAGS.size == 8: raise PermissionDeniedError("/x; Permission")
    if flags.FLAGS.size == 9: raise InvalidArgumentError("shapes")
    print(flags.FLAGS.size, argv[1:])
command_line.run(main, pass_unknown_flags={passing})
"""


_HELPING = """
from common import command_line
from absl import flags
flags.DEFINE_integer("size", 1, "How large.")
flags.DEFINE_string("path", None, "Where.", required=True)
command_line.run(print)
"""

_FIELDS = """
from common import command_line
from absl import flags
flags.DEFINE_string("path", None, "", required=True)
flags.DEFINE_enum("shade", None, ["light", "dark"], "", required=True)
command_line.run(print, prepare=lambda argv: {"config.training.batch_size": 16})
"""


class UserPathTest(absltest.TestCase):
    def test_is_relative_to_where_the_user_stands(self):
        with mock.patch.dict(os.environ, {"BUILD_WORKING_DIRECTORY": "/home/ada"}):
            self.assertEqual(command_line.user_path("x/y"), "/home/ada/x/y")
            self.assertEqual(command_line.user_path("/x"), "/x")
        with mock.patch.dict(os.environ, {"BUILD_WORKING_DIRECTORY": "", "HOME": "/home/ada"}):
            self.assertEqual(command_line.user_path("x"), str(pathlib.Path.cwd() / "x"))
            self.assertEqual(command_line.user_path("~/x"), "/home/ada/x")

    def test_object_storage_where_a_program_can_use_it(self):
        self.assertEqual(command_line.user_path("s3://b/x", remote=True), "s3://b/x")
        for path, remote, said in (
            ("s3://b/x", False, "must be on this machine; docs/how_to/run_on_a_cluster.md says"),
            ("hdfs://h/x", True, "paths are folders of this machine, s3:// or gs://"),
        ):
            with self.assertRaisesRegex(ValueError, f"^{path}: {said}"):
                command_line.user_path(path, remote)


class ExcludeTest(absltest.TestCase):
    def test_flags_without_meaning_beside_another(self):
        values = flags.FlagValues()
        for name in ("runs", "seed", "config", "config.loss.l1"):
            flags.DEFINE_string(name, None, "", flag_values=values)
        values(["program", "--runs=a", "--config.loss.l1=2", "--config=demo"])
        with mock.patch.object(flags, "FLAGS", values):
            command_line.exclude("runs", ("seed",))
            with self.assertRaisesRegex(ValueError, "--runs and --config.loss.l1 exclude each"):
                command_line.exclude("runs", ("seed", "config."))
            with self.assertRaisesRegex(ValueError, "--runs and --config exclude each other"):
                command_line.exclude("runs", ("config",))


class RunTest(parameterized.TestCase):
    def _run(self, *args, passing=False, program=_PROGRAM, stdout=subprocess.PIPE):
        path = pathlib.Path(self.create_tempdir().full_path) / "program.py"
        path.write_text(program.replace("{passing}", str(passing)))
        return subprocess.run(
            [sys.executable, str(path), *args],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

    @parameterized.parameters(
        (["--size=2"], "error: bad size"),
        (["--size=3"], "error: [Errno 2] gone: 'f.txt'"),
        (["--size=6"], "error: out of memory; ask for less at a time"),
        (
            ["--size=7"],
            "error: out of memory (OOM when); ask for less at a time, such as a smaller batch",
        ),
        (["--size=8"], "error: /x; Permission"),
        (["stray"], "error: unexpected argument 'stray'; see --help"),
    )
    def test_bad_input_ends_with_one_line(self, args, line):
        for passing in (False, True):
            result = self._run(*args, passing=passing)
            self.assertEqual(result.returncode, 1)
            self.assertEqual(result.stderr.strip(), line)

    def test_help_lists_the_flags_of_our_modules(self):
        # A module that stands in for those whose flags several programs share.
        shared = textwrap.dedent("""
            import sys, types
            sys.modules["training.shared"] = module = types.ModuleType("training.shared")
            shade = "flags.DEFINE_enum('shade', None, ['light', 'dark'], 'Of it.')"
            exec(f"from absl import flags; {shade}", module.__dict__)
        """)
        program = pathlib.Path(self.create_tempdir().full_path) / "program.py"
        documented = 'r"""Does what it does.\n\n  program --size=3 \\\n      --path=P\n"""\n'
        program.write_text(documented + shared + _HELPING)
        shown = subprocess.run(
            [sys.executable, str(program), "--help"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
        ).stdout
        self.assertEqual(
            shown,
            "Does what it does.\n\n  program --size=3 \\\n      --path=P\n\nFlags:\n\n"
            "  --path  (needed)\n      Where.\n  --size\n      How large. (1)\n"
            "  --shade=light|dark\n      Of it.\n",
        )

    def test_a_full_disk_below_the_output_is_one_line(self):
        path = pathlib.Path(self.create_tempdir().full_path) / "program.py"
        path.write_text(_PROGRAM.replace("{passing}", "False"))
        with open("/dev/full", "w") as full:
            result = subprocess.run(
                [sys.executable, str(path)],
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(sys.path),
                    "PYTHONUNBUFFERED": "",
                },
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
            )
        self.assertEqual(result.returncode, 1)
        self.assertStartsWith(result.stderr, "error: [Errno 28] No space left on device")

    def test_being_stopped_is_one_line(self):
        result = self._run("--size=16")
        self.assertEqual((result.returncode, result.stderr), (130, "\nstopped\n"))
        result = self._run("--size=17")
        self.assertEqual((result.returncode, result.stderr), (130, "\nstopped; begin again\n"))
        # While the program's modules are loaded, too.
        result = self._run(program="from common import command_line\nraise KeyboardInterrupt")
        self.assertEqual((result.returncode, result.stderr), (130, "\nstopped\n"))

    def test_a_bug_keeps_its_traceback(self):
        result = self._run("--size=4")
        self.assertIn("Traceback", result.stderr)
        self.assertIn("KeyError: 'bug'", result.stderr)

    def test_unknown_flags(self):
        self.assertEqual(
            self._run("--runner=X").stderr, "error: there is no flag --runner; see --help\n"
        )
        self.assertEqual(
            self._run("--sise=2").stderr, "error: there is no flag --sise, but --size; see --help\n"
        )
        result = self._run("--runner=X", "--size=5", "--zone=a", passing=True)
        self.assertEqual(result.stdout.strip(), "5 ['--runner=X', '--zone=a']")
        result = self._run("--size=five", passing=True)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "^error: --size=five: .*; see --help\n$")

    def test_names_fields_and_what_is_needed(self):
        def said(*args):
            return self._run(*args, program=_FIELDS).stderr

        self.assertEqual(
            said("--batch_size=3"),
            "error: there is no flag --batch_size, but --config.training.batch_size; see --help\n",
        )
        self.assertEqual(said("--shade=dark"), "error: --path is needed; see --help\n")
        self.assertEqual(
            said("--path=p"), "error: --shade is needed: one of light, dark; see --help\n"
        )
        shown = self._run("--help", program=_FIELDS)
        self.assertEqual(shown.returncode, 0)
        reader, writer = os.pipe()
        os.close(reader)  # as `head` does when it has enough
        with os.fdopen(writer, "w") as closed:
            left = self._run("--help", program=_FIELDS, stdout=closed)
        self.assertEqual((left.returncode, left.stderr), (0, ""))
        self.assertIn("\n  --config.training.batch_size=16\n", shown.stdout)


_COMMANDS = """
\"\"\"Does one of two things.\"\"\"
from common import command_line
from absl import flags
def walk():
    flags.DEFINE_integer("steps", 1, "")
    return lambda argv: print("walked", flags.FLAGS.steps, argv[1:])
def fly():
    raise AssertionError("must not be loaded")
command_line.run_command({"walk": walk, "fly": fly})
"""


class RunCommandTest(parameterized.TestCase):
    def _run(self, *args):
        program = pathlib.Path(self.create_tempdir().full_path) / "program.py"
        program.write_text(_COMMANDS.lstrip())
        return subprocess.run(
            [sys.executable, str(program), *args],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
        )

    def test_runs_the_command_with_its_flags_alone(self):
        self.assertEqual(self._run("walk", "--steps=3").stdout, "walked 3 []\n")
        self.assertIn("there is no flag --height", self._run("walk", "--height=3").stderr)
        self.assertIn("must not be loaded", self._run("fly").stderr)

    @parameterized.parameters(
        ([], "error: a command comes first, one of walk, fly; see --help"),
        (["run"], "error: unknown command 'run'; it comes first, one of walk, fly; see --help"),
        (
            ["--steps=3", "walk"],
            "error: unknown command '--steps=3'; it comes first, one of walk, fly; see --help",
        ),
        (["walk", "far"], "error: unexpected argument 'far'; see --help"),
    )
    def test_bad_input_ends_with_one_line(self, args, line):
        result = self._run(*args)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr.strip(), line)

    def test_helps_without_a_command(self):
        for flag in ("--help", "-?"):
            self.assertIn("Does one of two things.", self._run(flag).stdout)


if __name__ == "__main__":
    absltest.main()
