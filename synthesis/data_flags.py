"""The flag that says which records a program about a generator takes.

For programs only; the library takes arguments.
"""

from absl import flags

from preprocessing import command_line
from synthesis.trained_generator import TrainedGenerator

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Records; those the run was trained on.")


def data_dir(trained: TrainedGenerator) -> str:
    """Returns the records that are asked for, or those the generator was trained on."""
    if _DATA_DIR.value:
        return command_line.user_path(_DATA_DIR.value)
    return trained.description["dataset"]["directory"]
