"""Makes a run directory of what an exported program brought back.

  bazel run //training:import_program -- --program=P --output=O --workdir=runs/x

Every evaluation and synthesis program takes it, and //training:train goes on with it.
With --ema_only, or where only the averaged generator came back, it cannot be trained on.
"""

from typing import Sequence

# First: it quiets TensorFlow's start-up.
from common import command_line  # isort: skip

from absl import flags

from preprocessing.data import fetching
from training.program import bring_home

_PROGRAM = flags.DEFINE_string("program", None, "Of //training:export_program.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "That its runner wrote.", required=True)
_WORKDIR = flags.DEFINE_string("workdir", None, "New run directory.", required=True)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "The records, where they are no longer where the program was made."
)
_EMA_ONLY = flags.DEFINE_bool("ema_only", False, "Take the averaged generator alone.")


def main(_: Sequence[str]) -> None:
    """Reads the flags and imports."""
    program, output, workdir = (
        command_line.user_path(flag.value) for flag in (_PROGRAM, _OUTPUT, _WORKDIR)
    )
    data_dir = fetching.local_copy(_DATA_DIR.value) if _DATA_DIR.value else None
    written = bring_home.import_program(program, output, workdir, _EMA_ONLY.value, data_dir)
    print(f"{workdir}: {written}\nNext:\n  bazel run //evaluation:fid -- --run_dir={workdir}")


if __name__ == "__main__":
    command_line.run(main)
