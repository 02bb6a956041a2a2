"""How different the images are that a generator paints from one and the same map.

A map that always gives the same picture, but for its grain, is one patient. Measured
is the mean distance between images of one map, beside that between photographs of
different patients with the map's condition. The distance is that of LPIPS (Zhang et
al. 2018) in that features are normalized to unit length, and not in that they are
pooled over the image and carry no weights learned from people.
"""

import dataclasses
from typing import Any, Dict, Sequence

import numpy as np

from evaluation import cluster_bootstrap
from evaluation.cluster_bootstrap import Estimate
from evaluation.distances import squared_distances


@dataclasses.dataclass(frozen=True)
class Diversity:
    """What was measured.

    Attributes:
      maps: number of maps whose condition has photographs of two patients.
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


def _unit(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, np.float64)
    return features / np.maximum(np.linalg.norm(features, axis=-1, keepdims=True), 1e-12)


def _mean_distance(features: np.ndarray, groups: Sequence[str] = ()) -> float:
    """Mean distance of all pairs of rows, or of those of different groups; NaN of none."""
    distances = np.sqrt(squared_distances(features, features))
    labels = np.asarray(groups) if len(groups) else np.arange(len(features))
    apart = labels[:, None] != labels[None, :]
    return float(distances[apart].mean()) if apart.any() else float("nan")


def measure(
    generated: np.ndarray,
    map_conditions: Sequence[str],
    real: np.ndarray,
    real_conditions: Sequence[str],
    patients: Sequence[str],
    replicates: int = 1000,
    seed: int = 0,
) -> Diversity:
    """Measures diversity from features.

    Args:
      generated: float [M, K, d], K images of each of M maps.
      map_conditions: by map.
      real: float [N, d], of photographs.
      real_conditions: by photograph.
      patients: by photograph.
      replicates: of the bootstrap, over maps.
      seed: of the bootstrap.

    Raises:
      ValueError: fewer than two images of a map, or no map whose condition has
        photographs of two patients.
    """
    if generated.ndim != 3 or generated.shape[1] < 2:
        raise ValueError(f"features have shape {generated.shape}, not [maps, 2 or more, dimension]")
    real, conditions = _unit(real), np.asarray(real_conditions)
    owners = np.asarray(patients)
    between = {
        name: _mean_distance(real[conditions == name], owners[conditions == name])
        for name in set(map_conditions)
    }
    pairs = np.array(
        [
            (_mean_distance(_unit(images)), between[name])
            for images, name in zip(generated, map_conditions)
            if np.isfinite(between[name])
        ]
    )
    if not len(pairs):
        raise ValueError("no condition of the maps has photographs of two patients")

    def numbers(rows: np.ndarray) -> Sequence[float]:
        within, apart = pairs[rows].mean(axis=0)
        return within, apart, within / apart if apart else float("nan")

    estimates = cluster_bootstrap.estimate(
        numbers, list(range(len(pairs))), replicates=replicates, seed=seed
    )
    return Diversity(len(pairs), generated.shape[1], *estimates)
