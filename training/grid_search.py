"""Searches for the weights of the generator's losses, one training run per combination.

  bazel run //training:grid_search -- --data_dir=D --workdir=D
  bazel run //training:grid_search -- --data_dir=D --workdir=D --config=paper \
      --l1=10,100 --roi=10,100 --feature_matching=1,10 --steps=5000

--config and its overrides are those of //training:train. Writes grid_search.csv,
best trial first, and one run directory per combination; tensorboard --logdir shows
them under HPARAMS. A search that was stopped continues when the same command is
given again; with longer lists only the new combinations are trained.

A loss whose weight is searched is a poor objective for realism: a heavier weight
lowers the loss that it weighs, whatever the pictures look like, and gan and
feature_matching are judged by each trial's own discriminator. Use the table to see
what is traded for what and look at the samples; //evaluation:grid_search_with_fid
searches by the distance to validation photographs.
"""

import datetime
import sys
from typing import Callable, List, Sequence

# First: it quiets TensorFlow's start-up.
from common import command_line  # isort: skip

import ml_collections
from absl import flags
from ml_collections import config_flags

from training import configurations, demo_data
from training.search import weight_search
from training.search.weight_search import Objective

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "demo (default), paper, paper26, pix2pix or a config file."
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Records of //preprocessing:preprocess; demo data where none is given."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Of the search; a new one under runs/ by default.")
# One weight may stay as it is: Adam divides out a factor common to all losses.
_WEIGHTS = {
    "gan": flags.DEFINE_list("gan", ["1"], "Weights of the adversarial loss to try."),
    "l1": flags.DEFINE_list("l1", ["1", "10", "100"], "Weights of the image's l1 loss to try."),
    "roi": flags.DEFINE_list("roi", ["1", "10", "100"], "Weights of the ROI's l1 loss to try."),
    "feature_matching": flags.DEFINE_list(
        "feature_matching", ["1", "10"], "Weights of the feature matching loss to try."
    ),
}
_STEPS = flags.DEFINE_integer("steps", 1000, "Training steps per trial.")
_OBJECTIVE = flags.DEFINE_string(
    "objective",
    "l1",
    "Validation loss to compare by: l1, roi, feature_matching or gan. None of them measures "
    "realism; see above.",
)
_METHOD = flags.DEFINE_enum(
    "method", "grid", weight_search.METHODS, "All combinations, or random ones of them."
)
_MAX_TRIALS = flags.DEFINE_integer(
    "max_trials", None, "Combinations at most; 10 by default if random, all if grid."
)


def _train_flags(data_dir: str) -> List[str]:
    """Returns the flags that give //training:train the same base configuration."""
    config_flag = flags.FLAGS["config"]
    path = config_flags.get_config_filename(config_flag)
    name = _CONFIG.value.name
    shipped = name in configurations.names() and path == configurations.path_of(name)
    overrides = config_flags.get_override_values(config_flag)
    searched = {f"loss.{name}" for name in weight_search.WEIGHTS}
    return [
        f"--config={name if shipped else path}",
        f"--data_dir={data_dir}",
        *(
            f"--config.{field}={value}"
            for field, value in overrides.items()
            if field not in searched
        ),
    ]


def search(make_objective: Callable[[str, ml_collections.ConfigDict], Objective]) -> None:
    """Reads the flags, searches and prints.

    Args:
      make_objective: of the records' directory and the trials' configuration.
    """
    config = _CONFIG.value
    candidates = weight_search.parse_candidates(
        {name: flag.value for name, flag in _WEIGHTS.items()}
    )
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    workdir = command_line.user_path(_WORKDIR.value or f"runs/search-{config.name}-{stamp}")
    if _DATA_DIR.value:
        data_dir = command_line.user_path(_DATA_DIR.value)
    else:
        data_dir = demo_data.make_dataset(command_line.user_path("data/demo"), config)
    objective = make_objective(data_dir, config)
    try:
        trials = weight_search.search(
            config,
            data_dir,
            workdir,
            candidates,
            objective,
            _STEPS.value,
            _METHOD.value,
            _MAX_TRIALS.value,
        )
    except KeyboardInterrupt:
        print(f"\nstopped; continue with the same options and --workdir={workdir}", file=sys.stderr)
        sys.exit(130)
    print(weight_search.summary(trials, objective, workdir, _train_flags(data_dir)))


def main(_: Sequence[str]) -> None:
    """Searches by a loss on the validation split."""
    objective = weight_search.validation_objective(_OBJECTIVE.value)
    search(lambda *_: objective)


if __name__ == "__main__":
    command_line.run(main, prepare=configurations.expand_names)
