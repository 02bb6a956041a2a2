"""Writes procedural clinical photographs with known truth, for use without data.

Usage:
  bazel run //preprocessing:demo_cases -- --output_dir=demo [--num_cases=240 --seed=0]

All 27 classes, six skin types, one to three photographs per case and one to five
ROIs per photograph. The patients do not exist: the pictures show that the system
works, not how well it works on patients.
"""

from common import command_line  # isort: skip  (sets the log level first)

from typing import Sequence

from absl import flags

from preprocessing.data import manifest
from preprocessing.demo import cases

_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "Folder for cases.csv and images/.", required=True
)
_NUM_CASES = flags.DEFINE_integer(
    "num_cases", 240, "Number of cases, of 1 to 3 photographs each.", 1, 1_000_000
)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Another seed gives other patients.", 0, command_line.LARGEST_SEED
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace what is in output_dir.")


def main(_: Sequence[str]) -> None:
    """Reads the flags and writes the data set."""
    folder = command_line.user_path(_OUTPUT_DIR.value)
    path = cases.write_demo_cases(folder, _NUM_CASES.value, _SEED.value, _OVERWRITE.value)
    photographs = manifest.read_cases(path)[0]
    print(
        f"{len(photographs)} photographs of {_NUM_CASES.value} cases: {path}\n"
        f"next: bazel run //preprocessing:preprocess -- --cases={path} "
        f"--output_dir={folder.rstrip('/')}_records"
    )


if __name__ == "__main__":
    command_line.run(main)
