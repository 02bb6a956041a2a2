"""Several annotators of one case become one: condition, boxes, skin type.

Pure functions. Agreement comes with every consensus, because a consensus of people
who disagree looks like any other.
"""

import collections
import dataclasses
import itertools
import math
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from scipy import optimize
from scipy.cluster import hierarchy
from sklearn import metrics

from preprocessing.data.manifest import Box

# Weights are often rounded to two decimals; sums closer than this are a tie.
_TIE = 1e-6


@dataclasses.dataclass(frozen=True)
class Vote:
    """What a vote over conditions came to.

    Attributes:
      winner: the condition with the most weight, or None for a tie.
      share: the weight of each condition, of all weight; heaviest first.
      tied: the conditions that share the first place; the winner alone if there is
        one.
    """

    winner: Optional[str]
    share: Mapping[str, float]
    tied: Tuple[str, ...]


def rank_weights(confidences: Mapping[str, float]) -> Mapping[str, float]:
    """Returns the weight of each condition in one annotator's differential: 1 / rank.

    The most confident is of rank 1. Conditions of equal confidence share the mean of
    the weights of their ranks, so that their order does not matter. The sum over
    annotators is SCIN's `weighted_skin_condition_label` before normalization (Ward et
    al. 2024, arXiv:2402.18545).
    """
    ordered = sorted(confidences.items(), key=lambda item: -item[1])
    weights = {}
    first = 1
    for _, group in itertools.groupby(ordered, key=lambda item: item[1]):
        names = [name for name, _ in group]
        ranks = range(first, first + len(names))
        weights.update(dict.fromkeys(names, sum(1 / rank for rank in ranks) / len(names)))
        first += len(names)
    return weights


def vote(
    opinions: Sequence[Mapping[str, float]], tie_breakers: Sequence[Mapping[str, float]] = ()
) -> Vote:
    """Adds up the weights that annotators give to conditions.

    Args:
      opinions: weight by condition, one mapping per annotator; `{name: 1}` is a plain
        vote.
      tie_breakers: further weights (confidences), which decide only between
        conditions that share the first place.

    Raises:
      ValueError: no weight at all, or a negative or infinite one.
    """
    totals = _totals(opinions)
    if not totals:
        raise ValueError("no condition has any weight")
    tied = _heaviest(totals, list(totals))
    if len(tied) > 1:
        tied = _heaviest(_totals(tie_breakers), tied)
    whole = sum(totals.values())
    share = {name: totals[name] / whole for name in sorted(totals, key=lambda n: (-totals[n], n))}
    return Vote(tied[0] if len(tied) == 1 else None, share, tuple(tied))


