"""The arms of the augmentation experiment: which image stands at which place.

All arms take the same number of steps of the same number of images. `real+synthetic`
does two things at once: it shows images that were never photographed, and it makes
rare conditions more frequent. The controls do the second without the first, to the
same frequencies: `real+oversampled` puts a photograph of the same condition, and of the same
skin type where there is one, in the place of each synthetic image, `real+class_weights`
weighs the losses instead. `synthetic` sees no photograph at all: what it learns is what the
images alone teach. `real+agreed` and `real+near` are `real+synthetic` with the images that a
filter keeps (`selection`).
`synthetic_then_real` sees synthetic images in its first half and photographs as
`real+oversampled` in its second. `real+strong_jitter` varies photographs more instead, the
cheapest way to new images.
"""

import dataclasses
from typing import Any, List, Mapping, Optional, Sequence, Tuple

import numpy as np

REAL = "real"
SYNTHETIC = "real+synthetic"
OVERSAMPLED = "real+oversampled"
CLASS_WEIGHTS = "real+class_weights"
ONLY = "synthetic"
AGREED, NEAR = FILTERED = ("real+agreed", "real+near")
FIRST, STRONG = "synthetic_then_real", "real+strong_jitter"
DEFAULT = (REAL, SYNTHETIC, OVERSAMPLED, CLASS_WEIGHTS)
NAMES = (*DEFAULT, ONLY, *FILTERED, FIRST, STRONG)
SHOWING = (SYNTHETIC, ONLY, *FILTERED, FIRST)  # synthetic images


@dataclasses.dataclass(frozen=True)
class Arm:
    """One way to train.

    Attributes:
      name: unique in an experiment.
      kind: one of `NAMES`.
      ratio: synthetic images to one photograph; None takes all, at the share of a
        batch that the configuration says.
    """

    name: str
    kind: str
    ratio: Optional[float] = None


def make_arms(names: Sequence[str], ratios: Sequence[float]) -> List[Arm]:
    """Returns the arms of an experiment; `real`, which the others compare with, first.

    Args:
      names: of `NAMES`.
      ratios: of further arms `real+synthetic x<ratio>`.

    Raises:
      ValueError: an unknown name, or ratios that are not positive and distinct.
    """
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise ValueError(f"arm {unknown[0]!r} is not one of {', '.join(NAMES)}")
    for ratio in ratios:
        if not 0 < ratio < np.inf:
            raise ValueError(f"ratio {ratio} is not positive")
    if len({f"{ratio:g}" for ratio in ratios}) < len(ratios):
        raise ValueError(f"ratios {list(ratios)} are not distinct")
    arms = [Arm(name, name) for name in NAMES if name == REAL or name in names]
    return arms + [Arm(f"{SYNTHETIC} x{ratio:g}", SYNTHETIC, ratio) for ratio in ratios]


def synthetic_images_needed(arms: Sequence[Arm], photographs: int) -> int:
    """Returns how many synthetic images the ratios take."""
    return max([round(arm.ratio * photographs) for arm in arms if arm.ratio], default=0)


def order_of_arm(protocol: Mapping[str, Any]) -> Tuple[int, float]:
    """Returns what arms are sorted by.

    Args:
      protocol: of a training, with its arm's `kind` and `ratio`.
    """
    return NAMES.index(protocol["kind"]), protocol["ratio"] or 0.0


@dataclasses.dataclass(frozen=True)
class Mixture:
    """What a training draws from.

    Attributes:
      real: condition codes of the photographs, int [N].
      synthetic: condition codes of the synthetic images, int [M].
      share: of the images of a training that are synthetic, 0..1.
      skin_types: Fitzpatrick types of both; none if they do not matter.
    """

    real: np.ndarray
    synthetic: np.ndarray
    share: float
    skin_types: Optional[Tuple[np.ndarray, np.ndarray]] = None

    def __post_init__(self) -> None:
        if not len(self.real):
            raise ValueError("no photograph to train on")
        if not 0 <= self.share <= 1:
            raise ValueError(f"synthetic share {self.share} is not in 0..1")
        if self.share and not len(self.synthetic):
            raise ValueError("no synthetic image")

    def cells(self) -> Tuple[np.ndarray, np.ndarray]:
        """Returns a number for condition and skin type, of the photographs and the images."""
        kinds = self.real, self.synthetic
        types = self.skin_types or tuple(map(np.zeros_like, kinds))
        return 10 * kinds[0] + types[0][: len(kinds[0])], 10 * kinds[1] + types[1][: len(kinds[1])]


