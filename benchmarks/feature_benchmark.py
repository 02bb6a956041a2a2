"""Images per second of feature extraction, against the bare network.

  bazel run //benchmarks:feature_benchmark -- --feature_network=PATH --layer=pool_768

`bare` calls the network on one prepared batch over and over; `extraction` is what
the evaluation does with records: read, decode, resize, network, collect. In turns, in
one process, on the same batch size. Printed: medians over the turns, and the median
of the turns' ratios.
"""

from common import command_line  # isort: skip  (sets the log level first)

import dataclasses
import statistics
import tempfile
import time
from typing import List, Sequence, Tuple

import tensorflow as tf
from absl import flags

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
) -> List[Tuple[float, float]]:
    """Returns images/s of extraction and of the bare network, turn by turn."""
    size, network = extractor.batch_size, extractor.network
    batch = extractor.prepare(tf.stack(list(images.dataset().take(size))))
    number = len(images) // size
    network.call(batch)
    extractor.extract(images)
    speeds = []
    for _ in range(turns):
        started = time.perf_counter()
        extractor.extract(images)
        extraction = len(images) / (time.perf_counter() - started)
        started = time.perf_counter()
        for _ in range(number):
            network.call(batch).numpy()
        speeds.append((extraction, number * size / (time.perf_counter() - started)))
    return speeds


def main(_: Sequence[str]) -> None:
    """Measures and prints."""
    config = paper.get_config()  # 256x256: the dearest to decode
    with tempfile.TemporaryDirectory() as folder:
        data_dir = demo_data.make_dataset(folder, config, _CASES.value)
        extractor = feature_flags.extractor(data_dir, None)
        size = extractor.batch_size or 32
        extractor = dataclasses.replace(extractor, batch_size=size, cache_dir="")
        images = image_sets.first(image_sets.real_images(data_dir, "train"), _BATCHES.value * size)
        speeds = measure_speeds(images, extractor, _TURNS.value)
    extraction, bare = (statistics.median(column) for column in zip(*speeds))
    ratio = statistics.median(one / other for one, other in speeds)
    print(f"{extractor.network.title}, batches of {size}, {len(images)} crops of 256x256")
    print(f"extraction {extraction:.1f} images/s, bare {bare:.1f} images/s, ratio {ratio:.2f}")


if __name__ == "__main__":
    command_line.run(main)
