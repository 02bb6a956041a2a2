"""Distances of a trained generator's images to photographs it has not seen."""

import dataclasses
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

import numpy as np

from evaluation.features import image_sets, networks
from evaluation.features.networks import FeatureExtractor
from evaluation.frechet import diversity, ladder, painting, protocol
from evaluation.frechet.ladder import Ladder
from evaluation.frechet.program_features import ProgramFeatures
from evaluation.frechet.protocol import METRICS, TrialProtocol, TrialScores
from preprocessing.data import manifest, records
from synthesis import layouts
from synthesis.trained_generator import TrainedGenerator

# What is measured: a generator here, or features of one that painted elsewhere.
Painted = Union[TrainedGenerator, ProgramFeatures]
_EXAMPLES = 8  # of each step of the ladder


# Precision and recall, as shares of those of photographs, below which a verdict names them.
_FEW_LIKE, _FEW_KINDS = 0.5, 0.1


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
      skin_types: by skin type, where there are enough images; by annotated types ("3") and
        by estimated ones ("3 (estimated)") of photographs.
      diversity: of the images of one map; None where it was not asked for or no
        condition has photographs of two patients.
      too_small: by group without scores, why.
      notes: what a reader should know.
      ladder: distances of blurred photographs; None where they were not asked for, or
        the features are of random weights, which say nothing of realism.
      examples: of the ladder, uint8 [n, S, S, 3] by the factor of resolution that is lost
        (1 for none), and of the generated images under 0, where they are at hand.
      dimension: of the features.
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
    examples: Mapping[int, np.ndarray] = dataclasses.field(default_factory=dict, compare=False)
    dimension: int = 1

    @property
    def leading(self) -> str:
        """The metric to look at first: the kernel distance where covariances are singular.

        A Frechet distance of fewer images than dimensions is biased upwards; the kernel
        distance is unbiased at any number (Binkowski et al. 2018).
        """
        return "frechet" if self.overall.smallest_set > self.dimension else "kernel"

    @property
    def verdict(self) -> str:
        """Where the images stand, in words; "" where it cannot be said."""
        if self.protocol.get("feature_network") == networks.EMBEDDED_NETWORK:
            return "a trial of the program: features of random weights say nothing of realism"
        if not self.ladder:
            return ""
        sides = self.overall.generated, self.overall.floor
        means = {name: [float(np.mean(side[name])) for side in sides] for name in METRICS}
        distance = means["frechet"][0]
        said, grade = [self.ladder.verdict(distance)], self.ladder.grade(distance)
        (precision, real_precision), (recall, real_recall) = means["precision"], means["recall"]
        if recall < _FEW_KINDS * real_recall:
            kinds = f"recall {recall:.2f}, theirs {real_recall:.2f}"
            said.append(f"they show few kinds of photographs ({kinds})")
            grade = "usable" if grade == "good" else grade
        if precision < _FEW_LIKE * real_precision:
            like = f"precision {precision:.2f}, theirs {real_precision:.2f}"
            said.append(f"few lie among photographs ({like})")
            grade = "bad"
        return ": ".join(filter(None, (grade, "; ".join(said))))

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
            "leading": self.leading,
            "frechet_by_trial": {
                "generated": list(self.overall.generated["frechet"]),
                "floor": list(self.overall.floor["frechet"]),
            },
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
        self._with_diversity = with_diversity
        self._with_ladder = with_ladder and not extractor.network.is_embedded
        self._ladders: Dict[int, Ladder] = {}
        self.painting = painting.plan(
            sources, self.real, num_generated, self._info.image_size, trials.seed
        )

    def evaluate(self, painted: Painted) -> FrechetEvaluation:
        """Measures one checkpoint.

        Raises:
          ValueError: the generator is of another size, there are too few images, or
            features of other images or another network.
        """
        described = self.describe(painted)
        generated, same_map = self._features(painted)
        shown = self.painting.layouts
        made_of = np.array([one.condition for one in shown])
        real, patients = self._real_features, self.real.patients
        overall = protocol.run_trials(real, patients, generated, self._trials)
        conditions, few_of_condition = protocol.run_trials_by_group(
            real, patients, self.real.conditions, generated, made_of, self._trials
        )
        skin_types, few_of_type = self._by_skin_type(generated)
        return FrechetEvaluation(
            run_dir=painted.run_dir,
            step=painted.step,
            distance_name=self._extractor.network.distance_name,
            protocol=described,
            overall=overall,
            conditions=conditions,
            skin_types=skin_types,
            diversity=self._diversity(same_map),
            too_small={**few_of_condition, **few_of_type},
            notes=self._notes(painted, overall),
            ladder=self._ladder(overall.num_images) if self._with_ladder else None,
            examples=self._examples(painted) if self._with_ladder else {},
            dimension=self._real_features.shape[1],
        )

    def _by_skin_type(self, generated: np.ndarray) -> Tuple[Dict[str, TrialScores], Dict[str, str]]:
        """Measures each skin type, against photographs of annotated and of estimated types apart.

        A kind of which there is no photograph is left out.
        """
        known, estimated = self.real.skin_types > 0, self.real.types_estimated
        asked = np.array([one.skin_type for one in self.painting.layouts], int)
        scores: Dict[str, TrialScores] = {}
        too_few: Dict[str, str] = {}
        for source in manifest.ANNOTATED, manifest.ESTIMATED:
            of_kind = known & (estimated == manifest.is_estimated(source))
            if not of_kind.any():
                continue
            names = np.array([manifest.skin_type_group(one, source) for one in asked])
            found, few = protocol.run_trials_by_group(
                self._real_features,
                self.real.patients,
                np.where(of_kind, self.real.skin_type_groups, protocol.NO_GROUP),
                generated,
                np.where(asked, names, protocol.NO_GROUP),
                self._trials,
            )
            scores |= found
            too_few |= {f"skin type {name}": why for name, why in few.items()}
        return scores, too_few

    def _examples(self, painted: Painted) -> Dict[int, np.ndarray]:
        """Images of the ladder: of one photograph each of as many patients, and generated ones."""
        firsts = sorted(
            {patient: n for n, patient in reversed([*enumerate(self.real.patients)])}.values()
        )
        chosen = {firsts[n * len(firsts) // _EXAMPLES] for n in range(min(_EXAMPLES, len(firsts)))}
        stream = enumerate(self.real.dataset().as_numpy_iterator())
        photographs = np.stack([image for number, image in stream if number in chosen])
        rows = {1: photographs}
        for factor in ladder.FACTORS:
            rows[factor] = ladder.lose_resolution(photographs, factor).numpy()
        if isinstance(painted, TrainedGenerator):
            first = self.painting.layouts[:_EXAMPLES]
            rows[0] = image_sets.generated_images(painted, first, self.painting.seed).pixels()
        return rows

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

    def _features(self, painted: Painted) -> Tuple[np.ndarray, np.ndarray]:
        """Returns the features of the painted images, and of those of the same maps."""
        wanted = self._with_diversity and bool(self.painting.same_map)
        if isinstance(painted, ProgramFeatures):
            return painted.generated, painted.same_map if wanted else np.empty((0, 0))
        generated = self._extractor.extract(self.painting.images(painted))
        if not wanted:
            return generated, np.empty((0, 0))
        return generated, self._extractor.extract(self.painting.images_of_same_map(painted))

    def _diversity(self, same_map: np.ndarray) -> Optional[diversity.Diversity]:
        if not len(same_map):
            return None
        repeated = self.painting.same_map[:: painting.IMAGES_PER_MAP]
        return diversity.measure_diversity(
            same_map.reshape(len(repeated), painting.IMAGES_PER_MAP, -1),
            [one.condition for one in repeated],
            self.painting.sources,
            self._real_features,
            self.real.conditions.tolist(),
            self.real.patients,
            seed=self._trials.seed,
        )

    @property
    def protocol(self) -> Dict[str, Any]:
        """What the numbers depend on, but for the generator."""
        return {
            **self._extractor.protocol,
            **dataclasses.asdict(self._trials),
            "interval": "1.96 standard deviations over the trials",
            "dataset_digest": self._info.digest,
            "real_split": self._splits[0],
            **self.real.describe("real"),
            "map_split": self._splits[1],
            "generated_images": len(self.painting.layouts),
        }

    def describe(self, painted: Painted) -> Dict[str, Any]:
        """Returns everything that the numbers depend on; paints nothing.

        Raises:
          ValueError: the generator is of another size, or features of other images or
            another network.
        """
        if isinstance(painted, ProgramFeatures):
            painted.check(self._extractor, self._data_dir)
            painted.check_painting(self.painting)
        else:
            painted.check_dataset(self._data_dir, self._info)
        size = self._info.image_size
        return {
            **self.protocol,
            "generated_digest": self.painting.images_digest(painted.digest, size),
            "generator_digest": painted.digest,
            **(painted.protocol if isinstance(painted, ProgramFeatures) else {}),
        }

    def _notes(self, painted: Painted, overall: TrialScores) -> Tuple[str, ...]:
        network = self._extractor.network
        notes = [*self.real.notes()]
        if not network.is_canonical:
            notes.append(
                f"features are {network.title}, not {networks.DEFAULT_LAYER} of TF-GAN's "
                "Inception: not comparable with published FIDs"
            )
        singular = protocol.singular_note(overall.smallest_set, self._real_features.shape[1])
        if singular:
            notes.append(singular)
        if isinstance(painted, ProgramFeatures):
            moved = painted.meta["effect_of_weights"]
            rounding = f", weights in half floats ({moved:.2%} of a feature's length)"
            notes.append(
                f"generated features by {painted.meta['made_by']}{rounding if moved else ''}"
            )
        elif painted.description["dataset"].get("digest") != self._info.digest:
            notes.append("the generator was trained on another data set than these records")
        return tuple(notes)
