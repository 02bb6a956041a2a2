"""Table 1: the full model and its ablations, with intervals, paired comparisons and sizes."""

import dataclasses
import pathlib
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import pandas as pd

from common import figures
from common.report import Report, render
from evaluation.ablation.study import FULL, TITLES, VARIANTS, Measured, Model
from evaluation.frechet.evaluator import FrechetEvaluator
from evaluation.uncertainty import intervals

_TABLE = pathlib.Path(__file__).with_name("ablation.md.jinja")


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
            one = intervals.mean_of_trials(values.ravel())
            entry[metric], entry[f"{metric}_interval"] = one["mean"], one["interval"]
        for seed, values in zip(self.seeds, self.values["frechet"]):
            entry[f"frechet_seed_{seed}"] = float(values.mean())
        if self.difference is not None:
            one = intervals.mean_of_trials(self.difference.ravel())
            entry["difference"], entry["difference_interval"] = one["mean"], one["interval"]
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
        return intervals.student(self.difference.mean(axis=1))


def make_rows(measured: Sequence[Measured]) -> List[Row]:
    """Sums the models up, one row per variant, the floor first.

    Args:
      measured: models measured by one evaluator, a full one of every seed among them;
        trial i of each compares with the same photographs, so that differences to the
        full model of the same seed are paired by trial.
    """
    full = {one.model.seed: one for one in measured if one.model.variant == FULL}
    floor = measured[0].evaluation.overall.floor
    floor_values = {name: np.array([values]) for name, values in floor.items()}
    rows = [Row("real", "real photographs", None, (), floor_values, None)]
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
        rows.append(Row(variant, TITLES[variant], ours[0].parameters, seeds, values, difference))
    return rows


def _digits(value: float) -> int:
    return 3 if abs(value) < 10 else 1


def _plus_minus(mean: float, half: float) -> str:
    digits = _digits(mean)
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


def _by_seed(values: np.ndarray, sign: str = "") -> str:
    """Returns the means of [seeds, trials], e.g. "0.412, 0.430"."""
    means = values.mean(axis=1)
    return ", ".join(f"{mean:{sign}.{_digits(mean)}f}" for mean in means)


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


def _shown(measured: Sequence[Measured]) -> Dict[str, Any]:
    """What the template shows: the table, with its verdicts and protocol beneath."""
    evaluation = measured[0].evaluation
    return {
        "rows": make_rows(measured),
        "evaluation": evaluation,
        "protocol": evaluation.protocol,
        "seeds": sorted({one.model.seed for one in measured}),
        "plus_minus": _plus_minus,
        "by_seed": _by_seed,
        "verdict": _verdict,
    }


def markdown(measured: Sequence[Measured]) -> str:
    """Returns the table as Markdown."""
    return render(_TABLE, **_shown(measured))


def open_report(
    evaluator: FrechetEvaluator, models: Sequence[Model], workdir: str, overwrite: bool
) -> Report:
    """Returns the report of a table, after checking that it may be written.

    Args:
      evaluator: of all models.
      models: that the table will hold.
      workdir: of the table.
      overwrite: whether another table may be replaced.

    Raises:
      ValueError: there is a table by another protocol, or of a model that is not
        among these.
    """
    report = Report(workdir, "ablation", evaluator.protocol, overwrite, "--workdir")
    stored = None if overwrite else report.stored()
    ours = {model.run_dir for model in models}
    for one in stored["models"] if stored else ():
        if one["run_dir"] not in ours:
            raise ValueError(
                f"{report.folder / 'ablation.json'}: holds {one['run_dir']}, which is not asked "
                "for; choose another --workdir or pass --overwrite"
            )
    return report


def write(measured: Sequence[Measured], report: Report) -> None:
    """Writes ablation.md, .csv, .json and .png, replacing what is there."""
    rows = make_rows(measured)
    entries = [row.as_dict() for row in rows]
    report.write_markdown(_TABLE, **_shown(measured))
    report.write_csv(pd.DataFrame(entries))
    models = [{**dataclasses.asdict(one.model), **one.evaluation.as_dict()} for one in measured]
    verdicts = [_verdict(row) for row in rows if row.difference is not None]
    report.write_json({"verdicts": verdicts, "rows": entries, "models": models})
    report.write_figure(_draw(rows, measured))


def _draw(rows: Sequence[Row], measured: Sequence[Measured]) -> figures.pyplot.Figure:
    floor, *points = (
        figures.plus_minus(**intervals.mean_of_trials(row.values["frechet"].ravel()))
        for row in rows
    )
    evaluation = measured[0].evaluation
    return figures.compared_intervals(
        [row.title for row in rows[1:]],
        points,
        [floor] * len(points),
        f"step {evaluation.step:,}, N = {evaluation.overall.num_images}, "
        f"{evaluation.protocol['trials']} trials per seed, ± 1.96 SD",
        evaluation.distance_name,
    )
