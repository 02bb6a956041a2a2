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

from evaluation.fidelity import figures, report, results, study
from synthesis import run_flags

_DEFAULTS = results.Protocol()
_GENERATOR = run_flags.define_generator()
_DATA_DIR = run_flags.define_data_dir()
_OUTPUT_DIR = run_flags.define_evaluation_dir()
_NUM_IMAGES = flags.DEFINE_integer(
    "num_images",
    _DEFAULTS.num_images,
    "Maps, each painted in six skin types, moved, and with other noise.",
)
_REAL_SPLIT = flags.DEFINE_string(
    "real_split", _DEFAULTS.real_split, "Photographs that tell the tone of a skin type."
)
_MAP_SPLIT = flags.DEFINE_string(
    "map_split", _DEFAULTS.map_split, "Where maps come from, and their ceiling."
)
_SEED = flags.DEFINE_integer("seed", 0, "Of maps, images, changes and intervals.")
_OVERWRITE = run_flags.define_overwrite("measurements by another protocol")


def main(_: Sequence[str]) -> None:
    """Measures, writes and prints."""
    generator = _GENERATOR()
    output_dir = _OUTPUT_DIR(generator)
    protocol = results.Protocol(
        num_images=_NUM_IMAGES.value,
        real_split=_REAL_SPLIT.value,
        map_split=_MAP_SPLIT.value,
        seed=_SEED.value,
    )
    evaluator = study.Evaluator(_DATA_DIR(generator), generator.conditions, protocol)
    report.check_output(output_dir, evaluator.describe(generator), _OVERWRITE.value)
    fidelity = evaluator.evaluate(generator)
    paths = report.write(fidelity, output_dir, _OVERWRITE.value)
    report.log(fidelity, output_dir)
    paths.append(figures.draw(fidelity, os.path.join(output_dir, "fidelity.png")))
    examples = os.path.join(output_dir, "fidelity_examples.png")
    paths.append(figures.draw_examples(fidelity, examples))
    print(report.table(fidelity))
    print("\n" + "\n".join(paths))
    print(f"next: look at {examples}, or tensorboard --logdir {os.path.dirname(fidelity.run_dir)}")


if __name__ == "__main__":
    command_line.run(main)
