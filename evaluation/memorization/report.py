"""What an audit for copies writes and prints."""

import pathlib
from typing import Any, Dict, List, Mapping, Optional

import numpy as np
import pandas as pd
import tensorflow as tf

from common import files, report
from evaluation.memorization.audit import Rate
from evaluation.memorization.results import Evaluation, Score

FILE_NAME = "memorization.json"
_ROWS = 10


def check_output(output_dir: str, protocol: Mapping[str, Any], overwrite: bool) -> None:
    """Raises ValueError if `memorization.json` is there, of another protocol than this."""
    report.check(pathlib.Path(output_dir) / FILE_NAME, protocol, overwrite)


def refusal(evaluation: Evaluation, max_copy_rate: float) -> str:
    """Says why images of this generator should not leave the house; "" if they may.

    They may if the copy rate of every split of maps is shown to be at most
    `max_copy_rate`: the upper end of its 95 % interval is. The point estimate, or the
    lower end, would let a generator pass for lack of images to judge it by.

    Args:
      evaluation: of the generator.
      max_copy_rate: between 0 and 1; below 0 lets everything pass.
    """
    if max_copy_rate < 0:
        return ""
    rates = {split: one.score.copies for split, one in evaluation.generated.items()}
    split, worst = max(
        ((split, rate) for split, rate in rates.items() if rate is not None),
        key=lambda item: item[1].interval[1],
    )
    high = worst.interval[1]
    if high <= max_copy_rate:
        return ""
    advice = "" if worst.share > max_copy_rate else "; more --num_images may show that it is lower"
    return (
        f"the copy rate on {split} maps, {worst.share:.2%} of {worst.total:,} images, may be as "
        f"high as {high:.2%}, above --max_copy_rate={max_copy_rate:g}{advice}"
    )


def frame(evaluation: Evaluation) -> pd.DataFrame:
    """Returns one row per generated image, the most suspicious first."""
    parts = []
    for split, one in evaluation.generated.items():
        found, training = one.matches, evaluation.training
        numbers = {
            f"{name}_{field}": getattr(neighbours, field)
            for name, neighbours in one.neighbours.items()
            for field in ("distance", "scale", "ratio")
        }
        parts.append(
            pd.DataFrame(
                {
                    "map_split": split,
                    "index": np.arange(len(one.images)),
                    "seed": one.seeds,
                    "condition": one.images.conditions,
                    "skin_type": one.images.skin_types,
                    "nearest_image_id": np.array(training.image_ids)[found.index],
                    "nearest_patient_id": np.array(training.patients)[found.index],
                    "nearest_index": found.index,
                    "mirrored": found.mirrored,
                    "criterion": found.criterion,
                    "ratio": found.ratio,
                    "suspicion": found.suspicion,
                    "flagged": found.flagged,
                    **numbers,
                }
            )
        )
    rows = pd.concat(parts, ignore_index=True)
    return rows.sort_values("suspicion", kind="stable", ignore_index=True)


def _rates(rates: Mapping[str, Optional[Rate]]) -> Dict[str, Any]:
    return {name: rate and rate.as_dict() for name, rate in rates.items()}


def as_dict(evaluation: Evaluation, max_copy_rate: float) -> Dict[str, Any]:
    """Returns the contents of `memorization.json`."""
    held_out = evaluation.held_out.score
    generated = {}
    for split, one in evaluation.generated.items():
        generated[split] = one.score.as_dict()
        if held_out.copies is not None and one.score.copies is not None:
            names = ("share", "low", "high")
            excess = one.score.copies.excess(held_out.copies)
            generated[split]["excess"] = dict(zip(names, excess))
    reason = refusal(evaluation, max_copy_rate)
    return {
        "run_dir": evaluation.run_dir,
        "step": evaluation.step,
        "protocol": dict(evaluation.protocol),
        "thresholds": dict(evaluation.thresholds),
        "held_out": held_out.as_dict(),
        "generated": generated,
        "planted_copies_found": _rates(evaluation.planted),
        "conditions": {name: _rates(rates) for name, rates in evaluation.conditions.items()},
        "patients": [dict(row) for row in evaluation.patients],
        "gate": {"max_copy_rate": max_copy_rate, "passed": not reason, "reason": reason},
        "notes": list(evaluation.notes),
    }


def write(
    evaluation: Evaluation, output_dir: str, max_copy_rate: float, overwrite: bool = False
) -> List[str]:
    """Writes `memorization.json` and `memorization.csv`.

    Args:
      evaluation: what was measured.
      output_dir: folder.
      max_copy_rate: of `refusal`.
      overwrite: whether files of another protocol may be replaced; those of the same
        protocol hold the same numbers and are replaced in any case.

    Returns:
      Paths of the files.

    Raises:
      ValueError: the files are there, of another protocol.
    """
    check_output(output_dir, evaluation.protocol, overwrite)
    path = pathlib.Path(output_dir) / FILE_NAME
    table_path = path.with_suffix(".csv")
    files.write_text(table_path, frame(evaluation).to_csv(index=False))
    report.write(path, as_dict(evaluation, max_copy_rate))
    return [str(path), str(table_path)]


