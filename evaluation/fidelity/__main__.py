"""Measures whether generated images obey their semantic maps.

  bazel run //evaluation:fidelity                                  # newest run under runs/
  bazel run //evaluation:fidelity -- --run_dir=R --num_images=500
  bazel run //evaluation:fidelity -- --run_dir=R --data_dir=D --real_split=train

Tone of the skin against the skin type asked for; place and contrast of the lesion
against the boxes; checkerboard artefacts; and what changes when only the skin type or
only the place of the boxes does. Each beside the same of real crops, with intervals.
Writes fidelity.json with the whole protocol, fidelity.csv (one row per map),
fidelity.png, fidelity_examples.png and TensorBoard scalars to RUN_DIR/evaluation.
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

import os
from typing import Sequence

from absl import flags

from common.report import Report
from evaluation.fidelity import report
from evaluation.fidelity.evaluator import FidelityEvaluator, FidelityProtocol
from synthesis import run_flags
from training import run_directory

_GENERATOR = run_flags.define_generator()
_DATA_DIR = run_flags.define_data_dir()
_OUTPUT_DIR = run_flags.define_evaluation_dir()
_NUM_IMAGES = flags.DEFINE_integer(
    "num_images",
    FidelityProtocol.num_images,
    "Maps, each painted in six skin types, moved, and with other noise.",
    1,
    1_000_000,
)
_REAL_SPLIT = flags.DEFINE_string(
    "real_split", FidelityProtocol.real_split, "Photographs that tell the tone of a skin type."
)
_MAP_SPLIT = flags.DEFINE_string(
    "map_split", FidelityProtocol.map_split, "Where maps come from, and their ceiling."
)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Of maps, images, changes and intervals.", 0, command_line.LARGEST_SEED
)
_OVERWRITE = run_flags.define_overwrite("measurements by another protocol")


def main(_: Sequence[str]) -> None:
    """Measures, writes and prints."""
    generator = _GENERATOR()
    protocol = FidelityProtocol(
        num_images=_NUM_IMAGES.value,
        real_split=_REAL_SPLIT.value,
        map_split=_MAP_SPLIT.value,
        seed=_SEED.value,
    )
    evaluator = FidelityEvaluator(_DATA_DIR(generator), generator.conditions, protocol)
    described = evaluator.describe(generator)
    results = Report(_OUTPUT_DIR(generator.run_dir), "fidelity", described, _OVERWRITE.value)
    again = "the same command begins again; nothing is kept"
    with command_line.stoppable(again), results.alone():
        fidelity = evaluator.evaluate(generator)
        examples = report.write(fidelity, results)
    shown = run_directory.tensorboard(os.path.dirname(fidelity.run_dir))
    audit = f"bazel run //evaluation:memorization -- --run_dir={fidelity.run_dir}"
    results.show(report.table(fidelity), f"look at {examples}", audit, shown)


if __name__ == "__main__":
    command_line.run(main)
