"""Flags that say which generator a program is about.

For programs only; the library takes arguments.
"""

from absl import flags

from common import command_line
from synthesis import trained_generator
from synthesis.trained_generator import TrainedGenerator

_RUN_DIR = flags.DEFINE_string("run_dir", None, "Run of the generator; the newest under runs/.")
_STEP = flags.DEFINE_integer("step", None, "Its checkpoint; the last one.")


def run_dir() -> str:
    """Returns the run that is asked for."""
    if _RUN_DIR.value:
        return command_line.user_path(_RUN_DIR.value)
    return trained_generator.newest_run(command_line.user_path("runs"))


def generator() -> TrainedGenerator:
    """Loads the generator that is asked for."""
    return trained_generator.load(run_dir(), _STEP.value)
