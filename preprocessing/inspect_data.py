"""Shows what a data set holds: one page that opens in any browser, without a network.

  bazel run //preprocessing:inspect -- --cases=cases.csv [--image_dir=D]
  bazel run //preprocessing:inspect -- --data_dir=records --output=records.html

  bazel run //preprocessing:inspect -- --patient=ID --search=D

Counts by condition, skin type and split; sizes and places of ROI boxes; skin types as
given and as estimated from the skin's color; photographs of every condition; suspected
near-duplicates across patients side by side; what is not used, and why.

The page contains photographs of patients: share it only as you may share those. With
--patient no page is written: it says which manifests, records, runs, programs, studies and
results below --search hold the patient's photographs or were made with them.
"""

# Bazel's target is called `inspect`. A file inspect.py in this folder would be imported
# by programs beside it in place of Python's own module of that name.

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

import pathlib
from typing import Sequence

from absl import flags

from common import files
from preprocessing.data import fetching
from preprocessing.inspection import page, sources, whereabouts
from preprocessing.sharding import plans

_CASES = flags.DEFINE_list("cases", [], "A case manifest, cases.csv, or several, a.csv,b.csv.")
_IMAGE_DIR = flags.DEFINE_list(
    "image_dir",
    [],
    "Folder the manifest's images are relative to, of several manifests one each; default: the "
    "manifest's own.",
)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Records of //preprocessing:preprocess.")
_OUTPUT = flags.DEFINE_string("output", "inspect.html", "The page to write.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an existing --output.")
_IMAGE_SIZE = flags.DEFINE_integer(
    "image_size",
    plans.Settings().image_size,
    "Of the crops that are to be made of --cases, pixels: would they be enlarged?",
    16,
    4096,
)
_FIND_DUPLICATES = flags.DEFINE_bool(
    "find_duplicates", True, "Look for near-duplicate photographs of different patients."
)
_PATIENT = flags.DEFINE_string("patient", None, "Look for this patient: an id, or its pseudonym.")
_SEARCH = flags.DEFINE_string("search", ".", "Folder to look for --patient in, and below.")


def _inspect() -> sources.Inspection:
    if _DATA_DIR.value:
        data_dir = fetching.local_copy(_DATA_DIR.value)
        return sources.from_records(data_dir, _FIND_DUPLICATES.value)
    return sources.from_manifest(
        list(map(command_line.user_path, _CASES.value)),
        list(map(command_line.user_path, _IMAGE_DIR.value)),
        plans.Settings(image_size=_IMAGE_SIZE.value, find_duplicates=_FIND_DUPLICATES.value),
    )


def _next() -> str:
    """Returns what the records are made by, or used by: with the flags given here."""
    if _DATA_DIR.value:
        return f"//training:train -- --data_dir={_DATA_DIR.value}"
    same = [flag for flag in (_CASES, _IMAGE_DIR, _IMAGE_SIZE) if flag.present]
    values = [",".join(one.value) if isinstance(one.value, list) else one.value for one in same]
    given = [f"--{flag.name}={value}" for flag, value in zip(same, values)]
    return " ".join(["//preprocessing:preprocess --", *given, "--output_dir=records"])


def main(_: Sequence[str]) -> None:
    """Inspects and writes the page, or looks for a patient."""
    if _PATIENT.value:
        command_line.exclude("patient", ("cases", "data_dir", "output"))
        folder = command_line.user_path(_SEARCH.value)
        print(whereabouts.text(_PATIENT.value, folder, whereabouts.find(_PATIENT.value, folder)))
        return
    if bool(_CASES.value) == bool(_DATA_DIR.value):
        raise ValueError("give either --cases or --data_dir")
    output = pathlib.Path(command_line.user_path(_OUTPUT.value))
    files.check_output(output, _OVERWRITE.value)
    found = _inspect()
    files.write_text(output, page.render(found))
    pairs = "" if found.pairs is None else f", {len(found.pairs)} near-duplicate pairs"
    print(f"{len(found.looks)} photographs, {len(found.rejections)} rows or crops not used{pairs}")
    print(f"open in a browser: {output} ({output.stat().st_size / 1e6:.1f} MB)")
    print(f"next: bazel run {_next()}")


if __name__ == "__main__":
    command_line.run(main)
