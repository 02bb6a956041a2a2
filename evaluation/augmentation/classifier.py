"""The classifier of the augmentation experiment: MobileNet V1 (Howard et al. 2017).

Paper, section 3: MobileNet on uncropped photographs, 27 classes.
"""

import dataclasses
import os
from typing import Dict, Optional, Sequence, Union

import numpy as np
import tensorflow as tf

from evaluation.augmentation import classifier_input
from evaluation.augmentation.classifier_data import Images
from training import building

NO_WEIGHTS, IMAGENET = "none", "imagenet"
MONITORS: Dict[str, str] = {"loss": "val_loss", "accuracy": "val_accuracy"}
_PREDICTION_BATCH = 64


@dataclasses.dataclass(frozen=True)
class Training:
    """How a classifier is trained; `training` of the configuration.

    Attributes:
      steps: at most.
      batch_size: images of a step.
      learning_rate: of Adam at the start; cosine decay to 0 over the steps.
      validate_every: steps between validations.
      patience: validations without improvement after which it stops; 0 never does.
      monitor: key of `MONITORS`; which validation picks the weights.
      precision: see `building.PRECISIONS`.
    """

    steps: int
    batch_size: int
    learning_rate: float
    validate_every: int
    patience: int
    monitor: str
    precision: str

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "validate_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"training.{name} {getattr(self, name)} is not positive")
        if self.steps % self.validate_every:
            raise ValueError(
                f"training.steps {self.steps} is not a multiple of training.validate_every "
                f"{self.validate_every}"
            )
        if not self.learning_rate > 0:
            raise ValueError(f"training.learning_rate {self.learning_rate} is not positive")
        if self.monitor not in MONITORS:
            raise ValueError(
                f"training.monitor {self.monitor!r} is not one of {', '.join(MONITORS)}"
            )
        building.choose_precision(self.precision)


def check_weights(weights: str) -> None:
    """Raises ValueError for weights that are neither a file nor a name."""
    if weights not in (NO_WEIGHTS, IMAGENET) and not os.path.isfile(weights):
        raise ValueError(f"--weights={weights}: no such file; or {IMAGENET}, or {NO_WEIGHTS}")


def build(
    input_size: int,
    num_classes: int,
    alpha: float,
    dropout: float,
    batch_norm_momentum: float,
    weights: str,
) -> tf.keras.Model:
    """Builds the network.

    Args:
      input_size: rows and columns.
      num_classes: of the softmax.
      alpha: width.
      dropout: before the last layer.
      batch_norm_momentum: of the moving means and variances.
      weights: of the convolutions: "none" draws them, "imagenet" fetches Keras' own, else
        the path of a file in Keras' layout, without the top.

    Returns:
      A model from float32 [B, S, S, 3] in [-1, 1] to float32 logits [B, num_classes].

    Raises:
      ValueError: no such file, weights of another width, or weights that cannot be fetched.
    """
    check_weights(weights)
    source = None if weights == NO_WEIGHTS else weights
    shape = (input_size, input_size, 3)
    try:
        body = tf.keras.applications.MobileNet(
            input_shape=shape, alpha=alpha, include_top=False, weights=source, pooling="avg"
        )
    except Exception as error:  # of the download, HDF5 or Keras: each has its own types
        if source is None:
            raise
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"--weights={weights}: not the weights of MobileNet V1 of width {alpha} without top "
            f"({reason})"
        ) from error
    for layer in body.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = batch_norm_momentum
    features = tf.keras.layers.Dropout(dropout)(body.output)
    logits = tf.keras.layers.Dense(num_classes, dtype="float32", name="logits")(features)
    return tf.keras.Model(body.input, logits, name="classifier")


class _KeepBest(tf.keras.callbacks.EarlyStopping):
    """Early stopping that also takes the best weights where training was not stopped."""

    def on_train_end(self, logs: Optional[Dict[str, float]] = None) -> None:
        super().on_train_end(logs)
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)


def compile_model(model: tf.keras.Model, training: Training) -> None:
    """Sets optimizer, loss and metric."""
    schedule = tf.keras.optimizers.schedules.CosineDecay(training.learning_rate, training.steps)
    model.compile(
        tf.keras.optimizers.Adam(schedule),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[tf.keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )


def fit(
    model: tf.keras.Model,
    batches: tf.data.Dataset,
    validation: Images,
    training: Training,
    input_size: int,
    callbacks: Sequence[tf.keras.callbacks.Callback] = (),
) -> Dict[str, Union[int, float]]:
    """Trains, and leaves the weights of the best validation in the model.

    Args:
      model: compiled.
      batches: of `classifier_input.training_batches`.
      validation: photographs that choose weights and end; never test ones.
      training: how.
      input_size: rows and columns.
      callbacks: further ones.

    Returns:
      `best_step` and the validation's number there.

    Raises:
      ValueError: the loss is not finite.
    """
    monitor = MONITORS[training.monitor]
    stretches = training.steps // training.validate_every
    best = _KeepBest(
        monitor=monitor,
        mode="min" if training.monitor == "loss" else "max",
        patience=training.patience or stretches,
        restore_best_weights=True,
    )
    history = model.fit(
        batches,
        steps_per_epoch=training.validate_every,
        epochs=stretches,
        validation_data=classifier_input.whole_batches(validation, input_size, _PREDICTION_BATCH),
        callbacks=[tf.keras.callbacks.TerminateOnNaN(), best, *callbacks],
        verbose=0,
    ).history
    losses = history["loss"]
    if not np.isfinite([*losses, *history.get(monitor, [np.nan])]).all():
        raise ValueError(
            f"the classifier diverged within {len(losses) * training.validate_every} steps; lower "
            "config.training.learning_rate"
        )
    return {
        "best_step": (best.best_epoch + 1) * training.validate_every,
        f"best_{monitor}": float(history[monitor][best.best_epoch]),
    }


def predict(model: tf.keras.Model, images: Images, input_size: int) -> np.ndarray:
    """Returns the probabilities of every image, float32 [N, K]."""
    batches = classifier_input.whole_batches(images, input_size, _PREDICTION_BATCH)
    logits = model.predict(batches, verbose=0)
    return tf.nn.softmax(logits).numpy()
