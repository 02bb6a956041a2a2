"""The flag that says which records a program about a generator takes.

For programs only; the library takes arguments.
"""

from typing import Optional

from absl import flags

from common import command_line
from synthesis.trained_generator import TrainedGenerator

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Records; those the run was trained on.")


def data_dir(trained: Optional[TrainedGenerator]) -> str:
    """Returns the records that are asked for, or those the generator was trained on.

    Raises:
      ValueError: none are asked for, and there is no generator.
    """
    if _DATA_DIR.value:
        return command_line.user_path(_DATA_DIR.value)
    if trained is None:
        raise ValueError("--data_dir=D is needed: the records of photographs")
    return trained.description["dataset"]["directory"]
