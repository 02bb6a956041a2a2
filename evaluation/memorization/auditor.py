"""Audits a trained generator for copies of its training photographs."""

import dataclasses
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from common import pseudonyms
from evaluation.features import image_sets, networks
from evaluation.features.image_sets import ImageSet
from evaluation.features.networks import FeatureExtractor
from evaluation.memorization import (
    copies,
    data_copying,
    membership,
    nearest_neighbours,
    plants,
    thumbnails,
)
from evaluation.memorization.copies import Matches
from evaluation.memorization.data_copying import DataCopying
from evaluation.memorization.nearest_neighbours import Neighbours, Views
from evaluation.uncertainty.cluster_bootstrap import Estimate
from evaluation.uncertainty.intervals import Rate
from preprocessing.data import records
from synthesis import layouts
from synthesis.layouts import Layout
from synthesis.trained_generator import TrainedGenerator

TRAINING_SPLIT = "train"
_GOOD_RECALL = 0.9
_PERCENTS = (0, 1, 5, 25, 50, 75, 95)


@dataclasses.dataclass(frozen=True)
class AuditProtocol:
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
        return image_sets.seeds_of(self.num_images, self.painting_seed(map_split))


@dataclasses.dataclass(frozen=True)
class JudgedSet:
    """One set of images with its neighbours and what was found.

    Attributes:
      images: the set.
      seeds: of each generated image; empty for photographs.
      neighbours: in the training set, by criterion.
      matches: the more suspicious of them.
      copies: share flagged as copies; of held-out photographs, cross-calibrated, and
        None where there are too few for that.
    """

    images: ImageSet
    seeds: np.ndarray
    neighbours: Mapping[str, Neighbours]
    matches: Matches
    copies: Optional[Rate]

    @property
    def is_authentic(self) -> np.ndarray:
        """Whether each image is farther away than another patient's photograph, bool [N]."""
        return self.neighbours["features"].ratio > 1

    @property
    def authentic(self) -> Rate:
        """Share of images that are."""
        return Rate(int(self.is_authentic.sum()), len(self.images))

    @property
    def identical(self) -> int:
        """Number of images that are a training photograph, but for rounding."""
        return int(self.neighbours["features"].identical.sum())

    @property
    def leaks(self) -> np.ndarray:
        """Whether each image is a training photograph by any criterion, bool [N]."""
        return np.any([one.identical for one in self.neighbours.values()], axis=0)

    def quantiles(self, criterion: str) -> Dict[str, float]:
        """Returns quantiles of the ratio by percent."""
        ratio = self.neighbours[criterion].ratio
        return {str(percent): float(np.percentile(ratio, percent)) for percent in _PERCENTS}

    def as_dict(self) -> Dict[str, Any]:
        """Returns the numbers for JSON."""
        return {
            "copies": self.copies and self.copies.as_dict(),
            "authentic": self.authentic.as_dict(),
            "identical": self.identical,
            "ratio_quantiles": {name: self.quantiles(name) for name in self.neighbours},
        }


