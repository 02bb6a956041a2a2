r"""Turns a public data set, or an annotation tool's COCO export, into a case manifest.

What is not used is listed beside the manifest, in <output>.rejected.csv.

Example, with a data set that stays where it is and a manifest of your own:

  bazel run //preprocessing:import_cases -- --format=ham10000 \
    --input_dir=/data/ham10000 --output=manifest.csv --estimate_skin_type
  bazel run //preprocessing:preprocess -- --cases=manifest.csv \
    --image_dir=/data/ham10000 --output_dir=records
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

import os
from typing import Sequence

from absl import flags

from common import files
from preprocessing.data import manifest, taxonomy
from preprocessing.importers import importing, labels

_FORMAT = flags.DEFINE_enum(
    "format", None, sorted(importing.FORMATS), "How the data set is laid out.", required=True
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
    "Fill unknown Fitzpatrick types from the colour of the skin outside the lesion, marked as "
    "estimated, and measure its typology angle (ITA). Agreement with dermatologists is low.",
)
_MAPPING = flags.DEFINE_string(
    "mapping",
    None,
    "A CSV with the columns label,condition: what labels of the data set become, where you want it "
    "otherwise.",
)
_TAXONOMY = flags.DEFINE_string(
    "taxonomy",
    None,
    "Conditions of your own instead of the paper's 27: a CSV with the columns condition,aliases, "
    "at most 36 rows in the order of their codes. It is copied beside --output.",
)
_OVERWRITE = flags.DEFINE_bool(
    "overwrite", False, "Replace an existing --output and its .rejected.csv."
)

_ROI_SOURCES = {
    "boxes": "boxes that people drew",
    "mask": "around masks",
    "skin": "the whole skin, for want of boxes",
}
# Rejections of one stage that are shown.
_EXAMPLES = 5


def _print_labels(report: importing.Report) -> None:
    order = list(report.conditions)
    ranked = sorted(report.labels.items(), key=lambda item: (order.index(item[0][1]), -item[1]))
    for (label, condition), count in ranked:
        print(f"  {count:6d}  {label} -> {condition}")
    others = [name for name, condition in report.labels if condition == taxonomy.OTHER]
    if taxonomy.current() == taxonomy.PAPER and any(map(taxonomy.normalize, others)):
        print(
            f"{taxonomy.OTHER} is one condition to a generator: --taxonomy takes conditions of "
            "your own, --mapping says what labels become"
        )
    for reason, count in sorted(report.unmapped.items(), key=lambda item: -item[1]):
        print(f"  {count:6d}  not used: {reason}")
    for label in report.unused_overrides:
        print(f"--mapping: label {label!r} does not occur")
    print("conditions: " + ", ".join(f"{n} {name}" for name, n in report.conditions.items()))


def _print_rejections(rejections: Sequence[manifest.Rejection], table: str) -> None:
    """Shows a few of each stage; those for their label are counted with the labels."""
    stages = dict.fromkeys(one.stage for one in rejections if one.stage != "label")
    for stage in stages:
        found = [one for one in rejections if one.stage == stage]
        for one in found[:_EXAMPLES]:
            row = f"{table} row {one.row}, " if table else ""
            print(f"not used: {row}{one.image_id}: {one.reason}")
        if len(found) > _EXAMPLES:
            print(f"not used: {len(found) - _EXAMPLES} more for their {stage}")


def _print_report(report: importing.Report, input_dir: str, output: str, rejected: str) -> None:
    _print_labels(report)
    for source, (photographs, rois) in sorted(report.roi_sources.items()):
        print(f"ROIs: {rois} in {photographs} photographs, {_ROI_SOURCES[source]}")
    types = sorted(report.skin_type_sources.items())
    print("skin type: " + ", ".join(f"{count} {name}" for name, count in types))
    annotated = sum(row.monk is not None for row in report.photographs)
    if annotated:
        print(
            f"Monk skin tone: {annotated} annotated, {len(report.photographs) - annotated} unknown"
        )
    both, equal, near = report.agreement
    if both:
        print(
            f"estimated against annotated skin types, {both} photographs: "
            f"{equal / both:.0%} equal, {near / both:.0%} at most one type apart"
        )
    for note in report.notes:
        print(note)
    _print_rejections(report.rejections, report.table)
    what = f"{len(report.rejections)} rows or annotations, see {rejected}"
    print(f"not used: {what if report.rejections else 'nothing'}")
    print(f"{output}: {len(report.photographs)} photographs")
    elsewhere = os.path.dirname(output) != input_dir
    given = f"--cases={output}" + (f" --image_dir={input_dir}" if elsewhere else "")
    given += " --image_size=64"  # what two cores train on; 256 is for a GPU
    print(f"next: bazel run //preprocessing:inspect -- {given}")
    print(f"      bazel run //preprocessing:preprocess -- {given} --output_dir=records")


def main(_: Sequence[str]) -> None:
    """Imports and reports."""
    output = os.path.normpath(command_line.user_path(_OUTPUT.value))
    input_dir = os.path.normpath(command_line.user_path(_INPUT_DIR.value))
    rejected = os.path.splitext(output)[0] + ".rejected.csv"
    beside = os.path.join(os.path.dirname(output), taxonomy.FILE_NAME)
    for path in (output, rejected):
        files.check_output(path, _OVERWRITE.value)
    if _TAXONOMY.value:
        given = command_line.user_path(_TAXONOMY.value)
        taxonomy.adopt(taxonomy.read(given), given)
        if os.path.exists(beside):  # it must be this one: others may lie with its manifest
            taxonomy.adopt(taxonomy.read(beside), beside)
    else:
        taxonomy.adopt_beside(output)
    overrides = None
    if _MAPPING.value:
        overrides = labels.read_overrides(command_line.user_path(_MAPPING.value))
    report = importing.import_photographs(_FORMAT.value, input_dir, _ESTIMATE.value, overrides)
    os.makedirs(os.path.dirname(output), exist_ok=True)
    manifest.write_rejections(rejected, report.rejections)
    manifest.write_cases(output, report.photographs)
    if _TAXONOMY.value:
        taxonomy.write(beside, taxonomy.current())
    print(importing.FORMATS[_FORMAT.value].source)
    _print_report(report, input_dir, output, rejected)


if __name__ == "__main__":
    command_line.run(main)
