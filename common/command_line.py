"""What every binary shares: the user's paths, one-line errors, quiet start-up.

Binaries import this module before any other of the project, so that TensorFlow
finds its log level set.
"""

import contextlib
import logging
import os
import pathlib
import sys
import warnings
from typing import Callable, Iterator, List, Mapping, Optional, Sequence

from absl import app, flags
from absl import logging as absl_logging

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
warnings.filterwarnings("ignore", message=r"(?s).*TensorFlow Addons")
warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
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
    "benchmarks",
)


def user_path(path: str) -> str:
    """Returns a path given on the command line as an absolute path.

    Relative paths are relative to where the user stands: `bazel run` starts
    programs inside the runfiles and names the user's folder in
    `BUILD_WORKING_DIRECTORY`.
    """
    folder = os.environ.get("BUILD_WORKING_DIRECTORY") or os.getcwd()
    return str(pathlib.Path(folder, os.path.expanduser(path)))


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


def _parse_known(argv: Sequence[str]) -> Sequence[str]:
    """Parses the flags that absl knows and returns the others, wherever they stand."""
    flags.FLAGS.set_gnu_getopt(True)
    try:
        return flags.FLAGS(argv, known_only=True)
    except flags.Error as error:
        print(f"error: {error}; see --help", file=sys.stderr)
        sys.exit(1)


def _list_our_flags() -> None:
    """Has --help list the flags of all our modules; absl lists the main module's alone."""
    for module, defined in flags.FLAGS.flags_by_module_dict().items():
        if module.partition(".")[0] in _PACKAGES:
            for flag in defined:
                flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def run(
    main: Callable[[Sequence[str]], None],
    pass_unknown_flags: bool = False,
    prepare: Optional[Callable[[List[str]], None]] = None,
) -> None:
    """Runs a binary's `main` under absl; bad input ends it with one line.

    `ValueError` and `OSError` are what the library raises for input that the user
    can mend; they become "error: ..." on standard error and exit status 1.
    Anything else is a bug and keeps its traceback.

    Args:
      main: receives the program's name and, if asked for, the unknown flags.
      pass_unknown_flags: whether flags that are not ours go to `main` (for Apache
        Beam) or end the program.
      prepare: changes or checks the command line, in place, before it is parsed.
    """

    def guarded(argv: Sequence[str]) -> None:
        passed_on = pass_unknown_flags and argv[1:2] and argv[1].startswith("-")
        if argv[1:] and not passed_on:
            print(f"error: unexpected argument {argv[1]!r}; see --help", file=sys.stderr)
            sys.exit(1)
        if not flags.FLAGS["verbosity"].present:
            # Libraries, TensorFlow's export above all, tell at INFO what users need not know.
            absl_logging.set_verbosity(absl_logging.WARNING)
        with _one_line_errors():
            main(argv)

    _list_our_flags()
    if prepare is not None:
        with _one_line_errors():
            prepare(sys.argv)
    if pass_unknown_flags:
        app.run(guarded, flags_parser=_parse_known)
    else:
        app.run(guarded)


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
    if word.startswith(("--help", "-?")):  # absl shows it and exits
        run(lambda argv: None)
    reason = f"unknown command {word!r}; it comes first" if word else "a command comes first"
    print(f"error: {reason}, one of {names}; see --help", file=sys.stderr)
    sys.exit(1)
