"""Distances of a trained generator's images to photographs it has not seen."""

import dataclasses
import pathlib
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np
import tensorflow as tf

from common import report
from evaluation.features import image_sets
from evaluation.features import networks as features_lib
from evaluation.features.networks import FeatureNetwork, FeatureSettings
from evaluation.frechet import diversity
from evaluation.frechet import protocol as frechet_protocol
from evaluation.frechet.protocol import METRICS, Protocol, Scores
from preprocessing.data import records
from synthesis import layouts as map_sampler
from synthesis.trained_generator import TrainedGenerator

_LABELS = {"kernel": "kernel distance"}
_DIVERSITY_MAPS = 32
_IMAGES_PER_MAP = 8


@dataclasses.dataclass(frozen=True)
class Evaluation:
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
    """

    run_dir: str
    step: int
    distance_name: str
    protocol: Mapping[str, Any]
    overall: Scores
    conditions: Mapping[str, Scores]
    skin_types: Mapping[str, Scores]
    diversity: Optional[diversity.Diversity]
    too_small: Mapping[str, str]
    notes: Tuple[str, ...]

    def groups(self) -> List[Tuple[str, Scores]]:
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
        }


class Evaluator:
    """Measures generators against the photographs of one data set.

    The photographs' features, and the maps to paint, are made once for all
    checkpoints and models, so that their distances are paired trial by trial.
    """

    def __init__(
        self,
        data_dir: str,
        conditions: Tuple[str, ...],
        network: FeatureNetwork,
        settings: FeatureSettings,
        protocol: Protocol,
        num_generated: int = 0,
        real_split: str = "test",
        map_split: str = "validation",
        with_diversity: bool = False,
    ):
        """Reads the photographs and computes their features.

        Args:
          data_dir: what `//preprocessing:preprocess` wrote.
          conditions: those the generator was trained on.
          network: from `features.load_network`.
          settings: how images reach it.
          protocol: how trials are drawn.
          num_generated: images to paint, from which trials draw; 0 is twice the
            number of photographs.
          real_split: the photographs to compare with.
          map_split: where the maps come from, to be varied.
          with_diversity: whether to measure the diversity of the images of a map.

        Raises:
          ValueError: no such records, or too few.
        """
        self._data_dir = data_dir
        self._info = records.read_info(data_dir)
        self._network = network
        self._settings = settings
        self._protocol = protocol
        self._splits = (real_split, map_split)
        self.real = image_sets.real_images(data_dir, real_split, conditions)
        self._real_features = features_lib.extract(self.real, network, settings)
        sources = map_sampler.read_layouts(data_dir, map_split, conditions)
        self._num_sources = len(sources)
        self._with_diversity = with_diversity
        number = num_generated or 2 * len(self.real)
        self._layouts = map_sampler.sample(
            sources, number, self._info.image_size, seed=protocol.seed
        )

    def evaluate(self, generator: TrainedGenerator) -> Evaluation:
        """Measures one checkpoint.

        Raises:
          ValueError: the generator is of another size, or there are too few images.
        """
        generated = self._generated(generator)
        generated_features = features_lib.extract(generated, self._network, self._settings)
        patients = self.real.patients
        overall = frechet_protocol.measure(
            self._real_features, patients, generated_features, self._protocol
        )
        by_group: List[Dict[str, Scores]] = []
        too_small: Dict[str, str] = {}
        for prefix, ours, theirs in (
            ("", self.real.conditions, generated.conditions),
            ("skin type ", self.real.skin_types, generated.skin_types),
        ):
            scores, small = frechet_protocol.measure_groups(
                self._real_features, patients, ours, generated_features, theirs, self._protocol
            )
            by_group.append(scores)
            too_small.update({f"{prefix}{name}": why for name, why in small.items()})
        return Evaluation(
            run_dir=generator.run_dir,
            step=generator.step,
            distance_name=self._network.distance_name,
            protocol=self.describe(generator),
            overall=overall,
            conditions=by_group[0],
            skin_types=by_group[1],
            diversity=self._diversity(generator),
            too_small=too_small,
            notes=self._notes(generator, overall),
        )

    def _diversity(self, generator: TrainedGenerator) -> Optional[diversity.Diversity]:
        conditions = self.real.conditions.tolist()
        usable = diversity.conditions_of_two_patients(conditions, self.real.patients)
        chosen = [
            (one, index % self._num_sources)
            for index, one in enumerate(self._layouts)
            if one.condition in usable
        ][:_DIVERSITY_MAPS]
        if not self._with_diversity or not chosen:
            return None
        layouts = [one for one, _ in chosen for _ in range(_IMAGES_PER_MAP)]
        painted = image_sets.generated_images(generator, layouts, self._protocol.seed, "same-map")
        features = features_lib.extract(painted, self._network, self._settings)
        return diversity.measure(
            features.reshape(len(chosen), _IMAGES_PER_MAP, -1),
            [one.condition for one, _ in chosen],
            [source for _, source in chosen],
            self._real_features,
            conditions,
            self.real.patients,
            seed=self._protocol.seed,
        )

    def _generated(self, generator: TrainedGenerator) -> image_sets.ImageSet:
        """Returns the images to measure, to be painted when they are wanted."""
        generator.check_dataset(self._data_dir, self._info)
        return image_sets.generated_images(generator, self._layouts, self._protocol.seed)

    @property
    def protocol(self) -> Dict[str, Any]:
        """What the numbers depend on, but for the generator."""
        return {
            **self._settings.protocol(self._network),
            **dataclasses.asdict(self._protocol),
            "interval": "1.96 standard deviations over the trials",
            "data_dir": self._data_dir,
            "dataset_digest": self._info.digest,
            "real_split": self._splits[0],
            "real_images": len(self.real),
            "real_patients": len(set(self.real.patients)),
            "real_digest": self.real.digest,
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
            "generated_digest": self._generated(generator).digest,
            "generator_digest": generator.digest,
        }

    def _notes(self, generator: TrainedGenerator, overall: Scores) -> Tuple[str, ...]:
        notes = []
        if not self._network.is_canonical:
            notes.append(
                f"features are {self._network.title}, not {features_lib.DEFAULT_LAYER} of TF-GAN's "
                "Inception: not comparable with published FIDs"
            )
        smallest = min(overall.num_images, overall.num_reference)
        singular = frechet_protocol.singular_note(smallest, self._real_features.shape[1])
        if singular:
            notes.append(singular)
        if generator.description["dataset"].get("digest") != self._info.digest:
            notes.append("the generator was trained on another data set than these records")
        return tuple(notes)


def check_output(protocol: Mapping[str, Any], output_dir: str, overwrite: bool) -> None:
    """Raises ValueError if `fid.json` is there, of another protocol.

    Args:
      protocol: from `Evaluator.describe`.
      output_dir: folder.
      overwrite: whether a file of another protocol may be replaced; one of the same
        protocol holds the same numbers and is replaced in any case.
    """
    report.check(pathlib.Path(output_dir) / "fid.json", protocol, overwrite)


def write(evaluation: Evaluation, output_dir: str) -> str:
    """Writes `fid.json`, replacing what is there, and returns its path."""
    path = pathlib.Path(output_dir) / "fid.json"
    report.write(path, evaluation.as_dict())
    return str(path)


def log(evaluation: Evaluation, output_dir: str) -> None:
    """Writes TensorBoard scalars at the checkpoint's step.

    They go to a folder of the photographs' split: a distance to validation
    photographs, measured during training, is another curve than one to test
    photographs.
    """
    log_dir = str(pathlib.Path(output_dir) / evaluation.protocol["real_split"])
    with tf.summary.create_file_writer(log_dir).as_default(step=evaluation.step):
        for name, scores in evaluation.groups():
            tag = "" if name == "all" else f"/{name.replace('/', '-').replace(' ', '_')}"
            for side, values in (("generated", scores.generated), ("floor", scores.floor)):
                for metric in METRICS:
                    tf.summary.scalar(f"{metric}{tag}/{side}", np.mean(values[metric]))
        tf.summary.flush()


def _number(interval: Mapping[str, float]) -> str:
    return f"{interval['mean']:9.4g} ± {interval['interval']:<8.2g}"


def _line(name: str, scores: Scores, metric: str) -> str:
    summary = scores.summary()
    numbers = [_number(summary[side][metric]) for side in ("generated", "floor")]
    return f"  {name:38.38}{numbers[0]}  {numbers[1]}  {scores.num_images:6d}"


def _diversity_lines(measured: diversity.Diversity) -> List[str]:
    return [
        f"  Mean feature distance, {measured.maps} maps, {measured.images_per_map} images each",
        f"    between images of one map           {measured.within_map:.3f}",
        f"    photographs of one condition        {measured.between_patients:.3f}",
        f"    share                               {measured.ratio:.2f}",
    ]


def table(evaluation: Evaluation) -> str:
    """Returns the table for the screen."""
    protocol = evaluation.protocol
    above = evaluation.overall.summary()["above_floor"]
    lines = [
        "",
        f"{evaluation.distance_name}",
        f"  of {evaluation.run_dir}, step {evaluation.step:,}",
        f"  {protocol['real_images']:,} {protocol['real_split']} crops of "
        f"{protocol['real_patients']:,} patients, {protocol['generated_images']:,} generated "
        f"images; {protocol['trials']} trials, ± 1.96 SD",
        "",
        f"  {'':38}{'generated':^20}  {'real vs. real':^20}  {'N':>6}",
        _line("Frechet distance", evaluation.overall, "frechet"),
        f"  {'  above the floor, paired by trial':38}{_number(above)}",
    ]
    if evaluation.overall.extrapolated is not None:
        lines.append(f"  {'  extrapolated to infinite N':38}{evaluation.overall.extrapolated:9.4g}")
    lines += [
        _line(_LABELS.get(metric, metric), evaluation.overall, metric) for metric in METRICS[1:]
    ]
    if evaluation.diversity:
        lines += ["", *_diversity_lines(evaluation.diversity)]
    groups = evaluation.groups()[1:]
    if groups:
        lines += ["", "  Frechet distance of"]
        lines += [_line(f"  {name}", scores, "frechet") for name, scores in groups]
    if evaluation.too_small:
        lines += ["", "  too few images to measure: " + ", ".join(evaluation.too_small)]
    lines += [f"  note: {note}" for note in evaluation.notes]
    return "\n".join(lines)


def best(evaluations: List[Evaluation]) -> Optional[Evaluation]:
    """Returns the one with the least mean Frechet distance."""
    return min(evaluations, key=lambda one: np.mean(one.overall.generated["frechet"]), default=None)
