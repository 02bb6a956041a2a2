"""A training run from configuration to SavedModel."""

import contextlib
import dataclasses
import json
import os
import pathlib
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

import ml_collections
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from model import serving
from model.dermgan import DermGAN
from preprocessing.data import records
from training import building, callbacks, input_pipeline, record_checks, run_directory


@dataclasses.dataclass(frozen=True)
class Result:
    """Where a run's outputs are.

    Attributes:
      workdir: run directory.
      steps: training steps taken in all.
      samples: PNG of the last sample grid.
      generator: SavedModel of the averaged generator.
      validation: losses on the validation split, by name; empty without one.
    """

    workdir: str
    steps: int
    samples: str
    generator: str
    validation: Mapping[str, float]


def total_steps(config: ml_collections.ConfigDict, steps_per_epoch: int) -> int:
    """Returns the length of a run in steps.

    Raises:
      ValueError: it is not positive.
    """
    steps = config.training.steps or config.training.epochs * steps_per_epoch
    if steps < 1:
        raise ValueError(
            f"training.steps {config.training.steps} and training.epochs "
            f"{config.training.epochs} leave nothing to train"
        )
    return steps


def train(
    config: ml_collections.ConfigDict,
    data_dir: str,
    workdir: str,
    resume: Optional[bool] = None,
    strategy: Optional[tf.distribute.Strategy] = None,
    extra_callbacks: Sequence[tf.keras.callbacks.Callback] = (),
) -> Result:
    """Trains a DermGAN.

    Args:
      config: as in `training/configs`.
      data_dir: what `//preprocessing:preprocess` wrote.
      workdir: run directory; `Result` says what it will hold.
      resume: see `run_directory.may_continue`.
      strategy: where to run; by default of `building.make_strategy`.
      extra_callbacks: run after the run's own, which have saved the checkpoint when
        an epoch ends.

    Returns:
      Where the outputs are.

    Raises:
      ValueError: configuration, records or run directory that do not fit.
      callbacks.DivergenceError: a loss is not finite; the last checkpoint stays.
    """
    info = records.read_info(data_dir)
    inputs = building.input_config(config)
    strategy = strategy or building.make_strategy(inputs.batch_size)
    _check_fit(config, data_dir, info, strategy)
    steps = total_steps(config, input_pipeline.steps_per_epoch(info, inputs))
    description = describe(config, data_dir, info, workdir)
    run_directory.may_continue(workdir, description, resume)
    precision, conditions = description["precision"], description["dataset"]["conditions"]
    run = pathlib.Path(workdir)
    with strategy.scope():
        tf.keras.utils.set_random_seed(config.seed)
        model = building.build_model(config, steps, precision)
        checkpoint = building.make_checkpoint(model)
    manager = tf.train.CheckpointManager(
        checkpoint, str(run / "checkpoints"), max_to_keep=config.training.keep_checkpoints
    )
    if manager.latest_checkpoint:
        checkpoint.restore(manager.latest_checkpoint).assert_consumed()
    with _corrupt_records_named(data_dir):
        fixed = input_pipeline.fixed_examples(
            data_dir, info, conditions, config.training.num_samples
        )
    start = callbacks.current_step(model)
    if start < steps:
        run_directory.begin(workdir, description, start)

    writer = tf.summary.create_file_writer(str(run))
    samples = callbacks.Samples(workdir, writer, config.training.sample_every, fixed)
    logger = callbacks.MetricsLogger(
        workdir, writer, config.training.log_every, steps, inputs.batch_size
    )
    with writer.as_default(step=0):
        tf.summary.text("config", f"```\n{json.dumps(description, indent=2)}\n```")
        hparams.hparams(_flat(config.to_dict()))
    samples.set_model(model)
    own_callbacks = [logger, samples, callbacks.Checkpoints(manager)]
    try:
        with _corrupt_records_named(data_dir):
            _fit(model, config, data_dir, info, steps, [*own_callbacks, *extra_callbacks])
            validation = _evaluate(model, data_dir, info, inputs, writer, steps)
        picture = samples.draw(steps)
    finally:
        logger.close()
        writer.close()
    generator = serving.save(model, str(run / "generator"))
    return Result(workdir, steps, picture, generator, validation)


