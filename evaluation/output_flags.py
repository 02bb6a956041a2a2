"""The flag that says where an evaluation goes.

For programs only; the library takes arguments.
"""

import os

from absl import flags

from common import command_line
from synthesis.trained_generator import TrainedGenerator

_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Default: RUN_DIR/evaluation.")


def output_dir(trained: TrainedGenerator) -> str:
    """Returns the folder that is asked for, or the one inside the generator's run."""
    return command_line.user_path(_OUTPUT_DIR.value or os.path.join(trained.run_dir, "evaluation"))
