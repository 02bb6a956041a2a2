"""Searches for the weights of the generator's losses: one training run per combination.

Paper, section 2: "Grid-search hyperparameter selection was performed to choose the
weighting coefficients for each loss component". A search keeps no state but its
trials: a grid, and a seeded random search, propose the same combinations again, and
those that have finished are read instead of trained.
"""

import dataclasses
import gc
import json
import math
import os
import pathlib
from typing import Any, Callable, Iterable, Mapping, Optional, Sequence

import ml_collections
import pandas as pd
import tensorflow as tf
from sklearn.model_selection import ParameterGrid, ParameterSampler
from tensorboard.plugins.hparams import api as hparams

from common import files, locks, progress
from model import losses
from preprocessing.data import records
from training import input_pipeline, run_directory
from training.monitoring import DivergenceError
from training.run import Result, Run

METHODS = ("grid", "random")
TABLE = "grid_search.csv"
_RECORD = "trial.json"
_RANDOM_TRIALS = 10


@dataclasses.dataclass(frozen=True)
class Objective:
    """What a search compares trials by.

    A trial's value is stored under the name and not computed again when the search is
    continued. `Result.generator` is there for what the losses do not tell, such as FID.
    """

    name: str
    function: Callable[[Result], float]
    maximize: bool = False  # whether larger is better


@dataclasses.dataclass(frozen=True)
class Trial:
    """One combination of weights and what came of it."""

    weights: Mapping[str, float]  # by the names of the losses
    directory: str  # of the run, below the search's
    value: Optional[float]  # of the objective; None if the trial failed
    validation: Mapping[str, float]  # losses on the validation split; empty if it failed
    failure: str  # why it failed; "" if it did not


def validation_objective(name: str) -> Objective:
    """Returns the objective that is a loss on the validation split, the less the better.

    l1 and roi compare with the photographs; gan and feature_matching are judged by
    each trial's own discriminator, which makes them a loose guide. The weighted sum
    is left out: the smallest weights would win it.

    Raises:
      ValueError: no such loss.
    """
    if name not in losses.NAMES:
        raise ValueError(f"objective {name!r} is not one of {', '.join(losses.NAMES)}")
    return Objective(name, lambda result: result.validation.get(name, math.nan))


