"""A training run from configuration to SavedModel."""

import dataclasses
import json
import os
import pathlib
from typing import Any, Dict, List, Mapping, Optional

import ml_collections
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from model import serving
from model.dermgan import DermGAN, LossWeights
from model.discriminator import DiscriminatorConfig
from model.generator import GeneratorConfig
from preprocessing import examples
from training import callbacks, input_pipeline, run_directory

PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


class ConstantThenLinear(tf.keras.optimizers.schedules.LearningRateSchedule):
    """Constant, then linear to zero: pix2pix's 100 + 100 epochs."""

    def __init__(self, learning_rate: float, total_steps: int, decay_start: float):
        """Makes the schedule.

        Args:
          learning_rate: initial.
          total_steps: at which it reaches zero.
          decay_start: share of the steps before the decay; 1 is constant.
        """
        self._initial = learning_rate
        self._total = total_steps
        self._start = decay_start

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the learning rate of a step."""
        done = tf.cast(step, tf.float32) / float(self._total)
        left = (1.0 - done) / max(1.0 - self._start, 1e-6)
        return self._initial * tf.clip_by_value(left, 0.0, 1.0)

    def get_config(self) -> Dict[str, float]:
        """Returns the arguments of `__init__`."""
        return {
            "learning_rate": self._initial,
            "total_steps": self._total,
            "decay_start": self._start,
        }


def choose_precision(precision: str) -> str:
    """Resolves "auto": bfloat16 where the hardware has it, else what is quick.

    Args:
      precision: one of `PRECISIONS`.

    Returns:
      A Keras dtype policy name. GPUs from compute capability 8.0 and CPUs with
      AVX512-BF16 or AMX take bfloat16, GPUs from 7.0 float16 with loss scaling.

    Raises:
      ValueError: unknown precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r} is not one of {', '.join(PRECISIONS)}")
    if precision != "auto":
        return precision
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        capability = min(detail.get("compute_capability", (0, 0)) for detail in details)
        if capability >= (8, 0):
            return "mixed_bfloat16"
        return "mixed_float16" if capability >= (7, 0) else "float32"
    try:
        flags = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return "float32"
    return "mixed_bfloat16" if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"


def input_config(config: ml_collections.ConfigDict) -> input_pipeline.InputConfig:
    """Returns the input pipeline's part of a configuration."""
    return input_pipeline.InputConfig(
        batch_size=config.training.batch_size, seed=config.seed, **config.data
    )


def build_model(config: ml_collections.ConfigDict, total_steps: int, precision: str) -> DermGAN:
    """Builds and compiles the model of a configuration.

    Args:
      config: as in `training/configs`.
      total_steps: for the learning-rate schedule.
      precision: a Keras dtype policy name.

    Returns:
      The model, its optimizers' slots made.
    """
    architecture = config.model.to_dict()
    ema_decay = architecture.pop("ema_decay")
    synchronized = tf.distribute.get_strategy().num_replicas_in_sync > 1
    model = DermGAN(
        GeneratorConfig(synchronized=synchronized, **architecture),
        DiscriminatorConfig(synchronized=synchronized, **config.discriminator),
        roi_discriminator=config.loss.roi_gan > 0,
        ema_decay=ema_decay,
        seed=config.seed,
        dtype=precision,
    )

    def optimizer(learning_rate: float) -> tf.keras.optimizers.Optimizer:
        schedule = ConstantThenLinear(learning_rate, total_steps, config.optimizer.decay_start)
        adam = tf.keras.optimizers.Adam(
            schedule, config.optimizer.beta_1, config.optimizer.beta_2, epsilon=1e-8
        )
        scaled = precision == "mixed_float16"
        return tf.keras.mixed_precision.LossScaleOptimizer(adam) if scaled else adam

    model.compile(
        generator_optimizer=optimizer(config.optimizer.generator_learning_rate),
        discriminator_optimizer=optimizer(config.optimizer.discriminator_learning_rate),
        loss_weights=LossWeights(**config.loss),
        jit_compile=config.training.xla,
    )
    callbacks.build_optimizers(model)
    return model


