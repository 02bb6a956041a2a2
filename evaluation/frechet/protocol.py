"""How distances between photographs and generated images are measured.

The photographs are parted by patient into a reference and a held-out half. A trial
compares the reference with N generated images and, as the real-vs-real floor, with
N held-out photographs: same reference, same N, so the two differ by what the images
are and nothing else. Crops of one patient never stand on both sides, where they
would make the floor too low. Several partings take turns; within one, trials draw
different subsets. The interval of the trials is that of resampling finite sets: it
holds no variation between training runs.
"""

import dataclasses
import math
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from evaluation.features import on_disk
from evaluation.frechet import distances
from evaluation.neighbours.manifold import manifold_scores
from evaluation.neighbours.nearest import check_features
from evaluation.uncertainty import intervals

METRICS = ("frechet", "kernel", "precision", "recall", "density", "coverage")
NO_GROUP = ""


@dataclasses.dataclass(frozen=True)
class TrialProtocol:
    """How trials are drawn.

    Attributes:
      trials: resamplings.
      num_images: N of every trial; 0 is nine tenths of the smaller half.
      partings: random partings of the patients, which take turns.
      neighbours: k of precision, recall, density and coverage.
      smallest_group: images that a condition or skin type needs in each half to be
        measured by itself.
      seed: of partings and subsets.
    """

    trials: int = 50
    num_images: int = 0
    partings: int = 5
    neighbours: int = 5
    smallest_group: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ValueError(f"trials {self.trials} is not positive")
        if self.num_images < 0:
            raise ValueError(f"num_images {self.num_images} is negative; 0 takes what there is")
        if self.partings < 1:
            raise ValueError(f"partings {self.partings} is not positive")
        if self.smallest_group <= self.neighbours:
            raise ValueError(
                f"smallest_group {self.smallest_group} is not above the {self.neighbours} "
                "neighbours that the manifold scores need"
            )


@dataclasses.dataclass(frozen=True)
class TrialScores:
    """Trials of one set of images, or of one condition or skin type of it.

    Attributes:
      num_images: N, on the compared side.
      num_reference: photographs on the reference side, the fewest of the partings.
      generated: metric to its value in each trial.
      floor: the same of held-out photographs.
      extrapolated: mean Frechet distance extrapolated to infinitely many generated
        images; None where there are too few.
    """

    num_images: int
    num_reference: int
    generated: Mapping[str, Tuple[float, ...]]
    floor: Mapping[str, Tuple[float, ...]]
    extrapolated: Optional[float]

    @property
    def smallest_set(self) -> int:
        """Images on the side that has fewer."""
        return min(self.num_images, self.num_reference)

    def summary(self) -> Dict[str, Any]:
        """Returns means and intervals, for JSON and tables.

        `above_floor` is the Frechet distance less the floor of the same trial: what
        the images have on top of being a sample.
        """
        above = np.subtract(self.generated["frechet"], self.floor["frechet"])
        return {
            "num_images": self.num_images,
            "num_reference": self.num_reference,
            "generated": {name: intervals.mean_of_trials(self.generated[name]) for name in METRICS},
            "floor": {name: intervals.mean_of_trials(self.floor[name]) for name in METRICS},
            "above_floor": intervals.mean_of_trials(above),
            "frechet_extrapolated": self.extrapolated,
        }


