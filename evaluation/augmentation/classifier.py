"""The classifier of the augmentation experiment: MobileNet V1 (Howard et al. 2017).

Paper, section 3: MobileNet on uncropped photographs, 27 classes; "flips, saturation and
jitter" of every arm's images alike. Its batches, its network, its training, all by a
configuration as in `configs`.
"""

import os
from typing import Callable, Dict, Iterator, Optional, Sequence, Tuple, Union

import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict

from evaluation.augmentation.images import Images
from model.images import to_float
from training import precision

NO_WEIGHTS, IMAGENET = "none", "imagenet"
MONITORS: Dict[str, str] = {"loss": "val_loss", "accuracy": "val_accuracy"}
_PREDICTION_BATCH = 64
# Images are kept this much larger than the classifier sees them, so that a crop is not
# an enlargement.
STORED_SCALE = 1.25
_GREY = (0.299, 0.587, 0.114)  # luma of ITU-R BT.601

VIEWS = ("full", "crops")  # records that a classifier may be trained on
_MOST_JITTER = {
    "saturation": 1,
    "contrast": 1,
    "brightness": 1,
    "rotation": 180,
    "erase": 1,
}
_MOST = {
    "steps": 1_000_000_000,
    "batch_size": 4096,
    "validate_every": 1_000_000_000,
    "learning_rate": 1,
}


def check_config(config: ConfigDict) -> None:
    """Raises ValueError for values of the right fields that cannot be."""
    training, data = config.training, config.data
    for group in ("augmentation", "strong_augmentation"):
        if not 0 < config[group].crop <= 1:
            raise ValueError(f"{group}.crop {config[group].crop} is not in (0, 1]")
        for name, most in _MOST_JITTER.items():
            if not 0 <= config[group][name] <= most:
                raise ValueError(f"{group}.{name} {config[group][name]} is not in 0..{most}")
    if data.view not in VIEWS:
        raise ValueError(f"data.view {data.view!r} is not one of {', '.join(VIEWS)}")
    if data.photographs < 0:
        raise ValueError(f"data.photographs {data.photographs} is negative")
    for name, most in _MOST.items():
        if not 0 < training[name] <= most:
            raise ValueError(f"training.{name} {training[name]} is not positive, or over {most:,}")
    if training.steps % training.validate_every:
        raise ValueError(
            f"training.steps {training.steps} is not a multiple of training.validate_every "
            f"{training.validate_every}"
        )
    if training.monitor not in MONITORS:
        raise ValueError(
            f"training.monitor {training.monitor!r} is not one of {', '.join(MONITORS)}"
        )
    precision.choose_precision(training.precision)


def check_weights(weights: str) -> None:
    """Raises ValueError for weights that are neither a file nor a name."""
    if weights not in (NO_WEIGHTS, IMAGENET) and not os.path.isfile(weights):
        raise ValueError(f"--weights={weights}: no such file; or {IMAGENET}, or {NO_WEIGHTS}")


def stored_size(input_size: int) -> int:
    """Returns the rows and columns that images are kept with."""
    return round(input_size * STORED_SCALE)


def jitter_images(
    images: tf.Tensor, augmentation: ConfigDict, input_size: int, seed: tf.Tensor
) -> tf.Tensor:
    """Varies a batch, each image by its own draws.

    Args:
      images: float32 [B, H, W, 3] in [-1, 1], B, H and W known when the graph is built.
      augmentation: how, of the configuration.
      input_size: rows and columns of the result.
      seed: int64 [2]; decides everything.

    Returns:
      float32 [B, input_size, input_size, 3] in [-1, 1].
    """
    batch, height, width = images.shape[:3]
    seeds = tf.random.experimental.stateless_split(seed, 13)

    def uniform(number: int, low: float, high: float) -> tf.Tensor:
        return tf.random.stateless_uniform([batch, 1, 1, 1], seeds[number], low, high)

    def factor(number: int, width: float) -> tf.Tensor:
        return uniform(number, 1 - width, 1 + width)

    side = uniform(0, augmentation.crop, 1.0)[:, 0, 0, 0]
    # The window's center in units of half an image, and its turn.
    across, down = ((1 - side) * uniform(number, -1.0, 1.0)[:, 0, 0, 0] for number in (2, 1))
    turn = uniform(8, -1.0, 1.0)[:, 0, 0, 0] * (augmentation.rotation * np.pi / 180)
    cosine, sine, zero = tf.cos(turn) * side, tf.sin(turn) * side, tf.zeros([batch])
    x, y, middle = (width - 1) / 2, (height - 1) / 2, (input_size - 1) / 2
    # From places of the result to places of the image; corners are centers of pixels.
    transforms = tf.stack(
        [
            *(cosine * x / middle, -sine * x / middle, x * (1 + across - cosine + sine)),
            *(sine * y / middle, cosine * y / middle, y * (1 + down - sine - cosine)),
            *(zero, zero),
        ],
        axis=1,
    )
    images = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=[input_size, input_size],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )
    for number, axis, direction in ((3, 2, "horizontal"), (4, 1, "vertical")):
        if augmentation[f"flip_{direction}"]:
            flipped = tf.reverse(images, [axis])
            images = tf.where(uniform(number, 0.0, 1.0) < 0.5, flipped, images)
    grey = tf.reduce_sum(images * tf.constant(_GREY), axis=-1, keepdims=True)
    images = grey + (images - grey) * factor(5, augmentation.saturation)
    mean = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
    images = mean + (images - mean) * factor(6, augmentation.contrast)
    images += 2.0 * uniform(7, -augmentation.brightness, augmentation.brightness)
    images *= 1.0 - tf.cast(
        _stripe(uniform, (9, 11), augmentation.erase, input_size)[:, :, None, None]
        & _stripe(uniform, (10, 12), augmentation.erase, input_size)[:, None, :, None],
        tf.float32,
    )
    return tf.clip_by_value(images, -1.0, 1.0)


