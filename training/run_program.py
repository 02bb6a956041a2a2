"""Runs an exported program on this machine, with JAX in an environment of its own.

  bazel run //training:run_program -- PROGRAM --output_dir=OUT [--steps --seconds --bench]

The same as `python3 PROGRAM/run_program.py PROGRAM ...`; `--help` says more.
"""

import os
import pathlib
import sys

from training.program import jax_python

_RUNNER = pathlib.Path(__file__).absolute().parent / "program" / "run_program.py"


def main() -> None:
    """Becomes the runner."""
    try:
        python = jax_python.find()
    except ValueError as error:
        sys.exit(f"error: {error}")
    os.chdir(os.environ.get("BUILD_WORKING_DIRECTORY", "."))
    os.execve(python, [python, str(_RUNNER), *sys.argv[1:]], jax_python.environment())


if __name__ == "__main__":
    main()
