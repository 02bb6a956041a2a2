r"""Searches for the weights of the generator's losses, one training run per combination.

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

from typing import Callable, Sequence

# First: it quiets TensorFlow's start-up.
from common import command_line  # isort: skip

import ml_collections
from absl import flags
from ml_collections import config_flags

from model import losses
from training import configurations, program_flags
from training.search import weight_search
from training.search.weight_search import Objective

# Of the paper's four losses. One weight may stay as it is: Adam divides out a factor
# common to all losses.
_DEFAULTS = {
    "gan": ["1"],
    "l1": ["1", "10", "100"],
    "roi": ["1", "10", "100"],
    "feature_matching": ["1", "10"],
}
_WEIGHTS = {
    name: flags.DEFINE_list(
        name, _DEFAULTS.get(name), f"Weights of the loss {name} to try; else the configuration's."
    )
    for name in losses.NAMES
}
_STEPS = flags.DEFINE_integer("steps", 1000, "Training steps per trial.", 1, 1_000_000_000)
_OBJECTIVE = flags.DEFINE_string(
    "objective",
    "l1",
    f"Validation loss to compare by: {', '.join(losses.NAMES)}. None of them measures realism; "
    "see above.",
)
_METHOD = flags.DEFINE_enum(
    "method", "grid", weight_search.METHODS, "All combinations, or random ones of them."
)
_MAX_TRIALS = flags.DEFINE_integer(
    "max_trials", None, "Combinations at most; 10 by default if random, all if grid.", 1, 10_000
)


def _train_flags(data_dir: str, searched: Sequence[str]) -> list[str]:
    """Returns the flags that give //training:train the same base configuration."""
    config_flag = flags.FLAGS["config"]
    path = config_flags.get_config_filename(config_flag)
    name = program_flags.CONFIG.value.name
    shipped = name in configurations.names() and path == configurations.path_of(name)
    return [
        f"--config={name if shipped else path}",
        f"--data_dir={data_dir}",
        *(
            f"--config.{field}={value}"
            for field, value in config_flags.get_override_values(config_flag).items()
            if field.removeprefix("loss.") not in searched
        ),
    ]


def search(make_objective: Callable[[str, ml_collections.ConfigDict], Objective]) -> None:
    """Reads the flags, searches and prints.

    Args:
      make_objective: of the records' directory and the trials' configuration.
    """
    config, workdir = program_flags.CONFIG.value, program_flags.workdir("search-")
    candidates = weight_search.parse_candidates(
        {name: flag.value for name, flag in _WEIGHTS.items() if flag.value is not None}
    )
    data_dir = program_flags.data_dir()
    objective = make_objective(data_dir, config)
    with program_flags.stoppable(workdir):
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
    train_flags = _train_flags(data_dir, list(candidates))
    print(weight_search.summary(trials, objective, workdir, train_flags))


def main(_: Sequence[str]) -> None:
    """Searches by a loss on the validation split."""
    objective = weight_search.validation_objective(_OBJECTIVE.value)
    search(lambda *_: objective)


if __name__ == "__main__":
    command_line.run(main, prepare=configurations.expand_names)