def parse_candidates(texts: Mapping[str, Sequence[str]]) -> dict[str, tuple[float, ...]]:
    """Reads the values to try: the distinct numbers of each loss, in the order given.

    Args:
      texts: numbers as text, by loss.

    Raises:
      ValueError: a loss without values, or a value that is not a number from 0 up.
    """
    candidates = {}
    for name, words in texts.items():
        values = []
        for word in words:
            try:
                value = float(word)
            except ValueError:
                value = math.nan
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"weights of {name}: {word!r} is not a number from 0 up")
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
) -> list[Trial]:
    """Trains once per combination of weights and compares.

    Each trial is a `Run` in a sub-directory of `workdir`, which also receives the
    table `grid_search.csv`, rewritten after every trial, and what TensorBoard needs to
    show the trials under HParams. A search that was stopped continues when it is
    started again: finished trials are kept, and one that was under way continues from
    its checkpoint. Lists of candidates may be longer then. A trial that diverges is
    recorded as failed, and the search goes on.

    Args:
      config: of the trials but for these weights and the length; see
        `training/configs`.
      data_dir: what `//preprocessing:preprocess` wrote.
      workdir: of the search.
      candidates: from `parse_candidates`. The generator's Adam divides out a common
        factor of all losses, so one of them may have a single value.
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
    if steps < 1:
        raise ValueError(f"steps {steps} is not positive")
    base = config.copy_and_resolve_references()
    base.training.steps = steps
    # A trial is short: what is lost when it is interrupted should be a part of it.
    base.training.checkpoint_every = min(base.training.checkpoint_every, max(steps // 4, 1))
    base.training.keep_checkpoints = 1
    combinations = _combinations(candidates, method, max_trials, base.seed)
    _check_validation_split(base, data_dir)
    sign = -1.0 if objective.maximize else 1.0
    trials: list[Trial] = []
    with locks.only_writer(workdir):
        _describe_columns(workdir, candidates, objective)
        bar = progress.bar(combinations, what="trials", unit="trials", smoothing=1.0)
        for weights in bar:
            bar.set_postfix_str(_text(weights, " ", ", "))
            base.loss.update(weights)
            folder = os.path.join(workdir, _text(weights, "_", "-"))
            trials.append(_run_trial(base, weights, data_dir, folder, objective))
            trials.sort(key=lambda trial: (trial.value is None, sign * (trial.value or 0.0)))
            _write_table(os.path.join(workdir, TABLE), trials, objective)
    if all(trial.failure for trial in trials):
        raise ValueError(f"{workdir}: every trial failed, e.g. {trials[0].failure}")
    return trials


def _combinations(
    candidates: Mapping[str, Sequence[float]], method: str, max_trials: Optional[int], seed: int
) -> list[dict[str, float]]:
    if method not in METHODS:
        raise ValueError(f"method {method!r} is not one of {', '.join(METHODS)}")
    if max_trials is not None and max_trials < 1:
        raise ValueError(f"max_trials {max_trials} is not positive")
    lists = {name: list(values) for name, values in candidates.items()}
    drawn: Iterable[dict[str, float]] = ParameterGrid(lists)
    size = len(ParameterGrid(lists))
    if method == "random":
        drawn = ParameterSampler(lists, min(max_trials or _RANDOM_TRIALS, size), random_state=seed)
    # scikit-learn sorts the names.
    ordered = [{name: combination[name] for name in candidates} for combination in drawn]
    return ordered[: max_trials or size]


def _check_validation_split(config: ml_collections.ConfigDict, data_dir: str) -> None:
    info = records.read_info(data_dir)
    conditions = input_pipeline.select_conditions(info, config.data.conditions)
    number = input_pipeline.count_examples(info, "validation", conditions)
    if number < config.training.batch_size:
        raise ValueError(
            f"{data_dir}: {number} validation crops of the chosen conditions do not fill one "
            f"batch of {config.training.batch_size}; trials are compared on the validation split"
        )


def _run_trial(
    config: ml_collections.ConfigDict,
    weights: Mapping[str, float],
    data_dir: str,
    folder: str,
    objective: Objective,
) -> Trial:
    """Trains and measures, or reads what an earlier start of the search has left."""
    path = pathlib.Path(folder) / _RECORD
    if path.exists():
        run_directory.may_continue(folder, Run(config, data_dir, folder).description, resume=True)
        record = json.loads(path.read_text(encoding="utf-8"))
    else:
        record = {**_train(config, data_dir, folder), "objectives": {}}
        files.write_json(path, record)
    failure, validation, values = record["failure"], record["validation"], record["objectives"]
    if not failure and objective.name not in values:
        result = Result(folder, config.training.steps, validation)
        values[objective.name] = float(objective.function(result))
        with tf.summary.create_file_writer(folder).as_default(step=result.steps):
            tf.summary.scalar(f"objective/{objective.name}", values[objective.name])
            tf.summary.flush()
        files.write_json(path, record)
    value = values.get(objective.name)
    if value is not None and not math.isfinite(value):
        failure, value = f"objective {objective.name} is {value}", None
    return Trial(weights, folder, value, validation, failure)


def _train(config: ml_collections.ConfigDict, data_dir: str, folder: str) -> dict[str, Any]:
    """Trains; returns what is stored of it."""
    try:
        result = Run(config, data_dir, folder).train()
        return {"failure": "", "validation": dict(result.validation)}
    except DivergenceError as error:
        return {"failure": str(error), "validation": {}}
    finally:
        # The networks of a trial would stay in memory until the last.
        tf.keras.backend.clear_session()
        gc.collect()


def _text(weights: Mapping[str, float], equals: str, separator: str) -> str:
    return separator.join(f"{name}{equals}{_number(weight)}" for name, weight in weights.items())


def _number(value: float) -> str:
    """Shortest text that reads back as the same number."""
    return repr(value).removesuffix(".0")


def _describe_columns(
    workdir: str, candidates: Mapping[str, Sequence[float]], objective: Objective
) -> None:
    """Tells TensorBoard's HParams table its columns; `Run` writes the values."""
    for path in pathlib.Path(workdir).glob("events.out.tfevents.*"):  # of an earlier start
        path.unlink()
    searched = [
        hparams.HParam(f"loss.{name}", hparams.Discrete(list(values)))
        for name, values in candidates.items()
    ]
    tags = [f"objective/{objective.name}", *(f"validation/{name}" for name in candidates)]
    with tf.summary.create_file_writer(workdir).as_default():
        hparams.hparams_config(hparams=searched, metrics=[hparams.Metric(tag) for tag in tags])
        tf.summary.flush()


def _write_table(path: str, trials: Sequence[Trial], objective: Objective) -> None:
    """Writes the table of the trials so far."""
    rows = [
        {
            f"objective.{objective.name}": trial.value,
            **{f"loss.{name}": weight for name, weight in trial.weights.items()},
            **{f"validation.{name}": value for name, value in trial.validation.items()},
            "failure": trial.failure,
            "directory": os.path.basename(trial.directory),
        }
        for trial in trials
    ]
    files.write_text(path, pd.DataFrame(rows).to_csv(index=False))


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
    weight_flags = [f"--config.loss.{name}={_number(w)}" for name, w in best.weights.items()]
    return f"""
Trained with {len(trials)} combinations of weights{f", of which {failed} failed" if failed else ""}.
  best         {_text(best.weights, " ", ", ")}: {objective.name} {best.value:.4g}
  in           {best.directory}
  table        {os.path.join(workdir, TABLE)}
Next:
  bazel run //training:train -- {" ".join([*train_flags, *weight_flags])}
  {run_directory.tensorboard(workdir)}: HPARAMS"""
