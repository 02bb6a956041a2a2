"""A distance in words: how far are photographs of a lower resolution?

A Frechet distance means nothing by itself: it depends on network, layer, N and data.
The same photographs, blurred to a half, a quarter and an eighth of their resolution, go
through the same trials. Between which of these steps the generated images stand can be
said in words, whatever the network. Steps that a network does not tell apart are left
out; one that tells none has no say.
"""

import dataclasses
import hashlib
from typing import Any, Dict, Mapping, Sequence

import numpy as np
import tensorflow as tf

from evaluation.features.image_sets import ImageSet
from evaluation.frechet import distances
from evaluation.frechet.protocol import TrialProtocol, part_in_trials

FACTORS = (2, 4, 8)
_SHARES = {2: "a half", 4: "a quarter", 8: "an eighth"}
# A step must be this much farther than the one before, or the network does not tell.
_LEAST_STEP = 1.05


@dataclasses.dataclass(frozen=True)
class Ladder:
    """Mean distances to photographs, of others.

    Attributes:
      floor: held-out photographs as they are.
      highest_floor: the largest of the partings.
      blurred: the same photographs by the factor of their resolution that is lost.
    """

    floor: float
    highest_floor: float
    blurred: Mapping[int, float]

    @property
    def steps(self) -> Dict[int, float]:
        """The steps that are told apart, the finest first.

        From the coarsest on, each that is clearly nearer than the one after it, and
        farther than photographs as they are.
        """
        found: Dict[int, float] = {}
        nearest = max(_LEAST_STEP * self.floor, self.highest_floor)
        for factor in sorted(self.blurred, reverse=True):
            value = self.blurred[factor]
            if value > nearest and all(_LEAST_STEP * value < other for other in found.values()):
                found = {factor: value, **found}
        return found

    def verdict(self, distance: float) -> str:
        """Returns where generated images of this mean distance stand, in words."""
        if not self.steps:
            return "no verdict: these features do not tell photographs from blurred ones"
        if distance <= self.highest_floor:
            return "not told apart from photographs, with so many images"
        below = [factor for factor, value in self.steps.items() if value <= distance]
        above = [factor for factor in self.steps if factor not in below]
        if not below:
            where = f"nearer to photographs than photographs at {_SHARES[above[0]]}"
        elif not above:
            where = f"farther from photographs than photographs at {_SHARES[below[-1]]}"
        else:
            steps = f"{_SHARES[below[-1]]} to {_SHARES[above[0]]}"
            where = f"as far from photographs as photographs at {steps}"
        unseen = [_SHARES[factor] for factor in sorted(self.blurred) if factor not in self.steps]
        but = f" ({' and '.join(unseen)} not told apart here)" if unseen else ""
        return f"{where} of their resolution{but}"

    def grade(self, distance: float) -> str:
        """Returns "good", "usable" or "bad", as docs/reference/reading_the_numbers.md has them.

        "" where the features do not tell: only photographs at an eighth are farther, and no
        nearer step is told apart.
        """
        if not self.steps:
            return ""
        if distance <= self.highest_floor:
            return "good"
        above = [factor for factor, value in self.steps.items() if value > distance]
        if not above or (above[0] == 8 and len(self.steps) > 1):
            return "bad"
        return {2: "good", 4: "usable", 8: ""}[above[0]]

    def as_dict(self) -> Dict[str, Any]:
        """Returns the numbers for JSON."""
        return {
            "floor": self.floor,
            "highest_floor": self.highest_floor,
            "blurred": {f"1/{factor}": value for factor, value in self.blurred.items()},
            "told_apart": [f"1/{factor}" for factor in self.steps],
        }


def lose_resolution(image: tf.Tensor, factor: int) -> tf.Tensor:
    """Reduces an image, or a batch, to a part of its resolution and enlarges it again.

    Args:
      image: uint8 [..., S, S, 3].
      factor: by which resolution is lost.
    """
    size = tf.shape(image)[-3:-1]
    small = tf.image.resize(image, tf.maximum(size // factor, 1), "area")
    return tf.saturate_cast(tf.round(tf.image.resize(small, size, "bicubic")), tf.uint8)


def blur(images: ImageSet, factor: int) -> ImageSet:
    """Returns photographs reduced to a part of their resolution and enlarged again."""
    return dataclasses.replace(
        images,
        name=f"{images.name} at 1/{factor}",
        digest=hashlib.sha256(f"{images.digest} 1/{factor}".encode()).hexdigest(),
        dataset=lambda: images.dataset().map(
            lambda image: lose_resolution(image, factor), tf.data.AUTOTUNE
        ),
    )


def measure(
    real: np.ndarray,
    blurred: Mapping[int, np.ndarray],
    patients: Sequence[str],
    number: int,
    protocol: TrialProtocol,
) -> Ladder:
    """Measures the steps, once for each parting of the patients.

    Args:
      real: features of the photographs, [N, d].
      blurred: features of the same photographs by factor.
      patients: by photograph.
      number: images in a trial.
      protocol: of the trials.
    """
    found: Dict[int, list] = {factor: [] for factor in (1, *blurred)}
    for index, parting in enumerate(part_in_trials(patients, protocol)):
        reference = distances.FrechetReference(real[parting])
        rng = np.random.default_rng([protocol.seed, 2, index])
        held_out = np.flatnonzero(~parting)
        drawn = rng.choice(held_out, min(number, len(held_out)), replace=False)
        for factor, features in {1: real, **blurred}.items():
            found[factor].append(reference.distance(features[drawn]))
    means = {factor: float(np.mean(values)) for factor, values in found.items()}
    return Ladder(means.pop(1), float(np.max(found[1])), means)
