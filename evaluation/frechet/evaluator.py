"""Distances of a trained generator's images to photographs it has not seen."""

import dataclasses
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from evaluation.features import image_sets, networks
from evaluation.features.image_sets import ImageSet
from evaluation.features.networks import FeatureExtractor
from evaluation.frechet import diversity, ladder, protocol
from evaluation.frechet.ladder import Ladder
from evaluation.frechet.protocol import TrialProtocol, TrialScores
from preprocessing.data import records
from synthesis import layouts
from synthesis.trained_generator import TrainedGenerator

_DIVERSITY_MAPS = 32
_IMAGES_PER_MAP = 8


@dataclasses.dataclass(frozen=True)
class FrechetEvaluation:
    """What was measured of one checkpoint.

    Attributes:
      run_dir: of the generator.
      step: of the checkpoint.
      distance_name: what the Frechet distance may be called.
      protocol: everything that the numbers depend on.
      overall: all images.
      conditions: by condition, where there are enough images.
      skin_types: by skin type, where there are enough images.
      diversity: of the images of one map; None where it was not asked for or no
        condition has photographs of two patients.
      too_small: by group without scores, why.
      notes: what a reader should know.
      ladder: distances of blurred photographs; None where they were not asked for, or
        the features are of random weights, which say nothing of realism.
    """

    run_dir: str
    step: int
    distance_name: str
    protocol: Mapping[str, Any]
    overall: TrialScores
    conditions: Mapping[str, TrialScores]
    skin_types: Mapping[str, TrialScores]
    diversity: Optional[diversity.Diversity]
    too_small: Mapping[str, str]
    notes: Tuple[str, ...]
    ladder: Optional[Ladder] = None

    @property
    def verdict(self) -> str:
        """Where the images stand, in words; "" where it cannot be said."""
        if self.protocol.get("feature_network") == networks.EMBEDDED_NETWORK:
            return "a trial of the program: features of random weights say nothing of realism"
        mean = float(np.mean(self.overall.generated["frechet"]))
        return self.ladder.verdict(mean) if self.ladder else ""

    def groups(self) -> List[Tuple[str, TrialScores]]:
        """Returns (name, scores): all images, then conditions, then skin types."""
        types = [(f"skin type {name}", scores) for name, scores in self.skin_types.items()]
        return [("all", self.overall), *self.conditions.items(), *types]

    def as_dict(self) -> Dict[str, Any]:
        """Returns the contents of `fid.json`."""
        return {
            "run_dir": self.run_dir,
            "step": self.step,
            "distance": self.distance_name,
            "protocol": dict(self.protocol),
            "overall": self.overall.summary(),
            "conditions": {name: one.summary() for name, one in self.conditions.items()},
            "skin_types": {name: one.summary() for name, one in self.skin_types.items()},
            "diversity": self.diversity.as_dict() if self.diversity else None,
            "too_small": dict(self.too_small),
            "notes": list(self.notes),
            "verdict": self.verdict,
            "ladder": self.ladder.as_dict() if self.ladder else None,
        }