def _totals(opinions: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    totals: Dict[str, float] = {}
    for opinion in opinions:
        for name, weight in opinion.items():
            if not (weight >= 0 and math.isfinite(weight)):
                raise ValueError(f"weight {weight} of {name!r} is not a finite number from 0 up")
            totals[name] = totals.get(name, 0.0) + weight
    return {name: weight for name, weight in totals.items() if weight > 0}


def _heaviest(totals: Mapping[str, float], names: Sequence[str]) -> List[str]:
    most = max(totals.get(name, 0.0) for name in names)
    return sorted(name for name in names if totals.get(name, 0.0) > most - _TIE)


def median_step(steps: Sequence[int]) -> Optional[int]:
    """Returns the median of Fitzpatrick types or Monk skin tones, or None without any.

    The median of an even number may lie between two steps; the darker counts, as at
    the thresholds of `skin.fitzpatrick_from_ita`.
    """
    if not steps:
        return None
    return math.floor(float(np.median(steps)) + 0.5)


@dataclasses.dataclass(frozen=True, order=True)
class Mark:
    """A box that an annotator drew.

    Attributes:
      annotator: who.
      box: where, in pixels.
      confidence: above 0; the box counts in proportion.
    """

    annotator: str
    box: Box
    confidence: float = 1.0


@dataclasses.dataclass(frozen=True)
class Consensus:
    """A box that several annotators drew.

    Attributes:
      box: the mean of their boxes, weighted by confidence.
      marks: theirs, one per annotator.
    """

    box: Box
    marks: Tuple[Mark, ...]


def iou(one: Box, other: Box) -> float:
    """Returns the intersection over union of two boxes, 0..1."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    shared = max(width, 0.0) * max(height, 0.0)
    areas = sum((box.x1 - box.x0) * (box.y1 - box.y0) for box in (one, other))
    return shared / (areas - shared) if shared else 0.0


def majority(annotators: int) -> int:
    """Returns the smallest number of annotators that is more than half of them."""
    return annotators // 2 + 1


def cluster_boxes(marks: Sequence[Mark], min_iou: float = 0.5) -> List[Consensus]:
    """Finds which boxes of different annotators mean the same lesion.

    Agglomerative, complete linkage: boxes of a cluster overlap pairwise by `min_iou` at
    least, and are of different annotators. The result does not depend on the order of
    the marks.

    Args:
      marks: the boxes of one photograph.
      min_iou: above 0, at most 1.

    Returns:
      Clusters, those of most annotators first; a box nobody else drew is a cluster of
      one.

    Raises:
      ValueError: `min_iou` or a confidence is out of range.
    """
    if not 0 < min_iou <= 1:
        raise ValueError(f"min_iou must be above 0 and at most 1, not {min_iou}")
    for mark in marks:
        if not (mark.confidence > 0 and math.isfinite(mark.confidence)):
            raise ValueError(
                f"confidence of {mark.annotator!r} must be above 0, not {mark.confidence}"
            )
    ordered = sorted(marks)
    apart = [
        2.0 if one.annotator == other.annotator else 1.0 - iou(one.box, other.box)
        for one, other in itertools.combinations(ordered, 2)
    ]
    groups = np.arange(len(ordered))
    if apart:
        groups = hierarchy.fcluster(hierarchy.linkage(apart, "complete"), 1 - min_iou, "distance")
    clusters = [
        tuple(mark for mark, own in zip(ordered, groups) if own == group)
        for group in np.unique(groups)
    ]
    clusters.sort(key=lambda cluster: (-len(cluster), min(cluster)))
    return [Consensus(_mean_box(cluster), cluster) for cluster in clusters]


def _mean_box(marks: Sequence[Mark]) -> Box:
    weights = [mark.confidence for mark in marks]
    return Box(*np.average([mark.box for mark in marks], axis=0, weights=weights).tolist())


def mean_pairwise_iou(marks: Sequence[Mark]) -> Optional[float]:
    """Returns how well the boxes of two annotators overlap, the mean over their pairs.

    Two annotators' boxes are matched one to one so that the sum of overlaps is
    largest; a box without partner counts as an overlap of 0.

    Args:
      marks: the boxes of one photograph.

    Returns:
      0..1, or None for fewer than two annotators.
    """
    by_annotator: Dict[str, List[Box]] = {}
    for mark in marks:
        by_annotator.setdefault(mark.annotator, []).append(mark.box)
    scores = []
    for one, other in itertools.combinations(by_annotator.values(), 2):
        overlaps = np.array([[iou(a, b) for b in other] for a in one])
        matched = optimize.linear_sum_assignment(overlaps, maximize=True)
        scores.append(overlaps[matched].sum() / max(overlaps.shape))
    return float(np.mean(scores)) if scores else None


def cohen_kappa(pairs: Sequence[Tuple[Any, Any]], quadratic: bool = False) -> Optional[float]:
    """Returns Cohen's kappa of two annotators (Cohen 1960; weighted: 1968).

    Args:
      pairs: the values that the two gave to each case.
      quadratic: for whole numbers; a disagreement counts by the square of the distance.

    Returns:
      1 for perfect agreement, 0 for that of chance; None where it is not defined:
      no case, or the same single value throughout.
    """
    values = sorted({value for pair in pairs for value in pair})
    if len(values) < 2:
        return None
    ones, others = zip(*pairs)
    if not quadratic:
        return float(metrics.cohen_kappa_score(ones, others))
    # The distance counts, not the rank among the values that occur.
    between = range(values[0], values[-1] + 1)
    return float(metrics.cohen_kappa_score(ones, others, labels=between, weights="quadratic"))


def fleiss_kappa(cases: Sequence[Sequence[Any]]) -> Optional[float]:
    """Returns Fleiss' kappa of interchangeable annotators.

    Fleiss 1971; for cases with different numbers of values each case counts the same,
    in the agreement and in the shares of the values (Gwet 2014, chapter 2). Cases with
    fewer than two values do not count.

    Args:
      cases: the values that each case was given, in any order.

    Returns:
      As for `cohen_kappa`.
    """
    tables = [collections.Counter(case) for case in cases if len(case) > 1]
    if not tables:
        return None
    agreeing = []
    shares: Dict[Any, float] = {}
    for table in tables:
        number = sum(table.values())
        agreeing.append(
            sum(count * (count - 1) for count in table.values()) / (number * (number - 1))
        )
        for value, count in table.items():
            shares[value] = shares.get(value, 0.0) + count / number / len(tables)
    chance = sum(share**2 for share in shares.values())
    return float((np.mean(agreeing) - chance) / (1 - chance)) if len(shares) > 1 else None


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How far annotators agree.

    Attributes:
      what: what they said, e.g. "skin type".
      cases: cases that at least two of them saw.
      equal: share of pairs of annotators that said the same, 0..1.
      near: share of pairs at most 1 apart, for numbers.
      kappa: agreement beyond chance; None where it is not defined.
      method: which kappa.
    """

    what: str
    cases: int
    equal: float
    near: Optional[float]
    kappa: Optional[float]
    method: str

    def __str__(self) -> str:
        near = f", {self.near:.0%} at most one apart" if self.near is not None else ""
        kappa = "not defined" if self.kappa is None else f"{self.kappa:.2f}"
        return (
            f"{self.what}: {self.cases} cases with several annotators, {self.equal:.0%} of pairs "
            f"equal{near}, {self.method} {kappa}"
        )


def agreement(
    what: str, cases: Sequence[Mapping[str, Any]], numbers: bool = False, named: bool = True
) -> Optional[Agreement]:
    """Measures agreement: Cohen's kappa for two annotators, else Fleiss'.

    Args:
      what: what they said.
      cases: value by annotator, for each case.
      numbers: whether values are numbers; then a kappa of two annotators has quadratic
        weights.
      named: whether an annotator is the same person in every case; if not, Fleiss'
        kappa is taken for two as well.

    Returns:
      The agreement, or None without a case that two annotators saw.
    """
    shared = [case for case in cases if len(case) > 1]
    if not shared:
        return None
    pairs = [pair for case in shared for pair in itertools.combinations(case.values(), 2)]
    people = sorted({annotator for case in shared for annotator in case})
    if named and len(people) == 2:
        kappa = cohen_kappa([(case[people[0]], case[people[1]]) for case in shared], numbers)
        method = "Cohen's kappa" + (" (quadratic weights)" if numbers else "")
    else:
        kappa = fleiss_kappa([list(case.values()) for case in shared])
        method = "Fleiss' kappa"
    return Agreement(
        what=what,
        cases=len(shared),
        equal=sum(one == other for one, other in pairs) / len(pairs),
        near=sum(abs(a - b) <= 1 for a, b in pairs) / len(pairs) if numbers else None,
        kappa=kappa,
        method=method,
    )
