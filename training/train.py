"""Trains a DermGAN.

  bazel run //training:train                                  # demo, no data needed
  bazel run //training:train -- --data_dir=D --config=paper
  bazel run //training:train -- --data_dir=D --config.model.base_filters=32

--config is demo, paper, paper26, pix2pix or a file; any of its fields can be overridden
with --config.<field>=<value>. A run that was stopped continues exactly when the
same command is given with its --workdir.
"""

import datetime
import sys
from typing import Callable, Sequence

# First: it quiets TensorFlow's start-up.
from common import command_line  # isort: skip

import ml_collections
import tensorflow as tf
from absl import flags
from ml_collections import config_flags

from training import configurations, demo_data, experiment

CallbackMaker = Callable[
    [str, str, ml_collections.ConfigDict], Sequence[tf.keras.callbacks.Callback]
]

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "demo (default), paper, paper26, pix2pix or a config file."
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Records of //preprocessing:preprocess; demo data where none is given."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Run directory; a new one under runs/ by default.")
_RESUME = flags.DEFINE_bool(
    "resume",
    None,
    "Continue the run in --workdir (default: if it is the same run); --noresume insists on a "
    "new one.",
)


def train(make_callbacks: CallbackMaker = lambda workdir, data_dir, config: ()) -> None:
    """Trains as the flags say.

    Args:
      make_callbacks: makes further callbacks from run directory, records and
        configuration.
    """
    config = _CONFIG.value
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    workdir = command_line.user_path(_WORKDIR.value or f"runs/{config.name}-{stamp}")
    if _DATA_DIR.value:
        data_dir = command_line.user_path(_DATA_DIR.value)
    else:
        data_dir = demo_data.make_dataset(command_line.user_path("data/demo"), config)
    try:
        result = experiment.train(
            config,
            data_dir,
            workdir,
            resume=_RESUME.value,
            extra_callbacks=make_callbacks(workdir, data_dir, config),
        )
    except KeyboardInterrupt:
        print(f"\nstopped; continue with the same options and --workdir={workdir}", file=sys.stderr)
        sys.exit(130)
    print(experiment.summary(result))


def main(_: Sequence[str]) -> None:
    """Reads the flags and trains."""
    train()


if __name__ == "__main__":
    command_line.run(main, prepare=configurations.expand_names)
