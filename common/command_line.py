"""What every binary shares: the user's paths, one-line errors, quiet start-up.

Binaries import this module before any other of the project, so that TensorFlow
finds its log level set.
"""

import contextlib
import difflib
import logging
import multiprocessing
import os
import pathlib
import re
import sys
import textwrap
import warnings
from typing import Any, Callable, Iterator, List, Mapping, NoReturn, Optional, Sequence

from absl import app, flags
from absl import logging as absl_logging

from common import files, mirrors, progress

# The libraries take seconds to load; a person at a terminal sees why, until `main` begins.
_loading = contextlib.ExitStack()
if multiprocessing.parent_process() is None:
    _loading.enter_context(progress.doing("loading"))

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
warnings.filterwarnings("ignore", message=r"(?s).*TensorFlow Addons")
warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
# Google's client of its cloud, which Beam imports, about how long Python will be supported.
warnings.filterwarnings("ignore", category=FutureWarning, module=r"google\.")
# TensorFlow, about what tf-gan calls; its errors are exceptions.
logging.getLogger("tensorflow").setLevel(logging.ERROR)
# Matplotlib, about a home folder that it cannot write to.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
# Apache Beam, about parts of it that need Google Cloud.
logging.getLogger().addFilter(lambda record: not str(record.msg).startswith("apitools not found"))

_PACKAGES = (
    "common",
    "preprocessing",
    "model",
    "training",
    "synthesis",
    "evaluation",
    "studio",
    "benchmarks",
)


LARGEST_SEED = 2**31 - 1  # of those that people give; images' own are 64 bits


def user_path(path: str, remote: bool = False) -> str:
    """Returns a path given on the command line as an absolute path.

    Args:
      path: as given.
      remote: whether it may lie in object storage.

    Raises:
      ValueError: it does and may not, or in a storage of another kind.

    Relative paths are relative to where the user stands: `bazel run` starts
    programs inside the runfiles and names the user's folder in
    `BUILD_WORKING_DIRECTORY`.
    """
    if files.is_remote(path):
        if not remote:
            raise ValueError(
                f"{path}: must be on this machine; docs/how_to/run_on_a_cluster.md says what may "
                "lie in object storage"
            )
        return str(files.at(path))
    folder = os.environ.get("BUILD_WORKING_DIRECTORY") or os.getcwd()
    return str(pathlib.Path(folder, os.path.expanduser(path)))


def run_folder(path: str) -> str:
    """Returns the folder of a run that is given on the command line.

    Raises:
      ValueError, OSError: it is in object storage and cannot be copied; see `mirrors.local`.
    """
    return mirrors.local(user_path(path, remote=True))


def exclude(given: str, others: Sequence[str]) -> None:
    """Raises ValueError for flags on the command line that have no meaning beside another.

    Args:
      given: name of a flag.
      others: names of flags that it makes meaningless; "config." stands for all fields
        of the configuration.
    """
    for name in flags.FLAGS:
        group = f"{name.partition('.')[0]}." if "." in name else name
        if group in others and flags.FLAGS[name].present:
            raise ValueError(f"--{given} and --{name} exclude each other")


def whole_numbers(flag: "flags.FlagHolder[List[str]]", least: int, most: int) -> List[int]:
    """Returns the numbers of a list flag.

    Raises:
      ValueError: one is no whole number, or is out of its limits.
    """
    for text in flag.value:
        if not re.fullmatch("-?[0-9]{1,18}", text) or not least <= int(text) <= most:
            raise ValueError(
                f"--{flag.name}={','.join(flag.value)}: {text!r} is not an integer in the range "
                f"[{least}, {most}]"
            )
    return [int(text) for text in flag.value]


_NEEDED = "must have a value other than None"  # what absl says of a required flag
_HELP = ("--help", "-help", "-h", "-?", "--helpshort", "--helpfull")


