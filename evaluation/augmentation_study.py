"""Trains the classifiers of the augmentation experiment and stores what they say.

WORKDIR holds `study.json` (what all trainings depend on), `trainings/<arm>/seed_<k>/`
(weights and what became of them), `predictions/`, `logs/` for TensorBoard, `synthetic/`
and `cache/`. Arms, seeds and a further test set may be added to a study; nothing else
may change.
"""

import dataclasses
import hashlib
import json
import pathlib
import shutil
import sys
import time
from typing import Any, Dict, List, Mapping, Optional, Sequence

import ml_collections
import pandas as pd
import tensorflow as tf
from tqdm import tqdm

from evaluation import (
    augmentation_arms,
    classifier,
    classifier_data,
    classifier_input,
    classifier_predictions,
)
from evaluation.augmentation_arms import Arm, Mixture
from evaluation.classifier_configs import paper
from evaluation.classifier_data import Images
from evaluation.synthetic_sources import SyntheticSource
from preprocessing import examples, taxonomy
from training import building, run_directory

_WEIGHTS, _TRAINING, _STUDY = "classifier.weights.h5", "training.json", "study.json"
TEST, EXTRA = "test", "extra"


@dataclasses.dataclass(frozen=True)
class Study:
    """An experiment.

    Attributes:
      data_dir: what `//preprocessing:preprocess` wrote; its `full/` records.
      config: as in `classifier_configs`.
      arms: from `augmentation_arms.make_arms`.
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
        "replicas": building.make_strategy().num_replicas_in_sync,
        "dataset_digest": examples.read_info(study.data_dir).digest,
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
    run_directory.write_json(path, description)


class _Progress(tf.keras.callbacks.Callback):
    """Counts steps on a bar over the whole experiment."""

    def __init__(self, bar: tqdm):
        super().__init__()
        self._supports_tf_logs = True
        self._bar = bar

    def on_train_batch_end(self, batch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        """Adds a step."""
        self._bar.update(1)


def _table(images: Images) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image_id": images.image_ids,
            "case_id": images.case_ids,
            "patient_id": images.patient_ids,
            "condition": [taxonomy.name_of(label) for label in images.labels],
            "fitzpatrick": images.skin_types,
        }
    )


def _mixture(study: Study, data: Data, arm: Arm) -> Mixture:
    return augmentation_arms.mixture(
        arm, data.train.labels, data.synthetic.labels, study.config.data.synthetic_share
    )


def _batches(study: Study, data: Data, arm: Arm, seed: int) -> tf.data.Dataset:
    training, mixed = study.training, _mixture(study, data, arm)
    order = augmentation_arms.draw(arm, mixed, training.steps * training.batch_size, seed)
    return classifier_input.training_batches(
        (data.train, data.synthetic),
        order,
        augmentation_arms.class_weights(arm, mixed, len(taxonomy.CONDITIONS)),
        study.jitter,
        study.config.model.input_size,
        training.batch_size,
        seed,
    )


def _compiled(study: Study, seed: int) -> tf.keras.Model:
    tf.keras.backend.clear_session()
    tf.keras.utils.set_random_seed(seed)
    network = dict(study.config.model)
    with building.make_strategy().scope():
        model = classifier.build(
            network.pop("input_size"),
            len(taxonomy.CONDITIONS),
            weights=study.weights,
            **network,
        )
        classifier.compile_model(model, study.training)
    return model


def _fit(
    study: Study, data: Data, model: tf.keras.Model, arm: Arm, seed: int, bar: tqdm
) -> Dict[str, Any]:
    """Trains one classifier; returns what came of it."""
    started = time.monotonic()
    logs = pathlib.Path(study.workdir) / "logs" / classifier_predictions.folder_name(arm.name)
    logs = logs / f"seed_{seed}"
    shutil.rmtree(logs, ignore_errors=True)  # of a training that was stopped
    outcome = classifier.fit(
        model,
        _batches(study, data, arm, seed),
        data.validation,
        study.training,
        study.config.model.input_size,
        [_Progress(bar), tf.keras.callbacks.TensorBoard(str(logs))],
    )
    return {**outcome, "seconds": round(time.monotonic() - started, 1)}


def _folder(study: Study, arm: Arm, seed: int) -> pathlib.Path:
    name = classifier_predictions.folder_name(arm.name)
    return pathlib.Path(study.workdir) / "trainings" / name / f"seed_{seed}"


def _keep(folder: pathlib.Path, model: tf.keras.Model, training: Mapping[str, Any]) -> None:
    """Stores a trained classifier; `training.json`, written last, says that it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"tmp.{_WEIGHTS}"
    model.save_weights(temporary)
    temporary.replace(folder / _WEIGHTS)
    run_directory.write_json(folder / _TRAINING, training)


