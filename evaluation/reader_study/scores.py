"""What the answers of a reader study say, with intervals.

A measure is computed for each reader; its mean and standard deviation over readers are
what the paper gives. The standard deviation says how readers differ, not how well the
mean is known: for that there are intervals, all at 95 %,

  over readers: bootstrap of readers, these pictures given;
  over readers and pictures: bootstrap of readers and, independently, of the patients
    and maps that pictures come from: what another panel would find with other pictures
    of the same kind. It is the one to publish;
  binomial: Wilson's, over all answers, as if each were independent. They are not, so it
    is too narrow; it is there for panels of fewer than three, who have no other. A
    single reader's is Clopper and Pearson's.

d' = z(TPR) - z(FPR) and the criterion -(z(TPR) + z(FPR)) / 2 come from rates with the
log-linear correction (Hautus 1995, Behav. Res. Methods 27:46): (chosen + 0.5) / (shown
+ 1), which keeps them finite and draws them towards zero where little was shown.
"""

import dataclasses
import math
from typing import Callable, Dict, Iterator, List, Sequence, Tuple

import numpy as np
import pandas as pd
from scipy import special

from evaluation.reader_study.answer_key import Answer, Answers, Key
from evaluation.reader_study.design import PAIR, REALISM, RELEVANCE, Trial
from evaluation.uncertainty import cluster_bootstrap, intervals, significance
from evaluation.uncertainty.cluster_bootstrap import Estimate
from preprocessing.data import manifest

ALL, CONDITION, SKIN_TYPE, READER = "all", "condition", "skin_type", "reader"
# The shares of pictures chosen that a test's measures are made of: which rows.
_SHARES: Dict[str, Dict[str, Callable[[pd.DataFrame], pd.Series]]] = {
    REALISM: {
        "tpr": lambda rows: ~rows["synthetic"],
        "fpr": lambda rows: rows["synthetic"],
    },
    PAIR: {"correct": lambda rows: ~rows["synthetic"]},
    RELEVANCE: {
        "recall_real": lambda rows: rows["relevant"] & ~rows["synthetic"],
        "recall_synthetic": lambda rows: rows["relevant"] & rows["synthetic"],
        "wrong_real": lambda rows: ~rows["relevant"] & ~rows["synthetic"],
        "wrong_synthetic": lambda rows: ~rows["relevant"] & rows["synthetic"],
    },
}


@dataclasses.dataclass(frozen=True)
class Score:
    """One measure of a group of answers; a row of the table of results.

    Attributes:
      test: one of `design.KINDS`.
      by: what groups are: `ALL`, `CONDITION`, `SKIN_TYPE` or `READER`.
      group: which one.
      measure: its name.
      mean: over readers; of the one reader.
      sd: over readers; NaN for one.
      readers: how many.
      pictures: that each of them judged.
      readers_low: lower end of the bootstrap interval over readers.
      readers_high: upper end.
      readers_and_pictures_low: lower end of that over readers and pictures.
      readers_and_pictures_high: upper end.
      binomial_low: lower end of the interval of a share; NaN for other measures.
      binomial_high: upper end.
    """

    test: str
    by: str
    group: str
    measure: str
    mean: float
    sd: float
    readers: int
    pictures: int
    readers_low: float
    readers_high: float
    readers_and_pictures_low: float
    readers_and_pictures_high: float
    binomial_low: float = math.nan
    binomial_high: float = math.nan


def _judgements(trial: Trial, answer: Answer) -> Iterator[Tuple[str, bool, int]]:
    """Yields picture, whether it was chosen, and confidence (0 where it is not asked)."""
    if trial.kind == REALISM:
        yield trial.pictures[0], answer.choice == "real", 0
    elif trial.kind == PAIR:
        side, confidence = str(answer.choice).split("_")
        for which, picture in zip(("left", "right"), trial.pictures):
            yield picture, side == which, int(confidence)
    else:
        for place, picture in enumerate(trial.pictures):
            yield picture, place in answer.choice, 0


