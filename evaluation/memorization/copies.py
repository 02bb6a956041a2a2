"""Statistics of copying: how many images come too close to training photographs.

An image is authentic where its ratio (`nearest_neighbours`) of features is above 1
(Alaa et al. 2022, arXiv:2102.08921; there with the nearest photograph whatever its
patient). It is flagged as a copy where its ratio of features or of thumbnails is not
above a threshold that held-out photographs of other patients stay above but for a
share alpha, divided evenly between the two: a generator that paints nobody has a copy
rate of alpha at most.
"""

import dataclasses
import math
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np
from scipy import stats

from evaluation.memorization.nearest_neighbours import Neighbours
from evaluation.uncertainty.cluster_bootstrap import LEVEL
from evaluation.uncertainty.intervals import Rate


@dataclasses.dataclass(frozen=True)
class Matches:
    """The most suspicious training photograph of every image, by either criterion.

    Attributes:
      criterion: "features" or "thumbnails", whichever is more suspicious, [N].
      index: of the training photograph, int64 [N].
      ratio: to it by the criterion, float64 [N].
      view: number of the image's view that is the nearest, int64 [N]; see `Views.views`.
      suspicion: ratio over the criterion's threshold, float64 [N]; up to 1 is a copy.
    """

    criterion: np.ndarray
    index: np.ndarray
    ratio: np.ndarray
    view: np.ndarray
    suspicion: np.ndarray

    @property
    def flagged(self) -> np.ndarray:
        """Whether the image counts as a copy, bool [N]."""
        return self.suspicion <= 1.0

    def copy_rate(self) -> Rate:
        """Returns the share of images that are flagged."""
        return Rate(int(self.flagged.sum()), len(self.flagged))


def match_neighbours(
    neighbours: Mapping[str, Neighbours], thresholds: Mapping[str, float]
) -> Matches:
    """Picks for every image the more suspicious of its neighbours.

    Args:
      neighbours: by criterion.
      thresholds: from `calibrate_thresholds`.
    """
    names = list(neighbours)
    suspicion = np.stack([neighbours[name].ratio / thresholds[name] for name in names])
    chosen = suspicion.argmin(axis=0)

    def pick(field: str) -> np.ndarray:
        values = np.stack([getattr(neighbours[name], field) for name in names])
        return np.take_along_axis(values, chosen[None], axis=0)[0]

    return Matches(
        np.array(names)[chosen],
        pick("index"),
        pick("ratio"),
        pick("view"),
        suspicion.min(axis=0),
    )


def _rank(number: int, alpha: float) -> int:
    return math.floor(alpha * (number + 1) + 1e-9)


def honest_bound(number: int, alpha: float, criteria: int) -> float:
    """Returns what an honest generator's copy rate stays below, with 95 % confidence.

    Of `number` calibration ratios the k-th smallest leaves a share below it that is
    distributed as Beta(k, number + 1 - k); the criteria are added up.
    """
    rank = _rank(number, alpha / criteria)
    confidence = 1 - (1 - LEVEL) / criteria
    return float(min(criteria * stats.beta.ppf(confidence, rank, number + 1 - rank), 1.0))


def check_patients(training: Sequence[str], held_out: Sequence[str]) -> None:
    """Raises ValueError if a patient is in both sets."""
    shared = sorted(set(training) & set(held_out))
    if shared:
        raise ValueError(
            f"{len(shared)} of {len(set(held_out))} held-out patients are in the training records "
            f"too, e.g. {shared[0]!r}; make the data set again with //preprocessing:preprocess, "
            "which splits by patient"
        )


def calibrate_thresholds(ratios: Mapping[str, np.ndarray], alpha: float) -> Dict[str, float]:
    """Returns thresholds of which an honest image falls to one with chance alpha.

    By criterion the k-th smallest ratio, k = floor(alpha / criteria (N + 1)): the chance
    that another ratio of the same distribution is not above it is k / (N + 1) (split
    conformal prediction).

    Args:
      ratios: of held-out photographs, [N], by criterion.
      alpha: between 0 and 1.

    Raises:
      ValueError: too few photographs for alpha.
    """
    thresholds = {}
    for name, values in ratios.items():
        rank = _rank(len(values), alpha / len(ratios))
        if rank < 1:
            lowest = math.ceil(1000 * len(ratios) / (len(values) + 1)) / 1000
            raise ValueError(
                f"{len(values)} held-out crops cannot calibrate alpha {alpha:g}: at least "
                f"{math.ceil(len(ratios) / alpha) - 1} are needed (--crops_per_photograph of "
                f"//preprocessing:preprocess makes more), or --alpha={lowest:g}"
            )
        thresholds[name] = float(np.sort(values)[rank - 1])
    return thresholds


def held_out_rate(
    ratios: Mapping[str, np.ndarray], patients: Sequence[str], alpha: float
) -> Optional[Rate]:
    """Measures the copy rate of held-out photographs as if they were generated.

    Each patient is judged by thresholds from all others; at the common thresholds the
    rate would be alpha by construction.

    Returns:
      The rate, or None where the others of a patient are too few.
    """
    names, codes = np.unique(patients, return_inverse=True)
    flagged = np.zeros(len(codes), bool)
    for number in range(len(names)):
        judged = codes == number
        others = {name: values[~judged] for name, values in ratios.items()}
        if _rank(int((~judged).sum()), alpha / len(ratios)) < 1:
            return None
        for name, threshold in calibrate_thresholds(others, alpha).items():
            flagged[judged] |= ratios[name][judged] <= threshold
    return Rate(int(flagged.sum()), len(flagged))


def count_patients(
    patients: Sequence[str], generated: np.ndarray, held_out: np.ndarray, flagged: np.ndarray
) -> List[Dict[str, Any]]:
    """Counts how often each training patient is the nearest.

    Args:
      patients: of the training photographs.
      generated: positions of the photographs nearest to generated images.
      held_out: of those nearest to held-out photographs.
      flagged: of those that generated images are flagged as copies of.

    Returns:
      By patient, most copied and then most often nearest first: training crops;
      generated images and held-out photographs nearest to them, as counts and shares;
      flagged copies; and p, the chance (Fisher's exact test, one-sided, times the
      number of patients) that by chance alone so many more generated images than
      held-out photographs are nearest to a patient.
    """
    names, codes, crops = np.unique(patients, return_inverse=True, return_counts=True)
    made, real, copied = (
        np.bincount(codes[positions], minlength=len(names))
        for positions in (generated, held_out, flagged)
    )
    total = len(generated) + len(held_out)
    p = stats.hypergeom.sf(made - 1, total, made + real, len(generated)) * len(names)
    order = np.lexsort((names, -made, -copied))
    return [
        {
            "patient_id": str(names[i]),
            "training_crops": int(crops[i]),
            "generated": int(made[i]),
            "generated_share": made[i] / len(generated),
            "held_out": int(real[i]),
            "held_out_share": real[i] / len(held_out),
            "flagged": int(copied[i]),
            "p": float(min(p[i], 1.0)),
        }
        for i in order
        if made[i] or real[i] or copied[i]
    ]