def describe(
    config: ml_collections.ConfigDict, data_dir: str, info: records.DatasetInfo, workdir: str
) -> Dict[str, Any]:
    """Returns what `config.json` says of a run, in the precision of one that is there.

    Args:
      config: as in `training/configs`.
      data_dir: the records.
      info: their description.
      workdir: run directory, existing or not.
    """
    conditions = input_pipeline.select_conditions(info, config.data.conditions)
    asked = config.training.precision
    precision = run_directory.stored_precision(workdir) if asked == "auto" else None
    precision = precision or building.choose_precision(asked)
    return run_directory.describe(config, data_dir, info, conditions, precision)


def _check_fit(
    config: ml_collections.ConfigDict,
    data_dir: str,
    info: records.DatasetInfo,
    strategy: tf.distribute.Strategy,
) -> None:
    """Raises ValueError if configuration, records and devices do not fit each other."""
    if info.image_size != config.model.image_size:
        raise ValueError(
            f"{data_dir}: crops of {info.image_size}x{info.image_size}, the config asks for "
            f"{config.model.image_size}; use --config.model.image_size={info.image_size}"
        )
    if config.training.batch_size % strategy.num_replicas_in_sync:
        raise ValueError(
            f"training.batch_size {config.training.batch_size} is not a multiple of the "
            f"{strategy.num_replicas_in_sync} replicas, which share a batch equally"
        )
    for split in ("train", "validation"):
        record_checks.check_records(data_dir, split, info.image_size)


@contextlib.contextmanager
def _corrupt_records_named(data_dir: str) -> Iterator[None]:
    """Turns TensorFlow's error about a corrupt record into one that names the file."""
    try:
        yield
    except tf.errors.DataLossError as error:
        found = [
            record_checks.find_corrupt_shard(data_dir, name) for name in ("train", "validation")
        ]
        named = next((text for text in found if text), f"{data_dir}: {error.message}")
        raise ValueError(named) from error


def _fit(
    model: DermGAN,
    config: ml_collections.ConfigDict,
    data_dir: str,
    info: records.DatasetInfo,
    steps: int,
    callback_list: List[tf.keras.callbacks.Callback],
) -> None:
    """Fits in Keras epochs that end where checkpoints are due."""
    every = config.training.checkpoint_every
    step = callbacks.current_step(model)
    while step < steps:
        # Keras wants epochs of one length; a shorter last one is a fit of its own.
        epochs, length = max((steps - step) // every, 1), min(every, steps - step)
        model.fit(
            input_pipeline.training_stream(data_dir, info, building.input_config(config), step),
            epochs=epochs,
            steps_per_epoch=length,
            callbacks=callback_list,
            verbose=0,
        )
        step = callbacks.current_step(model)


def _evaluate(
    model: DermGAN,
    data_dir: str,
    info: records.DatasetInfo,
    inputs: input_pipeline.InputConfig,
    writer: Any,
    step: int,
) -> Dict[str, float]:
    """Computes the validation losses of the averaged generator and logs them."""
    batches = input_pipeline.validation_batches(data_dir, info, inputs)
    if batches is None:
        return {}
    values = model.evaluate(batches, verbose=0, return_dict=True)
    with writer.as_default(step=step):
        for name, value in values.items():
            tf.summary.scalar(f"validation/{name}", value)
    return {name: float(value) for name, value in values.items()}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Dict[str, Any]:
    """Flattens nested options for the HParams plugin."""
    flat: Dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def summary(result: Result) -> str:
    """Returns the closing lines of a run: where things are and what to do next."""
    lines = [
        "",
        f"Trained for {result.steps:,} steps. In {result.workdir}:",
        f"  pictures     {os.path.relpath(result.samples, result.workdir)}"
        "  (map | photograph | generated)",
        f"  generator    {os.path.relpath(result.generator, result.workdir)}/  (SavedModel)",
        "  checkpoints/ metrics.jsonl config.json events.*",
    ]
    if result.validation:
        losses = ", ".join(
            f"{name} {result.validation[name]:.3f}" for name in ("l1", "roi", "feature_matching")
        )
        lines.append(f"  validation   {losses}")
    lines += [
        "Next:",
        f"  tensorboard --logdir {os.path.dirname(result.workdir)}",
        f"  bazel run //evaluation:fid -- --run_dir={result.workdir}",
    ]
    return "\n".join(lines)
