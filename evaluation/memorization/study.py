"""Audits a trained generator for copies of its training photographs."""

import dataclasses
from typing import Any, Dict, List, Mapping, Tuple

import numpy as np

from evaluation.features import image_sets, networks
from evaluation.features.image_sets import ImageSet
from evaluation.features.networks import FeatureNetwork, FeatureSettings
from evaluation.memorization import audit, nearest_neighbours, plants, results, thumbnails
from evaluation.memorization.audit import Rate
from evaluation.memorization.nearest_neighbours import Neighbours, Views
from evaluation.memorization.results import TRAINING_SPLIT, Evaluation, Protocol, Queries
from preprocessing.data import records
from synthesis import layouts
from synthesis.layouts import Layout
from synthesis.trained_generator import TrainedGenerator

_GOOD_RECALL = 0.9


def sample_layouts(
    data_dir: str, split: str, conditions: Tuple[str, ...], image_size: int, protocol: Protocol
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


def _leaks(neighbours: Mapping[str, Neighbours]) -> np.ndarray:
    """Whether images are training photographs by any criterion, bool [N]."""
    return np.any([one.identical for one in neighbours.values()], axis=0)


class Auditor:
    """Audits one generator against the photographs it was trained on.

    Attributes:
      description: the protocol, known before anything is painted.
    """

    def __init__(
        self,
        generator: TrainedGenerator,
        data_dir: str,
        network: FeatureNetwork,
        settings: FeatureSettings,
        protocol: Protocol,
    ):
        """Reads photographs and maps.

        Args:
          generator: to be audited.
          data_dir: the records it was trained on.
          network: from `networks.load_network`.
          settings: how images reach it.
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
        self._generator, self._network, self._settings = generator, network, settings
        self._protocol = protocol
        conditions = generator.conditions
        self._training = image_sets.real_images(data_dir, TRAINING_SPLIT, conditions)
        self._held_out = image_sets.real_images(data_dir, protocol.held_out_split, conditions)
        audit.check_patients(self._training.patients, self._held_out.patients)
        # Too few photographs are told now, not after minutes of painting.
        zeros = np.zeros(len(self._held_out))
        audit.calibrate({"features": zeros, "thumbnails": zeros}, protocol.alpha)
        self._generated = {
            split: image_sets.generated_images(
                generator,
                sample_layouts(data_dir, split, conditions, generator.image_size, protocol),
                protocol.painting_seed(split),
                f"{split}-map",
            )
            for split in protocol.map_splits
        }
        self.description = self._describe(data_dir, info)

    def _describe(self, data_dir: str, info: records.DatasetInfo) -> Dict[str, Any]:
        return {
            **self._settings.protocol(self._network),
            **dataclasses.asdict(self._protocol),
            "thumbnails": f"{thumbnails.SIZE} x {thumbnails.SIZE}, "
            f"{thumbnails.NUM_WINDOWS} windows",
            "intervals": "Clopper-Pearson, 95 %, images taken as independent",
            "data_dir": data_dir,
            "dataset_digest": info.digest,
            "training_images": len(self._training),
            "training_patients": len(set(self._training.patients)),
            "training_digest": self._training.digest,
            "held_out_images": len(self._held_out),
            "held_out_patients": len(set(self._held_out.patients)),
            "held_out_digest": self._held_out.digest,
            "generated_digests": {name: one.digest for name, one in self._generated.items()},
            "generator_digest": self._generator.digest,
        }

    def _views(self, images: ImageSet, with_windows: bool = False) -> Dict[str, Views]:
        network = thumbnails.add_thumbnails(self._network, with_windows)
        both = plants.with_mirrored(images)
        found = networks.extract(both, network, self._settings)
        return thumbnails.views(found[::2], found[1::2], with_windows)

    def _neighbours(self, images: ImageSet, training: Mapping[str, Views]) -> Dict[str, Neighbours]:
        patients = self._training.patients
        return {
            name: nearest_neighbours.find_neighbours(one, training[name], patients)
            for name, one in self._views(images).items()
        }

    def measure(self) -> Evaluation:
        """Paints, computes features and compares.

        Raises:
          ValueError: features that are not finite or tell nothing apart.
        """
        training = self._views(self._training, with_windows=True)
        held_out, thresholds = self._measure_held_out(training)
        generated: Dict[str, Queries] = {}
        for split, images in self._generated.items():
            found = self._neighbours(images, training)
            matches = audit.match(found, thresholds)
            seeds, copies = self._protocol.image_seeds(split), matches.copy_rate()
            generated[split] = results.judge(images, seeds, found, matches, copies)
        planted = self._measure_planted(training, thresholds)
        sets = list(generated.values())
        patients = audit.count_patients(
            self._training.patients,
            np.concatenate([one.neighbours["features"].index for one in sets]),
            held_out.neighbours["features"].index,
            np.concatenate([one.matches.index[one.matches.flagged] for one in sets]),
        )
        notes = self._notes(held_out, generated, planted)
        return Evaluation(
            run_dir=self._generator.run_dir,
            step=self._generator.step,
            protocol=self.description,
            thresholds=thresholds,
            training=self._training,
            held_out=held_out,
            generated=generated,
            planted=planted,
            conditions=results.by_condition(held_out, sets),
            patients=patients,
            notes=notes + results.misreadings(held_out, generated, patients),
        )

    def _measure_held_out(self, training: Mapping[str, Views]) -> Tuple[Queries, Dict[str, float]]:
        """Returns the held-out photographs and the thresholds they set."""
        images, alpha = self._held_out, self._protocol.alpha
        found = self._neighbours(images, training)
        # A held-out photograph that is in the training set, too, would hide all copies.
        usable = ~_leaks(found)
        ratios = {name: one.ratio[usable] for name, one in found.items()}
        thresholds = audit.calibrate(ratios, alpha)
        patients = np.array(images.patients)[usable].tolist()
        copies = audit.held_out_rate(ratios, patients, alpha)
        matches = audit.match(found, thresholds)
        seeds = np.zeros(0, np.int64)
        return results.judge(images, seeds, found, matches, copies), thresholds

    def _measure_planted(
        self, training: Mapping[str, Views], thresholds: Mapping[str, float]
    ) -> Dict[str, Rate]:
        """Returns the share that is found of every kind of planted copies."""
        number, seed = self._protocol.num_planted, self._protocol.seed
        rates = {}
        for kind in plants.KINDS if number else ():
            images = plants.plant(self._training, number, kind, seed)
            found = self._neighbours(images, training)
            rates[kind] = audit.match(found, thresholds).copy_rate()
        return rates

    def _notes(
        self, held_out: Queries, generated: Mapping[str, Queries], planted: Mapping[str, Rate]
    ) -> Tuple[str, ...]:
        notes = []
        if self._network.name == networks.EMBEDDED_NETWORK:
            notes.append("features are of random weights: good for a trial, not for a release")
        leaks = np.flatnonzero(_leaks(held_out.neighbours))
        if len(leaks):
            ours = held_out.images.image_ids[leaks[0]]
            theirs = self._training.image_ids[held_out.matches.index[leaks[0]]]
            notes.append(
                f"{len(leaks)} held-out crops are training crops, too, under another patient "
                f"({ours} is {theirs}); left out of the calibration, but mend the data set"
            )
        bound = audit.honest_bound(
            len(held_out.images) - len(leaks), self._protocol.alpha, len(held_out.neighbours)
        )
        notes.append(
            f"as the thresholds come from {len(held_out.images) - len(leaks):,} crops, an honest "
            f"generator's copy rate can be up to {bound:.2%} (95 %)"
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
        return tuple(notes)