def make_strategy() -> tf.distribute.Strategy:
    """Returns `MirroredStrategy` over all GPUs where there are several."""
    gpus = tf.config.list_logical_devices("GPU")
    return tf.distribute.MirroredStrategy() if len(gpus) > 1 else tf.distribute.get_strategy()


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
) -> Result:
    """Trains a DermGAN.

    Args:
      config: as in `training/configs`.
      data_dir: what `//preprocessing:preprocess` wrote.
      workdir: run directory; see DESIGN, or `Result`.
      resume: see `run_directory.may_continue`.
      strategy: where to run; by default all GPUs, else the CPU.

    Returns:
      Where the outputs are.

    Raises:
      ValueError: configuration, records or run directory that do not fit.
      callbacks.DivergenceError: a loss is not finite; the last checkpoint stays.
    """
    info = examples.read_info(data_dir)
    if info.image_size != config.model.image_size:
        raise ValueError(
            f"{data_dir}: crops of {info.image_size}x{info.image_size}, the config asks for "
            f"{config.model.image_size}; use --config.model.image_size={info.image_size}"
        )
    inputs = input_config(config)
    conditions = input_pipeline.select_conditions(info, inputs.conditions)
    steps = total_steps(config, input_pipeline.steps_per_epoch(info, inputs))
    input_pipeline.check_records(data_dir, "train", info.image_size)
    precision = choose_precision(config.training.precision)
    description = run_directory.describe(config, data_dir, info, conditions, precision)
    run_directory.may_continue(workdir, description, resume)
    run = pathlib.Path(workdir)
    strategy = strategy or make_strategy()
    with strategy.scope():
        tf.keras.utils.set_random_seed(config.seed)
        model = build_model(config, steps, precision)
        checkpoint = callbacks.make_checkpoint(model)
    manager = tf.train.CheckpointManager(
        checkpoint, str(run / "checkpoints"), max_to_keep=config.training.keep_checkpoints
    )
    if manager.latest_checkpoint:
        checkpoint.restore(manager.latest_checkpoint).assert_consumed()
    run.mkdir(parents=True, exist_ok=True)
    run_directory.write_json(run / "config.json", description)

    writer = tf.summary.create_file_writer(str(run))
    fixed = input_pipeline.fixed_examples(data_dir, info, conditions, config.training.num_samples)
    samples = callbacks.Samples(workdir, writer, config.training.sample_every, fixed)
    logger = callbacks.MetricsLogger(
        workdir, writer, config.training.log_every, steps, inputs.batch_size
    )
    with writer.as_default(step=0):
        tf.summary.text("config", f"```\n{json.dumps(description, indent=2)}\n```")
        hparams.hparams(_flat(config.to_dict()))
    samples.set_model(model)
    try:
        _fit(
            model, config, data_dir, info, steps, [logger, samples, callbacks.Checkpoints(manager)]
        )
        validation = _evaluate(model, data_dir, info, inputs, writer, steps)
        picture = samples.draw(steps)
    except tf.errors.DataLossError as error:
        found = input_pipeline.find_corrupt_shard(data_dir, "train")
        raise ValueError(found or f"{data_dir}: {error.message}") from error
    finally:
        logger.close()
        writer.close()
    generator = serving.save(model, str(run / "generator"))
    return Result(workdir, steps, picture, generator, validation)


def _fit(
    model: DermGAN,
    config: ml_collections.ConfigDict,
    data_dir: str,
    info: examples.DatasetInfo,
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
            input_pipeline.training_stream(data_dir, info, input_config(config), step),
            epochs=epochs,
            steps_per_epoch=length,
            callbacks=callback_list,
            verbose=0,
        )
        step = callbacks.current_step(model)


def _evaluate(
    model: DermGAN,
    data_dir: str,
    info: examples.DatasetInfo,
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
