"""Searches for the weights of the generator's losses: one training run per combination.

Paper, section 2: "Grid-search hyperparameter selection was performed to choose the
weighting coefficients for each loss component". KerasTuner proposes the
combinations. What is kept between two starts of a search is not its state (of
which version 1.4 cannot continue a grid) but the trials themselves: a grid, and
a seeded random search, propose the same combinations again, and those that have
finished are read instead of trained.
"""

import dataclasses
import gc
import itertools
import json
import math
import os
import pathlib
import sys
import tempfile
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import keras_tuner
import ml_collections
import pandas as pd
import tensorflow as tf
from keras_tuner.engine import base_tuner
from tensorboard.plugins.hparams import api as hparams
from tqdm import tqdm

from common import files
from preprocessing.data import records
from training import building, callbacks, experiment, input_pipeline, run_directory

WEIGHTS = ("gan", "l1", "roi", "feature_matching")
METHODS = ("grid", "random")
TABLE = "grid_search.csv"
_RECORD = "trial.json"
_RANDOM_TRIALS = 10


@dataclasses.dataclass(frozen=True)
class Objective:
    """What a search compares trials by.

    Attributes:
      name: for the tables; a trial's value is stored under it and not computed
        again when the search is continued.
      function: maps a finished run to a number. `Result.generator` is there for
        what the losses do not tell, such as FID.
      maximize: whether larger is better.
    """

    name: str
    function: Callable[[experiment.Result], float]
    maximize: bool = False


@dataclasses.dataclass(frozen=True)
class Trial:
    """One combination of weights and what came of it.

    Attributes:
      weights: by name, in the order of `WEIGHTS`.
      directory: of the run, below the search's.
      value: of the objective; None if the trial failed.
      validation: losses on the validation split by name; empty if it failed.
      failure: why it failed; "" if it did not.
    """

    weights: Mapping[str, float]
    directory: str
    value: Optional[float] = None
    validation: Mapping[str, float] = dataclasses.field(default_factory=dict)
    failure: str = ""


def validation_objective(name: str) -> Objective:
    """Returns the objective that is a loss on the validation split, the less the better.

    l1 and roi compare with the photographs; gan and feature_matching are judged by
    each trial's own discriminator, which makes them a loose guide. The weighted sum
    is left out: the smallest weights would win it.

    Raises:
      ValueError: not one of `WEIGHTS`.
    """
    if name not in WEIGHTS:
        raise ValueError(f"objective {name!r} is not one of {', '.join(WEIGHTS)}")
    return Objective(name, lambda result: result.validation[name])


def parse_candidates(texts: Mapping[str, Sequence[str]]) -> Dict[str, Tuple[float, ...]]:
    """Reads the values to try.

    Args:
      texts: numbers as text, by loss.

    Returns:
      The distinct numbers of each of `WEIGHTS`, in the order given.

    Raises:
      ValueError: a loss without values, or a value that is not a number from 0 up.
    """
    candidates = {}
    for name in WEIGHTS:
        values = []
        for text in texts.get(name, ()):
            try:
                value = float(text)
            except ValueError:
                value = math.nan
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"weights of {name}: {text!r} is not a number from 0 up")
            values.append(value)
        if not values:
            raise ValueError(f"weights of {name}: no value to try; give at least one, e.g. 1")
        candidates[name] = tuple(dict.fromkeys(values))
    return candidates


