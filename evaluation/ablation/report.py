"""Table 1: the full model and its ablations, with intervals, paired comparisons and sizes."""

import dataclasses
import json
import pathlib
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import pandas as pd
import scipy.stats

from common import figures, files, report
from evaluation.ablation.study import FULL, TITLES, VARIANTS, Measured, Model
from evaluation.frechet import distances

_OF_ONE_MODEL = ("generated_digest", "generator_digest")


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table, over all seeds.

    Attributes:
      variant: key of `VARIANTS`, or "real" for the real-vs-real floor.
      title: for the reader.
      parameters: trained weights of the generator; None for photographs.
      seeds: of the trainings; none for photographs.
      values: metric to float [seeds, trials]; [1, trials] for photographs.
      difference: float [seeds, trials], Frechet distance less the full model's of
        the same seed and trial; None for the full model and photographs.
    """

    variant: str
    title: str
    parameters: Optional[int]
    seeds: Tuple[int, ...]
    values: Dict[str, np.ndarray]
    difference: Optional[np.ndarray]

    def as_dict(self) -> Dict[str, Any]:
        """Returns the line as a flat dictionary, for CSV and JSON."""
        entry: Dict[str, Any] = {
            "variant": self.variant,
            "title": self.title,
            "parameters": self.parameters,
            "seeds": len(self.seeds),
        }
        for metric, values in self.values.items():
            one = distances.interval(values.ravel())
            entry[metric], entry[f"{metric}_interval"] = one["mean"], one["interval"]
        for seed, values in zip(self.seeds, self.values["frechet"]):
            entry[f"frechet_seed_{seed}"] = float(values.mean())
        if self.difference is not None:
            one = distances.interval(self.difference.ravel())
            entry["difference"] = one["mean"]
            entry["difference_interval"] = one["interval"]
            entry["difference_low"], entry["difference_high"] = self.difference_of_seeds()
        return entry

    def difference_of_seeds(self) -> Tuple[Optional[float], Optional[float]]:
        """Returns the 95 % interval of the difference over trainings.

        Student's t of the seeds' means: the seeds differ by initial weights and
        batches, the trials only by the images that were drawn. (None, None) of a
        single seed, which cannot tell.
        """
        if self.difference is None or len(self.difference) < 2:
            return None, None
        means = self.difference.mean(axis=1)
        low, high = scipy.stats.t.interval(
            0.95, len(means) - 1, loc=means.mean(), scale=scipy.stats.sem(means)
        )
        return float(low), float(high)


def rows(measured: Sequence[Measured]) -> List[Row]:
    """Sums the models up, one row per variant, the floor first.

    Args:
      measured: models measured by one evaluator, a full one of every seed among them;
        trial i of each compares with the same photographs, so that differences to the
        full model of the same seed are paired by trial.
    """
    full = {one.model.seed: one for one in measured if one.model.variant == FULL}
    floor = measured[0].evaluation.overall.floor
    floor_values = {name: np.array([values]) for name, values in floor.items()}
    table = [Row("real", "real photographs", None, (), floor_values, None)]
    for variant in VARIANTS:
        ours = [one for one in measured if one.model.variant == variant]
        if not ours:
            continue
        scores = [one.evaluation.overall.generated for one in ours]
        values = {name: np.array([score[name] for score in scores]) for name in scores[0]}
        seeds = tuple(one.model.seed for one in ours)
        difference = None
        if variant != FULL:
            difference = values["frechet"] - [
                full[seed].evaluation.overall.generated["frechet"] for seed in seeds
            ]
        parameters = ours[0].parameters
        table.append(Row(variant, TITLES[variant], parameters, seeds, values, difference))
    return table


def _digits(value: float) -> int:
    return 3 if abs(value) < 10 else 1


def _text(mean: float, half: float) -> str:
    digits = _digits(mean)
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


def _by_seed(values: np.ndarray, sign: str = "") -> str:
    """Returns the means of [seeds, trials], e.g. "0.412, 0.430"."""
    means = values.mean(axis=1)
    return ", ".join(f"{mean:{sign}.{_digits(mean)}f}" for mean in means)


def markdown(table: Sequence[Row], measured: Sequence[Measured]) -> str:
    """Returns the table as Markdown, with its verdicts and protocol beneath."""
    evaluation = measured[0].evaluation
    name = evaluation.distance_name
    lines = [
        f"| model | parameters | {name} | by seed | less the full model's | by seed | kernel "
        "| precision | recall |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in table:
        entry = row.as_dict()
        difference, difference_by_seed = "", ""
        if row.difference is not None:
            difference = _text(entry["difference"], entry["difference_interval"])
            difference_by_seed = _by_seed(row.difference, "+")
        cells = [
            row.title,
            f"{row.parameters:,}" if row.parameters else "",
            _text(entry["frechet"], entry["frechet_interval"]),
            _by_seed(row.values["frechet"]) if row.seeds else "",
            difference,
            difference_by_seed,
            f"{entry['kernel']:.2g} ± {entry['kernel_interval']:.1g}",
            f"{entry['precision']:.2f}",
            f"{entry['recall']:.2f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    verdicts = [f"- {_verdict(row)}" for row in table if row.difference is not None]
    lines += ["", *verdicts] if verdicts else []
    protocol = evaluation.protocol
    seeds = sorted({one.model.seed for one in measured})
    lines += [
        "",
        f"± 1.96 standard deviations over {protocol['trials']} trials of each of "
        f"{len(seeds)} training seed(s) ({', '.join(map(str, seeds))}); differences are paired by "
        "seed and trial. Trials draw other images of the same models; how far apart two trainings "
        "are, only seeds tell.",
        f"N = {evaluation.overall.num_images}; {protocol['real_images']} {protocol['real_split']} "
        f"crops of {protocol['real_patients']} patients; step {evaluation.step:,}; features "
        f"{protocol['layer']} of {protocol['feature_network']}, resize {protocol['resize']} to "
        f"{protocol['input_size']}.",
        *(f"Note: {note}." for note in evaluation.notes),
    ]
    return "\n".join(lines) + "\n"


def _verdict(row: Row) -> str:
    """Says whether a variant and the full model can be told apart, over trainings."""
    low, high = row.difference_of_seeds()
    if low is None or high is None:
        return f"{row.title}: one seed cannot tell a difference from that of another training."
    digits = _digits(max(abs(low), abs(high)))
    said = "worse" if low > 0 else "better" if high < 0 else "not told apart from the full model"
    return (
        f"{row.title}: {said}; mean difference of {len(row.seeds)} seeds between "
        f"{low:+.{digits}f} and {high:+.{digits}f} (95 %, Student's t)."
    )


def _protocol(protocol: Mapping[str, Any]) -> Dict[str, Any]:
    """Returns what is common to all models of a table."""
    return {name: value for name, value in protocol.items() if name not in _OF_ONE_MODEL}


def check_output(
    protocol: Mapping[str, Any], models: Sequence[Model], workdir: str, overwrite: bool
) -> None:
    """Checks that a table may be written where there may be one.

    Args:
      protocol: of the evaluator.
      models: that the table will hold.
      workdir: of the table.
      overwrite: whether another table may be replaced.

    Raises:
      ValueError: there is a table by another protocol, or of a model that is not
        among these.
    """
    path = pathlib.Path(workdir) / "ablation.json"
    report.check(path, _protocol(protocol), overwrite, "--workdir")
    if overwrite or not path.exists():
        return
    ours = {model.run_dir for model in models}
    for stored in json.loads(path.read_text(encoding="utf-8"))["models"]:
        if stored["run_dir"] not in ours:
            raise ValueError(
                f"{path}: holds {stored['run_dir']}, which is not asked for; choose another "
                "--workdir or pass --overwrite"
            )


def write(measured: Sequence[Measured], workdir: str) -> List[str]:
    """Writes ablation.md, .csv, .json and .png, replacing what is there; returns their paths."""
    folder = pathlib.Path(workdir)
    table = rows(measured)
    entries = [row.as_dict() for row in table]
    paths = [folder / f"ablation.{kind}" for kind in ("md", "csv", "json", "png")]
    files.write_text(paths[0], markdown(table, measured))
    files.write_text(paths[1], pd.DataFrame(entries).to_csv(index=False))
    report.write(
        paths[2],
        {
            "rows": entries,
            "protocol": _protocol(measured[0].evaluation.protocol),
            "models": [
                {**dataclasses.asdict(one.model), **one.evaluation.as_dict()} for one in measured
            ],
        },
    )
    _draw(table, measured, str(paths[3]))
    return [str(path) for path in paths]


def _draw(table: Sequence[Row], measured: Sequence[Measured], path: str) -> None:
    floor = distances.interval(table[0].values["frechet"].ravel())
    points = [distances.interval(row.values["frechet"].ravel()) for row in table[1:]]
    evaluation = measured[0].evaluation
    figure = figures.compared_intervals(
        [row.title for row in table[1:]],
        [_point(one) for one in points],
        [_point(floor)] * len(points),
        f"step {evaluation.step:,}, N = {evaluation.overall.num_images}, "
        f"{evaluation.protocol['trials']} trials per seed, ± 1.96 SD",
        evaluation.distance_name,
    )
    figures.save(figure, path)


def _point(one: Mapping[str, float]) -> figures.Point:
    return one["mean"], one["mean"] - one["interval"], one["mean"] + one["interval"]
