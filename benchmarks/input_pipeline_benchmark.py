"""Images per second of the input pipeline, against what training consumes.

  bazel run //benchmarks:input_pipeline_benchmark

Records of demo cases, read as training reads them (parse, decode, jitter, mirror,
shuffle, batch, on all cores), in turns with training steps on one fixed batch.
"""

from common import command_line  # isort: skip  (sets the log level first)

import tempfile
from typing import Dict, List, Sequence, Tuple

import ml_collections
import tensorflow as tf
from absl import flags

from benchmarks import timing
from preprocessing.data import records
from training import configurations, demo_data, input_pipeline, model_factory
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


def measure_speeds(
    config: ml_collections.ConfigDict, folder: str, turns: int, num_cases: int
) -> Dict[str, List[float]]:
    """Returns images/s of reading and of training, by turn."""
    data_dir = demo_data.make_dataset(folder, config, num_cases)
    info = records.read_info(data_dir)
    inputs = input_pipeline.input_config(config)
    batch = inputs.batch_size
    stream = input_pipeline.training_stream(data_dir, info, inputs)
    data = next(iter(stream))
    precision = choose_precision(config.training.precision)
    completed = configurations.complete(config, info.image_size)
    step = tf.function(model_factory.build_model(completed, 1000, precision).train_step)
    steps = max(32 // batch, 2)

    def train() -> None:
        for _ in range(steps):
            float(step(data)["generator"])

    train()
    contenders = {
        "input": lambda: timing.reading_speed(stream, 400 // batch, batch),
        "training": lambda: timing.speed(batch * steps, train),
    }
    return timing.take_turns(contenders, turns)


def main(_: Sequence[str]) -> None:
    """Measures and prints."""
    for title, config in _configs():
        with tempfile.TemporaryDirectory() as folder:
            measured = measure_speeds(config, folder, _TURNS.value, _CASES.value)
        print(timing.table(title, "images/s", measured, "training"))


if __name__ == "__main__":
    command_line.run(main)
