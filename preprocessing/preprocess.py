"""Turns a case manifest and its photographs into training records.

Flags of Apache Beam may be added: --runner=..., --direct_num_workers=...; without
any, all cores of this machine are used. The manifest's columns are described in
preprocessing/data/manifest.py, the records in preprocessing/data/records.py. All paths may be
s3:// or gs:// (docs/how_to/run_on_a_cluster.md).

  bazel run //preprocessing:preprocess -- --cases=manifest.csv --output_dir=records
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

import dataclasses
from typing import Sequence

from absl import flags

from preprocessing.data import manifest, maps, records
from preprocessing.sharding import pipeline, plans

_DEFAULTS = plans.Settings()
_CASES = flags.DEFINE_list(
    "cases",
    None,
    "The case manifest, cases.csv; or several, a.csv,b.csv, such as photographs and the images "
    "that were generated for them.",
    required=True,
)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder for the records.", required=True)
_IMAGE_DIR = flags.DEFINE_list(
    "image_dir",
    [],
    "Folder the manifest's images are relative to, of several manifests one each, A,B; default: "
    "the manifest's own.",
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace a data set in --output_dir.")
_SIZES = ", ".join(map(str, maps.IMAGE_SIZES))
flags.DEFINE_integer(
    "image_size",
    _DEFAULTS.image_size,
    f"Rows and columns of the crops, pixels: {_SIZES}.",
    min(maps.IMAGE_SIZES),
    max(maps.IMAGE_SIZES),
)
flags.register_validator(
    "image_size", maps.IMAGE_SIZES.__contains__, f"generators are trained at {_SIZES} pixels"
)
flags.DEFINE_integer(
    "full_size",
    _DEFAULTS.full_size,
    "Longer side of the classifier's photographs, pixels.",
    16,
    4096,
)
flags.DEFINE_integer(
    "crops_per_photograph",
    _DEFAULTS.crops_per_photograph,
    "Windows per photograph; groups of adjacent ROIs take turns.",
    1,
    1000,
)
flags.DEFINE_float(
    "min_roi_share",
    _DEFAULTS.min_roi_share,
    "Smallest length of an ROI group, of the window's.",
    0,
    1,
)
flags.DEFINE_float(
    "max_roi_share",
    _DEFAULTS.max_roi_share,
    "Largest length of an ROI group, of the window's.",
    0,
    1,
)
flags.DEFINE_float(
    "max_enlargement",
    _DEFAULTS.max_enlargement,
    "Windows are at least --image_size divided by this, so that crops are enlarged no more; 1 "
    "enlarges none but those of photographs that are too small.",
    1,
    1000,
)
flags.DEFINE_integer(
    "candidates", _DEFAULTS.candidates, "Random windows to choose each crop from.", 1, 10_000
)
flags.DEFINE_float(
    "background_limit",
    _DEFAULTS.background_limit,
    "Largest share of background in a crop, 0..1.",
    0,
    1,
)
flags.DEFINE_integer("seed", _DEFAULTS.seed, "Of windows and splits.", 0, command_line.LARGEST_SEED)
flags.DEFINE_list(
    "split_fractions",
    [str(share) for share in _DEFAULTS.split_fractions],
    "Shares of train, validation and test; patients are never split.",
)
flags.DEFINE_integer(
    "photographs_per_shard",
    _DEFAULTS.photographs_per_shard,
    "Photographs in one record file.",
    1,
    1_000_000,
)
flags.DEFINE_integer(
    "max_pixels", _DEFAULTS.max_pixels, "Refuse larger photographs.", 256, 10_000_000_000
)
flags.DEFINE_bool(
    "find_duplicates",
    _DEFAULTS.find_duplicates,
    "Look for near-duplicate photographs of different patients and keep these in one split.",
)


_OF_CROPS = (("crops",) * len(manifest.SPLITS), manifest.SPLITS)


def _settings() -> plans.Settings:
    names = [field.name for field in dataclasses.fields(plans.Settings)]
    values = {name: flags.FLAGS[name].value for name in names if name in flags.FLAGS}
    try:
        values["split_fractions"] = tuple(float(share) for share in values["split_fractions"])
    except ValueError as error:
        raise ValueError(f"--split_fractions: {error}") from error
    return plans.Settings(**values)


def _print_summary(info: records.DatasetInfo, output_dir: str) -> None:
    for kind in ("crops", "full"):
        counts = ", ".join(f"{split} {info.count(kind, split)}" for split in manifest.SPLITS)
        print(f"{kind}: {counts}")
    if info.notes["synthetic"]:
        photographs = info.notes["photographs"] - info.notes["synthetic"]
        print(
            f"{photographs} photographs and {info.notes['synthetic']} synthetic images, which are "
            "in the training split only"
        )
    for source, count in info.skin_type_sources["crops"].items():
        if source == manifest.UNKNOWN:
            print(f"{count} crops of unknown skin type: in no comparison by skin type")
        elif manifest.is_estimated(source):
            print(f"{count} crops of a skin type that is an estimate from their colour ({source})")
    annotated = sum(info.monk.get("crops", {}).values())
    if annotated:
        print(f"{annotated} crops have an annotated Monk skin tone")
    partial = info.notes["crops_showing_part_of_roi"]
    if partial:
        print(f"{partial} crops show part of their ROI: it is longer than the photograph is high")
    enlarged = info.notes["crops_enlarged"]
    if enlarged:
        limit, crops = info.settings["max_enlargement"], sum(map(info.count, *_OF_CROPS))
        advice = "; --max_enlargement=1 takes larger windows" if limit > 1 else ""
        print(
            f"{enlarged} of {crops} crops ({enlarged / crops:.0%}) are enlarged from windows of "
            f"fewer than {info.image_size} pixels{advice}"
        )
    if info.settings["find_duplicates"]:
        print(
            f"near-duplicates across patients: {info.notes['near_duplicate_pairs']} pairs, "
            f"{info.notes['photographs_moved_to_linked_patients']} photographs moved to the split "
            f"of the other, {info.notes['near_duplicates_not_used']} not used; see duplicates.csv"
        )
    rejections = info.notes["rejections"]
    what = f"{rejections} rows or crops, see rejected.csv" if rejections else "nothing"
    print(f"not used: {what}")
    print(f"records, dataset.json, crops.csv and contact_sheet.png are in {output_dir}")
    print(f"next: bazel run //training:train -- --data_dir={output_dir}")


def main(argv: Sequence[str]) -> None:
    """Makes the data set; `argv` holds the flags for Beam."""
    output_dir, *paths = (
        command_line.user_path(path, remote=True)
        for path in (_OUTPUT_DIR.value, *_CASES.value, *_IMAGE_DIR.value)
    )
    number = len(_CASES.value)
    info = pipeline.preprocess(
        paths[:number],
        output_dir,
        _settings(),
        image_dir=paths[number:],
        overwrite=_OVERWRITE.value,
        beam_args=argv[1:],
    )
    _print_summary(info, output_dir)


if __name__ == "__main__":
    command_line.run(main, pass_unknown_flags=True)