def _missing_tests(study: Study, data: Data, arm: Arm, seed: int) -> List[str]:
    """Returns the test sets without predictions of a training."""
    missing = []
    for name, test in data.tests.items():
        path = classifier_predictions.path_of(study.predictions_dir, arm.name, name, seed)
        if not path.exists():
            missing.append(name)
        elif classifier_predictions.read_training(path)["test"]["digest"] != test.digest:
            if not study.overwrite:
                raise ValueError(
                    f"{path}: of other test photographs; choose another --workdir or pass "
                    "--overwrite"
                )
            missing.append(name)
    return missing


def run(study: Study, data: Data) -> None:
    """Trains what is not trained yet and stores the predictions of all test sets.

    An experiment that was stopped goes on with the next training.

    Args:
      study: the experiment.
      data: its images.

    Raises:
      ValueError: weights that are not MobileNet's, a training that diverges, or too few
        synthetic images.
    """
    description = describe(study, data)
    mixtures = {arm.name: _mixture(study, data, arm) for arm in study.arms}
    pairs = [(arm, seed) for seed in study.seeds for arm in study.arms]
    untested = [pair for pair in pairs if _missing_tests(study, data, *pair)]
    untrained = [pair for pair in pairs if not (_folder(study, *pair) / _TRAINING).exists()]
    steps = study.training.steps
    precision = description["precision"]
    tf.keras.mixed_precision.set_global_policy(precision)
    with tqdm(
        total=steps * len(untrained),
        desc="classifiers",
        unit="step",
        file=sys.stderr,
        mininterval=1.0 if sys.stderr.isatty() else 15.0,
    ) as bar:
        done = 0
        for arm, seed in [pair for pair in pairs if pair in untrained or pair in untested]:
            model, folder = _compiled(study, seed), _folder(study, arm, seed)
            if (arm, seed) in untrained:
                bar.set_postfix_str(f"{arm.name}, seed {seed}, {done + 1} of {len(untrained)}")
                outcome = _fit(study, data, model, arm, seed, bar)
                protocol = _protocol(description, arm, seed, mixtures[arm.name])
                _keep(folder, model, {"protocol": protocol, "outcome": outcome})
                done += 1
                bar.update(steps * done - bar.n)  # what early stopping saved
            else:
                model.load_weights(folder / _WEIGHTS)
            _predict(study, data, model, arm, seed)
    tf.keras.mixed_precision.set_global_policy("float32")


def _protocol(
    description: Mapping[str, Any], arm: Arm, seed: int, mixed: Mixture
) -> Dict[str, Any]:
    shown = len(mixed.synthetic) if arm.kind == augmentation_arms.SYNTHETIC else 0
    return {
        "study": dict(description),
        "arm": arm.name,
        "kind": arm.kind,
        "ratio": arm.ratio,
        "seed": seed,
        "synthetic_images": shown,
        "share": mixed.share,
    }


def _predict(study: Study, data: Data, model: tf.keras.Model, arm: Arm, seed: int) -> None:
    training = json.loads((_folder(study, arm, seed) / _TRAINING).read_text(encoding="utf-8"))
    for name in _missing_tests(study, data, arm, seed):
        test = data.tests[name]
        classifier_predictions.write(
            classifier_predictions.path_of(study.predictions_dir, arm.name, name, seed),
            _table(test),
            classifier.predict(model, test, study.config.model.input_size),
            {**training, "test": {"digest": test.digest, "images": len(test)}},
        )