def _mistake(error: flags.Error, fields: Sequence[str]) -> str:
    """Says in our words what absl says of the command line."""
    if isinstance(error, flags.UnrecognizedFlagError):
        unknown = f"there is no flag --{error.flagname}"
        known = [*flags.FLAGS, *fields]
        same = [name for name in fields if name.rpartition(".")[2] == error.flagname]
        close = same or difflib.get_close_matches(error.flagname, known, n=1)
        return f"{unknown}, but --{' and --'.join(close)}" if close else unknown
    said = str(error)
    if _NEEDED in said:
        name = re.search("--([a-z_.]+)", said)[1]  # type: ignore[index]
        parser = flags.FLAGS[name].parser
        choices = parser.enum_values if isinstance(parser, flags.EnumParser) else ()
        return f"--{name} is needed" + (f": one of {', '.join(choices)}" if choices else "")
    return re.sub("^flag (?=--)", "", said)


def _parse(argv: Sequence[str], known_only: bool, fields: Sequence[str]) -> Sequence[str]:
    """Parses flags wherever they stand; a mistake ends the program with one line.

    Args:
      argv: the command line.
      known_only: whether flags that are not ours are returned.
      fields: further names that may be meant.
    """
    flags.FLAGS.set_gnu_getopt(True)
    try:
        return flags.FLAGS(argv, known_only=known_only)
    except flags.Error as error:
        print(f"error: {_mistake(error, fields)}; see --help", file=sys.stderr)
        sys.exit(1)


def _flag_help(flag: "flags.Flag[Any]") -> str:
    """Returns one flag's lines of the help."""
    needed = any(_NEEDED in str(one.message) for one in flag.validators)
    name = f"--[no]{flag.name}" if flag.boolean else f"--{flag.name}"
    choices = getattr(flag.parser, "enum_values", None)
    head = f"  {name}{'=' + '|'.join(choices) if choices else ''}{'  (needed)' if needed else ''}"
    text = re.sub("^<.*?>: ", "", flag.help or "")  # absl repeats the choices
    shown = "" if flag.boolean else (flag.default_as_str or "").strip("'")
    if shown:
        text = f"{text} ({shown})"
    return "\n".join(
        [head, *textwrap.wrap(text, 92, initial_indent=" " * 6, subsequent_indent=" " * 6)]
    )


def _help_text(fields: Mapping[str, Any]) -> str:
    """Returns what a program does, the flags of all our modules, and further fields."""
    own = sys.argv[0]
    modules = flags.FLAGS.flags_by_module_dict()
    ours = [name for name in modules if name.partition(".")[0] in _PACKAGES]
    listed = {
        flag.name: flag
        for module in sorted({own, *ours} & {*modules}, key=lambda name: name != own)
        for flag in modules[module]
        if "." not in flag.name
    }
    needed = [name for name, flag in listed.items() if flag.validators]
    parts = [(sys.modules["__main__"].__doc__ or "").strip()]
    if listed:
        order = [*needed, *(name for name in listed if name not in needed)]
        parts.append("Flags:")
        parts.append("\n".join(_flag_help(listed[name]) for name in order))
    if fields:
        parts.append("Fields of this configuration and their values (docs/reference/configs.md):")
        parts.append("\n".join(f"  --{name}={value}" for name, value in fields.items()))
    return "\n\n".join(parts)


STOPPED = 130  # exit status after Ctrl-C
# TensorFlow's errors that say what is wrong with a disk, a file or the memory; others, such as
# shapes that do not fit, are bugs.
_OUTSIDE = (
    *("AlreadyExistsError", "DataLossError", "FailedPreconditionError", "NotFoundError"),
    *("OutOfRangeError", "PermissionDeniedError", "ResourceExhaustedError", "UnavailableError"),
    "UnknownError",
)


def _in_one_line(error: BaseException) -> str:
    """Says what the user can mend; "" of what is a bug."""
    if isinstance(error, ValueError) or files.is_outside(error):
        return str(error) or type(error).__name__
    if isinstance(error, MemoryError):
        return f"out of memory{f' ({error})' if str(error) else ''}; ask for less at a time"
    kind = type(error).__name__
    if kind not in _OUTSIDE or all(one.__name__ != "OpError" for one in type(error).__mro__):
        return ""
    said = str(getattr(error, "message", "") or error).strip() or kind
    first = said.splitlines()[0]
    if kind == "ResourceExhaustedError" and "OOM" in said:
        return f"out of memory ({first}); ask for less at a time, such as a smaller batch"
    return first


