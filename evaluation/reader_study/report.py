"""What a scored reader study writes: Markdown, CSV, JSON, and the paper's Figure 7."""

import dataclasses
import hashlib
import math
import pathlib
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np
import pandas as pd

from common import figures, files, report
from evaluation.reader_study import scores as reader_study_scores
from evaluation.reader_study.answers import CONFIDENCES, ROLES, YEARS, Answers, Refused
from evaluation.reader_study.design import PAIR, REALISM, RELEVANCE
from evaluation.reader_study.key import Key
from evaluation.reader_study.scores import ALL, CONDITION, READER, SKIN_TYPE, Score
from evaluation.uncertainty.cluster_bootstrap import Estimate

_NAMES = {
    "tpr": "TPR: photographs taken for real",
    "fpr": "FPR: synthetic images taken for real",
    "d_prime": "d': sensitivity",
    "criterion": "criterion",
    "correct": "right photograph of the pair",
    "recall_real": "recall, real images",
    "recall_synthetic": "recall, synthetic images",
    "wrong_real": "chosen though of another condition, real",
    "wrong_synthetic": "chosen though of another condition, synthetic",
}
_DIFFERENCES = {REALISM: "TPR - FPR", RELEVANCE: "recall, real - synthetic"}
_TITLES = {
    REALISM: "Realism: real or synthetic?",
    PAIR: "Pairs: which one is real?",
    RELEVANCE: "Relevance: which images show the condition?",
}
_FIGURE = {  # parts of the paper's Figure 7: file, measures and their names, axis
    REALISM: (
        "figure_7a.png",
        {"tpr": "TPR (real)", "fpr": "FPR (synthetic)"},
        "share of the images taken for real",
    ),
    RELEVANCE: (
        "figure_7b.png",
        {"recall_real": "recall, real", "recall_synthetic": "recall, synthetic"},
        "share of the relevant images chosen",
    ),
}


@dataclasses.dataclass(frozen=True)
class Results:
    """A scored study.

    Attributes:
      key: of the study.
      panel: the answers that count.
      refused: those that do not.
      judged: from `scores.frame`.
      scores: from `scores.score`.
      consistency: from `scores.consistency`.
      agreement: from `scores.agreement`.
    """

    key: Key
    panel: Sequence[Answers]
    refused: Sequence[Refused]
    judged: pd.DataFrame
    scores: Sequence[Score]
    consistency: Mapping[str, Tuple[int, int]]
    agreement: Mapping[str, Estimate]

    @property
    def protocol(self) -> Dict[str, Any]:
        """What the numbers depend on."""
        answers = hashlib.sha256(self.judged.to_csv(index=False).encode()).hexdigest()
        return {
            "study": self.key.study,
            "made_from": dict(self.key.made_from),
            "answers_digest": answers,
            "readers": [one.reader for one in self.panel],
            "intervals": "95 %; bootstrap of readers, and of readers and patients or maps; "
            "binomial: Wilson, of single readers Clopper-Pearson",
            "d_prime": "log-linear correction",
        }


def evaluate(
    key: Key, panel: Sequence[Answers], refused: Sequence[Refused], replicates: int = 1000
) -> Results:
    """Scores a panel; `replicates` is of the bootstraps."""
    judged = reader_study_scores.frame(key, panel)
    return Results(
        key,
        panel,
        refused,
        judged,
        reader_study_scores.score(judged, replicates),
        reader_study_scores.consistency(judged),
        reader_study_scores.agreement(judged, replicates),
    )


def _name(score: Score) -> str:
    return _NAMES.get(score.measure) or _DIFFERENCES[score.test]


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "-"


def _mean(score: Score) -> str:
    spread = f" ± {score.sd:.2f}" if np.isfinite(score.sd) else ""
    return _number(score.mean) + spread


