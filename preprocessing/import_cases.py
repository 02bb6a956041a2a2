"""Turns a public data set into a case manifest.

Example, with a data set that stays where it is and a manifest of your own:

  bazel run //preprocessing:import_cases -- --format=ham10000 \
    --input_dir=/data/ham10000 --output=cases.csv --estimate_skin_type
  bazel run //preprocessing:preprocess -- --cases=cases.csv \
    --image_dir=/data/ham10000 --output_dir=records
"""

from preprocessing import command_line  # isort: skip  (first: sets TensorFlow's log level)

import os
from typing import Sequence

from absl import flags

from preprocessing import cases
from preprocessing.importers import importing

_FORMAT = flags.DEFINE_enum(
    "format", None, sorted(importing.FORMATS), "The data set.", required=True
)
_INPUT_DIR = flags.DEFINE_string(
    "input_dir", None, "Its unpacked folder; only read.", required=True
)
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "The manifest to write. Paths in it are relative to --input_dir; if it lies elsewhere, give "
    "preprocess --image_dir.",
    required=True,
)
_ESTIMATE = flags.DEFINE_bool(
    "estimate_skin_type",
    False,
    "Fill unknown Fitzpatrick types from the typology angle (ITA) of the skin outside the lesion, "
    "marked as estimated. Agreement with dermatologists is moderate.",
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an existing --output.")


def _print_report(report: importing.Report, input_dir: str, output: str) -> None:
    for condition, count in sorted(report.mapped.items(), key=lambda item: -item[1]):
        print(f"  {count:6d}  {condition}")
    for title, counts in (("ROIs", report.roi_sources), ("skin type", report.skin_type_sources)):
        print(f"{title}: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
    both, equal, near = report.agreement
    if both:
        print(
            f"estimated against annotated skin types, {both} photographs: "
            f"{equal / both:.0%} equal, {near / both:.0%} at most one type apart"
        )
    for rejection in report.rejections[:10]:
        print(f"not used: row {rejection.row} {rejection.image_id}: {rejection.reason}")
    if len(report.rejections) > 10:
        print(f"not used: {len(report.rejections) - 10} more")
    print(f"{output}: {len(report.photographs)} photographs, {len(report.rejections)} not used")
    elsewhere = os.path.dirname(output) != input_dir
    where = f" --image_dir={input_dir}" if elsewhere else ""
    print(f"next: bazel run //preprocessing:preprocess -- --cases={output}{where} --output_dir=...")


def main(_: Sequence[str]) -> None:
    """Imports and reports."""
    output = os.path.normpath(command_line.user_path(_OUTPUT.value))
    input_dir = os.path.normpath(command_line.user_path(_INPUT_DIR.value))
    if os.path.exists(output) and not _OVERWRITE.value:
        raise ValueError(f"{output}: exists; choose another --output or pass --overwrite")
    report = importing.import_photographs(_FORMAT.value, input_dir, _ESTIMATE.value)
    os.makedirs(os.path.dirname(output), exist_ok=True)
    cases.write_cases(output, report.photographs)
    print(importing.FORMATS[_FORMAT.value].source)
    _print_report(report, input_dir, output)


if __name__ == "__main__":
    command_line.run(main)
