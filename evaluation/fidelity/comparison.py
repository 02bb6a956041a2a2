"""Numbers of generated images beside the same of photographs."""

import dataclasses
import math
from typing import Any, Callable, Dict, Mapping, Tuple

import numpy as np
import pandas as pd

from evaluation.uncertainty import cluster_bootstrap
from evaluation.uncertainty.cluster_bootstrap import Estimate, as_dicts

Values = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What was measured of generated images and of photographs.

    Attributes:
      generated: by image: what was measured, and `map`.
      real: by photograph: the same, and `patient`.
      generated_numbers: of all images, by name.
      real_numbers: the same of the photographs.
      ratio: generated over real; NaN where that of photographs is 0.
    """

    generated: pd.DataFrame
    real: pd.DataFrame
    generated_numbers: Mapping[str, Estimate]
    real_numbers: Mapping[str, Estimate]
    ratio: Mapping[str, Estimate]

    def as_dict(self) -> Dict[str, Any]:
        """Returns the numbers for JSON."""
        return {
            "generated": as_dicts(self.generated_numbers),
            "real": as_dicts(self.real_numbers),
            "generated_over_real": as_dicts(self.ratio),
        }


def compare(
    real: pd.DataFrame,
    generated: pd.DataFrame,
    numbers_of: Callable[[Values], Mapping[str, float]],
    replicates: int,
    seed: int,
) -> Comparison:
    """Holds generated images against photographs.

    Args:
      real: by photograph: what was measured, and `patient`.
      generated: by image: the same, and `map`.
      numbers_of: what is to be told of a set of images: gets the columns of numbers,
        float [N], returns numbers by name; NaN for those that cannot be told.
      replicates: of the bootstrap, which draws patients and maps.
      seed: of the bootstrap.
    """
    columns = [name for name in real.select_dtypes("number") if name in generated]
    real_values, values = (
        {name: frame[name].to_numpy(float) for name in columns} for frame in (real, generated)
    )

    def statistic(real_rows: np.ndarray, rows: np.ndarray) -> Dict[Tuple[str, str], float]:
        theirs = numbers_of({name: one[real_rows] for name, one in real_values.items()})
        numbers: Dict[Tuple[str, str], float] = {}
        for name, ours in numbers_of({name: one[rows] for name, one in values.items()}).items():
            numbers["generated", name] = ours
            numbers["real", name] = theirs[name]
            numbers["ratio", name] = ours / theirs[name] if theirs[name] else math.nan
        return numbers

    estimates = cluster_bootstrap.estimate_by_name(
        statistic,
        real["patient"].tolist(),
        generated["map"].tolist(),
        replicates=replicates,
        seed=seed,
    )
    generated_numbers, real_numbers, ratio = (
        {name: one for (of, name), one in estimates.items() if of == side}
        for side in ("generated", "real", "ratio")
    )
    return Comparison(generated, real, generated_numbers, real_numbers, ratio)
