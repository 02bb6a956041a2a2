"""Writes and tells what was measured of a generator's fidelity."""

import pathlib
from typing import Any, List, Mapping, Tuple

import numpy as np
import pandas as pd
import tensorflow as tf

from common import files, report
from evaluation.fidelity.results import Fidelity
from evaluation.uncertainty.cluster_bootstrap import Estimate

FILE_NAME = "fidelity.json"
# Row of the table, key of the numbers, format.
_ROI_LINES = (
    ("a region is found", "found", ".2f"),
    ("its IoU with the boxes", "iou", ".2f"),
    ("  with those of other images", "iou_by_chance", ".2f"),
    ("its centre is off by (of the side)", "center_error", ".3f"),
    ("contrast to the skin, inside (Delta E)", "contrast_inside", ".1f"),
    ("  outside", "contrast_outside", ".1f"),
    ("  inside / outside", "contrast_ratio", ".2f"),
    ("  of the median colour inside", "contrast_of_medians", ".1f"),
)
_SPECTRUM_LINES = (
    ("share of spectral energy, periods 2 and 4", "share", ".2g"),
    ("prominence over nearby frequencies", "prominence", ".2f"),
)
_CHANGE_LINES = (
    ("another skin type", "", ""),
    ("  tone changes, of what it should (1)", "tone_gain", ".2f"),
    ("  in the right direction (share)", "tone_direction", ".2f"),
    ("  lesion stays: IoU before and after", "type_region_iou", ".2f"),
    ("boxes elsewhere", "", ""),
    ("  colours change inside (Delta E)", "change_inside", ".1f"),
    ("  elsewhere", "change_elsewhere", ".1f"),
    ("  (elsewhere, of other noise instead)", "change_by_noise", ".1f"),
    ("  inside / elsewhere", "change_ratio", ".2f"),
    ("  tone of the skin drifts (degrees)", "tone_drift", ".1f"),
    ("  lesion follows: IoU with the new boxes", "iou_new_box", ".2f"),
    ("  with the old boxes", "iou_old_box", ".2f"),
    ("  (IoU of old and new boxes)", "move_overlap", ".2f"),
)


def check_output(output_dir: str, protocol: Mapping[str, Any], overwrite: bool) -> None:
    """Raises ValueError if `fidelity.json` is there, of another protocol than this."""
    report.check(pathlib.Path(output_dir) / FILE_NAME, protocol, overwrite)


def frame(fidelity: Fidelity) -> pd.DataFrame:
    """Returns one row per map: what was asked for and measured of the generated images."""
    rows = fidelity.roi.generated.drop(columns=["boxes", "region", "chance"])
    tones = fidelity.tone.generated.pivot(index="map", columns="skin_type", values="ita")
    tones = tones.add_prefix("ita_asked_for_type_").reset_index()
    for other in (fidelity.checkerboard.generated, tones, fidelity.counterfactuals.rows):
        rows = rows.merge(other, on="map")
    boxes = [";".join(" ".join(f"{x:g}" for x in box) for box in one) for one in _boxes(fidelity)]
    return rows.assign(rois=boxes).set_index("map")


def _boxes(fidelity: Fidelity) -> List[Any]:
    return fidelity.roi.generated["boxes"].tolist()


def write(fidelity: Fidelity, output_dir: str, overwrite: bool = False) -> List[str]:
    """Writes `fidelity.json` and `fidelity.csv`.

    Args:
      fidelity: what was measured.
      output_dir: folder.
      overwrite: whether files of another protocol may be replaced; those of the same
        protocol hold the same numbers and are replaced in any case.

    Returns:
      Paths of the files.

    Raises:
      ValueError: a file is there, of another protocol.
    """
    check_output(output_dir, fidelity.protocol, overwrite)
    path = pathlib.Path(output_dir) / FILE_NAME
    table_path = path.with_suffix(".csv")
    files.write_text(table_path, frame(fidelity).to_csv(float_format="%.6g"))
    report.write(path, fidelity.as_dict())
    return [str(path), str(table_path)]