def _stop() -> NoReturn:
    """Ends the program after Ctrl-C at once: its threads would have more to say, or go on."""
    print("\nstopped", file=sys.stderr)
    with contextlib.suppress(OSError):
        sys.stderr.flush()
        sys.stdout.flush()
    os._exit(STOPPED)


def _drop_output() -> None:
    """Keeps the interpreter from trying once more at its end, which makes the status 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        _stop()
    except Exception as error:
        line = _in_one_line(error)
        if not line:
            raise
        print(f"error: {line}", file=sys.stderr)
        try:
            sys.stdout.flush()
        except OSError:
            _drop_output()
        sys.exit(1)


@contextlib.contextmanager
def stoppable(how: str) -> Iterator[None]:
    """Ends the program quietly on Ctrl-C, and says how it goes on, or that it begins again."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"\nstopped; {how}", file=sys.stderr)
        sys.exit(STOPPED)


def _end_while_loading(kind: Any, error: BaseException, trace: Any) -> None:
    """Ends a program that is stopped outside of `run`, as while it loads TensorFlow."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    _stop()


sys.excepthook = _end_while_loading


def run(
    main: Callable[[Sequence[str]], None],
    pass_unknown_flags: bool = False,
    prepare: Optional[Callable[[List[str]], Mapping[str, Any]]] = None,
) -> None:
    """Runs a binary's `main` under absl; bad input ends it with one line.

    `ValueError` and `OSError` are what the library raises for input that the user
    can mend, and TensorFlow has errors of its own for a full disk or memory; they become
    "error: ..." on standard error and exit status 1. Ctrl-C is "stopped" and 130.
    Anything else is a bug and keeps its traceback.

    Args:
      main: receives the program's name and, if asked for, the unknown flags.
      pass_unknown_flags: whether flags that are not ours go to `main` (for Apache
        Beam) or end the program.
      prepare: changes or checks the command line, in place, before it is parsed;
        returns further names that flags may have, with their values, for --help.
    """

    def guarded(argv: Sequence[str]) -> None:
        passed_on = pass_unknown_flags and argv[1:2] and argv[1].startswith("-")
        if argv[1:] and not passed_on:
            print(f"error: unexpected argument {argv[1]!r}; see --help", file=sys.stderr)
            sys.exit(1)
        if not flags.FLAGS["verbosity"].present:
            # Libraries, TensorFlow's export above all, tell at INFO what users need not know.
            absl_logging.set_verbosity(absl_logging.WARNING)
            absl_logging.get_absl_handler().setFormatter(logging.Formatter("note: %(message)s"))
        with _one_line_errors(), mirrors.written_back():
            main(argv)
            # What is printed last meets a full disk here, not at the interpreter's end.
            sys.stdout.flush()

    _loading.close()
    fields: Mapping[str, Any] = {}
    if prepare is not None:
        with _one_line_errors():
            fields = prepare(sys.argv)
    if any(word in _HELP for word in sys.argv[1:]):
        try:
            print(_help_text(fields), flush=True)
        except BrokenPipeError:  # enough was read, as by `head`
            _drop_output()
        sys.exit(0)
    app.run(guarded, flags_parser=lambda argv: _parse(argv, pass_unknown_flags, [*fields]))


def run_command(commands: Mapping[str, Callable[[], Callable[[Sequence[str]], None]]]) -> None:
    """Runs a binary that does one of several things, named by its first word.

    Args:
      commands: by name, what returns the command's `main`. It is called before flags
        are parsed, so that a command can import the module that defines its flags,
        and no other.
    """
    names = ", ".join(commands)
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    if word in commands:
        del sys.argv[1]
        run(commands[word]())
    if word in _HELP:
        run(lambda argv: None)
    reason = f"unknown command {word!r}; it comes first" if word else "a command comes first"
    print(f"error: {reason}, one of {names}; see --help", file=sys.stderr)
    sys.exit(1)