def mixture_of_arm(
    arm: Arm,
    real: np.ndarray,
    synthetic: np.ndarray,
    share: float,
    skin_types: Optional[Tuple[np.ndarray, np.ndarray]] = None,
) -> Mixture:
    """Returns what an arm draws from.

    Args:
      arm: which.
      real: condition codes of the photographs.
      synthetic: condition codes of the synthetic images that there are.
      share: of a batch that is synthetic; 0 is in proportion to their numbers. An arm
        with a ratio is always in proportion.
      skin_types: as of `Mixture`.

    Raises:
      ValueError: fewer synthetic images than the ratio takes.
    """
    if arm.kind in (REAL, STRONG):
        return Mixture(real, synthetic[:0], 0.0, skin_types)
    if arm.ratio is not None:
        number = round(arm.ratio * len(real))
        if number > len(synthetic):
            raise ValueError(
                f"arm {arm.name!r} takes {number} synthetic images; there are {len(synthetic)}"
            )
        synthetic, share = synthetic[:number], 0.0
    if arm.kind == ONLY:
        share = 1.0
    share = share or len(synthetic) / (len(real) + len(synthetic))
    return Mixture(real, synthetic, share, skin_types)


def _epochs(number: int, length: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers 0..number-1 epoch by epoch, each in an order of its own; int64 [length]."""
    orders = [rng.permutation(number) for _ in range(-(-length // number))]
    return np.concatenate([np.zeros(0, np.int64), *orders])[:length]


def _of_kinds(wanted: np.ndarray, real: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Photographs of the wanted kinds, each kind's in epochs; -1 where none is."""
    chosen = np.full(len(wanted), -1, np.int64)
    for code in np.unique(wanted):
        places, members = np.flatnonzero(wanted == code), np.flatnonzero(real == code)
        if len(members):
            chosen[places] = members[_epochs(len(members), len(places), rng)]
    return chosen


def choose_few(real: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Draws photographs so that no condition has more than some.

    Args:
      real: condition codes of all photographs.
      most: of each condition.
      seed: of the training.

    Returns:
      Their positions in order, int64.
    """
    mixed = np.random.default_rng([seed, 0xFE3]).permutation(len(real))
    chosen = [mixed[real[mixed] == code][:most] for code in np.unique(real)]
    return np.sort(np.concatenate(chosen))


def draw_images(arm: Arm, drawn_from: Mixture, length: int, seed: int) -> np.ndarray:
    """Draws the images of a training, in order.

    With the same seed, `real+synthetic` and `real+oversampled` have the same photographs
    at the same places but for those where the one has a synthetic image and the other a
    photograph of its condition and skin type (of its condition, or any, where training has
    none).

    Args:
      arm: which.
      drawn_from: from `mixture_of_arm`.
      length: number of images.
      seed: of the training.

    Returns:
      int64 [length]; n is photograph n, len(real) + m is synthetic image m.
    """
    rng = np.random.default_rng([seed, 0xA437])
    number = len(drawn_from.real)
    places = rng.random(length)
    chosen = _epochs(number, length, rng)
    if arm.kind in (REAL, STRONG, CLASS_WEIGHTS) or not drawn_from.share:
        return chosen
    extra = np.flatnonzero(places < drawn_from.share)
    synthetic = _epochs(len(drawn_from.synthetic), len(extra), rng)
    if arm.kind in SHOWING and arm.kind != FIRST:
        chosen[extra] = number + synthetic
        return chosen
    cells, wanted = drawn_from.cells()
    same = _of_kinds(wanted[synthetic], cells, rng)
    other = same < 0
    same[other] = _of_kinds(drawn_from.synthetic[synthetic[other]], drawn_from.real, rng)
    chosen[extra] = np.where(same >= 0, same, chosen[extra])
    if arm.kind == FIRST:
        half = length // 2
        chosen[:half] = number + _epochs(len(drawn_from.synthetic), half, rng)
    return chosen


def class_weights(arm: Arm, drawn_from: Mixture, num_classes: int) -> np.ndarray:
    """Returns the weight of each condition's loss, float32 [num_classes].

    One, but in the arm of class weights: there conditions weigh as often as they stand
    in the mixture of photographs and synthetic images, over how often they stand among the
    photographs; the mean over the photographs is one.
    """
    weights = np.ones(num_classes, np.float32)
    if arm.kind != CLASS_WEIGHTS:
        return weights
    real, synthetic = (
        np.bincount(codes, minlength=num_classes) / len(codes)
        for codes in (drawn_from.real, drawn_from.synthetic)
    )
    mixed = (1 - drawn_from.share) * real + drawn_from.share * synthetic
    weights = np.divide(mixed, real, out=np.ones(num_classes), where=real > 0)
    return (weights / np.sum(real * weights)).astype(np.float32)