def judged_pictures(key: Key, panel: Sequence[Answers]) -> pd.DataFrame:
    """Returns one row per reader and judged picture: all that was shown and answered.

    Args:
      key: of the study.
      panel: finished answers.
    """
    rows = []
    for one in panel:
        for order, trial in enumerate(key.readers[one.reader].trials):
            answer = one.answers[trial.trial_id]
            for name, chosen, confidence in _judgements(trial, answer):
                picture = key.pictures[name]
                rows.append(
                    {
                        "reader": one.reader,
                        "role": one.role,
                        "years": one.years,
                        "test": trial.kind,
                        "trial": trial.trial_id,
                        "order": order,
                        "picture": name,
                        "item": f"{trial.about}/{name}",
                        "synthetic": picture.synthetic,
                        "condition": picture.condition,
                        "skin_type": picture.skin_type,
                        "skin_type_group": manifest.skin_type_group(
                            picture.skin_type, picture.skin_type_source
                        ),
                        "source": picture.source,
                        "asked": trial.condition,
                        "relevant": picture.condition == trial.condition,
                        "repeat": trial.repeat,
                        "chosen": chosen,
                        "confidence": confidence,
                        "ms": answer.ms,
                    }
                )
    return pd.DataFrame(rows)


def d_prime(
    hits: np.ndarray, of_hits: int, false: np.ndarray, of_false: int
) -> Tuple[np.ndarray, np.ndarray]:
    """Returns d' and criterion, with the log-linear correction.

    Args:
      hits: number of signals taken for such, by reader.
      of_hits: number of signals.
      false: number of others taken for signals, by reader.
      of_false: number of others.
    """
    z_hits = special.ndtri((np.asarray(hits) + 0.5) / (of_hits + 1.0))
    z_false = special.ndtri((np.asarray(false) + 0.5) / (of_false + 1.0))
    return z_hits - z_false, -0.5 * (z_hits + z_false)


def measures_by_reader(test: str, chosen: Sequence[np.ndarray]) -> Dict[str, np.ndarray]:
    """Returns a test's measures by reader.

    Args:
      test: one of `design.KINDS`.
      chosen: for each share of the test (TPR and FPR; pairs; recall of real and
        synthetic, and what was chosen wrongly of both), bool [readers, pictures].
    """
    found = {
        name: one.mean(axis=1) if one.shape[1] else np.full(len(one), np.nan)
        for name, one in zip(_SHARES[test], chosen)
    }
    if test == REALISM:
        found["difference"] = found["tpr"] - found["fpr"]
        real, synthetic = chosen
        found["d_prime"], found["criterion"] = d_prime(
            real.sum(axis=1), real.shape[1], synthetic.sum(axis=1), synthetic.shape[1]
        )
    elif test == RELEVANCE:
        found["difference"] = found["recall_real"] - found["recall_synthetic"]
    return found


def score_matrices(
    test: str,
    chosen: Sequence[np.ndarray],
    sources: Sequence[Sequence[str]],
    by: str = ALL,
    group: str = "",
    replicates: int = 1000,
) -> List[Score]:
    """Computes the measures of a group of pictures.

    Args:
      test: one of `design.KINDS`.
      chosen: see `measures_by_reader`.
      sources: for each of these, whose the pictures are.
      by: what groups are.
      group: which one.
      replicates: of the bootstraps.
    """
    per_reader = measures_by_reader(test, chosen)
    values_by_reader = np.array(list(per_reader.values()))
    readers = range(len(chosen[0]))

    def readers_drawn(rows: np.ndarray) -> Sequence[float]:
        return values_by_reader[:, rows].mean(axis=1)

    def both_drawn(rows: np.ndarray, *columns: np.ndarray) -> Sequence[float]:
        drawn = [one[rows][:, places] for one, places in zip(chosen, columns)]
        return np.array(list(measures_by_reader(test, drawn).values())).mean(axis=1)

    over_readers = cluster_bootstrap.estimate(readers_drawn, readers, replicates=replicates)
    over_both = cluster_bootstrap.estimate(both_drawn, readers, *sources, replicates=replicates)
    shares = dict(zip(_SHARES[test], chosen))
    method = "wilson" if len(readers) > 1 else "exact"
    scores = []
    for (name, values), alone, both in zip(per_reader.items(), over_readers, over_both):
        used = [shares[name]] if name in shares else list(shares.values())[:2]
        answers = int(used[0].sum()), used[0].size
        binomial = intervals.binomial(*answers, method) if name in shares else ()
        sd = float(values.std(ddof=1)) if len(values) > 1 else math.nan
        pictures = sum(one.shape[1] for one in used)
        numbers = (float(values.mean()), sd, len(readers), pictures)
        ends = (alone.low, alone.high, both.low, both.high, *binomial)
        scores.append(Score(test, by, group, name, *numbers, *ends))
    return scores