def log(fidelity: Fidelity, log_dir: str) -> None:
    """Writes TensorBoard scalars at the checkpoint's step."""
    with tf.summary.create_file_writer(log_dir).as_default(step=fidelity.step):
        for name, one in fidelity.estimates().items():
            if np.isfinite(one.value):
                tf.summary.scalar(f"fidelity/{name}", one.value)
        tf.summary.flush()


def _line(name: str, generated: Estimate, real: Estimate, spec: str) -> str:
    return f"  {name:42.42}{generated:{spec}}".ljust(70) + f"{real:{spec}}"


def _block(
    title: str,
    rows: Tuple[Tuple[str, str, str], ...],
    generated: Mapping[str, Estimate],
    real: Mapping[str, Estimate],
) -> List[str]:
    lines = ["", f"{title:44}{'generated':26}real crops"]
    return lines + [_line(name, generated[key], real[key], spec) for name, key, spec in rows]


def _tone_lines(fidelity: Fidelity) -> List[str]:
    tone = fidelity.tone
    rows = (
        ("mean error", "error", ".1f"),
        ("correlation of measured and requested", "correlation", ".2f"),
        ("slope of measured against requested", "slope", ".2f"),
    )
    title = "Tone (degrees of ITA outside the ROI)"
    lines = _block(title, rows, tone.agreement, tone.ceiling)
    lines += [
        "",
        "  skin type   real, mean ± SD  (N, patients)   generated (N)          difference"
        "               error",
    ]
    for one in tone.types:
        spread = f"± {one.real_sd:4.1f}" if one.real_images > 1 else " " * 6
        real = f"{one.real_mean:6.1f} {spread}  ({one.real_images}, {one.real_patients})"
        if not one.real_images:
            real = "     none to compare with"
        painted = f"{one.generated_mean:6.1f} ± {one.generated_sd:4.1f} ({one.generated_images})"
        difference = f"{one.difference:.1f}"
        lines.append(f"  {one.skin_type:^9}   {real:32}{painted:23}{difference:25}{one.error:.1f}")
    if tone.of_one_patient:
        types = ", ".join(map(str, tone.of_one_patient))
        lines.append(f"  of a single patient, not in the numbers above: skin type {types}")
    missed = tone.unmeasured
    if any(missed.values()):
        lines.append(
            f"  no skin seen outside the boxes (hair, sheets, no room): {missed['generated']} "
            f"generated images, {missed['real']} real crops"
        )
    return lines


def _change_lines(fidelity: Fidelity) -> List[str]:
    changes = fidelity.counterfactuals
    counts = changes.counts
    lines = ["", f"{'One change of the map, the same noise':44}generated"]
    for name, key, spec in _CHANGE_LINES:
        number = f"{changes.numbers[key]:{spec}}" if key else ""
        lines.append(f"  {name:42}{number}".rstrip())
    if counts["no_room_to_move"]:
        lines.append(f"  boxes of {counts['no_room_to_move']} maps leave no room to move them")
    return lines


def table(fidelity: Fidelity) -> str:
    """Returns the table for the screen."""
    protocol = fidelity.protocol
    roi, spectrum = fidelity.roi, fidelity.checkerboard
    lines = [
        "",
        f"Fidelity of {fidelity.run_dir}, step {fidelity.step:,}",
        f"  {protocol['num_images']:,} {protocol['map_split']} maps, varied, each in six skin "
        f"types; seed {protocol['seed']}",
        f"  real crops: tone, {protocol['real_images']:,} {protocol['real_split']} crops of "
        f"{protocol['real_patients']:,} patients, each against the other patients of its type;",
        f"  the rest, the {protocol['map_images']:,} {protocol['map_split']} crops of "
        f"{protocol['map_patients']:,} patients that the maps come from",
        f"  ({protocol['interval']})",
        *_tone_lines(fidelity),
        *_block("Lesion", _ROI_LINES, roi.generated_numbers, roi.real_numbers),
        *_block("Checkerboard", _SPECTRUM_LINES, spectrum.generated_numbers, spectrum.real_numbers),
        *_change_lines(fidelity),
    ]
    if fidelity.notes:
        lines += ["", *(f"  note: {note}" for note in fidelity.notes)]
    return "\n".join(lines)
