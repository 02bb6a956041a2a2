"""Images per second and peak memory of one training step, against pix2pix.

  bazel run //benchmarks:train_step_benchmark [-- --image_size=256 --batch_size=4]

Each contender trains in a process of its own, on the same random batch, by Keras
`train_on_batch`-style compiled steps. All processes are alive at once and take
turns, a few steps each, so that the machine's moods fall on all of them alike.
Also printed: the peak resident memory of each process.

Contenders:
  pix2pix             the baseline: deconvolutions, l1 and GAN loss, batch norm
  dermgan_plain       the paper's config with resize and convolution as written
  dermgan             the paper's config as shipped
each in float32 and mixed_bfloat16.
"""

from common import command_line  # isort: skip  (sets the log level first)

import functools
import itertools
import multiprocessing
import resource
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np
import tensorflow as tf
from absl import flags

from benchmarks import timing
from training import configurations, model_factory
from training.configs import paper

_IMAGE_SIZE = flags.DEFINE_integer("image_size", 256, "Rows and columns.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 4, "Examples per step.")
_BASE_FILTERS = flags.DEFINE_integer("base_filters", 64, "Width of both networks.")
_TURNS = flags.DEFINE_integer("turns", 7, "Turns per contender.")
_STEPS = flags.DEFINE_integer("steps", 2, "Steps per turn.")
_PRECISIONS = flags.DEFINE_list("precisions", ["float32", "mixed_bfloat16"], "Dtype policies.")
_CONTENDERS = ("pix2pix", "dermgan_plain", "dermgan")


class Pix2Pix(tf.keras.Model):
    """pix2pix (Isola et al. 2017), section 6.1, written plainly."""

    def __init__(self, size: int, base: int, dtype: str):
        """Builds the networks.

        Args:
          size: rows and columns.
          base: channels of the outermost level.
          dtype: Keras dtype policy.
        """
        super().__init__()
        self._policy = tf.keras.mixed_precision.Policy(dtype)
        self.generator = self._build_generator(size, base)
        self.discriminator = self._build_discriminator(size, base)
        self.optimizers = [tf.keras.optimizers.Adam(2e-4, 0.5) for _ in range(2)]

    def _convolve(self, x: tf.Tensor, filters: int, strides: int, **kwargs: Any) -> tf.Tensor:
        layer = kwargs.pop("layer", tf.keras.layers.Conv2D)
        return layer(
            filters,
            4,
            strides,
            kwargs.pop("padding", "same"),
            kernel_initializer=tf.keras.initializers.RandomNormal(stddev=0.02),
            dtype=self._policy,
            **kwargs,
        )(x)

    def _normalize(self, x: tf.Tensor) -> tf.Tensor:
        return tf.keras.layers.BatchNormalization(dtype=self._policy)(x)

    def _build_generator(self, size: int, base: int) -> tf.keras.Model:
        levels = size.bit_length() - 1
        widths = [base * min(2**level, 8) for level in range(levels)]
        inputs = x = tf.keras.Input((size, size, 3))
        skips = []
        for level, width in enumerate(widths):
            if level:
                x = tf.keras.layers.LeakyReLU(0.2, dtype=self._policy)(x)
            inner = 0 < level < levels - 1
            x = self._convolve(x, width, 2, use_bias=not inner)
            x = self._normalize(x) if inner else x
            skips.append(x)
        for level in range(levels - 2, -1, -1):
            x = tf.keras.layers.ReLU(dtype=self._policy)(x)
            x = self._convolve(
                x, widths[level], 2, use_bias=False, layer=tf.keras.layers.Conv2DTranspose
            )
            x = self._normalize(x)
            if level >= levels - 4:
                x = tf.keras.layers.Dropout(0.5, dtype=self._policy)(x)
            x = tf.keras.layers.Concatenate(dtype=self._policy)([x, skips[level]])
        x = tf.keras.layers.ReLU(dtype=self._policy)(x)
        x = self._convolve(x, 3, 2, layer=tf.keras.layers.Conv2DTranspose)
        return tf.keras.Model(inputs, tf.keras.layers.Activation("tanh", dtype="float32")(x))

    def _build_discriminator(self, size: int, base: int) -> tf.keras.Model:
        inputs = [tf.keras.Input((size, size, 3)), tf.keras.Input((size, size, 3))]
        x = tf.keras.layers.Concatenate(dtype=self._policy)(inputs)
        for index in range(3):
            x = self._convolve(x, base * 2**index, 2, use_bias=index == 0)
            x = self._normalize(x) if index else x
            x = tf.keras.layers.LeakyReLU(0.2, dtype=self._policy)(x)
        x = tf.keras.layers.ZeroPadding2D(dtype=self._policy)(x)
        x = self._normalize(self._convolve(x, base * 8, 1, padding="valid", use_bias=False))
        x = tf.keras.layers.LeakyReLU(0.2, dtype=self._policy)(x)
        x = tf.keras.layers.ZeroPadding2D(dtype=self._policy)(x)
        x = self._convolve(x, 1, 1, padding="valid")
        return tf.keras.Model(inputs, tf.keras.layers.Activation("linear", dtype="float32")(x))

    def train_step(self, data: Dict[str, tf.Tensor]) -> Dict[str, tf.Tensor]:
        """One step: GAN loss and 100 times l1."""
        entropy = tf.keras.losses.BinaryCrossentropy(from_logits=True)
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            fake = self.generator(data["map"], training=True)
            real_logits = self.discriminator([data["map"], data["image"]], training=True)
            fake_logits = self.discriminator([data["map"], fake], training=True)
            generator_loss = entropy(tf.ones_like(fake_logits), fake_logits)
            generator_loss += 100.0 * tf.reduce_mean(tf.abs(data["image"] - fake))
            discriminator_loss = 0.5 * (
                entropy(tf.ones_like(real_logits), real_logits)
                + entropy(tf.zeros_like(fake_logits), fake_logits)
            )
        tapes = (generator_tape, discriminator_tape)
        losses = (generator_loss, discriminator_loss)
        networks = (self.generator, self.discriminator)
        for tape, loss, network, optimizer in zip(tapes, losses, networks, self.optimizers):
            variables = network.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return {"generator": generator_loss, "discriminator": discriminator_loss}


def _build(contender: str, precision: str, size: int, batch: int, base: int) -> tf.keras.Model:
    if contender == "pix2pix":
        return Pix2Pix(size, base, precision)
    config = paper.get_config()
    config.model.base_filters = config.discriminator.base_filters = base
    config.model.upsampling = "plain" if contender == "dermgan_plain" else "fast"
    config.training.batch_size = batch
    return model_factory.build_model(configurations.complete(config, size), 1000, precision)


def _serve(
    connection: Any, contender: str, precision: str, size: int, batch: int, base: int
) -> None:
    """Runs steps when asked and answers with images/s and peak memory."""
    model = _build(contender, precision, size, batch, base)
    rng = np.random.default_rng(0)
    data = {
        name: tf.constant(rng.uniform(-1, 1, (batch, size, size, 3)), tf.float32)
        for name in ("map", "image")
    }
    step: Callable = tf.function(model.train_step)
    while True:
        steps = connection.recv()
        if not steps:
            return

        def work(steps: int = steps) -> None:
            for _ in range(steps):
                float(step(data)["generator"])

        speed = timing.speed(steps * batch, work)
        connection.send((speed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20))


def measure_speeds(
    precisions: Sequence[str], size: int, batch: int, base: int, turns: int, steps: int
) -> Dict[str, List[Tuple[float, float]]]:
    """Returns images/s and peak GiB by "CONTENDER PRECISION" and turn."""
    context = multiprocessing.get_context("spawn")
    pipes = {}
    for precision, contender in itertools.product(precisions, _CONTENDERS):
        ours, theirs = context.Pipe()
        arguments = (theirs, contender, precision, size, batch, base)
        context.Process(target=_serve, args=arguments, daemon=True).start()
        pipes[f"{contender} {precision}"] = ours
        ours.send(1)  # traces and compiles
        ours.recv()

    def turn(pipe: Any) -> Tuple[float, float]:
        pipe.send(steps)
        return pipe.recv()

    contenders = {name: functools.partial(turn, pipe) for name, pipe in pipes.items()}
    measured = timing.take_turns(contenders, turns)
    for pipe in pipes.values():
        pipe.send(0)
    return measured


def main(_: Sequence[str]) -> None:
    """Measures and prints."""
    size, batch, base = _IMAGE_SIZE.value, _BATCH_SIZE.value, _BASE_FILTERS.value
    measured = measure_speeds(_PRECISIONS.value, size, batch, base, _TURNS.value, _STEPS.value)
    speeds = {name: [speed for speed, _ in turns] for name, turns in measured.items()}
    peaks = {name: f"{turns[-1][1]:.2f} GiB" for name, turns in measured.items()}
    title = f"{size}x{size}, batch {batch}, {base} filters"
    print(timing.table(title, "images/s", speeds, f"pix2pix {_PRECISIONS.value[0]}", notes=peaks))
    for precision in _PRECISIONS.value:
        same = {name: speeds[f"{name} {precision}"] for name in _CONTENDERS}
        print(timing.table(precision, "images/s", same, "pix2pix", "dermgan_plain"))


if __name__ == "__main__":
    command_line.run(main)
