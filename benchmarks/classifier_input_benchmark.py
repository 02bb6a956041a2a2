"""Images per second of the classifier's input, against what its training consumes.

  bazel run //benchmarks:classifier_input_benchmark

Photographs and as many synthetic images, gathered from files mapped into memory (and
still in the page cache) and jittered as in every arm of //evaluation:augmentation, in
turns with training steps on one fixed batch.
"""

from common import command_line  # isort: skip  (sets the log level first)

import pathlib
import tempfile
from typing import Dict, List, Sequence

import ml_collections
import numpy as np
import tensorflow as tf
from absl import flags

from benchmarks import timing
from evaluation.augmentation import classifier
from evaluation.augmentation.configs import demo, paper
from evaluation.augmentation.images import Images
from preprocessing.data import taxonomy
from training import precision

_TURNS = flags.DEFINE_integer("turns", 5, "Turns of reading and training.")
_NUM_IMAGES = flags.DEFINE_integer("num_images", 4000, "Images on disk, half of them synthetic.")


def _write_images(folder: str, number: int, input_size: int) -> Images:
    """Writes images of noise, as they are kept for the classifier."""
    rng = np.random.default_rng(0)
    size = classifier.stored_size(input_size)
    path = pathlib.Path(folder) / f"{input_size}.uint8"
    with open(path, "wb") as file:
        for _ in range(number):
            file.write(rng.bytes(size * size * 3))
    texts = np.array([str(index) for index in range(number)])
    return Images(
        np.memmap(path, np.uint8, "r", shape=(number, size, size, 3)),
        rng.integers(0, len(taxonomy.CONDITIONS), number),
        np.ones(number, np.int64),
        *[texts] * 4,
    )


def _input(config: ml_collections.ConfigDict, images: Images, batches: int) -> tf.data.Dataset:
    length = batches * config.training.batch_size
    order = np.random.default_rng(0).integers(0, 2 * len(images), length)
    weights = np.ones(len(taxonomy.CONDITIONS), np.float32)
    return classifier.training_batches((images, images), order, weights, config, seed=0)


def measure_speeds(
    config: ml_collections.ConfigDict, folder: str, turns: int, num_images: int
) -> Dict[str, List[float]]:
    """Returns images/s of the input and of training, by turn."""
    batch = config.training.batch_size
    read_batches, steps = 40, 5
    size = config.model.input_size
    data = _input(config, _write_images(folder, num_images // 2, size), read_batches + 10)
    tf.keras.mixed_precision.set_global_policy(
        precision.choose_precision(config.training.precision)
    )
    model = classifier.build_classifier(config, len(taxonomy.CONDITIONS), classifier.NO_WEIGHTS)
    fixed = tf.data.Dataset.from_tensors(next(iter(data))).repeat()

    def train(steps: int = steps) -> None:
        model.fit(fixed, steps_per_epoch=steps, verbose=0)

    train(2)
    contenders = {
        "input": lambda: timing.reading_speed(data, read_batches, batch),
        "training": lambda: timing.speed(batch * steps, train),
    }
    return timing.take_turns(contenders, turns)


def main(_: Sequence[str]) -> None:
    """Measures and prints."""
    for config in (demo.get_config(), paper.get_config()):
        size, batch = config.model.input_size, config.training.batch_size
        with tempfile.TemporaryDirectory() as folder:
            measured = measure_speeds(config, folder, _TURNS.value, _NUM_IMAGES.value)
        title = f"{config.name}: {size}x{size}, width {config.model.alpha}, batch {batch}"
        print(timing.table(title, "images/s", measured, "training"))


if __name__ == "__main__":
    command_line.run(main)
