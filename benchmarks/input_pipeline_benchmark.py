"""Images per second of the input pipeline, against what training consumes.

  bazel run //benchmarks:input_pipeline_benchmark

Records of demo cases, read as training reads them (parse, decode, jitter, mirror,
shuffle, batch, on all cores), in turns with training steps on one fixed batch.
Printed: medians over the turns, and the median of the turns' ratios.
"""

from common import command_line  # isort: skip  (sets the log level first)

import statistics
import tempfile
import time
from typing import Any, List, Sequence, Tuple

import ml_collections
import tensorflow as tf
from absl import flags

from preprocessing.data import records
from training import demo_data, input_pipeline, model_factory
from training.configs import demo as demo_config
from training.configs import paper
from training.precision import choose_precision

_TURNS = flags.DEFINE_integer("turns", 5, "Turns of reading and training.")
_CASES = flags.DEFINE_integer("num_cases", 40, "Demo cases to read.")


def _configs() -> List[Tuple[str, ml_collections.ConfigDict]]:
    large = paper.get_config()
    large.data.conditions = "all"
    large.training.batch_size = 4
    small = demo_config.get_config()
    small.data.jitter = large.data.jitter  # the dearer setting
    return [("256x256, paper, batch 4", large), ("64x64, demo with jitter, batch 8", small)]


def _read(batches: Any, number: int) -> float:
    started = time.perf_counter()
    for _ in range(number):
        next(batches)
    return time.perf_counter() - started


def measure(
    config: ml_collections.ConfigDict, folder: str, turns: int, num_cases: int
) -> List[Tuple[float, float]]:
    """Returns images/s of reading and of training, turn by turn."""
    data_dir = demo_data.make_dataset(folder, config, num_cases)
    info = records.read_info(data_dir)
    inputs = input_pipeline.input_config(config)
    batch = inputs.batch_size
    stream = input_pipeline.training_stream(data_dir, info, inputs)
    data = next(iter(stream))
    precision = choose_precision(config.training.precision)
    step = tf.function(model_factory.build_model(config, 1000, precision).train_step)
    float(step(data)["generator"])
    read_batches, steps = 400 // batch, max(32 // batch, 2)
    speeds = []
    for _ in range(turns):
        # An iterator of its own for each turn: between turns none reads ahead.
        batches = iter(stream)
        _read(batches, 5)
        reading = batch * read_batches / _read(batches, read_batches)
        del batches
        started = time.perf_counter()
        for _ in range(steps):
            float(step(data)["generator"])
        speeds.append((reading, batch * steps / (time.perf_counter() - started)))
    return speeds


def main(_: Sequence[str]) -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            (name, measure(config, folder, _TURNS.value, _CASES.value))
            for name, config in _configs()
        ]
    print("{:36}{:>12}{:>12}{:>8}".format("", "input/s", "training/s", "ratio"))
    for name, speeds in rows:
        reading, training = (statistics.median(column) for column in zip(*speeds))
        ratio = statistics.median(one / other for one, other in speeds)
        print(f"{name:36}{reading:12.0f}{training:12.1f}{ratio:8.1f}")


if __name__ == "__main__":
    command_line.run(main)
