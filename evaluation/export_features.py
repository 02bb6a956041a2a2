"""Adds the evaluation's feature network to an exported program.

  bazel run //evaluation:export_features -- --program=P
  bazel run //evaluation:export_features -- --program=P --feature_network=PATH --layer=pool_768

P's runner then paints images of given maps when its training ends (or of a checkpoint, with
--features) and brings back their features, a few MiB for each network:

  bazel run //evaluation:fid -- --generated_features=OUT/features_NAME.npz --data_dir=R

The maps are those that //evaluation:fid would paint. Run it again with another network to
have both.
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

from typing import Sequence

from absl import flags

from evaluation.features import feature_flags
from evaluation.frechet import program_features
from preprocessing.data import fetching
from training.program import program_folder

_PROGRAM = flags.DEFINE_string("program", None, "Of //training:export_program.", required=True)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "The records, where they are no longer where the program was made."
)
_NUM_IMAGES = flags.DEFINE_integer(
    "num_images", 0, "Images to paint; by default twice the test photographs.", 0, 1_000_000
)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Of maps, images and later of trials.", 0, command_line.LARGEST_SEED
)
_REAL_SPLIT = flags.DEFINE_string("real_split", "test", "Photographs to compare with.")
_MAP_SPLIT = flags.DEFINE_string("map_split", "validation", "Where the maps come from.")
_HALVES = flags.DEFINE_bool(
    "half_floats", True, "Store the network's kernels in half floats; the effect is printed."
)


def main(_: Sequence[str]) -> None:
    """Reads the flags and adds the network."""
    program = command_line.user_path(_PROGRAM.value)
    asked = fetching.local_copy(_DATA_DIR.value) if _DATA_DIR.value else None
    meta = program_folder.read_meta(program)
    data_dir = program_folder.find_records(program, meta, asked)
    conditions = tuple(meta["description"]["dataset"]["conditions"])
    written = program_features.export(
        program,
        data_dir,
        feature_flags.extractor(data_dir, conditions),
        num_generated=_NUM_IMAGES.value,
        seed=_SEED.value,
        real_split=_REAL_SPLIT.value,
        map_split=_MAP_SPLIT.value,
        halves=_HALVES.value,
    )
    print(f"{program}: {written}\nNext:\n  python3 {program}/run_program.py {program} ...")


if __name__ == "__main__":
    command_line.run(main)