def search(
    config: ml_collections.ConfigDict,
    data_dir: str,
    workdir: str,
    candidates: Mapping[str, Sequence[float]],
    objective: Objective,
    steps: int,
    method: str = "grid",
    max_trials: Optional[int] = None,
) -> List[Trial]:
    """Trains once per combination of weights and compares.

    Each trial is a run of `experiment.train` in a sub-directory of `workdir`, which
    also receives the table `grid_search.csv`, rewritten after every trial, and what
    TensorBoard needs to show the trials under HParams. A search that was stopped
    continues when it is started again: finished trials are kept, and one that was
    under way continues from its checkpoint. Lists of candidates may be longer then.
    A trial that diverges is recorded as failed, and the search goes on.

    Args:
      config: of the trials but for the weights and the length; see
        `training/configs`.
      data_dir: what `//preprocessing:preprocess` wrote.
      workdir: of the search.
      candidates: from `parse_candidates`. The generator's Adam divides out a common
        factor of all losses, so one of the four may have a single value.
      objective: what to compare by.
      steps: length of each trial.
      method: "grid" or "random", which draws combinations from the grid.
      max_trials: at most; by default 10 if random, all if grid.

    Returns:
      The trials, best first, failed ones last.

    Raises:
      ValueError: bad arguments, no validation split, a trial's directory that holds
        another run, or not one trial that did not fail.
    """
    base = _trial_config(config, steps)
    proposer = _proposer(candidates, objective, method, max_trials, base.seed)
    info = records.read_info(data_dir)
    _check_validation_split(base, data_dir, info)
    root = pathlib.Path(workdir)
    root.mkdir(parents=True, exist_ok=True)
    _describe_columns(root, candidates, objective)
    trials: List[Trial] = []
    with tempfile.TemporaryDirectory() as scratch, _bar(proposer.max_trials) as bar:

        def run(weights: Mapping[str, float]) -> Trial:
            bar.set_postfix_str(_text(weights, " ", ", "))
            trial = _run_trial(base, weights, data_dir, info, root, objective)
            trials.append(trial)
            _write_table(root / TABLE, _sorted(trials, objective), objective)
            bar.update(1)
            return trial

        _search(_Tuner(run, proposer, directory=scratch, overwrite=True))
    if all(trial.failure for trial in trials):
        raise ValueError(f"{workdir}: every trial failed, e.g. {trials[0].failure}")
    return _sorted(trials, objective)


