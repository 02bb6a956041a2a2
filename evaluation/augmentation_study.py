"""Trains the classifiers of the augmentation experiment and stores what they say."""

import dataclasses
import hashlib
import pathlib
import sys
import time
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

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
from evaluation.augmentation_arms import Arm
from evaluation.classifier_data import Images
from evaluation.synthetic_sources import SyntheticSet
from preprocessing import examples, taxonomy
from training import building, run_directory

PREDICTIONS = "predictions"
_TEST, _EXTRA = "test", "extra"


@dataclasses.dataclass(frozen=True)
class Study:
    """An experiment.

    Attributes:
      data_dir: what `//preprocessing:preprocess` wrote; its `full/` records.
      config: as in `classifier_configs`.
      arms: from `augmentation_arms.make_arms`.
      seeds: of the trainings; every arm is trained with each.
      weights: see `classifier.build`.
      synthetic: generated images.
      workdir: receives predictions, TensorBoard's events and decoded images.
      extra_test: records of another data set, to test on as well.
    """

    data_dir: str
    config: ml_collections.ConfigDict
    arms: Sequence[Arm]
    seeds: Sequence[int]
    weights: str
    synthetic: SyntheticSet
    workdir: str
    extra_test: Optional[str] = None

    def __post_init__(self) -> None:
        if not self.seeds or len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(f"seeds {list(self.seeds)} are not distinct numbers from 0")

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
        return str(pathlib.Path(self.workdir) / PREDICTIONS)


@dataclasses.dataclass(frozen=True)
class Data:
    """The images of an experiment.

    Attributes:
      train: photographs.
      validation: photographs that choose weights.
      tests: by name, photographs that only measure.
      synthetic: generated images.
    """

    train: Images
    validation: Images
    tests: Mapping[str, Images]
    synthetic: Images


def read_data(study: Study) -> Data:
    """Reads and checks the images of an experiment.

    Raises:
      ValueError: missing or corrupt records, synthetic images outside the training
        split, or a patient or photograph that is to be tested on and trained on.
    """
    size = classifier_input.stored_size(study.config.model.input_size)
    cache = str(pathlib.Path(study.workdir) / "cache")

    def photographs(split: str) -> Images:
        return classifier_data.read_images(study.data_dir, "full", split, size, cache)

    data = Data(
        train=photographs("train"),
        validation=photographs("validation"),
        tests={_TEST: photographs("test")},
        synthetic=classifier_data.read_images(
            study.synthetic.data_dir, "crops", "train", size, cache, synthetic=True
        ),
    )
    seen = [("train", data.train), ("validation", data.validation)]
    classifier_data.check_separate(data.tests[_TEST], seen)
    classifier_data.check_separate(data.validation, seen[:1], "validation")
    if study.extra_test:
        extra = classifier_data.read_every_split(study.extra_test, size, cache)
        classifier_data.check_separate(extra, seen, study.extra_test)
        data = dataclasses.replace(data, tests={**data.tests, _EXTRA: extra})
    return data


def notes(data: Data) -> List[str]:
    """Returns what a reader should know of classes without photographs."""
    lines = []
    trained = classifier_data.class_counts(data.train)
    for name, test in data.tests.items():
        tested = classifier_data.class_counts(test)
        for code, condition in enumerate(taxonomy.CONDITIONS):
            if tested[code] and not trained[code]:
                lines.append(
                    f"{condition} has {tested[code]} {name} images and no photograph to train on: "
                    "arms without synthetic images of it can only err"
                )
    untested = [
        name
        for name, count, known in zip(
            taxonomy.CONDITIONS, classifier_data.class_counts(data.tests[_TEST]), trained
        )
        if known and not count
    ]
    if untested:
        lines.append(f"without a test image, so undefined: {', '.join(untested)}")
    return lines


