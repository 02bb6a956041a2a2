"""Intervals of numbers whose images are not independent.

The photographs of a patient resemble each other, and so do the pictures painted from
one map. Resampling patients and maps instead of images keeps that in the interval
(Field & Welsh 2007, J. R. Statist. Soc. B 69:369).
"""

import dataclasses
import math
from typing import Any, Callable, Dict, Hashable, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

LEVEL = 0.95
FEWEST_CLUSTERS = 3


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number with its percentile interval; NaN where it cannot be told.

    Attributes:
      value: of the sample as it is.
      low: lower end of the 95% interval.
      high: upper end.
    """

    value: float
    low: float = math.nan
    high: float = math.nan

    def as_dict(self) -> Dict[str, Optional[float]]:
        """Returns the fields for JSON, which knows no NaN."""
        fields = {"value": self.value, "low": self.low, "high": self.high}
        return {name: float(one) if np.isfinite(one) else None for name, one in fields.items()}

    def __format__(self, spec: str) -> str:
        """Formats as "1.2 (0.9 to 1.4)"; `spec` is that of each number."""
        if not np.isfinite(self.value):
            return "-"
        if not np.isfinite(self.low):
            return f"{self.value:{spec}}"
        return f"{self.value:{spec}} ({self.low:{spec}} to {self.high:{spec}})"


def _members(clusters: Sequence[Hashable]) -> List[np.ndarray]:
    """Rows by cluster, clusters in the order of their first row."""
    rows: Dict[Hashable, List[int]] = {}
    for row, cluster in enumerate(clusters):
        rows.setdefault(cluster, []).append(row)
    return [np.array(one) for one in rows.values()]


def estimate(
    statistic: Callable[..., Sequence[float]],
    *clusters: Sequence[Hashable],
    replicates: int = 1000,
    seed: int = 0,
) -> List[Estimate]:
    """Computes numbers of one or several samples, with bootstrap intervals.

    Args:
      statistic: receives one int array of row numbers per sample and returns the
        numbers; NaN for those that cannot be told.
      *clusters: for each sample, by row, what is drawn as a whole: the patient of a
        photograph, the map of a generated picture.
      replicates: resamplings, each of all samples.
      seed: of the resamplings.

    Returns:
      One estimate per number, at the 95% level. The interval is NaN where a sample
      has fewer than three clusters, which tell nothing of their spread.
    """
    values = np.asarray(statistic(*(np.arange(len(one)) for one in clusters)), float)
    members = [_members(one) for one in clusters]
    if not members or min(len(one) for one in members) < FEWEST_CLUSTERS:
        return [Estimate(float(value)) for value in values]
    rng = np.random.default_rng([seed, 0xB007])
    drawn = np.empty((replicates, len(values)))
    for row in range(replicates):
        samples = (
            np.concatenate([one[chosen] for chosen in rng.integers(0, len(one), len(one))])
            for one in members
        )
        drawn[row] = statistic(*samples)
    estimates = []
    for value, column in zip(values, drawn.T):
        interval = interval_of(column) if np.isfinite(value) else (math.nan, math.nan)
        estimates.append(Estimate(float(value), *interval))
    return estimates


def estimate_by_name(
    statistic: Callable[..., Mapping[Any, float]], *clusters: Sequence[Hashable], **options: int
) -> Dict[Any, Estimate]:
    """Computes numbers that have names; as `estimate`, for a statistic that returns them."""
    names = list(statistic(*(np.arange(len(one)) for one in clusters)))

    def in_order(*rows: np.ndarray) -> List[float]:
        numbers = statistic(*rows)
        return [numbers[name] for name in names]

    return dict(zip(names, estimate(in_order, *clusters, **options)))


def as_dicts(numbers: Mapping[str, Estimate]) -> Dict[str, Dict[str, Optional[float]]]:
    """Returns estimates by name for JSON."""
    return {name: one.as_dict() for name, one in numbers.items()}


def draw_counts(number: int, replicates: int, rng: np.random.Generator) -> np.ndarray:
    """Returns how often each replicate draws each cluster, int [replicates, number].

    For numbers that are sums over clusters: those of all replicates are then one product
    of matrices.
    """
    return rng.multinomial(number, np.full(number, 1.0 / number), size=replicates)


def interval_of(drawn: np.ndarray) -> Tuple[float, float]:
    """Returns the percentile interval of the replicates of a number; NaN are left out."""
    finite = drawn[np.isfinite(drawn)]
    if not len(finite):
        return math.nan, math.nan
    tail = 50.0 * (1.0 - LEVEL)
    low, high = np.percentile(finite, (tail, 100.0 - tail))
    return float(low), float(high)


def p_of_no_difference(drawn: np.ndarray) -> float:
    """Returns the two-sided p of a difference's replicates; NaN of none.

    Never 0, since replicates are finite.
    """
    finite = drawn[np.isfinite(drawn)]
    if not len(finite):
        return math.nan
    tail = min(int(np.sum(finite <= 0)), int(np.sum(finite >= 0)))
    return min(1.0, 2.0 * (tail + 1) / (len(finite) + 1))


def mean(values: Union[Sequence[float], np.ndarray]) -> float:
    """Returns the mean of the finite values; NaN of none."""
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    return float(finite.mean()) if len(finite) else math.nan