def _stripe(
    uniform: Callable[[int, float, float], tf.Tensor],
    draws: Tuple[int, int],
    longest: float,
    size: int,
) -> tf.Tensor:
    """Draws a stripe of each image's rows or columns, of 0 to `longest` of them; bool [B, size]."""
    length = uniform(draws[0], 0.0, longest)[:, 0, 0] * size
    start = uniform(draws[1], 0.0, 1.0)[:, 0, 0] * (size - length)
    places = tf.range(size, dtype=tf.float32)[None]
    return (places >= start) & (places < start + length)


def training_batches(
    sources: Sequence[Images],
    order: np.ndarray,
    weights: np.ndarray,
    config: ConfigDict,
    seed: int,
    strong: bool = False,
) -> tf.data.Dataset:
    """Makes the batches of a training.

    Args:
      sources: photographs, then synthetic images, as `arms.draw_images` numbers them.
      order: numbers of the images, int64 [steps * batch_size].
      weights: of the loss by condition code, float32.
      config: of the classifier.
      seed: of the variation.
      strong: whether the images vary by `config.strong_augmentation`.

    Returns:
      (images float32 [B, S, S, 3] in [-1, 1], codes int64 [B], weights float32 [B]).
    """
    first = np.cumsum([0, *(len(source) for source in sources)])
    labels = np.concatenate([source.labels for source in sources])
    shape = sources[0].pixels.shape[1:]
    batch_size = config.training.batch_size
    jitter = config.strong_augmentation if strong else config.augmentation

    def gather(numbers: np.ndarray) -> np.ndarray:
        which = np.searchsorted(first, numbers, side="right") - 1
        images = np.empty((len(numbers), *shape), np.uint8)
        for index, source in enumerate(sources):
            ours = which == index
            images[ours] = source.pixels[numbers[ours] - first[index]]
        return images

    def batch(step: tf.Tensor, numbers: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        images = tf.numpy_function(gather, [numbers], tf.uint8)
        images = to_float(tf.ensure_shape(images, [batch_size, *shape]))
        both = tf.stack([tf.constant(seed, tf.int64), step])
        images = jitter_images(images, jitter, config.model.input_size, both)
        codes = tf.gather(tf.constant(labels), numbers)
        return images, codes, tf.gather(tf.constant(weights), codes)

    numbers = tf.data.Dataset.from_tensor_slices(order).batch(batch_size, drop_remainder=True)
    return numbers.enumerate().map(batch, tf.data.AUTOTUNE).prefetch(4)


def whole_batches(images: Images, input_size: int, batch_size: int) -> tf.data.Dataset:
    """Makes batches (images, codes) of whole images, in order, for measuring."""

    def batches() -> Iterator[Tuple[np.ndarray, np.ndarray]]:
        for start in range(0, len(images), batch_size):
            part = slice(start, start + batch_size)
            yield np.asarray(images.pixels[part]), images.labels[part]

    def resize(pixels: tf.Tensor, codes: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
        shape = (input_size, input_size)
        return tf.image.resize(to_float(pixels), shape, antialias=True), codes

    shape = [None, *images.pixels.shape[1:]]
    signature = (tf.TensorSpec(shape, tf.uint8), tf.TensorSpec([None], tf.int64))
    data = tf.data.Dataset.from_generator(batches, output_signature=signature)
    return data.map(resize, tf.data.AUTOTUNE).prefetch(2)


def _synchronized(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
    """Returns a layer like another, its batch statistics those of all replicas."""
    config = layer.get_config()
    if isinstance(layer, tf.keras.layers.BatchNormalization):
        config["synchronized"] = True
    return type(layer).from_config(config)


def build_classifier(config: ConfigDict, num_classes: int, weights: str) -> tf.keras.Model:
    """Builds and compiles the network.

    Args:
      config: of the classifier.
      num_classes: of the softmax.
      weights: of the convolutions: "none" draws them, "imagenet" fetches Keras' own, else
        the path of a file in Keras' layout, without the top.

    Returns:
      A model from float32 [B, S, S, 3] in [-1, 1] to float32 logits [B, num_classes].

    Raises:
      ValueError: no such file, weights of another width, or weights that cannot be fetched.
    """
    check_weights(weights)
    network, source = config.model, None if weights == NO_WEIGHTS else weights
    shape = (network.input_size, network.input_size, 3)
    try:
        body = tf.keras.applications.MobileNet(
            input_shape=shape, alpha=network.alpha, include_top=False, weights=source, pooling="avg"
        )
    except Exception as error:  # of the download, HDF5 or Keras: each has its own types
        if source is None:
            raise
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"--weights={weights}: not the weights of MobileNet V1 of width {network.alpha} "
            f"without top ({reason})"
        ) from error
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        stored = body.get_weights()
        body = tf.keras.models.clone_model(body, clone_function=_synchronized)
        body.set_weights(stored)
    for layer in body.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = network.batch_norm_momentum
    features = tf.keras.layers.Dropout(network.dropout)(body.output)
    logits = tf.keras.layers.Dense(num_classes, dtype="float32", name="logits")(features)
    model = tf.keras.Model(body.input, logits, name="classifier")
    compile_classifier(model, config)
    return model


def compile_classifier(model: tf.keras.Model, config: ConfigDict) -> None:
    """Sets optimizer, loss and metric."""
    training = config.training
    schedule = tf.keras.optimizers.schedules.CosineDecay(training.learning_rate, training.steps)
    model.compile(
        tf.keras.optimizers.Adam(schedule),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[tf.keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )


class _KeepBest(tf.keras.callbacks.EarlyStopping):
    """Early stopping that also takes the best weights where training was not stopped."""

    def on_train_end(self, logs: Optional[Dict[str, float]] = None) -> None:
        super().on_train_end(logs)
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)


def fit_classifier(
    model: tf.keras.Model,
    batches: tf.data.Dataset,
    validation: Images,
    config: ConfigDict,
    callbacks: Sequence[tf.keras.callbacks.Callback] = (),
) -> Dict[str, Union[int, float]]:
    """Trains, and leaves the weights of the best validation in the model.

    Args:
      model: compiled.
      batches: of `training_batches`.
      validation: photographs that choose weights and end; never test ones.
      config: of the classifier.
      callbacks: further ones.

    Returns:
      `best_step` and the validation's numbers there: what picked it, and the balanced
      accuracy, by which settings may be chosen.

    Raises:
      ValueError: the loss is not finite.
    """
    training = config.training
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
        validation_data=whole_batches(validation, config.model.input_size, _PREDICTION_BATCH),
        callbacks=[tf.keras.callbacks.TerminateOnNaN(), best, *callbacks],
        verbose=0,
    ).history
    losses = history["loss"]
    if not np.isfinite([*losses, *history.get(monitor, [np.nan])]).all():
        raise ValueError(
            f"the classifier diverged within {len(losses) * training.validate_every} steps; lower "
            "config.training.learning_rate"
        )
    said = predict_images(model, validation, config.model.input_size).argmax(axis=1)
    recalls = [
        float((said[validation.labels == code] == code).mean())
        for code in np.unique(validation.labels)
    ]
    return {
        "best_step": (best.best_epoch + 1) * training.validate_every,
        f"best_{monitor}": float(history[monitor][best.best_epoch]),
        "validation_balanced_accuracy": float(np.mean(recalls)),
    }


def pooled_features(model: tf.keras.Model, images: Images, input_size: int) -> np.ndarray:
    """Returns what the classifier's last layer sees of every image, float32 [N, d]."""
    body = tf.keras.Model(model.input, model.get_layer("logits").input)
    batches = whole_batches(images, input_size, _PREDICTION_BATCH)
    return body.predict(batches, verbose=0).astype(np.float32)


def predict_images(model: tf.keras.Model, images: Images, input_size: int) -> np.ndarray:
    """Returns the probabilities of every image, float32 [N, K]."""
    batches = whole_batches(images, input_size, _PREDICTION_BATCH)
    return tf.nn.softmax(model.predict(batches, verbose=0)).numpy()
