"""Adam and its learning rate."""

from typing import Union

import ml_collections
import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="dermgan")
class ConstantThenLinear(tf.keras.optimizers.schedules.LearningRateSchedule):
    """Constant, then linear to zero: pix2pix's 100 + 100 epochs."""

    def __init__(
        self, learning_rate: float, total_steps: Union[int, tf.Variable], decay_start: float
    ):
        """Makes the schedule.

        Args:
          learning_rate: initial.
          total_steps: at which it reaches zero; a variable can be moved later.
          decay_start: share of the steps before the decay; 1 is constant.
        """
        self.learning_rate = learning_rate
        self.total_steps = total_steps
        self.decay_start = decay_start

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the learning rate of a step."""
        done = tf.cast(step, tf.float32) / tf.cast(self.total_steps, tf.float32)
        left = (1.0 - done) / max(1.0 - self.decay_start, 1e-6)
        return self.learning_rate * tf.clip_by_value(left, 0.0, 1.0)

    def get_config(self) -> dict[str, float]:  # noqa: D102
        return {
            "learning_rate": self.learning_rate,
            "total_steps": int(self.total_steps),
            "decay_start": self.decay_start,
        }


def build_adam(
    learning_rate: float,
    config: ml_collections.ConfigDict,
    total_steps: Union[int, tf.Variable],
    precision: str,
) -> tf.keras.optimizers.Optimizer:
    """Builds an optimizer of a configuration.

    Args:
      learning_rate: initial.
      config: as in `training/configs`.
      total_steps: for the schedule.
      precision: a Keras dtype policy name; float16 gets loss scaling.
    """
    schedule = ConstantThenLinear(learning_rate, total_steps, config.optimizer.decay_start)
    adam = tf.keras.optimizers.Adam(
        schedule, config.optimizer.beta_1, config.optimizer.beta_2, epsilon=1e-8
    )
    scaled = precision == "mixed_float16"
    return tf.keras.mixed_precision.LossScaleOptimizer(adam) if scaled else adam
