"""Training steps of the shipped configurations, reduced, for tests that compare two ways."""

import runpy
from typing import Any

import ml_collections
import numpy as np
import tensorflow as tf

from model.dermgan import DermGAN
from model.images import to_float
from preprocessing.data import maps
from preprocessing.data.manifest import Box
from training import configurations, model_factory

IMAGE_SIZE = 32


def reduced_config(name: str, **training: Any) -> ml_collections.ConfigDict:
    """Returns a shipped configuration at 32x32 with four filters and nothing else changed."""
    config = runpy.run_path(configurations.path_of(name))["get_config"]()
    config.model.image_size = IMAGE_SIZE
    config.model.base_filters = config.discriminator.base_filters = 4
    # The patches of three halvings are larger than such an image.
    config.discriminator.downsamplings = 2
    config.training.batch_size = 4
    config.training.update(training)
    return config


def example_batch(number: int = 4) -> dict[str, np.ndarray]:
    """Returns maps and images in which the boxes are dark, uint8 [number, 32, 32, 3]."""
    side = IMAGE_SIZE
    drawn = np.stack(
        [maps.encode(1 + i % 6, i % 27, [Box(6, 8, 20, 24)], side, side) for i in range(number)]
    )
    images = np.repeat(255 - drawn[..., :1], 3, -1)
    images[:, 8:24, 6:20] //= 3
    return {"map": drawn, "image": images}


def build(config: ml_collections.ConfigDict, steps: int = 10) -> DermGAN:
    """Builds a configuration's model from its seed."""
    tf.keras.utils.set_random_seed(config.seed)
    completed = configurations.complete(config, IMAGE_SIZE)
    return model_factory.build_model(completed, steps, config.training.precision)


def take_steps(model: DermGAN, steps: int = 3) -> list[dict[str, float]]:
    """Trains on one batch over and over; returns the running means after each step."""
    data = {name: to_float(value) for name, value in example_batch().items()}
    batches = iter(tf.data.Dataset.from_tensors(data).repeat())
    take = model.make_train_function()
    return [{name: float(value) for name, value in take(batches).items()} for _ in range(steps)]


def assert_same_compiled(name: str, precision: str) -> None:
    """Takes steps compiled by XLA and not, and compares the losses within rounding.

    The losses of the first step are of the same variables. Those of later steps are not to
    the same precision: Adam's first update has the size of the learning rate and the sign of the
    gradient, so that gradients that are zero but for rounding move a variable either way
    (measured in float32: 1e-6 at the first step, up to 2.4e-3 at the third).

    Raises:
      AssertionError: they differ.
    """
    plain, compiled = (
        take_steps(build(reduced_config(name, precision=precision, xla=xla)))
        for xla in (False, True)
    )
    for step, (one, other) in enumerate(zip(plain, compiled)):
        if precision == "float32":
            tolerance = 5e-3 if step else 1e-5
        else:
            tolerance = 0.05
        for loss, value in one.items():
            # An accuracy jumps by one patch where a logit is near the boundary.
            absolute = 0.05 if loss.startswith("accuracy") else 1e-6
            np.testing.assert_allclose(
                other[loss], value, rtol=tolerance, atol=absolute, err_msg=loss
            )
