"""What a scored reader study leaves: Markdown, CSV, JSON, and the paper's Figure 7."""

import dataclasses
import hashlib
import itertools
import math
import pathlib
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple

import numpy as np
import pandas as pd

from common import figures
from common.report import Report
from evaluation.reader_study import scores
from evaluation.reader_study.answer_key import CONFIDENCES, ROLES, YEARS, Answers, Key, Refused
from evaluation.reader_study.design import PAIR, REALISM, RELEVANCE
from evaluation.reader_study.scores import ALL, CONDITION, READER, SKIN_TYPE, Score
from evaluation.uncertainty.cluster_bootstrap import Estimate

_TEMPLATE = pathlib.Path(__file__).with_name("report.md.jinja")
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
_NO_DIFFERENCE = {
    REALISM: "Readers were not shown to tell real from synthetic",
    RELEVANCE: "Real and synthetic images were not shown to differ in how they show their "
    "condition",
}
_TITLES = {
    REALISM: "Realism: real or synthetic?",
    PAIR: "Pairs: which one is real?",
    RELEVANCE: "Relevance: which images show the condition?",
}
_FIGURES = {  # parts of the paper's Figure 7: file, measures and their names, axis
    REALISM: (
        "figure_7a",
        {"tpr": "TPR (real)", "fpr": "FPR (synthetic)"},
        "share of the images taken for real",
    ),
    RELEVANCE: (
        "figure_7b",
        {"recall_real": "recall, real", "recall_synthetic": "recall, synthetic"},
        "share of the relevant images chosen",
    ),
}


@dataclasses.dataclass(frozen=True)
class ScoredStudy:
    """What the answers to a study say.

    Attributes:
      key: of the study.
      panel: the answers that count.
      refused: those that do not.
      judged: from `scores.judged_pictures`.
      scores: from `scores.score_answers`.
      consistency: from `scores.self_consistency`.
      agreement: from `scores.reader_agreement`.
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

    def select(self, test: str, by: str) -> List[Score]:
        """Returns the scores of a test's groups, such as `CONDITION`."""
        return [one for one in self.scores if (one.test, one.by) == (test, by)]

    def findings(self) -> List[str]:
        """Says in words what the differences of the tests mean."""
        return [
            _finding(one) for one in self.scores if (one.by, one.measure) == (ALL, "difference")
        ]


def score_study(
    key: Key, panel: Sequence[Answers], refused: Sequence[Refused], replicates: int = 1000
) -> ScoredStudy:
    """Scores a panel; `replicates` is of the bootstraps."""
    judged = scores.judged_pictures(key, panel)
    return ScoredStudy(
        key,
        panel,
        refused,
        judged,
        scores.score_answers(judged, replicates),
        scores.self_consistency(judged),
        scores.reader_agreement(judged, replicates),
    )


def _name(score: Score) -> str:
    return _NAMES.get(score.measure) or _DIFFERENCES[score.test]


def _mean(score: Score) -> str:
    spread = f" ± {score.sd:.2f}" if np.isfinite(score.sd) else ""
    return f"{score.mean:.2f}{spread}" if np.isfinite(score.mean) else "-"


def _ends(score: Score, interval: str) -> str:
    """Returns an interval in words; its name is the beginning of those of its fields."""
    low, high = getattr(score, f"{interval}_low"), getattr(score, f"{interval}_high")
    return f"{low:.2f} to {high:.2f}" if np.isfinite(low) else "-"


def _finding(score: Score) -> str:
    both = np.isfinite(score.readers_and_pictures_low)
    interval = "readers_and_pictures" if both else "readers"
    low, high = getattr(score, f"{interval}_low"), getattr(score, f"{interval}_high")
    if not np.isfinite(low):
        return f"{_name(score)} is {score.mean:.2f}; fewer than three readers give no interval."
    number = f"{_name(score)} is {score.mean:.2f} ({_ends(score, interval)})"
    if low <= 0 <= high:
        what = _NO_DIFFERENCE[score.test]
        return f"{what}: {number}. That does not show that there is no difference."
    if score.test == REALISM:
        rather = "tell real from synthetic" if score.mean > 0 else "take synthetic for real"
        return f"Readers {rather}: {number}."
    rather = "less" if score.mean > 0 else "more"
    return f"Synthetic images show their condition {rather} clearly than real ones: {number}."


