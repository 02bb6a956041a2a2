r"""Shows generated images above photographs of the same condition (paper, Figure 4).

  bazel run //synthesis:gallery -- --output=F.png                  # newest run under runs/
  bazel run //synthesis:gallery -- --run_dir=R --output=F.png \
      --condition=Melanoma,Psoriasis --per_condition=8

Each generated image is painted from the map of the test photograph below it. A PNG for
print, 300 dpi or more. It holds photographs of patients: mind where it goes.
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

from typing import Sequence

from absl import flags

from preprocessing.data import manifest, records
from synthesis import run_flags
from synthesis.figures import figure_flags, galleries, image_tables

_GENERATOR = run_flags.define_generator()
_DATA_DIR = run_flags.define_data_dir()
_PER_CONDITION = flags.DEFINE_integer("per_condition", 4, "Photographs of each condition.", 1, 100)
_NUM_CONDITIONS = flags.DEFINE_integer(
    "num_conditions", 8, "Conditions at most; without --condition.", 1, 36
)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Of the choice of photographs and of the noise.", 0, command_line.LARGEST_SEED
)


def main(_: Sequence[str]) -> None:
    """Draws the gallery."""
    output = figure_flags.output()
    generator = _GENERATOR()
    data_dir = _DATA_DIR(generator)
    table, remarks = galleries.gallery_table(
        generator,
        data_dir,
        figure_flags.conditions(generator),
        _NUM_CONDITIONS.value,
        _PER_CONDITION.value,
        _SEED.value,
    )
    for line in remarks:
        print(line)
    number = len(table.groups)
    print(f"{image_tables.save(table, output)}: {number} condition{'s' if number > 1 else ''}")
    known = set(records.read_info(data_dir).skin_type_sources.get("crops", {}))
    kind = "skin_type" if known - {manifest.UNKNOWN} else "size"
    print(
        f"next: bazel run //synthesis:sweep -- --run_dir={generator.run_dir} --kind={kind} "
        "--output=sweep.png"
    )


if __name__ == "__main__":
    command_line.run(main)
