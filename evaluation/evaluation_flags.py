"""Flags that the evaluation programs share, and what they stand for.

For programs only; the library takes arguments.
"""

from typing import Optional

from absl import flags

from evaluation.feature_flags import feature_settings, network
from preprocessing import command_line
from synthesis import trained_generator
from synthesis.trained_generator import TrainedGenerator

_RUN_DIR = flags.DEFINE_string("run_dir", None, "Run to evaluate; the newest under runs/.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Records; those the run was trained on.")

__all__ = ["data_dir", "feature_settings", "network", "run_dir"]


def run_dir() -> str:
    """Returns the run that is asked for."""
    if _RUN_DIR.value:
        return command_line.user_path(_RUN_DIR.value)
    return trained_generator.newest_run(command_line.user_path("runs"))


def data_dir(generator: Optional[TrainedGenerator] = None) -> str:
    """Returns the records that are asked for, or those of the generator's run."""
    if _DATA_DIR.value:
        return command_line.user_path(_DATA_DIR.value)
    if generator is None:
        raise ValueError("--data_dir is needed")
    return generator.description["dataset"]["directory"]
