"""Images per second of feature extraction, against the bare network.

  bazel run //benchmarks:feature_benchmark -- --feature_network=PATH --layer=pool_768

`bare` calls the network on one prepared batch over and over; `extraction` is what
the evaluation does with records: read, decode, resize, network, collect. In turns, in
one process, on the same batch size.
"""

from common import command_line  # isort: skip  (sets the log level first)

import dataclasses
import tempfile
from typing import Dict, List, Sequence

import tensorflow as tf
from absl import flags

from benchmarks import timing
from evaluation.features import feature_flags, image_sets
from evaluation.features.image_sets import ImageSet
from evaluation.features.networks import FeatureExtractor
from training import demo_data
from training.configs import paper

_TURNS = flags.DEFINE_integer("turns", 7, "Turns.")
_BATCHES = flags.DEFINE_integer("batches", 6, "Batches per turn.")
_CASES = flags.DEFINE_integer("num_cases", 60, "Demo cases to read.")


def measure_speeds(
    images: ImageSet, extractor: FeatureExtractor, turns: int
) -> Dict[str, List[float]]:
    """Returns images/s of extraction and of the bare network, by turn."""
    size, calls = extractor.batch_size, len(images) // extractor.batch_size
    batch = extractor.prepare(tf.stack(list(images.dataset().take(size))))

    def extract() -> None:
        extractor.extract(images)

    def call() -> None:
        for _ in range(calls):
            extractor.network.call(batch).numpy()

    contenders = {
        "extraction": lambda: timing.speed(len(images), extract),
        "bare": lambda: timing.speed(calls * size, call),
    }
    timing.take_turns(contenders, 1)  # traces
    return timing.take_turns(contenders, turns)


def main(_: Sequence[str]) -> None:
    """Measures and prints."""
    config = paper.get_config()  # 256x256: the dearest to decode
    with tempfile.TemporaryDirectory() as folder:
        data_dir = demo_data.make_dataset(folder, config, _CASES.value)
        extractor = feature_flags.extractor(data_dir, None)
        size = extractor.batch_size or 32
        extractor = dataclasses.replace(extractor, batch_size=size, cache_dir="")
        images = image_sets.first(image_sets.real_images(data_dir, "train"), _BATCHES.value * size)
        measured = measure_speeds(images, extractor, _TURNS.value)
    title = f"{extractor.network.title}, batches of {size}, {len(images)} crops of 256x256"
    print(timing.table(title, "images/s", measured, "bare"))


if __name__ == "__main__":
    command_line.run(main)
