"""Checkerboard artefacts: spectral energy at the frequencies that upsampling leaves.

A layer that doubles the resolution unevenly writes a pattern that repeats every two
pixels, the layer before it one of every four (Odena et al. 2016, Distill, "Deconvolution
and checkerboard artifacts"; Durall et al. 2020, CVPR). Photographs have next to no
energy there, and what they have is the measure of generated ones.
"""

import math
from typing import Any, Dict, List, Mapping, Tuple

import numpy as np
import pandas as pd

from evaluation.fidelity import comparison
from evaluation.fidelity.comparison import Comparison

PERIODS = (2, 4)
SMALLEST_SIZE = 16
_LUMA = np.array([0.299, 0.587, 0.114])
_NAMES = ("share", "prominence")


def check_size(size: int) -> None:
    """Raises ValueError for images whose spectrum has no bins at the frequencies."""
    if size < SMALLEST_SIZE or size % 4:
        raise ValueError(
            f"images of {size}x{size}: the checkerboard needs a multiple of 4 of at least "
            f"{SMALLEST_SIZE}"
        )


def power_spectrum(image: np.ndarray) -> np.ndarray:
    """Returns the power spectrum of the luma, mean removed, under a Hann window.

    Args:
      image: uint8 [S, S, 3].

    Returns:
      float64 [S, S], frequency zero in the first row and column.
    """
    size = image.shape[0]
    luma = image @ _LUMA
    window = np.hanning(size + 1)[:-1]
    weights = np.outer(window, window)
    luma = (luma - (luma * weights).sum() / weights.sum()) * weights
    return np.square(np.abs(np.fft.fft2(luma)))


def _bins(size: int) -> List[Tuple[int, int]]:
    """Bins of all frequencies whose parts are multiples of 1/4 cycle per pixel, but zero."""
    quarters = [quarter * size // 4 for quarter in range(4)]
    return [(row, column) for row in quarters for column in quarters if row or column]


def measure_spectrum(image: np.ndarray) -> Dict[str, float]:
    """Measures energy at periods of two and four pixels, along rows, columns and diagonals.

    A bin's energy is that of it and its eight neighbours, over which the Hann window
    spreads a pure pattern.

    Args:
      image: uint8 [S, S, 3].

    Returns:
      `share`: of all energy, which blur alone lowers. `prominence`: energy density there
      over that of the frequencies around (2 or 3 bins off), a geometric mean over the
      bins; 1 is a smooth spectrum, however much detail the image has.

    Raises:
      ValueError: as of `check_size`.
    """
    size = image.shape[0]
    check_size(size)
    power = power_spectrum(image)
    total = power.sum()
    if not total:
        return {"share": 0.0, "prominence": 1.0}
    energy, prominences = 0.0, []
    floor = 1e-12 * total  # a clean synthetic image has bins of nothing but rounding
    for row, column in _bins(size):
        rows, columns = np.arange(row - 3, row + 4) % size, np.arange(column - 3, column + 4) % size
        around = power[np.ix_(rows, columns)].copy()
        peak = around[2:5, 2:5].sum()
        around[2:5, 2:5] = 0.0
        energy += peak
        prominences.append((peak / 9 + floor) / (around.sum() / 40 + floor))
    prominence = math.exp(float(np.log(prominences).mean()))
    return {"share": float(energy / total), "prominence": prominence}


def _geometric_means(values: Mapping[str, np.ndarray]) -> Dict[str, float]:
    return {name: float(np.exp(np.log(np.maximum(values[name], 1e-12)).mean())) for name in _NAMES}


def compare_spectra(
    real: pd.DataFrame, generated: pd.DataFrame, replicates: int, seed: int
) -> Comparison:
    """Holds generated images against photographs, by geometric means of share and prominence.

    Args:
      real: columns of `measure_spectrum`, and patient.
      generated: columns of `measure_spectrum`, and map.
      replicates: of the bootstrap.
      seed: of the bootstrap.
    """
    return comparison.compare(real, generated, _geometric_means, replicates, seed)


def as_dict(compared: Comparison) -> Dict[str, Any]:
    """Returns the numbers for JSON."""
    return {**compared.as_dict(), "periods": list(PERIODS), "mean": "geometric, over images"}
