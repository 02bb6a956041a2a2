"""From a configuration to a model that is ready to train."""

import dataclasses
import math
from typing import Any, Mapping, Optional

import ml_collections
import tensorflow as tf

from model import losses
from model.dermgan import DermGAN
from model.discriminator import DiscriminatorConfig, build_discriminators
from model.encoder import build_encoder
from model.generator import GeneratorConfig, build_generator
from model.moves import AdaptiveMoves
from training.optimizers import build_adam


def build_model(
    config: ml_collections.ConfigDict, total_steps: int, precision: str, num_conditions: int = 27
) -> DermGAN:
    """Builds and compiles the model of a configuration.

    Args:
      config: of `configurations.complete`.
      total_steps: for the learning-rate schedule.
      precision: a Keras dtype policy name.
      num_conditions: of the data set's taxonomy.

    Returns:
      The model, its optimizers' slots made, so that a checkpoint can be restored at once.
    """
    synchronized = tf.distribute.get_strategy().num_replicas_in_sync > 1
    if synchronized and config.training.xla:
        raise ValueError(
            "training.xla compiles for a single GPU; train without it, or let the program see one "
            "(CUDA_VISIBLE_DEVICES=0)"
        )
    common = {"synchronized": synchronized, "num_conditions": num_conditions}
    architecture = {**config.model.to_dict(), **common}
    ema_decay = architecture.pop("ema_decay")
    weights = config.loss.to_dict()
    adversarial = weights.pop("adversarial")
    generator_losses = losses.weighted(**weights)

    generator_config = GeneratorConfig(**architecture)
    generator = build_generator(generator_config, precision)
    ema_generator = build_generator(generator_config, precision)
    views = {loss.view for loss in generator_losses if loss.weight}
    model = DermGAN(
        generator,
        _build_discriminators(config, views, precision, **common),
        generator_losses,
        adversarial,
        ema_generator,
        ema_decay,
        config.seed,
        _build_encoder(config, precision),
        _build_moves(config),
    )
    # A variable, so that whatever continues the run can move the schedule's end.
    model.total_steps = tf.Variable(total_steps, False, dtype=tf.int64, name="total_steps")
    optimizers = [
        build_adam(learning_rate, config, model.total_steps, precision)
        for learning_rate in (
            config.optimizer.generator_learning_rate,
            config.optimizer.discriminator_learning_rate,
        )
    ]
    model.compile(
        *optimizers,
        jit_compile=config.training.xla,
        steps_per_execution=_steps_per_execution(config),
    )
    model.generator_optimizer.build(model.generator_variables())
    model.discriminator_optimizer.build(model.discriminator_variables())
    return model


def of_description(description: Mapping[str, Any], total_steps: int = 1) -> DermGAN:
    """Builds the model of a run's `config.json`, for the weights of a checkpoint."""
    return build_model(
        ml_collections.ConfigDict(description["config"]),
        *(total_steps, description["precision"], len(description["dataset"]["taxonomy"])),
    )


def _steps_per_execution(config: ml_collections.ConfigDict) -> int:
    """Steps between two looks at the means, for which a GPU must wait."""
    if not tf.config.list_logical_devices("GPU"):
        return 1
    training = config.training
    return math.gcd(10, training.log_every, training.sample_every, training.checkpoint_every)


def _build_discriminators(
    config: ml_collections.ConfigDict, views: set[str], precision: str, **common: Any
) -> dict[str, list[tf.keras.Model]]:
    """Those of whole images, at their scales, and one for each further view."""
    settings = config.discriminator.to_dict()
    scales = settings.pop("scales")
    for name in ("moves", "moves_images"):
        del settings[name]
    judge = DiscriminatorConfig(**settings, **common)
    # Around the boxes a view's images are 0: detail would be their edges.
    plain = dataclasses.replace(judge, detail=0.0)
    size = config.model.image_size
    return {
        "image": build_discriminators(judge, size, scales, precision),
        **{
            view: build_discriminators(plain, size, 1, precision)
            for view in sorted(views - {"image"})
        },
    }


def _build_encoder(config: ml_collections.ConfigDict, precision: str) -> Optional[tf.keras.Model]:
    if not config.encoder.base_filters:
        return None
    model, replicas = config.model, tf.distribute.get_strategy().num_replicas_in_sync
    if config.training.batch_size < 2 * replicas:
        raise ValueError(
            f"training.batch_size {config.training.batch_size}: an encoder needs two images for "
            "each device, one to read and one to draw; --config.encoder.base_filters=0 is without"
        )
    return build_encoder(
        model.image_size,
        model.global_noise,
        model.lesion_noise,
        config.encoder.base_filters,
        precision,
    )


def _build_moves(config: ml_collections.ConfigDict) -> Optional[AdaptiveMoves]:
    settings = config.discriminator
    return AdaptiveMoves(settings.moves, settings.moves_images) if settings.moves else None


def make_checkpoint(model: DermGAN) -> tf.train.Checkpoint:
    """Returns everything that an exact continuation needs, as one checkpoint.

    Noise and data order are functions of the seed and the step, and the step is
    the optimizer's, so weights, optimizers and the schedule's length are all there is.
    """
    parts = {
        "generator": model.generator,
        "ema_generator": model.ema_generator,
        "encoder": model.encoder,
        "ema_encoder": model.ema_encoder,
        "discriminators": model.discriminators,
        "generator_optimizer": model.generator_optimizer,
        "discriminator_optimizer": model.discriminator_optimizer,
        "moves": model.moves,
        "total_steps": model.total_steps,
    }
    return tf.train.Checkpoint(**{name: part for name, part in parts.items() if part is not None})
