r"""Shows what a generator makes of one map when a single thing in it changes.

  bazel run //synthesis:sweep -- --kind=skin_type --output=F.png   # newest run under runs/
  bazel run //synthesis:sweep -- --run_dir=R --kind=size --output=F.png \
      --condition=Melanoma,Psoriasis --sizes=20,40,60,80 --skin_type=5

  bazel run //synthesis:sweep -- --run_dir=R --kind=lesion --like=IMAGE_ID --output=F.png

skin_type: maps of real crops on each of the six Fitzpatrick types (paper, Figure 5).
size: a box that grows about the frame's centre (paper, Figure 6).
lesion, skin: the same skin with another lesion, the same lesion on another skin: of the
noise, one part is drawn anew. Else the noise is the same along a row. --like takes what
stays from a photograph of the records. A PNG for print, 300 dpi or more.
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

from typing import List, Sequence

from absl import flags

from preprocessing.data import taxonomy
from synthesis import run_flags
from synthesis.figures import figure_flags, image_tables, sweeps
from synthesis.figures.image_tables import Table
from synthesis.trained_generator import TrainedGenerator

_GENERATOR = run_flags.define_generator()
_DATA_DIR = run_flags.define_data_dir()
_KIND = flags.DEFINE_enum(
    "kind", None, ["skin_type", "size", *sweeps.PARTS], "What changes.", required=True
)
_LIKE = run_flags.define_like()
_ROWS = flags.DEFINE_integer("rows", None, "Rows; 6, or one per --condition.", 1, 100)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Of the choice of maps and of the noise.", 0, command_line.LARGEST_SEED
)
_SPLIT = flags.DEFINE_enum(
    "split", "validation", ["validation", "test"], "Where maps come from; not with --kind=size."
)
_PHOTOGRAPHS = flags.DEFINE_bool(
    "photographs", False, "Show the crop of each map as well; not with --kind=size."
)
_SIZES = flags.DEFINE_list(
    "sizes",
    [f"{size:g}" for size in sweeps.SIZES],
    "With --kind=size: sides of the box in % of the frame's, growing.",
)
_SKIN_TYPE = flags.DEFINE_string(
    "skin_type", None, "With --kind=size: 1..6 or unknown; each condition's commonest in training."
)
_OF_MAPS, _OF_SIZE = ("split", "photographs"), ("sizes", "skin_type")


def _check_kind() -> None:
    """Raises ValueError for a flag of another kind of sweep."""
    if _KIND.value == "size":
        command_line.exclude("kind=size", _OF_MAPS)
    else:
        command_line.exclude(f"kind={_KIND.value}", _OF_SIZE)


def _sizes() -> List[float]:
    try:
        sizes = [float(text) for text in _SIZES.value]
        sweeps.check_sizes(sizes)
    except ValueError as error:
        raise ValueError(f"--sizes={','.join(_SIZES.value)}: {error}") from error
    return sizes


def _table(generator: TrainedGenerator) -> Table:
    arguments = (
        generator,
        _DATA_DIR(generator),
        figure_flags.conditions(generator),
        _ROWS.value,
        _SEED.value,
    )
    if _KIND.value == "size":
        skin_type = taxonomy.parse_skin_type(_SKIN_TYPE.value) if _SKIN_TYPE.value else None
        return sweeps.size_table(*arguments, _sizes(), skin_type, _LIKE.value)
    rest = _SPLIT.value, _PHOTOGRAPHS.value, _LIKE.value
    if _KIND.value == "skin_type":
        return sweeps.skin_type_table(*arguments, *rest)
    return sweeps.code_table(*arguments, *rest, part=_KIND.value)


def main(_: Sequence[str]) -> None:
    """Draws the sweep."""
    _check_kind()
    output = figure_flags.output()
    generator = _GENERATOR()
    table = _table(generator)
    print(f"{image_tables.save(table, output)}: {len(table.groups)} rows")
    run = generator.run_dir
    print(f"next: bazel run //evaluation:fidelity -- --run_dir={run}  # measures what it shows")


if __name__ == "__main__":
    command_line.run(main)
