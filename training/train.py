"""Trains a DermGAN.

  bazel run //training:train                                  # demo, no data needed
  bazel run //training:train -- --data_dir=D --config=paper
  bazel run //training:train -- --data_dir=D --config.model.base_filters=32

--config is demo, clinical, paper, paper26, pix2pix or a file; any of its fields can be overridden
with --config.<field>=<value>. A run that was stopped continues exactly when the
same command is given with its --workdir.
"""

from typing import Callable, Sequence

# First: it quiets TensorFlow's start-up.
from common import command_line  # isort: skip

import ml_collections
from absl import flags

from common import files, mirrors
from training import configurations, program_flags, workers
from training.run import Run, Watcher, summary

WatcherMaker = Callable[[str, str, ml_collections.ConfigDict], Sequence[Watcher]]

_RESUME = flags.DEFINE_bool(
    "resume",
    None,
    "Continue the run in --workdir (default: if it is the same run); --noresume insists on a "
    "new one.",
)
_EXTEND = flags.DEFINE_bool(
    "extend",
    False,
    "Train the run in --workdir, finished or stopped, for the larger --config.training.steps.",
)
_INIT_FROM = flags.DEFINE_string(
    "init_from",
    None,
    "Begin a new run with the networks of this one, for other data, conditions or sizes; its "
    "optimizers begin anew.",
)


class _WriteBack:
    """A `Watcher` that writes a run's directory back to object storage, if it lies there."""

    def __init__(self, workdir: str) -> None:
        self._workdir = workdir

    def on_begin(self) -> None:
        """Called before the first step."""

    def on_checkpoint(self, step: int) -> None:
        """Called when the checkpoint of a step has been saved."""
        mirrors.push(self._workdir)


def train(make_watchers: WatcherMaker = lambda workdir, data_dir, config: ()) -> None:
    """Trains as the flags say.

    Args:
      make_watchers: makes what follows the run, from run directory, records and
        configuration; called by the worker that writes.
    """
    config, asked = program_flags.CONFIG.value, program_flags.workdir(remote=True)
    configurations.check_numbers(config)
    _check_workers()
    with program_flags.stoppable(asked), mirrors.writing(asked) as workdir:
        strategy = workers.make_strategy(config.training.batch_size)
        data_dir = program_flags.data_dir()
        writes = strategy is None or workers.is_chief(strategy)
        watchers = [*make_watchers(workdir, data_dir, config)] if writes else []
        init_from = command_line.run_folder(_INIT_FROM.value) if _INIT_FROM.value else None
        run = Run(config, data_dir, workdir, strategy, init_from, _EXTEND.value)
        print(run.about)
        result = run.train(_RESUME.value, watchers=[*watchers, _WriteBack(workdir)])
    print(summary(result) if writes else f"Trained; the chief has written {workdir}")


def _check_workers() -> None:
    """Raises ValueError if the workers of TF_CONFIG would not share their folders."""
    if workers.count_workers() == 1:
        return
    for flag in (program_flags.DATA_DIR, program_flags.WORKDIR):
        if not flag.value:
            raise ValueError(
                f"--{flag.name} is needed: several workers have it in common (TF_CONFIG)"
            )
    if files.is_remote(program_flags.WORKDIR.value):
        raise ValueError(
            f"{program_flags.WORKDIR.value}: several workers (TF_CONFIG) want a folder that they "
            "have in common"
        )


def main(_: Sequence[str]) -> None:
    """Reads the flags and trains."""
    train()


if __name__ == "__main__":
    command_line.run(main, prepare=configurations.expand_names)
