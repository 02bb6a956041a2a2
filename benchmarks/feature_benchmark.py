"""Images per second of feature extraction, against the bare network.

  bazel run //benchmarks:feature_benchmark -- --feature_network=PATH --layer=pool_768

`bare` calls the network on one prepared batch over and over; `extraction` is what
the evaluation does with records: read, decode, resize, network, collect. In turns, in
one process, on the same batch size. Printed: medians over the turns, and the median
of the turns' ratios.
"""

from common import command_line  # isort: skip  (sets the log level first)

import statistics
import tempfile
import time
from typing import List, Sequence, Tuple

import tensorflow as tf
from absl import flags

from evaluation.features import feature_flags, image_sets, networks
from evaluation.features.image_sets import ImageSet
from training import demo_data
from training.configs import paper

_TURNS = flags.DEFINE_integer("turns", 7, "Turns.")
_BATCHES = flags.DEFINE_integer("batches", 6, "Batches per turn.")
_CASES = flags.DEFINE_integer("num_cases", 60, "Demo cases to read.")


def measure(
    images: ImageSet, network: networks.FeatureNetwork, batch_size: int, turns: int
) -> List[Tuple[float, float]]:
    """Returns images/s of extraction and of the bare network, turn by turn."""
    settings = networks.FeatureSettings(batch_size=batch_size)
    pixels = tf.stack(list(images.dataset().take(batch_size)))
    batch = networks.resize(pixels, settings)
    number = len(images) // batch_size
    network.call(batch)
    networks.extract(images, network, settings, progress=False)
    speeds = []
    for _ in range(turns):
        started = time.perf_counter()
        networks.extract(images, network, settings, progress=False)
        extraction = len(images) / (time.perf_counter() - started)
        started = time.perf_counter()
        for _ in range(number):
            network.call(batch).numpy()
        speeds.append((extraction, number * batch_size / (time.perf_counter() - started)))
    return speeds


def main(_: Sequence[str]) -> None:
    """Measures and prints."""
    config = paper.get_config()  # 256x256: the dearest to decode
    batch_size = feature_flags.feature_settings().batch_size or 32
    with tempfile.TemporaryDirectory() as folder:
        data_dir = demo_data.make_dataset(folder, config, _CASES.value)
        images = image_sets.real_images(data_dir, "train")
        images = image_sets.first(images, _BATCHES.value * batch_size)
        network = feature_flags.network(data_dir, None)
        speeds = measure(images, network, batch_size, _TURNS.value)
    extraction, bare = (statistics.median(column) for column in zip(*speeds))
    ratio = statistics.median(one / other for one, other in speeds)
    print(f"{network.title}, batches of {batch_size}, {len(images)} crops of 256x256")
    print(f"extraction {extraction:.1f} images/s, bare {bare:.1f} images/s, ratio {ratio:.2f}")


if __name__ == "__main__":
    command_line.run(main)
