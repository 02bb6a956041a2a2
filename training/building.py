"""Builds what a run needs from its configuration: model, optimizers, precision."""

import pathlib
from typing import Any, Dict, Optional, Sequence

import ml_collections
import tensorflow as tf
from absl import logging

from model.dermgan import DermGAN, LossWeights
from model.discriminator import DiscriminatorConfig
from model.generator import GeneratorConfig
from training import input_pipeline

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
    judges = config.discriminator.to_dict()
    scales = judges.pop("scales")
    synchronized = tf.distribute.get_strategy().num_replicas_in_sync > 1
    if synchronized and config.training.xla:
        raise ValueError(
            "training.xla compiles for a single GPU; train without it, or let the program see one "
            "(CUDA_VISIBLE_DEVICES=0)"
        )
    model = DermGAN(
        GeneratorConfig(synchronized=synchronized, **architecture),
        DiscriminatorConfig(synchronized=synchronized, **judges),
        discriminator_scales=scales,
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
    build_optimizers(model)
    return model


def make_strategy(
    batch_size: int, devices: Optional[Sequence[str]] = None
) -> tf.distribute.Strategy:
    """Returns `MirroredStrategy` over several GPUs, the default strategy over one or none.

    The replicas share a batch equally, or their means could not be averaged: of the
    GPUs, as many are used as divide the batch, and it is said if that leaves some idle.

    Args:
      batch_size: of all replicas together.
      devices: names of the devices; all GPUs by default.
    """
    if devices is None:
        devices = [device.name for device in tf.config.list_logical_devices("GPU")]
    used = max((n for n in range(1, len(devices) + 1) if batch_size % n == 0), default=1)
    if used < len(devices):
        logging.warning(
            "using %d of %d GPUs: they share a batch equally, and batch_size is %d",
            *(used, len(devices), batch_size),
        )
    if used == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy(list(devices[:used]))


def make_checkpoint(model: DermGAN) -> tf.train.Checkpoint:
    """Returns everything that an exact continuation needs, as one checkpoint.

    Noise and data order are functions of the seed and the step, and the step is
    the optimizer's, so weights and optimizers are all there is.
    """
    parts: Dict[str, Any] = {
        "generator": model.generator,
        "ema_generator": model.ema_generator,
        "discriminator": model.discriminator,
        "generator_optimizer": model.generator_optimizer,
        "discriminator_optimizer": model.discriminator_optimizer,
    }
    if model.coarse_discriminators:
        parts["coarse_discriminators"] = model.coarse_discriminators
    if model.roi_discriminator is not None:
        parts["roi_discriminator"] = model.roi_discriminator
    return tf.train.Checkpoint(**parts)


def build_optimizers(model: DermGAN) -> None:
    """Makes the optimizers' slots, so that a checkpoint can be restored at once."""
    model.generator_optimizer.build(model.generator.trainable_variables)
    model.discriminator_optimizer.build(model.discriminator_variables())
