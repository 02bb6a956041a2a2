"""Table 1: the full model and its ablations, with intervals, paired comparisons and sizes."""

import dataclasses
import pathlib
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
import pandas as pd

from evaluation import distances, plots, result_files
from evaluation.ablation_study import FULL, TITLES, VARIANTS, Measured


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table, over all seeds.

    Attributes:
      variant: key of `VARIANTS`, or "real" for the real-vs-real floor.
      title: for the reader.
      parameters: trained weights of the generator; None for photographs.
      seeds: trainings.
      values: metric to the values of all trials of all seeds.
      difference: Frechet distance less the full model's of the same seed and
        trial; None for the full model and photographs.
    """

    variant: str
    title: str
    parameters: Optional[int]
    seeds: int
    values: Dict[str, np.ndarray]
    difference: Optional[np.ndarray]

    def as_dict(self) -> Dict[str, Any]:
        """Returns the line as a flat dictionary, for CSV and JSON."""
        entry: Dict[str, Any] = {
            "variant": self.variant,
            "title": self.title,
            "parameters": self.parameters,
            "seeds": self.seeds,
        }
        for metric, values in self.values.items():
            one = distances.interval(values)
            entry[metric], entry[f"{metric}_interval"] = one["mean"], one["interval"]
        if self.difference is not None:
            one = distances.interval(self.difference)
            entry["difference"] = one["mean"]
            entry["difference_interval"] = one["interval"]
            entry["worse_in_share_of_trials"] = float((self.difference > 0).mean())
        return entry


def rows(measured: Sequence[Measured]) -> List[Row]:
    """Sums the models up, one row per variant, the floor first.

    Args:
      measured: models measured by one evaluator; trial i of each compares with the
        same photographs, so that differences to the full model of the same seed are
        paired by trial.
    """
    full = {one.model.seed: one for one in measured if one.model.variant == FULL}
    floor = measured[0].evaluation.overall.floor
    floor_values = {name: np.array(values) for name, values in floor.items()}
    table = [Row("real", "real photographs", None, 0, floor_values, None)]
    for variant in VARIANTS:
        ours = [one for one in measured if one.model.variant == variant]
        if not ours:
            continue
        scores = [one.evaluation.overall.generated for one in ours]
        values = {name: np.concatenate([score[name] for score in scores]) for name in scores[0]}
        paired = [
            np.subtract(
                score["frechet"], full[one.model.seed].evaluation.overall.generated["frechet"]
            )
            for one, score in zip(ours, scores)
            if variant != FULL and one.model.seed in full
        ]
        difference = np.concatenate(paired) if paired else None
        table.append(
            Row(variant, TITLES[variant], ours[0].parameters, len(ours), values, difference)
        )
    return table


def _text(mean: float, half: float) -> str:
    digits = 3 if abs(mean) < 10 else 1
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


def markdown(table: Sequence[Row], measured: Sequence[Measured]) -> str:
    """Returns the table as Markdown, with its protocol beneath."""
    evaluation = measured[0].evaluation
    name = evaluation.distance_name
    lines = [
        f"| model | parameters | {name} | less the full model's | worse in | kernel | precision "
        "| recall |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in table:
        entry = row.as_dict()
        difference, worse = "", ""
        if row.difference is not None:
            difference = _text(entry["difference"], entry["difference_interval"])
            worse = f"{100 * entry['worse_in_share_of_trials']:.0f} %"
        cells = [
            row.title,
            f"{row.parameters:,}" if row.parameters else "",
            _text(entry["frechet"], entry["frechet_interval"]),
            difference,
            worse,
            _text(entry["kernel"], entry["kernel_interval"]),
            f"{entry['precision']:.2f}",
            f"{entry['recall']:.2f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    protocol = evaluation.protocol
    seeds = sorted({one.model.seed for one in measured})
    lines += [
        "",
        f"± 1.96 standard deviations over {protocol['trials']} trials of each of "
        f"{len(seeds)} training seed(s) ({', '.join(map(str, seeds))}); differences are paired by "
        "seed and trial.",
        f"N = {evaluation.overall.num_images}; {protocol['real_images']} {protocol['real_split']} "
        f"crops of {protocol['real_patients']} patients; step {evaluation.step:,}; features "
        f"{protocol['layer']} of {protocol['feature_network']}, resize {protocol['resize']} to "
        f"{protocol['input_size']}.",
        *(f"Note: {note}." for note in evaluation.notes),
    ]
    return "\n".join(lines) + "\n"


def write(measured: Sequence[Measured], workdir: str) -> List[str]:
    """Writes ablation.md, .csv, .json and .png; returns their paths."""
    folder = pathlib.Path(workdir)
    table = rows(measured)
    entries = [row.as_dict() for row in table]
    paths = [folder / f"ablation.{kind}" for kind in ("md", "csv", "json", "png")]
    result_files.write_text(paths[0], markdown(table, measured))
    result_files.write_text(paths[1], pd.DataFrame(entries).to_csv(index=False))
    result_files.write(
        paths[2],
        {
            "rows": entries,
            "protocol": dict(measured[0].evaluation.protocol),
            "models": [
                {**dataclasses.asdict(one.model), **one.evaluation.as_dict()} for one in measured
            ],
        },
    )
    _draw(table, measured, str(paths[3]))
    return [str(path) for path in paths]


def _draw(table: Sequence[Row], measured: Sequence[Measured], path: str) -> None:
    floor = distances.interval(table[0].values["frechet"])
    points = [distances.interval(row.values["frechet"]) for row in table[1:]]
    evaluation = measured[0].evaluation
    plots.compared_intervals(
        [row.title for row in table[1:]],
        [(point["mean"], point["interval"]) for point in points],
        [(floor["mean"], floor["interval"])] * len(points),
        f"step {evaluation.step:,}, N = {evaluation.overall.num_images}, "
        f"{evaluation.protocol['trials']} trials per seed, ± 1.96 SD",
        evaluation.distance_name,
        path,
    )