def _matrix(rows: pd.DataFrame) -> Tuple[np.ndarray, List[str]]:
    """Returns who chose what, bool [readers, pictures], and the pictures' sources."""
    table = rows.pivot(index="reader", columns="item", values="chosen")
    sources = rows.drop_duplicates("item").set_index("item")["source"]
    return table.to_numpy(bool), sources.loc[table.columns].tolist()


def _groups(rows: pd.DataFrame, test: str) -> Iterator[Tuple[str, str, pd.DataFrame]]:
    yield ALL, "", rows
    # A question is about the condition asked for, whatever else is among its images.
    column = "asked" if test == RELEVANCE else "condition"
    for name, part in rows.groupby(column):
        yield CONDITION, str(name), part
    for name, part in rows[rows["skin_type"] > 0].groupby("skin_type_group"):
        yield SKIN_TYPE, str(name), part
    for name, part in rows.groupby("reader"):
        yield READER, str(name), part


def score_answers(judged: pd.DataFrame, replicates: int = 1000) -> List[Score]:
    """Computes all measures, over all answers and by condition, skin type and reader.

    Annotated and estimated skin types are apart; see `manifest.skin_type_group`.

    Args:
      judged: from `judged_pictures`. The second showing of a repeated picture is left out.
      replicates: of the bootstraps.
    """
    scores: List[Score] = []
    first = judged[~judged["repeat"]]
    for test, shares in _SHARES.items():
        for by, group, part in _groups(first[first["test"] == test], test):
            if not len(part):
                continue
            matrices = [_matrix(part[which(part)]) for which in shares.values()]
            full = max(len(chosen) for chosen, _ in matrices)
            chosen = [one if len(one) else np.zeros((full, 0), bool) for one, _ in matrices]
            sources = [one for _, one in matrices]
            scores += score_matrices(test, chosen, sources, by, group, replicates)
    return scores


def self_consistency(judged: pd.DataFrame) -> Dict[str, Tuple[int, int]]:
    """Returns by reader how many repeated pictures got the same answer, and of how many."""
    rows = judged[judged["test"] == REALISM]
    both = rows[rows["repeat"]].merge(
        rows[~rows["repeat"]], on=["reader", "picture"], suffixes=("", "_first")
    )
    same = both["chosen"] == both["chosen_first"]
    return {str(reader): (int(one.sum()), len(one)) for reader, one in same.groupby(both["reader"])}


def reader_agreement(judged: pd.DataFrame, replicates: int = 1000) -> Dict[str, Estimate]:
    """Returns Fleiss' kappa of each test, its interval over pictures."""
    first = judged[~judged["repeat"]]
    found = {}
    for test in (REALISM, RELEVANCE):
        rows = first[first["test"] == test]
        if len(rows):
            chosen, sources = _matrix(rows)

            def kappa(places: np.ndarray, chosen: np.ndarray = chosen) -> Sequence[float]:
                return [significance.fleiss_kappa(chosen[:, places])]

            found[test] = cluster_bootstrap.estimate(kappa, sources, replicates=replicates)[0]
    return found
