"""Flags that programs about a trained generator share; each defines those that it takes.

    _GENERATOR = run_flags.define_generator()
    _DATA_DIR = run_flags.define_data_dir()
    ...
    generator = _GENERATOR()
    data_dir = _DATA_DIR(generator)

For programs only; the library takes arguments.
"""

import os
from typing import Callable, Optional

from absl import flags

from common import command_line
from preprocessing.data import fetching
from synthesis import trained_generator
from synthesis.trained_generator import TrainedGenerator
from training import run_directory


def define_generator() -> Callable[[], TrainedGenerator]:
    """Defines --run_dir and --step; returns what loads the generator that is asked for."""
    run_dir = flags.DEFINE_string("run_dir", None, "Run of the generator; the newest under runs/.")
    step = flags.DEFINE_integer("step", None, "Its checkpoint; the last one.", 0, 1_000_000_000)

    def load() -> TrainedGenerator:
        if run_dir.value:
            return trained_generator.load(command_line.run_folder(run_dir.value), step.value)
        newest = run_directory.newest_run(command_line.user_path("runs"))
        return trained_generator.load(newest, step.value)

    return load


def define_data_dir() -> Callable[[Optional[TrainedGenerator]], str]:
    """Defines --data_dir; returns what tells the records, the generator's own by default.

    That raises ValueError where none are asked for and there is no generator.
    """
    flag = flags.DEFINE_string("data_dir", None, "Records; those the run was trained on.")

    def data_dir(generator: Optional[TrainedGenerator]) -> str:
        if flag.value:
            return fetching.local_copy(flag.value)
        if generator is None:
            raise ValueError("--data_dir=D is needed: the records of photographs")
        return generator.description["dataset"]["directory"]

    return data_dir


def define_output_dir(what: str, remote: bool = False) -> Callable[[], str]:
    """Defines --output_dir, which is needed; returns what tells it.

    Args:
      what: it is; the help.
      remote: whether it may lie in object storage.
    """
    flag = flags.DEFINE_string("output_dir", None, what, required=True)
    return lambda: command_line.user_path(flag.value, remote)


def define_evaluation_dir() -> Callable[[str], str]:
    """Defines --output_dir; returns what tells it, a folder in a run by default."""
    flag = flags.DEFINE_string("output_dir", None, "Default: RUN_DIR/evaluation.")

    def output_dir(run_dir: str) -> str:
        return command_line.user_path(flag.value or os.path.join(run_dir, "evaluation"))

    return output_dir


def define_like() -> "flags.FlagHolder[Optional[str]]":
    """Defines --like, a photograph whose code is used."""
    return flags.DEFINE_string(
        "like",
        None,
        "image_id of the records (or its pseudonym): paints with that photograph's code, which "
        "the run's encoder reads. What comes of it resembles the photograph.",
    )


def define_overwrite(what: str) -> "flags.FlagHolder[bool]":
    """Defines --overwrite; `what` is replaced is the help."""
    return flags.DEFINE_bool("overwrite", False, f"Replace {what}.")