def _trial_config(config: ml_collections.ConfigDict, steps: int) -> ml_collections.ConfigDict:
    if steps < 1:
        raise ValueError(f"steps {steps} is not positive")
    trial = config.copy_and_resolve_references()
    trial.training.steps = steps
    # A trial is short: what is lost when it is interrupted should be a part of it.
    trial.training.checkpoint_every = min(trial.training.checkpoint_every, max(steps // 4, 1))
    trial.training.keep_checkpoints = 1
    return trial


def _check_validation_split(
    config: ml_collections.ConfigDict, data_dir: str, info: records.DatasetInfo
) -> None:
    inputs = building.input_config(config)
    conditions = input_pipeline.select_conditions(info, inputs.conditions)
    number = input_pipeline.count_examples(info, "validation", conditions)
    if number < inputs.batch_size:
        raise ValueError(
            f"{data_dir}: {number} validation crops of the chosen conditions do not fill one "
            f"batch of {inputs.batch_size}; trials are compared on the validation split"
        )


def _proposer(
    candidates: Mapping[str, Sequence[float]],
    objective: Objective,
    method: str,
    max_trials: Optional[int],
    seed: int,
) -> keras_tuner.Oracle:
    if method not in METHODS:
        raise ValueError(f"method {method!r} is not one of {', '.join(METHODS)}")
    if max_trials is not None and max_trials < 1:
        raise ValueError(f"max_trials {max_trials} is not positive")
    space = keras_tuner.HyperParameters()
    for name in WEIGHTS:
        space.Choice(name, list(candidates[name]))
    grid_size = math.prod(len(candidates[name]) for name in WEIGHTS)
    number = min(max_trials or (grid_size if method == "grid" else _RANDOM_TRIALS), grid_size)
    kinds = {
        "grid": keras_tuner.oracles.GridSearchOracle,
        "random": keras_tuner.oracles.RandomSearchOracle,
    }
    proposer = kinds[method](
        objective=keras_tuner.Objective(objective.name, "max" if objective.maximize else "min"),
        max_trials=number,
        hyperparameters=space,
        seed=seed + 1,  # KerasTuner takes 0 for none.
    )
    proposer.verbose = 0
    return proposer


def _bar(total: int) -> tqdm:
    return tqdm(total=total, desc="trials", unit="trial", file=sys.stderr, smoothing=1.0)


class _Tuner(base_tuner.BaseTuner):
    """Hands the combinations that KerasTuner proposes to a function."""

    def __init__(self, run: Callable[[Mapping[str, float]], Trial], *args: Any, **kwargs: Any):
        """Makes the tuner.

        Args:
          run: trains with some weights.
          *args: of `BaseTuner`.
          **kwargs: of `BaseTuner`.
        """
        super().__init__(*args, **kwargs)
        self._run = run

    def run_trial(self, trial: Any, *_: Any, **__: Any) -> Dict[str, float]:
        """Runs one trial and returns its objective."""
        values = trial.hyperparameters.values
        try:
            finished = self._run({name: float(values[name]) for name in WEIGHTS})
        except Exception as error:
            # KerasTuner would take any other for a failure of this trial alone.
            raise keras_tuner.errors.FatalError(str(error)) from error
        # A failure is the worst value: KerasTuner prints the traceback of a failed trial.
        objective = self.oracle.objective
        worst = -math.inf if objective.direction == "max" else math.inf
        return {objective.name: worst if finished.value is None else finished.value}


def _search(tuner: _Tuner) -> None:
    try:
        tuner.search()
    except keras_tuner.errors.FatalError as error:
        raise error.__cause__ or error from None


def _run_trial(
    base: ml_collections.ConfigDict,
    weights: Mapping[str, float],
    data_dir: str,
    info: records.DatasetInfo,
    root: pathlib.Path,
    objective: Objective,
) -> Trial:
    """Trains with some weights, or reads what an earlier start of the search trained."""
    config = base.copy_and_resolve_references()
    for name, weight in weights.items():
        config.loss[name] = weight
    folder = root / _text(weights, "_", "-")
    record_path = folder / _RECORD
    if record_path.exists():
        _check_same_run(config, data_dir, info, folder)
        record = json.loads(record_path.read_text(encoding="utf-8"))
    else:
        record = _train(config, data_dir, folder)
    if not record["failure"] and objective.name not in record["objectives"]:
        fields = {**record["result"], "workdir": str(folder)}
        for name in ("samples", "generator"):
            fields[name] = str(folder / fields[name])
        value = float(objective.function(experiment.Result(**fields)))
        _log_objective(folder, objective.name, value, record["result"]["steps"])
        record["objectives"][objective.name] = value
    files.write_json(record_path, record)
    if record["failure"]:
        return Trial(weights, str(folder), failure=record["failure"])
    value, validation = record["objectives"][objective.name], record["result"]["validation"]
    if not math.isfinite(value):
        failure = f"objective {objective.name} is {value}"
        return Trial(weights, str(folder), None, validation, failure)
    return Trial(weights, str(folder), value, validation)


def _train(
    config: ml_collections.ConfigDict, data_dir: str, folder: pathlib.Path
) -> Dict[str, Any]:
    """Trains; returns what is stored of it, with paths relative to the run."""
    record: Dict[str, Any] = {"failure": "", "objectives": {}, "result": {}}
    try:
        result = experiment.train(config, data_dir, str(folder))
    except callbacks.DivergenceError as error:
        record["failure"] = str(error)
    else:
        record["result"] = {
            "steps": result.steps,
            "samples": os.path.relpath(result.samples, folder),
            "generator": os.path.relpath(result.generator, folder),
            "validation": dict(result.validation),
        }
    finally:
        # The networks of a trial would stay in memory until the last.
        tf.keras.backend.clear_session()
        gc.collect()
    return record


def _check_same_run(
    config: ml_collections.ConfigDict,
    data_dir: str,
    info: records.DatasetInfo,
    folder: pathlib.Path,
) -> None:
    """Raises ValueError if a finished trial was of another configuration or data set."""
    description = experiment.describe(config, data_dir, info, str(folder))
    run_directory.may_continue(str(folder), description, resume=True)


def _text(weights: Mapping[str, float], equals: str, separator: str) -> str:
    return separator.join(f"{name}{equals}{_number(weight)}" for name, weight in weights.items())


def _number(value: float) -> str:
    """Shortest text that reads back as the same number."""
    text = repr(value)
    return text[:-2] if text.endswith(".0") else text


def _describe_columns(
    root: pathlib.Path, candidates: Mapping[str, Sequence[float]], objective: Objective
) -> None:
    """Tells TensorBoard's HParams table its columns; `experiment` writes the values."""
    for path in root.glob("events.out.tfevents.*"):  # of an earlier start
        path.unlink()
    with tf.summary.create_file_writer(str(root)).as_default():
        hparams.hparams_config(
            hparams=[
                hparams.HParam(f"loss.{name}", hparams.Discrete(list(candidates[name])))
                for name in WEIGHTS
            ],
            metrics=[
                hparams.Metric(_tag(objective.name)),
                *(hparams.Metric(f"validation/{name}") for name in WEIGHTS),
            ],
        )
        tf.summary.flush()


def _tag(objective_name: str) -> str:
    return f"objective/{objective_name}"


def _log_objective(folder: pathlib.Path, name: str, value: float, step: int) -> None:
    with tf.summary.create_file_writer(str(folder)).as_default(step=step):
        tf.summary.scalar(_tag(name), value)
        tf.summary.flush()


def _sorted(trials: Sequence[Trial], objective: Objective) -> List[Trial]:
    sign = -1.0 if objective.maximize else 1.0

    def key(trial: Trial) -> Tuple[bool, float]:
        return trial.value is None, sign * (trial.value or 0.0)

    return sorted(trials, key=key)


def _write_table(path: pathlib.Path, trials: Sequence[Trial], objective: Objective) -> None:
    """Writes the table of the trials so far; it appears under its name only when complete."""
    losses = dict.fromkeys(itertools.chain(*(trial.validation for trial in trials)))
    rows = [
        {
            f"objective.{objective.name}": trial.value,
            **{f"loss.{name}": weight for name, weight in trial.weights.items()},
            **{f"validation.{name}": trial.validation.get(name) for name in losses},
            "failure": trial.failure,
            "directory": os.path.basename(trial.directory),
        }
        for trial in trials
    ]
    temporary = path.with_suffix(".tmp")
    pd.DataFrame(rows).to_csv(temporary, index=False)
    temporary.replace(path)


def weight_flags(weights: Mapping[str, float]) -> List[str]:
    """Returns the flags that give these weights to //training:train."""
    return [f"--config.loss.{name}={_number(weight)}" for name, weight in weights.items()]


def summary(
    trials: Sequence[Trial], objective: Objective, workdir: str, train_flags: Sequence[str]
) -> str:
    """Returns the closing lines of a search: the best weights and what to do next.

    Args:
      trials: from `search`.
      objective: what they were compared by.
      workdir: of the search.
      train_flags: of //training:train, but for the weights.
    """
    best = trials[0]
    failed = sum(bool(trial.failure) for trial in trials)
    best_flags = " ".join(weight_flags(best.weights))
    return "\n".join(
        [
            "",
            f"Trained with {len(trials)} combinations of weights"
            + (f", of which {failed} failed." if failed else "."),
            f"  best         {_text(best.weights, ' ', ', ')}: {objective.name} {best.value:.4g}",
            f"  in           {best.directory}",
            f"  table        {os.path.join(workdir, TABLE)}",
            "Next:",
            f"  tensorboard --logdir {workdir}   (HPARAMS)",
            f"  bazel run //training:train -- {' '.join([*train_flags, best_flags])}",
        ]
    )
