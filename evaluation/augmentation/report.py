"""The report of the augmentation experiment: Markdown, CSV, JSON and figures."""

import pathlib
from typing import Any, Dict, List, Mapping, Sequence

import pandas as pd

from common import files, report
from evaluation.augmentation import arms, figures
from evaluation.augmentation import classification_statistics as statistics
from evaluation.augmentation import results as augmentation_results
from evaluation.augmentation.classification_statistics import Difference
from evaluation.augmentation.results import ArmResult, Comparison, Results
from evaluation.augmentation.verdict import majority_accuracy, notes, verdict
from preprocessing.data import taxonomy

_OVERALL_TITLES = {
    "top_1": "top-1",
    "balanced_accuracy": "balanced accuracy",
    "macro_precision": "macro precision",
    "macro_f1": "macro F1",
}
_TEST_TITLES = {"test": "Test photographs", "extra": "Photographs of another data set"}


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> List[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def _p(value: float) -> str:
    return "-" if value != value else (f"{value:.3f}" if value >= 0.001 else "< 0.001")


def _difference(one: Difference) -> str:
    estimate = one.estimate
    if estimate.value != estimate.value:
        return "-"
    text = f"{estimate.value:+.3f}"
    if estimate.low == estimate.low:
        text += f" ({estimate.low:+.3f} to {estimate.high:+.3f})"
    return f"**{text}**" if one.significant else text


def _overall(results: Results) -> List[str]:
    rows = [
        [
            arm.name,
            f"{arm.protocol['synthetic_images']:,}" if arm.protocol["synthetic_images"] else "",
            *(f"{arm.summary.overall[name]:.3f}" for name in statistics.OVERALL),
            f"{arm.calibration:.3f} ({arm.calibration_floor:.3f})",
        ]
        for arm in results.arms
    ]
    header = ["arm", "synthetic images", *_OVERALL_TITLES.values(), "calibration error (chance)"]
    majority = majority_accuracy(results)
    return [
        *_table(header, rows),
        "",
        f"Always naming the most common condition has a top-1 of {majority:.3f}.",
    ]


def _comparisons(results: Results) -> List[str]:
    rows = []
    for one in results.comparisons:
        changed = one.significant_classes()
        rows.append(
            [
                f"{one.second} less {one.first}",
                *(_difference(one.overall[name]) for name in statistics.OVERALL),
                _p(one.overall["top_1"].p),
                _p(one.t_test),
                _p(one.mcnemar),
                ", ".join(f"{name} {d.estimate.value:+.2f}" for name, d in changed) or "none",
            ]
        )
    header = [
        "difference",
        *_OVERALL_TITLES.values(),
        "p (bootstrap, top-1)",
        "p (paired t-test)",
        "p (McNemar)",
        "F1 significant in",
    ]
    return _table(header, rows)


def _classes(results: Results) -> List[str]:
    real = results.arms[0]
    against = [one for one in results.comparisons if one.first == arms.REAL]
    rows = []
    for code, condition in enumerate(taxonomy.CONDITIONS):
        if not real.summary.support[code]:
            continue
        rows.append(
            [
                condition,
                str(real.summary.support[code]),
                f"{real.summary.per_class['f1'][code]:.3f}",
                *(_difference(one.classes[code]) for one in against),
            ]
        )
    header = ["F1 of", "test images", "real", *(f"{one.second} less real" for one in against)]
    return _table(header, rows)


def _precision_and_recall(results: Results) -> List[str]:
    rows = []
    for code, condition in enumerate(taxonomy.CONDITIONS):
        if results.arms[0].summary.support[code]:
            pairs = [
                [arm.summary.per_class[name][code].value for name in ("precision", "recall")]
                for arm in results.arms
            ]
            rows.append([condition, *(f"{one:.2f} / {two:.2f}" for one, two in pairs)])
    return _table(["precision / recall of", *(arm.name for arm in results.arms)], rows)


def _skin_types(results: Results) -> List[str]:
    types = sorted(results.arms[0].skin_types)
    names = [f"type {one}" if one else "unknown" for one in types]
    counts = [results.arms[0].skin_types[one][0] for one in types]
    header = ["top-1 by skin type", *(f"{name}, n = {n}" for name, n in zip(names, counts))]
    rows = [[arm.name, *(f"{arm.skin_types[one][1]:.3f}" for one in types)] for arm in results.arms]
    return _table(header, rows)


def _protocol(results: Results) -> List[str]:
    real = results.arms[0]
    study = real.protocol["study"]
    model, training = study["config"]["model"], study["config"]["training"]
    table = real.predictions.table
    seeds = ", ".join(map(str, real.predictions.seeds))
    chance = "One seed: the chance of another training is in no interval."
    if len(real.predictions.seeds) > 1:
        chance = "The chance of another training is in them by the spread of the seeds."
    return [
        f"{len(table):,} photographs of {table['patient_id'].nunique():,} patients. MobileNet V1, "
        f"width {model['alpha']}, {model['input_size']}x{model['input_size']}, weights "
        f"{_weights(study)}; at most {training['steps']:,} steps of {training['batch_size']} "
        f"images in every arm, weights of the best validation {training['monitor']}; seeds "
        f"{seeds}. {sum(study['photographs'].values()):,} photographs to train on, "
        f"{study['validation_photographs']:,} to validate.",
        "",
        f"Numbers are means over the seeds with 95% intervals of a bootstrap of patients "
        f"({results.replicates:,} replicates); differences are paired. {chance} Conditions of "
        f"fewer than {statistics.FEWEST_OF_CLASS} patients have none and are not tested. Bold: p < "
        "0.05, for F1 after Holm's correction for the number of tested conditions; real+synthetic "
        "less real is the question, the other comparisons explore. The t-test is the paper's and "
        "takes images for independent; McNemar's test is of the mean of an arm's seeds. "
        "Calibration error: in brackets what chance alone shows of a calibrated classifier. The "
        "training of the generator is not repeated, so its chance is in no interval. Skin types of "
        f"fewer than {augmentation_results.SMALLEST_GROUP} photographs are not judged.",
    ]


def _weights(study: Mapping[str, Any]) -> str:
    weights = study["weights"]
    return weights if len(weights) < 20 else f"from a file (sha256 {weights[:12]})"


def markdown(all_results: Sequence[Results]) -> str:
    """Returns the report as Markdown, the verdict first."""
    lines = ["# Does synthetic data help a classifier?", ""]
    for results in all_results:
        lines += [f"## {_TEST_TITLES[results.test_set]}", "", verdict(results), ""]
        parts = (
            _overall,
            _comparisons,
            _classes,
            _precision_and_recall,
            _skin_types,
            _protocol,
        )
        for part in parts:
            lines += [*part(results), ""]
        lines += [f"Note: {note}." for note in notes(results)]
    return "\n".join(lines).rstrip() + "\n"


def _csv_rows(results: Results) -> List[Dict[str, Any]]:
    comparisons: Dict[str, Comparison] = {
        one.second: one for one in results.comparisons if one.first == arms.REAL
    }
    rows: List[Dict[str, Any]] = []
    for arm in results.arms:
        for code, condition in enumerate(taxonomy.CONDITIONS):
            row: Dict[str, Any] = {
                "test_set": results.test_set,
                "arm": arm.name,
                "condition": condition,
                "test_images": arm.summary.support[code],
            }
            for name in statistics.PER_CLASS:
                one = arm.summary.per_class[name][code]
                row.update({name: one.value, f"{name}_low": one.low, f"{name}_high": one.high})
            if arm.name in comparisons:
                change = comparisons[arm.name].classes[code]
                row.update(
                    f1_less_real=change.estimate.value,
                    f1_less_real_low=change.estimate.low,
                    f1_less_real_high=change.estimate.high,
                    p=change.p,
                    p_holm=change.p_adjusted,
                )
            rows.append(row)
    return rows


def screen(results: Results) -> str:
    """Returns a short table and the verdict for the screen."""
    lines = ["", _TEST_TITLES[results.test_set], ""]
    lines.append(f"  {'':26}" + "".join(f"{name:>26}" for name in _OVERALL_TITLES.values()))
    for arm in results.arms:
        cells = "".join(f"{arm.summary.overall[name]:.3f}".rjust(26) for name in statistics.OVERALL)
        lines.append(f"  {arm.name:26.26}{cells}")
    return "\n".join([*lines, "", verdict(results)])


def write(
    all_results: Sequence[Results],
    output_dir: str,
    overwrite: bool = False,
) -> List[str]:
    """Writes augmentation.md, .csv, .json and figures.

    Args:
      all_results: one for each test set.
      output_dir: folder.
      overwrite: whether results of another experiment may be replaced.

    Returns:
      The paths.

    Raises:
      ValueError: results of another experiment are there.
    """
    folder = pathlib.Path(output_dir)
    first = all_results[0]
    protocol = {
        "study": first.arms[0].protocol["study"],
        "replicates": first.replicates,
        "tests": {
            results.test_set: results.arms[0].predictions.trainings[0]["test"]
            for results in all_results
        },
    }
    path = folder / "augmentation.json"
    report.check(path, protocol, overwrite, "--workdir")
    content = {
        "verdict": {results.test_set: verdict(results) for results in all_results},
        "notes": {results.test_set: notes(results) for results in all_results},
        "results": {results.test_set: results.as_dict() for results in all_results},
        "protocol": protocol,
    }
    report.write(path, content)
    rows = [row for results in all_results for row in _csv_rows(results)]
    files.write_text(folder / "augmentation.csv", pd.DataFrame(rows).to_csv(index=False))
    files.write_text(folder / "augmentation.md", markdown(all_results))
    paths = [str(folder / f"augmentation.{kind}") for kind in ("md", "csv", "json")]
    for results in all_results:
        paths += _draw(results, folder)
    return paths


def _draw(results: Results, folder: pathlib.Path) -> List[str]:
    suffix = "" if results.test_set == "test" else f"_{results.test_set}"
    paths = [
        figures.draw_f1(results, str(folder / f"figure_8{suffix}.png")),
        figures.draw_confusion(results, str(folder / f"confusion{suffix}.png")),
    ]
    if any(_ratio(arm) for arm in results.arms):
        curve = str(folder / f"ratios{suffix}.png")
        paths.append(figures.draw_ratios(results, curve))
    return paths


def _ratio(arm: ArmResult) -> float:
    return arm.protocol["ratio"] or 0.0