def _range(low: float, high: float) -> str:
    return f"{low:.2f} to {high:.2f}" if np.isfinite(low) else "-"


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _overall(results: Results, test: str) -> List[str]:
    lines = [
        _row(
            ["measure", "mean ± SD", "over readers and pictures", "over readers", "binomial", "N"]
        ),
        _row(["---"] * 6),
    ]
    for one in results.scores:
        if (one.test, one.by) == (test, ALL):
            lines.append(
                _row(
                    [
                        _name(one),
                        _mean(one),
                        _range(one.over_both.low, one.over_both.high),
                        _range(one.over_readers.low, one.over_readers.high),
                        _range(*one.binomial),
                        one.pictures,
                    ]
                )
            )
    return lines


def _by_group(results: Results, test: str, by: str) -> List[str]:
    """A row per group, a column per measure."""
    rows: Dict[str, Dict[str, Score]] = {}
    for one in results.scores:
        if (one.test, one.by) == (test, by):
            rows.setdefault(one.group, {})[_name(one)] = one
    heads = list(next(iter(rows.values()), {}))
    lines = [
        _row([by.replace("_", " "), *heads, "pictures"]),
        _row(["---"] * (len(heads) + 2)),
    ]
    for group, found in rows.items():
        cells = []
        for one in found.values():
            interval = one.binomial if by == READER else (one.over_both.low, one.over_both.high)
            text = _range(*interval)
            cells.append(_mean(one) + (f" ({text})" if text != "-" else ""))
        shown = sum(one.pictures for one in found.values() if np.isfinite(one.binomial[0]))
        lines.append(_row([group, *cells, shown]))
    return lines


def _finding(score: Score) -> str:
    """Says in words what the difference of a test means."""
    interval = score.over_both if np.isfinite(score.over_both.low) else score.over_readers
    number = f"{_name(score)} is {score.mean:.2f} ({_range(interval.low, interval.high)})"
    if not np.isfinite(interval.low):
        return f"{_name(score)} is {score.mean:.2f}; fewer than three readers give no interval."
    if interval.low <= 0 <= interval.high:
        what = {
            REALISM: "Readers were not shown to tell real from synthetic",
            RELEVANCE: "Real and synthetic images were not shown to differ in how they show their "
            "condition",
        }[score.test]
        return f"{what}: {number}. That does not show that there is no difference."
    if score.test == REALISM:
        rather = "tell real from synthetic" if score.mean > 0 else "take synthetic for real"
        return f"Readers {rather}: {number}."
    rather = "less" if score.mean > 0 else "more"
    return f"Synthetic images show their condition {rather} clearly than real ones: {number}."


def _findings(results: Results) -> List[str]:
    return [_finding(one) for one in results.scores if (one.by, one.measure) == (ALL, "difference")]


def _consistency_lines(results: Results) -> List[str]:
    if not results.consistency:
        return []
    shares = [same / of for same, of in results.consistency.values()]
    spread = f" ± {np.std(shares, ddof=1):.2f}" if len(shares) > 1 else ""
    each = ", ".join(f"{name} {same}/{of}" for name, (same, of) in results.consistency.items())
    return [
        f"Self-consistency: {np.mean(shares):.2f}{spread} of repeated pictures got the same "
        f"answer again ({each})."
    ]


def _agreement_line(results: Results, test: str) -> List[str]:
    kappa = results.agreement.get(test)
    if kappa is None or not math.isfinite(kappa.value):
        return []
    return [f"Agreement of readers: Fleiss' kappa {kappa:.2f}, interval over pictures."]


def _confidence_lines(results: Results) -> List[str]:
    rows = results.judged[(results.judged["test"] == PAIR) & ~results.judged["synthetic"]]
    parts = [
        f"{CONFIDENCES[confidence].lower()} {part['chosen'].mean():.2f} of {len(part)}"
        for confidence, part in rows.groupby("confidence")
    ]
    return [f"Share correct by confidence: {', '.join(parts)}."]


