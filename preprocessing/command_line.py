"""What every binary shares: the user's paths, one-line errors, quiet start-up.

Binaries import this module before any other of the project, so that TensorFlow
finds its log level set.
"""

import os
import pathlib
import sys
import warnings
from typing import Callable, Sequence

from absl import app

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
warnings.filterwarnings("ignore", message=r"(?s).*TensorFlow Addons")
warnings.filterwarnings("ignore", message="pkg_resources is deprecated")


def user_path(path: str) -> str:
    """Returns a path given on the command line as an absolute path.

    Relative paths are relative to where the user stands: `bazel run` starts
    programs inside the runfiles and names the user's folder in
    `BUILD_WORKING_DIRECTORY`.
    """
    folder = os.environ.get("BUILD_WORKING_DIRECTORY") or os.getcwd()
    return str(pathlib.Path(folder, os.path.expanduser(path)))


def run(main: Callable[[Sequence[str]], None]) -> None:
    """Runs a binary's `main` under absl; bad input ends it with one line.

    `ValueError` and `OSError` are what the library raises for input that the user
    can mend; they become "error: ..." on standard error and exit status 1.
    Anything else is a bug and keeps its traceback.
    """

    def guarded(argv: Sequence[str]) -> None:
        if len(argv) > 1:
            print(f"error: unexpected argument {argv[1]!r}; see --help", file=sys.stderr)
            sys.exit(1)
        try:
            main(argv)
        except (ValueError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(1)

    app.run(guarded)
