"""Tests of differences, and agreement: statsmodels', NaN where there is nothing to tell."""

from typing import Sequence

import numpy as np
from statsmodels.stats import contingency_tables, inter_rater, multitest


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Corrects for many tests (Holm 1979); NaN are no tests and stay NaN."""
    adjusted = np.array(p_values, float)
    tested = np.isfinite(adjusted)
    if tested.any():
        adjusted[tested] = multitest.multipletests(adjusted[tested], method="holm")[1]
    return adjusted


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the two-sided p of McNemar's exact test.

    Args:
      first: bool [N], whether an image is classified correctly.
      second: the same of the other classifier.
    """
    cells = np.bincount(2 * first.astype(int) + second, minlength=4).reshape(2, 2)
    return float(contingency_tables.mcnemar(cells, exact=True).pvalue)


def fleiss_kappa(chosen: np.ndarray) -> float:
    """Returns how far readers agree beyond chance (Fleiss 1971, Psychol. Bull. 76:378).

    Args:
      chosen: bool [readers, pictures].

    Returns:
      1 for full agreement, 0 for chance; NaN for one reader, or if all pictures got the
      same answer of all.
    """
    yes = chosen.sum(axis=0)
    if len(chosen) < 2 or yes.sum() in (0, chosen.size):
        return float("nan")
    return float(inter_rater.fleiss_kappa(np.stack([yes, len(chosen) - yes], axis=1)))