class FrechetEvaluator:
    """Measures generators against the photographs of one data set.

    The photographs' features, and the maps to paint, are made once for all
    checkpoints and models, so that their distances are paired trial by trial.
    """

    def __init__(
        self,
        data_dir: str,
        conditions: Tuple[str, ...],
        extractor: FeatureExtractor,
        trials: TrialProtocol,
        num_generated: int = 0,
        real_split: str = "test",
        map_split: str = "validation",
        with_diversity: bool = False,
        with_ladder: bool = False,
    ):
        """Reads the photographs and computes their features.

        Args:
          data_dir: what `//preprocessing:preprocess` wrote.
          conditions: those the generator was trained on.
          extractor: of the features.
          trials: how they are drawn.
          num_generated: images to paint, from which trials draw; 0 is twice the
            number of photographs.
          real_split: the photographs to compare with.
          map_split: where the maps come from, to be varied.
          with_diversity: whether to measure the diversity of the images of a map.
          with_ladder: whether to measure blurred photographs, for a verdict in words.

        Raises:
          ValueError: no such records, or too few.
        """
        self._data_dir = data_dir
        self._info = records.read_info(data_dir)
        self._extractor = extractor
        self._trials = trials
        self._splits = (real_split, map_split)
        self.real = image_sets.real_images(data_dir, real_split, conditions)
        self._real_features = extractor.extract(self.real)
        sources = layouts.read_layouts(data_dir, map_split, conditions)
        self._num_sources = len(sources)
        self._with_diversity = with_diversity
        self._with_ladder = with_ladder and not extractor.network.is_embedded
        self._ladders: Dict[int, Ladder] = {}
        number = num_generated or 2 * len(self.real)
        self._layouts = layouts.sample(sources, number, self._info.image_size, seed=trials.seed)

    def evaluate(self, generator: TrainedGenerator) -> FrechetEvaluation:
        """Measures one checkpoint.

        Raises:
          ValueError: the generator is of another size, or there are too few images.
        """
        images = self._images(generator)
        generated = self._extractor.extract(images)
        real, patients = self._real_features, self.real.patients
        overall = protocol.run_trials(real, patients, generated, self._trials)
        conditions, few_of_condition = protocol.run_trials_by_group(
            real, patients, self.real.conditions, generated, images.conditions, self._trials
        )
        by_type = [
            np.where(types, types.astype(str), protocol.NO_GROUP)
            for types in (self.real.skin_types, images.skin_types)
        ]
        skin_types, few_of_type = protocol.run_trials_by_group(
            real, patients, by_type[0], generated, by_type[1], self._trials
        )
        few_of_type = {f"skin type {name}": why for name, why in few_of_type.items()}
        return FrechetEvaluation(
            run_dir=generator.run_dir,
            step=generator.step,
            distance_name=self._extractor.network.distance_name,
            protocol=self.describe(generator),
            overall=overall,
            conditions=conditions,
            skin_types=skin_types,
            diversity=self._diversity(generator) if self._with_diversity else None,
            too_small={**few_of_condition, **few_of_type},
            notes=self._notes(generator, overall),
            ladder=self._ladder(overall.num_images) if self._with_ladder else None,
        )

    def _ladder(self, number: int) -> Ladder:
        """Measures blurred photographs, once for each number of images in a trial."""
        if number not in self._ladders:
            blurred = {
                factor: self._extractor.extract(ladder.blur(self.real, factor))
                for factor in ladder.FACTORS
            }
            arguments = self._real_features, blurred, self.real.patients, number, self._trials
            self._ladders[number] = ladder.measure(*arguments)
        return self._ladders[number]

    def _diversity(self, generator: TrainedGenerator) -> Optional[diversity.Diversity]:
        conditions = self.real.conditions.tolist()
        usable = diversity.conditions_of_two_patients(conditions, self.real.patients)
        chosen = [
            (one, index % self._num_sources)
            for index, one in enumerate(self._layouts)
            if one.condition in usable
        ][:_DIVERSITY_MAPS]
        if not chosen:
            return None
        repeated = [one for one, _ in chosen for _ in range(_IMAGES_PER_MAP)]
        painted = image_sets.generated_images(generator, repeated, self._trials.seed, "same-map")
        return diversity.measure_diversity(
            self._extractor.extract(painted).reshape(len(chosen), _IMAGES_PER_MAP, -1),
            [one.condition for one, _ in chosen],
            [source for _, source in chosen],
            self._real_features,
            conditions,
            self.real.patients,
            seed=self._trials.seed,
        )

    def _images(self, generator: TrainedGenerator) -> ImageSet:
        """Returns the images to measure, to be painted when they are wanted."""
        generator.check_dataset(self._data_dir, self._info)
        return image_sets.generated_images(generator, self._layouts, self._trials.seed)

    @property
    def protocol(self) -> Dict[str, Any]:
        """What the numbers depend on, but for the generator."""
        return {
            **self._extractor.protocol,
            **dataclasses.asdict(self._trials),
            "interval": "1.96 standard deviations over the trials",
            "data_dir": self._data_dir,
            "dataset_digest": self._info.digest,
            "real_split": self._splits[0],
            **self.real.describe("real"),
            "map_split": self._splits[1],
            "generated_images": len(self._layouts),
        }

    def describe(self, generator: TrainedGenerator) -> Dict[str, Any]:
        """Returns everything that the numbers depend on; paints nothing.

        Raises:
          ValueError: the generator is of another size.
        """
        return {
            **self.protocol,
            "generated_digest": self._images(generator).digest,
            "generator_digest": generator.digest,
        }

    def _notes(self, generator: TrainedGenerator, overall: TrialScores) -> Tuple[str, ...]:
        network = self._extractor.network
        notes = [*self.real.notes_on_skin_types()]
        if not network.is_canonical:
            notes.append(
                f"features are {network.title}, not {networks.DEFAULT_LAYER} of TF-GAN's "
                "Inception: not comparable with published FIDs"
            )
        singular = protocol.singular_note(overall.smallest_set, self._real_features.shape[1])
        if singular:
            notes.append(singular)
        if generator.description["dataset"].get("digest") != self._info.digest:
            notes.append("the generator was trained on another data set than these records")
        return tuple(notes)