def markdown(results: Results) -> str:
    """Returns the report."""
    tests = [test for test in _TITLES if (results.judged["test"] == test).any()]
    asked = len(results.key.readers)
    lines = [
        "# Reader study",
        "",
        f"Study {results.key.study}: {len(results.panel)} of {asked} readers.",
        "",
        *(f"- {line}" for line in _findings(results)),
        "",
        "± is the standard deviation over readers, as in the paper. Intervals are at 95 %; "
        '"over readers and pictures" is the one to publish. d\' with the log-linear correction. '
        "N: pictures that each reader judged.",
    ]
    for test in tests:
        lines += ["", f"## {_TITLES[test]}", "", *_overall(results, test), ""]
        if test == REALISM:
            lines += _consistency_lines(results)
        lines += _confidence_lines(results) if test == PAIR else _agreement_line(results, test)
        if test in _FIGURE:
            lines += ["", f"![By condition, ± SD over readers]({_FIGURE[test][0]})"]
        for by in (CONDITION, SKIN_TYPE, READER):
            lines += ["", *_by_group(results, test, by)]
    lines += ["", "## Readers", "", _row(["reader", "work", "years"]), _row(["---"] * 3)]
    lines += [_row([one.reader, ROLES[one.role], YEARS[one.years]]) for one in results.panel]
    lines += ["", "## Answers left out", ""]
    lines += [f"- {one.source} {one.reason}" for one in results.refused] or ["None."]
    return "\n".join(lines) + "\n"


def _draw(results: Results, folder: pathlib.Path) -> List[str]:
    paths = []
    for test, (file, measures, axis) in _FIGURE.items():
        by_measure = [
            reader_study_scores.select(results.scores, test, CONDITION, name) for name in measures
        ]
        names = sorted(by_measure[0])
        if not names:
            continue
        series = {
            label: [_plus_minus(found[name].mean, found[name].sd) for name in names]
            for label, found in zip(measures.values(), by_measure)
        }
        figure = figures.grouped_bars(
            names,
            series,
            (figures.REAL, figures.GENERATED),
            f"{_TITLES[test]} {len(results.panel)} readers, ± SD",
            axis,
        )
        paths.append(figures.save(figure, str(folder / file)))
    return paths


def _plus_minus(mean: float, deviation: float) -> figures.Point:
    return mean, mean - deviation, mean + deviation


def check_output(results: Results, output_dir: str, overwrite: bool) -> None:
    """Raises ValueError if results of other answers are there."""
    report.check(pathlib.Path(output_dir) / "reader_study.json", results.protocol, overwrite)


def write(results: Results, output_dir: str) -> List[str]:
    """Writes everything; returns the paths."""
    folder = pathlib.Path(output_dir)
    rows = pd.DataFrame([one.as_dict() for one in results.scores])
    paths = [folder / f"reader_study.{kind}" for kind in ("md", "csv", "json")]
    paths.append(folder / "reader_study_answers.csv")
    files.write_text(paths[0], markdown(results))
    files.write_text(paths[1], rows.to_csv(index=False))
    files.write_text(paths[3], results.judged.to_csv(index=False))
    report.write(
        paths[2],
        {
            "protocol": results.protocol,
            "readers": [
                {"reader": one.reader, "role": one.role, "years": one.years}
                for one in results.panel
            ],
            "scores": [
                {name: None if pd.isna(value) else value for name, value in row.items()}
                for row in rows.to_dict("records")
            ],
            "self_consistency": {
                name: {"same": same, "of": of} for name, (same, of) in results.consistency.items()
            },
            "fleiss_kappa": {name: one.as_dict() for name, one in results.agreement.items()},
            "left_out": [one._asdict() for one in results.refused],
        },
    )
    return [*map(str, paths), *_draw(results, folder)]


def summary(results: Results, paths: Sequence[str]) -> str:
    """Returns what to tell the user."""
    lines = [f"Reader study {results.key.study}: {len(results.panel)} readers scored"]
    for one in results.scores:
        if one.by == ALL:
            interval = _range(one.over_both.low, one.over_both.high)
            lines.append(f"  {one.test:10}{_name(one):46}{_mean(one):14}{interval}")
    lines.append("  mean ± SD over readers; 95 % interval over readers and pictures")
    lines += [f"left out: {one.source} {one.reason}" for one in results.refused]
    return "\n".join([*lines, *_findings(results), "", *paths, f"next: read {paths[0]}"])