def _group_tables(study: ScoredStudy, test: str) -> Iterator[List[List[str]]]:
    """Yields tables of a test: a row per group below that of the heads, a column per measure."""
    for by in (CONDITION, SKIN_TYPE, READER):
        interval = "binomial" if by == READER else "readers_and_pictures"
        rows: List[List[str]] = []
        for group, found in itertools.groupby(study.select(test, by), lambda one: one.group):
            measures = list(found)
            if not rows:
                rows.append([by.replace("_", " "), *map(_name, measures), "pictures"])
            ends = [_ends(one, interval) for one in measures]
            texts = [
                _mean(one) + (f" ({end})" if end != "-" else "") for one, end in zip(measures, ends)
            ]
            shown = sum(one.pictures for one in measures if np.isfinite(one.binomial_low))
            rows.append([group, *texts, str(shown)])
        yield rows


def _markdown_values(study: ScoredStudy) -> Dict[str, Any]:
    """Returns what the template shows."""
    pairs = study.judged[(study.judged["test"] == PAIR) & ~study.judged["synthetic"]]
    agreement = {
        test: kappa for test, kappa in study.agreement.items() if math.isfinite(kappa.value)
    }
    return {
        "study": study,
        "tests": {test: _TITLES[test] for test in _TITLES if study.select(test, ALL)},
        "figures": {test: file for test, (file, _, _) in _FIGURES.items()},
        "group_tables": lambda test: _group_tables(study, test),
        "agreement": agreement,
        "consistency": [same / of for same, of in study.consistency.values()],
        "sd": lambda values: np.std(values, ddof=1),
        "by_confidence": [
            (CONFIDENCES[confidence].lower(), part["chosen"].mean(), len(part))
            for confidence, part in pairs.groupby("confidence")
        ],
        "roles": ROLES,
        "years": YEARS,
        "name": _name,
        "mean": _mean,
        "ends": _ends,
    }


def _draw_test(study: ScoredStudy, test: str) -> "figures.pyplot.Figure":
    """Draws a part of the paper's Figure 7."""
    _, measures, axis = _FIGURES[test]
    scores = [*study.select(test, ALL), *study.select(test, CONDITION)]
    found = {(one.measure, one.group): one for one in scores}
    groups = list(dict.fromkeys(one.group for one in scores))
    series = {}
    for measure, label in measures.items():
        shown = [found[measure, group] for group in groups]
        series[label] = [figures.plus_minus(one.mean, one.sd) for one in shown]
    pictures = [sum(found[one, group].pictures for one in measures) for group in groups]
    names = [f"{group or ALL}  (N = {number})" for group, number in zip(groups, pictures)]
    title = f"{_TITLES[test]} {len(study.panel)} readers, ± SD; N pictures"
    colors = (figures.REAL, figures.GENERATED)
    guessing = 0.5 if test == REALISM else None
    return figures.grouped_bars(names, series, colors, title, axis, guessing)


def write_report(study: ScoredStudy, report: Report) -> None:
    """Writes everything.

    Args:
      study: what was found.
      report: of its protocol.
    """
    rows = pd.DataFrame(study.scores)
    report.write_markdown(_TEMPLATE, **_markdown_values(study))
    report.write_csv(rows)
    report.write_json(
        {
            "findings": study.findings(),
            "readers": [
                {"reader": one.reader, "role": one.role, "years": one.years} for one in study.panel
            ],
            "scores": [
                {name: None if pd.isna(value) else value for name, value in row.items()}
                for row in rows.to_dict("records")
            ],
            "self_consistency": {
                name: {"same": same, "of": of} for name, (same, of) in study.consistency.items()
            },
            "fleiss_kappa": {name: one.as_dict() for name, one in study.agreement.items()},
            "left_out": [one._asdict() for one in study.refused],
        }
    )
    report.write_csv(study.judged, "reader_study_answers")
    for test, (file, _, _) in _FIGURES.items():
        if study.select(test, CONDITION):
            report.write_figure(_draw_test(study, test), file)


def screen_summary(study: ScoredStudy) -> str:
    """Returns what to tell the user."""
    lines = [f"Reader study {study.key.study}: {len(study.panel)} readers scored"]
    for one in study.scores:
        if one.by == ALL:
            interval = _ends(one, "readers_and_pictures")
            lines.append(f"  {one.test:10}{_name(one):46}{_mean(one):14}{interval}")
    lines.append("  mean ± SD over readers; 95 % interval over readers and pictures")
    lines += [f"left out: {one.source} {one.reason}" for one in study.refused]
    return "\n".join([*lines, *study.findings()])