@dataclasses.dataclass(frozen=True)
class Audit:
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
      patients: from `copies.count_patients`, of all generated images.
      notes: what a reader should know.
      copying: the test of Meehan et al., by split of the maps.
      membership: how well the run's discriminator tells training photographs; None where
        it has none.
    """

    run_dir: str
    step: int
    protocol: Mapping[str, Any]
    thresholds: Mapping[str, float]
    training: ImageSet
    held_out: JudgedSet
    generated: Mapping[str, JudgedSet]
    planted: Mapping[str, Rate]
    conditions: Mapping[str, Mapping[str, Optional[Rate]]]
    patients: Sequence[Mapping[str, Any]]
    notes: Tuple[str, ...]
    copying: Mapping[str, DataCopying]
    membership: Optional[Estimate]


def sample_layouts(
    data_dir: str, split: str, conditions: Tuple[str, ...], image_size: int, protocol: AuditProtocol
) -> List[Layout]:
    """Samples what to paint: training maps as they are, others varied.

    Training maps are taken in a shuffled order, again from the start when all are
    used up.
    """
    sources = layouts.read_layouts(data_dir, split, conditions)
    if split != TRAINING_SPLIT:
        return layouts.sample(sources, protocol.num_images, image_size, protocol.seed)
    order = np.random.default_rng([protocol.seed, 0]).permutation(len(sources))
    return [sources[order[i % len(sources)]] for i in range(protocol.num_images)]


def rates_by_condition(
    held_out: JudgedSet, generated: Sequence[JudgedSet]
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
    authentic = np.concatenate([one.is_authentic for one in generated])

    def rate(values: np.ndarray) -> Optional[Rate]:
        return Rate(int(values.sum()), len(values)) if len(values) else None

    return {
        str(name): {
            "copies": rate(flagged[names == name]),
            "authentic": rate(authentic[names == name]),
            "held_out_authentic": rate(held_out.is_authentic[held_out.images.conditions == name]),
        }
        for name in np.unique(names)
    }


def misreadings(
    held_out: JudgedSet, generated: Mapping[str, JudgedSet], patients: Sequence[Mapping[str, Any]]
) -> List[str]:
    """Returns warnings of what the numbers seem to say and do not; arguments of `Audit`."""
    notes = []
    standard = held_out.authentic.interval[1]
    farther = [split for split, one in generated.items() if one.authentic.share > standard]
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
    return notes


class Auditor:
    """Audits one generator against the photographs it was trained on.

    Attributes:
      description: the protocol, known before anything is painted.
    """

    def __init__(
        self,
        generator: TrainedGenerator,
        data_dir: str,
        extractor: FeatureExtractor,
        protocol: AuditProtocol,
    ):
        """Reads photographs and maps.

        Args:
          generator: to be audited.
          data_dir: the records it was trained on.
          extractor: of the features.
          protocol: what is compared.

        Raises:
          ValueError: no such records, too few, others than the generator was trained
            on, or a patient in both sets.
        """
        info = records.read_info(data_dir)
        generator.check_dataset(data_dir, info)
        if generator.description["dataset"].get("digest") != info.digest:
            raise ValueError(
                f"{data_dir}: not the records that {generator.run_dir} was trained on; copies can "
                "only be told against its own training photographs, pass them with --data_dir"
            )
        self._generator, self._extractor = generator, extractor
        self._protocol = protocol
        conditions = generator.conditions
        self._training = image_sets.real_images(data_dir, TRAINING_SPLIT, conditions)
        self._held_out = image_sets.real_images(data_dir, protocol.held_out_split, conditions)
        copies.check_patients(self._training.patients, self._held_out.patients)
        names = pseudonyms.load_or_create(data_dir)  # results may be handed on
        self._training, self._held_out = self._training.under(names), self._held_out.under(names)
        # Too few photographs are told now, not after minutes of painting.
        zeros = np.zeros(len(self._held_out))
        copies.calibrate_thresholds({"features": zeros, "thumbnails": zeros}, protocol.alpha)
        self._generated = {
            split: image_sets.generated_images(
                generator,
                sample_layouts(data_dir, split, conditions, generator.image_size, protocol),
                protocol.painting_seed(split),
                f"{split}-map",
            )
            for split in protocol.map_splits
        }
        self.description: Dict[str, Any] = {
            **extractor.protocol,
            **dataclasses.asdict(protocol),
            "thumbnails": f"{thumbnails.SIZE} x {thumbnails.SIZE}, "
            f"{thumbnails.NUM_WINDOWS} windows",
            "intervals": "Clopper-Pearson, 95 %, images taken as independent",
            "dataset_digest": info.digest,
            **self._training.describe("training"),
            **self._held_out.describe("held_out"),
            "generated_digests": {name: one.digest for name, one in self._generated.items()},
            "generator_digest": generator.digest,
        }

    def _views(self, images: ImageSet) -> Dict[str, Views]:
        network = thumbnails.add_thumbnails(self._extractor.network)
        extractor = dataclasses.replace(self._extractor, network=network)
        found = extractor.extract(plants.with_mirrored(images))
        return thumbnails.split_views(found[::2], found[1::2])

    def _neighbours(self, images: ImageSet, training: Mapping[str, Views]) -> Dict[str, Neighbours]:
        patients = self._training.patients
        return {
            name: nearest_neighbours.find_neighbours(one, training[name], patients)
            for name, one in self._views(images).items()
        }

    def audit(self) -> Audit:
        """Paints, computes features and compares.

        Raises:
          ValueError: features that are not finite or tell nothing apart.
        """
        training = self._views(self._training)
        training["thumbnails"] = dataclasses.replace(
            training["thumbnails"], windows=thumbnails.windows_of(self._training)
        )
        held_out, thresholds = self._judge_held_out(training)
        generated: Dict[str, JudgedSet] = {}
        for split, images in self._generated.items():
            found = self._neighbours(images, training)
            matches = copies.match_neighbours(found, thresholds)
            seeds = self._protocol.image_seeds(split)
            generated[split] = JudgedSet(images, seeds, found, matches, matches.copy_rate())
        planted = self._find_planted(training, thresholds)
        sets = list(generated.values())
        patients = copies.count_patients(
            self._training.patients,
            np.concatenate([one.neighbours["features"].index for one in sets]),
            held_out.neighbours["features"].index,
            np.concatenate([one.matches.index[one.matches.flagged] for one in sets]),
        )
        notes = self._notes(held_out, generated, planted)
        known = membership.tell_members(
            self._generator, self._training, self._held_out, self._protocol.seed
        )
        if known and known.low > 0.5:
            notes.append(
                "the discriminator tells photographs it was trained with from others: who gets the "
                "run, or a program exported from it, can ask it for a patient"
            )
        cells = data_copying.make_cells(training["features"].plain, self._protocol.seed)
        copying = {
            split: data_copying.compare_distances(
                cells, one.neighbours["features"], held_out.neighbours["features"]
            )
            for split, one in generated.items()
        }
        return Audit(
            run_dir=self._generator.run_dir,
            step=self._generator.step,
            protocol=self.description,
            thresholds=thresholds,
            training=self._training,
            held_out=held_out,
            generated=generated,
            planted=planted,
            conditions=rates_by_condition(held_out, sets),
            patients=patients,
            notes=(*notes, *misreadings(held_out, generated, patients)),
            copying=copying,
            membership=known,
        )

    def _judge_held_out(self, training: Mapping[str, Views]) -> Tuple[JudgedSet, Dict[str, float]]:
        """Returns the held-out photographs and the thresholds they set."""
        images, alpha = self._held_out, self._protocol.alpha
        found = self._neighbours(images, training)
        # A held-out photograph that is in the training set, too, would hide all copies.
        usable = ~np.any([one.identical for one in found.values()], axis=0)
        ratios = {name: one.ratio[usable] for name, one in found.items()}
        thresholds = copies.calibrate_thresholds(ratios, alpha)
        patients = np.array(images.patients)[usable].tolist()
        rate = copies.held_out_rate(ratios, patients, alpha)
        matches = copies.match_neighbours(found, thresholds)
        return JudgedSet(images, np.zeros(0, np.int64), found, matches, rate), thresholds

    def _find_planted(
        self, training: Mapping[str, Views], thresholds: Mapping[str, float]
    ) -> Dict[str, Rate]:
        """Returns the share that is found of every kind of planted copies."""
        number, seed = self._protocol.num_planted, self._protocol.seed
        rates = {}
        for kind in plants.KINDS if number else ():
            images = plants.plant(self._training, number, kind, seed)
            found = self._neighbours(images, training)
            rates[kind] = copies.match_neighbours(found, thresholds).copy_rate()
        return rates

    def _notes(
        self, held_out: JudgedSet, generated: Mapping[str, JudgedSet], planted: Mapping[str, Rate]
    ) -> List[str]:
        notes = [image_sets.NOBODY_NAMED] if self._training.patients_unnamed else []
        if self._extractor.network.name == networks.EMBEDDED_NETWORK:
            notes.append("features are of random weights: good for a trial, not for a release")
        leaks = np.flatnonzero(held_out.leaks)
        if len(leaks):
            ours = held_out.images.image_ids[leaks[0]]
            theirs = self._training.image_ids[held_out.matches.index[leaks[0]]]
            notes.append(
                f"{len(leaks)} held-out crops are training crops, too, under another patient "
                f"({ours} is {theirs}); left out of the calibration, but mend the data set"
            )
        usable = len(held_out.images) - len(leaks)
        bound = copies.honest_bound(usable, self._protocol.alpha, len(held_out.neighbours))
        notes.append(
            f"as the thresholds come from {usable:,} crops, an honest generator's copy rate can be "
            f"up to {bound:.2%} (95 %)"
        )
        if TRAINING_SPLIT in generated:
            found = generated[TRAINING_SPLIT].matches
            number = int((found.flagged & (found.criterion == "thumbnails")).sum())
            if number:
                notes.append(
                    f"{number} images of training maps are flagged by their thumbnails; they have "
                    "the boxes of a training crop and may share no more with it: look at them"
                )
        notes += [
            f"only {rate.share:.0%} of {kind} copies are found: a low copy rate says little "
            "about such copies"
            for kind, rate in planted.items()
            if rate.share < _GOOD_RECALL
        ]
        return notes
