"""Flags that the programs which draw pictures of a generator share.

For programs only; the library takes arguments.
"""

from typing import List

from absl import flags

from common import command_line, files
from preprocessing.data import taxonomy
from synthesis import run_flags, wanted
from synthesis.trained_generator import TrainedGenerator

_CONDITION = flags.DEFINE_list(
    "condition", [], "Conditions to show; a spread over those of the run."
)
_ALLOW_UNSEEN = flags.DEFINE_bool(
    "allow_unseen", False, "Also show conditions that the generator was not trained on."
)
_OUTPUT = flags.DEFINE_string("output", None, "PNG file to write; needed.")
_OVERWRITE = run_flags.define_overwrite("an existing --output")


def output() -> str:
    """Returns the path of the picture; raises ValueError where it cannot be written."""
    if not _OUTPUT.value:
        raise ValueError("--output=F.png is needed: the picture to write")
    path = command_line.user_path(_OUTPUT.value)
    files.check_output(path, _OVERWRITE.value, suffix=".png")
    return path


def conditions(trained: TrainedGenerator) -> List[str]:
    """Returns the conditions that are asked for; empty where none is.

    Raises:
      ValueError: an unknown one, or one that the generator was not trained on.
    """
    names = list(dict.fromkeys(taxonomy.canonical(name) for name in _CONDITION.value))
    if not _ALLOW_UNSEEN.value:
        wanted.check_seen([wanted.Wanted(name, 1) for name in names], trained.conditions)
    return names
