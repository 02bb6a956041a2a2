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

from training import configurations, program_flags
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


def train(make_watchers: WatcherMaker = lambda workdir, data_dir, config: ()) -> None:
    """Trains as the flags say.

    Args:
      make_watchers: makes what follows the run, from run directory, records and
        configuration.
    """
    config, workdir = program_flags.CONFIG.value, program_flags.workdir()
    data_dir = program_flags.data_dir()
    with program_flags.stoppable(workdir):
        watchers = make_watchers(workdir, data_dir, config)
        init_from = command_line.user_path(_INIT_FROM.value) if _INIT_FROM.value else None
        run = Run(config, data_dir, workdir, init_from=init_from, extend=_EXTEND.value)
        print(run.about)
        result = run.train(_RESUME.value, watchers=watchers)
    print(summary(result))


def main(_: Sequence[str]) -> None:
    """Reads the flags and trains."""
    train()


if __name__ == "__main__":
    command_line.run(main, prepare=configurations.expand_names)