def part_patients(patients: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Parts images in two halves of about equal size without parting a patient.

    Args:
      patients: by image.
      rng: source of randomness.

    Returns:
      bool [N], true for the reference half.

    Raises:
      ValueError: a single patient.
    """
    names, codes, counts = np.unique(patients, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise ValueError(f"{len(names)} patient; at least 2 are needed to part them")
    chosen = np.zeros(len(names), bool)
    sizes = [0, 0]
    for patient in rng.permutation(len(names)):
        half = int(sizes[1] < sizes[0])
        chosen[patient] = half == 0
        sizes[half] += counts[patient]
    return chosen[codes]


def _all_metrics(
    reference: distances.FrechetReference, real: np.ndarray, drawn: np.ndarray, neighbours: int
) -> Dict[str, float]:
    return {
        "frechet": reference.distance(drawn),
        "kernel": distances.kernel_distance(real, drawn),
        **manifold_scores(real, drawn, neighbours),
    }


def _images_per_trial(
    halves: Sequence[Tuple[np.ndarray, np.ndarray]], generated: int, asked: int, neighbours: int
) -> int:
    """Returns N of every trial: as asked for, or what there is; ValueError if that is too few."""
    held_out = min(len(second) for _, second in halves)
    smallest = min(held_out, min(len(first) for first, _ in halves))
    number = asked or min(math.ceil(0.9 * smallest), generated)
    if number > min(held_out, generated):
        raise ValueError(
            f"images_per_trial {number} is more than there are: {generated} generated, {held_out} "
            "photographs in the held-out half"
        )
    if number <= neighbours or smallest <= neighbours:
        raise ValueError(
            f"{generated} generated images and {sum(map(len, halves[0]))} photographs are too few: "
            f"halves of {smallest} images, more than {neighbours} are needed"
        )
    return number


def run_trials(
    real: np.ndarray,
    patients: Sequence[str],
    generated: np.ndarray,
    protocol: TrialProtocol,
    in_group: Optional[np.ndarray] = None,
) -> TrialScores:
    """Runs the trials.

    Args:
      real: features of the photographs, [N, d].
      patients: by photograph.
      generated: features of the generated images, [M, d].
      protocol: how.
      in_group: bool [N], the photographs to use; the partings stay those of all.

    Returns:
      The values of every trial.

    Raises:
      ValueError: too few images, or features that are not finite.
    """
    check_features(real, "real")
    check_features(generated, "generated")
    mask = np.ones(len(real), bool) if in_group is None else in_group
    partings = part_in_trials(patients, protocol)
    halves = [(np.flatnonzero(mask & one), np.flatnonzero(mask & ~one)) for one in partings]
    asked = protocol.num_images if in_group is None else 0
    number = _images_per_trial(halves, len(generated), asked, protocol.neighbours)
    on_generated: List[Dict[str, float]] = []
    on_floor: List[Dict[str, float]] = []
    extrapolated: List[Optional[float]] = []
    for index, half in enumerate(halves):
        first, second = (on_disk.take(real, rows) for rows in half)
        reference = distances.FrechetReference(first)
        for trial in range(index, protocol.trials, protocol.partings):
            rng = np.random.default_rng([protocol.seed, 2, trial])
            for values, features in ((on_generated, generated), (on_floor, second)):
                drawn = on_disk.take(features, rng.choice(len(features), number, replace=False))
                values.append(_all_metrics(reference, first, drawn, protocol.neighbours))
        rng = np.random.default_rng([protocol.seed, 3, index])
        extrapolated.append(distances.extrapolated_frechet_distance(reference, generated, rng))
    known = [value for value in extrapolated if value is not None]
    return TrialScores(
        num_images=number,
        num_reference=min(len(first) for first, _ in halves),
        generated={name: tuple(one[name] for one in on_generated) for name in METRICS},
        floor={name: tuple(one[name] for one in on_floor) for name in METRICS},
        extrapolated=float(np.mean(known)) if known else None,
    )


def part_in_trials(patients: Sequence[str], protocol: TrialProtocol) -> List[np.ndarray]:
    """Returns the partings that trials take turns with; see `part_patients`."""
    number = min(protocol.partings, protocol.trials)
    return [
        part_patients(patients, np.random.default_rng([protocol.seed, 1, index]))
        for index in range(number)
    ]


def run_trials_by_group(
    real: np.ndarray,
    patients: Sequence[str],
    real_groups: np.ndarray,
    generated: np.ndarray,
    generated_groups: np.ndarray,
    protocol: TrialProtocol,
) -> Tuple[Dict[str, TrialScores], Dict[str, str]]:
    """Measures each condition, or each skin type, by itself.

    Args:
      real: features of the photographs, [N, d].
      patients: by photograph.
      real_groups: the group of each photograph, [N]; `NO_GROUP` for none.
      generated: features of the generated images, [M, d].
      generated_groups: the group of each generated image, [M].
      protocol: how.

    Returns:
      Scores by group, and by group that is too small why it has none.
    """
    partings = part_in_trials(patients, protocol)
    scores: Dict[str, TrialScores] = {}
    too_small: Dict[str, str] = {}
    for group in np.unique(np.concatenate([real_groups, generated_groups])):
        if group == NO_GROUP:
            continue
        mask = real_groups == group
        smallest = min(min((mask & side).sum() for side in (p, ~p)) for p in partings)
        made = int((generated_groups == group).sum())
        if min(smallest, made) < protocol.smallest_group:
            too_small[str(group)] = (
                f"{int(mask.sum())} photographs ({smallest} in the smaller half), {made} "
                f"generated; {protocol.smallest_group} are needed in each"
            )
            continue
        scores[str(group)] = run_trials(
            real, patients, generated[generated_groups == group], protocol, mask
        )
    return scores, too_small


def singular_note(num_images: int, dimension: int) -> str:
    """Returns a warning where covariances are singular; "" where they are not."""
    if num_images > dimension:
        return ""
    return (
        f"{num_images} images in {dimension} dimensions: the covariances are singular and the "
        "distance is biased upwards; compare it with the floor at the same N only"
    )