def _file_digest(weights: str) -> str:
    if weights in (classifier.NO_WEIGHTS, classifier.IMAGENET):
        return weights
    try:
        return hashlib.sha256(pathlib.Path(weights).read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(f"--weights={weights}: {error.strerror}") from error


def protocols(study: Study, data: Data) -> List[Dict[str, Any]]:
    """Returns what each training depends on: all arms of a seed, then the next seed's."""
    info = examples.read_info(study.data_dir)
    common = {
        "config": study.config.to_dict(),
        "weights": _file_digest(study.weights),
        "precision": building.choose_precision(study.training.precision),
        "dataset_digest": info.digest,
        "photographs": len(data.train),
        "validation_photographs": len(data.validation),
        "test_photographs": {name: len(test) for name, test in data.tests.items()},
        "num_classes": len(taxonomy.CONDITIONS),
    }
    share = study.config.data.synthetic_share
    entries = []
    for seed in study.seeds:
        for arm in study.arms:
            mixed = augmentation_arms.mixture(arm, data.train.labels, data.synthetic.labels, share)
            number, part = augmentation_arms.describe(arm, mixed)
            plain = arm.kind == augmentation_arms.REAL
            entries.append(
                {
                    **common,
                    "arm": arm.name,
                    "kind": arm.kind,
                    "ratio": arm.ratio,
                    "seed": seed,
                    "synthetic": None if plain else dict(study.synthetic.protocol()),
                    "synthetic_images": number,
                    "synthetic_share": part,
                }
            )
    return entries


def _is_finished(study: Study, protocol: Mapping[str, Any], tests: Sequence[str]) -> bool:
    """Tells whether a training's predictions are there, after checking that they are its."""
    paths = [
        classifier_predictions.path_of(
            study.predictions_dir, protocol["arm"], test, protocol["seed"]
        )
        for test in tests
    ]
    for path in paths:
        if not path.exists():
            continue
        stored = classifier_predictions.read_training(path)["protocol"]
        differences = run_directory.differences_between(protocol, stored)
        if differences:
            raise ValueError(
                f"{path}: of another experiment ({'; '.join(differences)}); choose another "
                "--workdir"
            )
    return all(path.exists() for path in paths)


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


def _batches(study: Study, data: Data, arm: Arm, seed: int) -> tf.data.Dataset:
    training = study.training
    mixed = augmentation_arms.mixture(
        arm, data.train.labels, data.synthetic.labels, study.config.data.synthetic_share
    )
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


def _train(
    study: Study, data: Data, arm: Arm, seed: int, bar: tqdm
) -> Tuple[tf.keras.Model, Dict[str, Any]]:
    """Trains one classifier; returns it and what it came to."""
    tf.keras.backend.clear_session()
    tf.keras.utils.set_random_seed(seed)
    training, model_config = study.training, study.config.model
    tf.keras.mixed_precision.set_global_policy(building.choose_precision(training.precision))
    started = time.monotonic()
    try:
        with building.make_strategy().scope():
            model = classifier.build(
                model_config.input_size,
                len(taxonomy.CONDITIONS),
                model_config.alpha,
                model_config.dropout,
                study.weights,
            )
            classifier.compile_model(model, training)
        logs = pathlib.Path(study.workdir) / "logs" / classifier_predictions.folder_name(arm.name)
        outcome = classifier.fit(
            model,
            _batches(study, data, arm, seed),
            data.validation,
            training,
            model_config.input_size,
            [_Progress(bar), tf.keras.callbacks.TensorBoard(str(logs / f"seed_{seed}"))],
        )
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    return model, {**outcome, "seconds": round(time.monotonic() - started, 1)}


def run(study: Study, data: Data) -> None:
    """Trains what is not trained yet and stores its predictions of all test sets.

    An experiment that was stopped goes on with the next training.

    Args:
      study: the experiment.
      data: from `read_data`.

    Raises:
      ValueError: settings that cannot be, weights that are not MobileNet's, a training
        that diverges, or a workdir with another experiment.
    """
    arms = {arm.name: arm for arm in study.arms}
    entries = protocols(study, data)
    waiting = [entry for entry in entries if not _is_finished(study, entry, list(data.tests))]
    steps = study.training.steps
    with tqdm(
        total=steps * len(waiting),
        desc="classifiers",
        unit="step",
        file=sys.stderr,
        mininterval=1.0 if sys.stderr.isatty() else 15.0,
    ) as bar:
        for number, protocol in enumerate(waiting):
            arm, seed = arms[protocol["arm"]], protocol["seed"]
            bar.set_postfix_str(f"{arm.name}, seed {seed}, {number + 1} of {len(waiting)}")
            model, outcome = _train(study, data, arm, seed, bar)
            bar.update(steps * (number + 1) - bar.n)  # what early stopping saved
            for name, test in data.tests.items():
                scores = classifier.predict(model, test, study.config.model.input_size)
                classifier_predictions.write(
                    classifier_predictions.path_of(study.predictions_dir, arm.name, name, seed),
                    _table(test),
                    scores,
                    {"protocol": protocol, "outcome": outcome},
                )
