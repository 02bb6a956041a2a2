"""Flags that say which run, checkpoint and records a program is about.

For programs only; the library takes arguments.
"""

import os

from absl import flags

from preprocessing import command_line
from synthesis import trained_generator
from synthesis.trained_generator import TrainedGenerator

_RUN_DIR = flags.DEFINE_string("run_dir", None, "Run to evaluate; the newest under runs/.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Records; those the run was trained on.")
_STEP = flags.DEFINE_integer("step", None, "Checkpoint to evaluate; the last one.")
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Default: RUN_DIR/evaluation.")


def run_dir() -> str:
    """Returns the run that is asked for."""
    if _RUN_DIR.value:
        return command_line.user_path(_RUN_DIR.value)
    return trained_generator.newest_run(command_line.user_path("runs"))


def generator() -> TrainedGenerator:
    """Loads the generator that is asked for."""
    return trained_generator.load(run_dir(), _STEP.value)


def data_dir(trained: TrainedGenerator) -> str:
    """Returns the records that are asked for, or those the generator was trained on."""
    if _DATA_DIR.value:
        return command_line.user_path(_DATA_DIR.value)
    return trained.description["dataset"]["directory"]


def output_dir(trained: TrainedGenerator) -> str:
    """Returns the folder that is asked for, or the one inside the generator's run."""
    return command_line.user_path(_OUTPUT_DIR.value or os.path.join(trained.run_dir, "evaluation"))