def log(evaluation: Evaluation, log_dir: str) -> None:
    """Writes TensorBoard scalars at the checkpoint's step."""
    scores = {f"{split}_maps": one.score for split, one in evaluation.generated.items()}
    scores["held_out"] = evaluation.held_out.score
    with tf.summary.create_file_writer(log_dir).as_default(step=evaluation.step):
        for name, score in scores.items():
            tf.summary.scalar(f"memorization/authentic/{name}", score.authentic.share)
            tf.summary.scalar(
                f"memorization/median_ratio/{name}", score.quantiles["features"]["50"]
            )
            if score.copies is not None:
                tf.summary.scalar(f"memorization/copy_rate/{name}", score.copies.share)
        tf.summary.flush()


def _percent(rate: Optional[Rate]) -> str:
    if rate is None:
        return f"{'-':^23}"
    low, high = rate.interval
    return f"{rate.share:7.2%} ({low:6.2%}-{high:6.2%})".ljust(23)


def _line(name: str, number: int, score: Score) -> str:
    return (
        f"  {name:22.22}{number:7,}  {_percent(score.copies)}  {_percent(score.authentic)}"
        f"{score.quantiles['features']['50']:8.3f}{score.identical:11,}"
    )


def table(evaluation: Evaluation) -> str:
    """Returns the table for the screen."""
    protocol, held_out = evaluation.protocol, evaluation.held_out
    limits = " or ".join(f"{value:.3f} ({name})" for name, value in evaluation.thresholds.items())
    lines = [
        "",
        f"Copies of training photographs, by {protocol['layer']} of {protocol['feature_network']}",
        f"  of {evaluation.run_dir}, step {evaluation.step:,}",
        f"  {protocol['training_images']:,} training crops of {protocol['training_patients']:,} "
        f"patients, {protocol['held_out_images']:,} {protocol['held_out_split']} crops of "
        f"{protocol['held_out_patients']:,} others; 95 % intervals",
        f"  a copy: nearest training crop at most {limits} of that crop's distance",
        f"  to another patient's; {protocol['alpha']:.2%} expected of images that copy nobody",
        "",
        f"  {'':22}{'N':>7}  {'copy rate':^23}  {'authentic':^23}{'median':>8}{'identical':>11}",
        _line(f"held-out ({protocol['held_out_split']})", len(held_out.images), held_out.score),
    ]
    for split, one in evaluation.generated.items():
        lines.append(_line(f"{split} maps", len(one.images), one.score))
    for split, one in evaluation.generated.items():
        if one.score.copies is not None and held_out.score.copies is not None:
            excess = one.score.copies.excess(held_out.score.copies)
            low, high = f"{excess[1]:+.2%}", f"{excess[2]:+.2%}"
            lines.append(f"  excess on {split} maps over held-out: {excess[0]:+.2%} ({low} {high})")
    if evaluation.planted:
        found = [f"{kind} {rate.share:.1%}" for kind, rate in evaluation.planted.items()]
        number = next(iter(evaluation.planted.values())).total
        lines.append(f"  planted copies found, of {number:,} each: {', '.join(found)}")
    lines += ["", *_condition_lines(evaluation), "", *_patient_lines(evaluation), ""]
    return "\n".join(lines + [f"  note: {note}" for note in evaluation.notes])


def _condition_lines(evaluation: Evaluation) -> List[str]:
    lines = [f"  {'generated, by condition':38}{'N':>7}  {'copy rate':^23}  {'authentic':^23}"]
    for name, rates in evaluation.conditions.items():
        number = rates["copies"].total if rates["copies"] else 0
        numbers = f"{_percent(rates['copies'])}  {_percent(rates['authentic'])}"
        lines.append(f"    {name:36.36}{number:7,}  {numbers}")
    return lines


def _patient_lines(evaluation: Evaluation) -> List[str]:
    lines = [
        f"  {'nearest training patients':28}{'crops':>6}{'flagged':>9}"
        f"{'generated':>18}{'held-out':>18}{'p':>9}"
    ]
    for row in evaluation.patients[:_ROWS]:
        lines.append(
            f"    {row['patient_id']:26.26}{row['training_crops']:6,}{row['flagged']:9,}"
            f"{row['generated']:9,} ({row['generated_share']:6.2%})"
            f"{row['held_out']:9,} ({row['held_out_share']:6.2%}){row['p']:9.2g}"
        )
    return lines
