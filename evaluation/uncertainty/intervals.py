"""Intervals by formula: of trials, of a few trainings, of shares. All at 95 %."""

import dataclasses
import math
from typing import Any, Dict, Sequence, Tuple, Union

import numpy as np
import scipy.stats

from evaluation.uncertainty.cluster_bootstrap import LEVEL

Values = Union[Sequence[float], np.ndarray]


def mean_of_trials(values: Values) -> Dict[str, float]:
    """Returns `mean` and, as `interval`, 1.96 standard deviations, as the paper prints them."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(np.mean(values)), "interval": 1.96 * deviation}


def student(values: Values) -> Tuple[float, float]:
    """Returns Student's interval of the mean of a few numbers; NaN of one, which cannot tell."""
    if len(values) < 2:
        return math.nan, math.nan
    low, high = scipy.stats.t.interval(
        LEVEL, len(values) - 1, loc=np.mean(values), scale=scipy.stats.sem(values)
    )
    return float(low), float(high)


def binomial(count: int, total: int, method: str = "exact") -> Tuple[float, float]:
    """Returns the interval of a share, its cases taken as independent; NaN of none.

    Args:
      count: cases that count.
      total: all cases.
      method: "exact" (Clopper and Pearson) or "wilson".
    """
    if not total:
        return math.nan, math.nan
    found = scipy.stats.binomtest(count, total).proportion_ci(LEVEL, method)
    return float(found.low), float(found.high)


@dataclasses.dataclass(frozen=True)
class Rate:
    """A share of images, with its Clopper-Pearson interval (images independent)."""

    count: int
    total: int

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.count / self.total

    @property
    def interval(self) -> Tuple[float, float]:
        """Its ends."""
        return binomial(self.count, self.total)

    def excess(self, other: "Rate") -> Tuple[float, float, float]:
        """Returns this share minus another and the ends of its interval.

        Source: Newcombe 1998, method 10, with Clopper-Pearson instead of Wilson ends.
        """
        (low, high), (other_low, other_high) = self.interval, other.interval
        difference = self.share - other.share
        below = math.hypot(self.share - low, other_high - other.share)
        above = math.hypot(high - self.share, other.share - other_low)
        return difference, difference - below, difference + above

    def as_dict(self) -> Dict[str, Any]:
        """Returns count, total, share and interval."""
        return {**dataclasses.asdict(self), "share": self.share, "interval": self.interval}
