"""An augmentation study: its settings and its images, checked before anything is trained.

WORKDIR holds `study.json` (what all trainings depend on), `trainings/<arm>/seed_<k>/`
(weights and what became of them), `predictions/`, `logs/` for TensorBoard, `synthetic/`
and `cache/`. Arms, seeds and a further test set may be added to a study; nothing else
may change.
"""

import dataclasses
import hashlib
import json
import pathlib
from typing import Any, Dict, List, Mapping, Optional, Sequence

import ml_collections

from common import files
from evaluation.augmentation import (
    classifier,
    classifier_data,
    classifier_input,
    classifier_predictions,
)
from evaluation.augmentation.arms import Arm
from evaluation.augmentation.classifier_data import Images
from evaluation.augmentation.configs import paper
from evaluation.augmentation.synthetic_sources import SyntheticSource
from preprocessing.data import records, taxonomy
from training import building, run_directory

_STUDY = "study.json"
TEST, EXTRA = "test", "extra"


@dataclasses.dataclass(frozen=True)
class Study:
    """An experiment.

    Attributes:
      data_dir: what `//preprocessing:preprocess` wrote; its `full/` records.
      config: as in `evaluation/augmentation/configs`.
      arms: from `arms.make_arms`.
      seeds: of the trainings; every arm is trained with each.
      weights: see `classifier.build`.
      synthetic: generated images; None for an experiment without.
      workdir: folder.
      extra_test: records of another data set, to test on as well.
      overwrite: whether predictions of another extra test set may be replaced.
    """

    data_dir: str
    config: ml_collections.ConfigDict
    arms: Sequence[Arm]
    seeds: Sequence[int]
    weights: str
    synthetic: Optional[SyntheticSource]
    workdir: str
    extra_test: Optional[str] = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not self.seeds or len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(f"seeds {list(self.seeds)} are not distinct numbers from 0")
        differences = run_directory.differences_between(
            _fields(self.config), _fields(paper.get_config()), "config."
        )
        if differences:
            raise ValueError(f"not a classifier's configuration: {'; '.join(differences)}")
        classifier.check_weights(self.weights)
        # What cannot be is told before anything is painted or trained.
        _ = self.training, self.jitter

    @property
    def training(self) -> classifier.Training:
        """Returns how classifiers are trained."""
        return classifier.Training(**self.config.training)

    @property
    def jitter(self) -> classifier_input.Jitter:
        """Returns how images vary in training."""
        return classifier_input.Jitter(**self.config.augmentation)

    @property
    def predictions_dir(self) -> str:
        """Returns the folder of stored predictions."""
        return str(pathlib.Path(self.workdir) / "predictions")

    def plan(self) -> List[classifier_predictions.Key]:
        """Returns (arm, seed) of all trainings: all arms of a seed, then the next seed's."""
        return [(arm.name, seed) for seed in self.seeds for arm in self.arms]


def _fields(config: ml_collections.ConfigDict) -> Dict[str, Any]:
    """Returns the names of a configuration's fields, without their values."""
    return {
        key: _fields(value) if isinstance(value, ml_collections.ConfigDict) else "there"
        for key, value in config.items()
    }


@dataclasses.dataclass(frozen=True)
class Data:
    """The images of an experiment.

    Attributes:
      train: photographs.
      validation: photographs that choose weights.
      tests: by name, photographs that only measure.
      synthetic: generated images; may be none.
    """

    train: Images
    validation: Images
    tests: Mapping[str, Images]
    synthetic: Images


def read_data(study: Study) -> Data:
    """Reads and checks the images of an experiment; paints the synthetic ones.

    Raises:
      ValueError: missing or corrupt records, synthetic images outside the training
        split, a patient or photograph that is to be tested on and trained on, or a
        workdir with another experiment.
    """
    size = classifier_input.stored_size(study.config.model.input_size)
    cache = str(pathlib.Path(study.workdir) / "cache")

    def photographs(split: str) -> Images:
        return classifier_data.read_images(study.data_dir, "full", split, size, cache)

    train, validation, test = map(photographs, ("train", "validation", "test"))
    seen = [("train", train), ("validation", validation)]
    classifier_data.check_separate(test, seen)
    classifier_data.check_separate(validation, seen[:1], "validation")
    tests = {TEST: test}
    if study.extra_test:
        tests[EXTRA] = classifier_data.read_every_split(study.extra_test, size, cache)
        classifier_data.check_other_data(tests[EXTRA], seen, study.extra_test)
    data = Data(train, validation, tests, classifier_data.none_of(train))
    check_workdir(study, describe(study, data))
    if study.synthetic is None:
        return data
    study.synthetic.prepare()
    synthetic = classifier_data.read_images(
        study.synthetic.data_dir, "crops", "train", size, cache, synthetic=True
    )
    return dataclasses.replace(data, synthetic=synthetic)


def _file_digest(weights: str) -> str:
    if weights in (classifier.NO_WEIGHTS, classifier.IMAGENET):
        return weights
    return hashlib.sha256(pathlib.Path(weights).read_bytes()).hexdigest()


def describe(study: Study, data: Data) -> Dict[str, Any]:
    """Returns what all trainings of an experiment depend on."""
    counts = classifier_data.class_counts(data.train)
    return {
        "config": study.config.to_dict(),
        "weights": _file_digest(study.weights),
        "precision": building.choose_precision(study.training.precision),
        "replicas": building.make_strategy(study.training.batch_size).num_replicas_in_sync,
        "dataset_digest": records.read_info(study.data_dir).digest,
        "photographs": {
            name: int(count) for name, count in zip(taxonomy.CONDITIONS, counts) if count
        },
        "validation_photographs": len(data.validation),
        "synthetic": dict(study.synthetic.protocol) if study.synthetic else None,
    }


def check_workdir(study: Study, description: Mapping[str, Any]) -> None:
    """Notes in the workdir what its trainings depend on.

    Raises:
      ValueError: it holds another experiment; says what differs.
    """
    path = pathlib.Path(study.workdir) / _STUDY
    if path.exists():
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: not valid JSON ({error})") from error
        differences = run_directory.differences_between(description, stored)
        if differences:
            raise ValueError(
                f"{path}: of another experiment ({'; '.join(differences)}); choose another "
                "--workdir"
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(path, description)
