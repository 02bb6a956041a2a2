"""How copying is measured, and what was found."""

import dataclasses
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np

from evaluation.features.image_sets import ImageSet
from evaluation.memorization.audit import Matches, Rate
from evaluation.memorization.nearest_neighbours import Neighbours

TRAINING_SPLIT = "train"


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What is compared, and how.

    Attributes:
      alpha: copy rate that an honest generator is expected to have.
      num_images: images painted from the maps of each split.
      map_splits: where the maps come from; those of training are painted as they
        are, where a copy is likeliest, the others are varied.
      held_out_split: photographs of other patients, the standard.
      num_planted: copies of each kind planted to measure what the audit finds.
      seed: of maps, images and planted copies.
    """

    alpha: float = 0.01
    num_images: int = 1000
    map_splits: Tuple[str, ...] = (TRAINING_SPLIT, "validation")
    held_out_split: str = "test"
    num_planted: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha {self.alpha:g} is not between 0 and 1")
        if self.num_images < 1:
            raise ValueError(f"num_images {self.num_images} is not positive")
        if self.num_planted < 0:
            raise ValueError(f"num_planted {self.num_planted} is negative; 0 plants none")
        if not self.map_splits or len(set(self.map_splits)) < len(self.map_splits):
            raise ValueError(f"map splits {list(self.map_splits)}: one or more, each once")
        if self.held_out_split == TRAINING_SPLIT:
            raise ValueError(f"held-out split {self.held_out_split!r} is what the generator saw")

    def painting_seed(self, map_split: str) -> int:
        """Returns the seed of the images painted from the maps of a split."""
        return self.seed * len(self.map_splits) + self.map_splits.index(map_split)

    def image_seeds(self, map_split: str) -> np.ndarray:
        """Returns the seed of every such image, as `image_sets.generated_images` makes it."""
        first = np.int64(self.painting_seed(map_split)) << np.int64(32)
        return np.arange(self.num_images, dtype=np.int64) + first


@dataclasses.dataclass(frozen=True)
class Score:
    """What was found of one set of images.

    Attributes:
      copies: images flagged as copies; of held-out photographs, cross-calibrated, and
        None where there are too few for that.
      authentic: images farther from their nearest training photograph than another
        patient's photograph is.
      identical: images that are a training photograph, but for rounding.
      quantiles: of the ratio, by criterion and percent.
    """

    copies: Optional[Rate]
    authentic: Rate
    identical: int
    quantiles: Mapping[str, Mapping[str, float]]

    def as_dict(self) -> Dict[str, Any]:
        """Returns the numbers for JSON."""
        return {
            "copies": self.copies and self.copies.as_dict(),
            "authentic": self.authentic.as_dict(),
            "identical": self.identical,
            "ratio_quantiles": {name: dict(one) for name, one in self.quantiles.items()},
        }


@dataclasses.dataclass(frozen=True)
class Queries:
    """One set of images with its neighbours.

    Attributes:
      images: the set.
      seeds: of each generated image; empty for photographs.
      neighbours: in the training set, by criterion.
      matches: the more suspicious of them.
      score: what was found.
    """

    images: ImageSet
    seeds: np.ndarray
    neighbours: Mapping[str, Neighbours]
    matches: Matches
    score: Score

    @property
    def authentic(self) -> np.ndarray:
        """Whether each image is farther away than another patient's photograph, bool [N]."""
        return self.neighbours["features"].ratio > 1


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What was measured of one checkpoint.

    Attributes:
      run_dir: of the generator.
      step: of the checkpoint.
      protocol: everything that the numbers depend on.
      thresholds: ratio up to which an image is flagged, by criterion.
      training: the photographs that may have been copied.
      held_out: photographs of other patients.
      generated: by split of the maps.
      planted: share found of the copies that were planted, by kind.
      conditions: by condition, rates of all generated and of held-out images.
      patients: from `audit.count_patients`, of all generated images.
      notes: what a reader should know.
    """

    run_dir: str
    step: int
    protocol: Mapping[str, Any]
    thresholds: Mapping[str, float]
    training: ImageSet
    held_out: Queries
    generated: Mapping[str, Queries]
    planted: Mapping[str, Rate]
    conditions: Mapping[str, Mapping[str, Optional[Rate]]]
    patients: Sequence[Mapping[str, Any]]
    notes: Tuple[str, ...]


def judge(
    images: ImageSet,
    seeds: np.ndarray,
    neighbours: Mapping[str, Neighbours],
    matches: Matches,
    copies: Optional[Rate],
) -> Queries:
    """Returns a set of images with its score; arguments as of `Queries` and `Score`."""
    features = neighbours["features"]
    percents = (0, 1, 5, 25, 50, 75, 95)
    score = Score(
        copies=copies,
        authentic=Rate(int((features.ratio > 1).sum()), len(images)),
        identical=int(features.identical.sum()),
        quantiles={
            name: {str(q): float(np.percentile(one.ratio, q)) for q in percents}
            for name, one in neighbours.items()
        },
    )
    return Queries(images, seeds, neighbours, matches, score)


def by_condition(
    held_out: Queries, generated: Sequence[Queries]
) -> Dict[str, Dict[str, Optional[Rate]]]:
    """Counts copies and authentic images of every condition that was generated.

    Args:
      held_out: photographs of other patients.
      generated: sets of images, taken together.

    Returns:
      By condition: `copies`, `authentic`, and `held_out_authentic`, which is None
      where there is no held-out photograph.
    """
    names = np.concatenate([one.images.conditions for one in generated])
    flagged = np.concatenate([one.matches.flagged for one in generated])
    authentic = np.concatenate([one.authentic for one in generated])
    found: Dict[str, Dict[str, Optional[Rate]]] = {}
    for name in np.unique(names):
        ours, theirs = names == name, held_out.images.conditions == name
        number, real = int(ours.sum()), int(theirs.sum())
        found[str(name)] = {
            "copies": Rate(int(flagged[ours].sum()), number),
            "authentic": Rate(int(authentic[ours].sum()), number),
            "held_out_authentic": Rate(int(held_out.authentic[theirs].sum()), real)
            if real
            else None,
        }
    return found


def misreadings(
    held_out: Queries, generated: Mapping[str, Queries], patients: Sequence[Mapping[str, Any]]
) -> Tuple[str, ...]:
    """Returns warnings of what the numbers seem to say and do not; arguments of `Evaluation`."""
    notes = []
    standard = held_out.score.authentic.interval[1]
    farther = [split for split, one in generated.items() if one.score.authentic.share > standard]
    if farther:
        notes.append(
            f"images of {' and '.join(farther)} maps are more often authentic than photographs: "
            "they are far from all photographs, which is no merit"
        )
    hubs = [row for row in patients if row["p"] < 0.05 and not row["flagged"]]
    if hubs:
        notes.append(
            f"nearest remarkably often without a flagged copy: {len(hubs)} of the patients, e.g. "
            f"{hubs[0]['patient_id']}; images unlike photographs gather at a few of them"
        )
    return tuple(notes)
