"""How different the images are that a generator paints from one and the same map.

A map that always gives the same picture, but for its grain, is one patient. Measured
is the mean distance between images of one map, beside that between photographs of
different patients with the map's condition. The distance is that of LPIPS (Zhang et
al. 2018) in that features are normalized to unit length, and not in that they are
pooled over the image and carry no weights learned from people.
"""

import dataclasses
import math
from typing import Any, Dict, List, Sequence, Set

import numpy as np

from evaluation.neighbours.nearest import squared_distances
from evaluation.uncertainty import cluster_bootstrap
from evaluation.uncertainty.cluster_bootstrap import Estimate

_MOST_PHOTOGRAPHS = 200  # of a condition; their pairs are many enough


@dataclasses.dataclass(frozen=True)
class Diversity:
    """What was measured.

    Attributes:
      maps: number of maps.
      images_per_map: painted from each.
      within_map: mean distance between images of one map, mean over the maps.
      between_patients: the same between photographs of a map's condition.
      ratio: of the two.
    """

    maps: int
    images_per_map: int
    within_map: Estimate
    between_patients: Estimate
    ratio: Estimate

    def as_dict(self) -> Dict[str, Any]:
        """Returns the contents for JSON."""
        return {
            "maps": self.maps,
            "images_per_map": self.images_per_map,
            **{
                name: getattr(self, name).as_dict()
                for name in ("within_map", "between_patients", "ratio")
            },
        }


def conditions_of_two_patients(conditions: Sequence[str], patients: Sequence[str]) -> Set[str]:
    """Returns the conditions with photographs of two patients or more."""
    owners: Dict[str, Set[str]] = {}
    for condition, patient in zip(conditions, patients):
        owners.setdefault(condition, set()).add(patient)
    return {condition for condition, seen in owners.items() if len(seen) > 1}


def _unit(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, np.float64)
    return features / np.maximum(np.linalg.norm(features, axis=-1, keepdims=True), 1e-12)


def _distances(features: np.ndarray) -> np.ndarray:
    unit = _unit(features)
    return np.sqrt(squared_distances(unit, unit))


def _draw_photographs(wanted: Sequence[str], conditions: Sequence[str], seed: int) -> np.ndarray:
    """Returns rows of the photographs to compare, of each wanted condition."""
    rng = np.random.default_rng([seed, 0xD1F])
    kept: List[np.ndarray] = []
    for name in sorted(set(wanted)):
        rows = np.flatnonzero(np.asarray(conditions) == name)
        number = min(len(rows), _MOST_PHOTOGRAPHS)
        kept.append(np.sort(rng.choice(rows, number, replace=False)))
    return np.concatenate(kept)


def measure_diversity(
    generated: np.ndarray,
    map_conditions: Sequence[str],
    map_sources: Sequence[int],
    real: np.ndarray,
    real_conditions: Sequence[str],
    patients: Sequence[str],
    replicates: int = 1000,
    seed: int = 0,
) -> Diversity:
    """Measures diversity from features.

    Intervals resample the crops that the maps are variations of, and the patients.

    Args:
      generated: float [M, K, d], K images of each of M maps.
      map_conditions: by map, each with photographs of two patients.
      map_sources: by map, which crop it is a variation of.
      real: float [N, d], of photographs; of a condition with more than 200, so many
        are drawn.
      real_conditions: by photograph.
      patients: by photograph.
      replicates: of the bootstrap.
      seed: of the bootstrap and of the draw.

    Raises:
      ValueError: no map, fewer than two images of one, or a condition of a map
        without photographs of two patients.
    """
    if generated.ndim != 3 or not len(generated) or generated.shape[1] < 2:
        raise ValueError(f"features have shape {generated.shape}, not [maps, 2 or more, dimension]")
    missing = set(map_conditions) - conditions_of_two_patients(real_conditions, patients)
    if missing:
        raise ValueError(f"no photographs of two patients with {', '.join(sorted(missing))}")
    off_diagonal = ~np.eye(generated.shape[1], dtype=bool)
    within = np.array([_distances(images)[off_diagonal].mean() for images in generated])
    chosen = _draw_photographs(map_conditions, real_conditions, seed)
    names, owners = np.asarray(real_conditions)[chosen], np.asarray(patients)[chosen]
    distances = _distances(np.asarray(real)[chosen])
    wanted = np.asarray(map_conditions)

    def numbers(maps: np.ndarray, photographs: np.ndarray) -> Sequence[float]:
        between = np.full(len(maps), np.nan)
        for name in set(wanted[maps]):
            rows = photographs[names[photographs] == name]
            apart = owners[rows][:, None] != owners[rows][None, :]
            if apart.any():
                between[wanted[maps] == name] = distances[np.ix_(rows, rows)][apart].mean()
        known = np.isfinite(between)
        if not known.any():
            return (math.nan,) * 3
        means = within[maps][known].mean(), between[known].mean()
        return (*means, means[0] / means[1] if means[1] else math.nan)

    estimates = cluster_bootstrap.estimate(
        numbers, list(map_sources), owners.tolist(), replicates=replicates, seed=seed
    )
    return Diversity(len(generated), generated.shape[1], *estimates)
