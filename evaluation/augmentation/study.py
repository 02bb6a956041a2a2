"""An augmentation study: its settings and images, checked first, and its trainings.

WORKDIR holds `study.json` (what all trainings depend on), `trainings/<arm>/seed_<k>/`
(weights and what became of them), `predictions/`, `logs/` for TensorBoard, `synthetic/`
and `cache/`. Arms, seeds and a further test set may be added to a study; nothing else
may change.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib
import shutil
import time
from importlib import metadata
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import ml_collections
import numpy as np
import pandas as pd
import tensorflow as tf
import tqdm

from common import files, progress, pseudonyms
from evaluation.augmentation import arms, classifier, images, predictions, selection
from evaluation.augmentation.arms import Arm, Mixture
from evaluation.augmentation.configs import paper
from evaluation.augmentation.images import Images, SyntheticSource
from preprocessing.data import manifest, records, taxonomy
from training import precision, run_directory

_STUDY, _WEIGHTS, _TRAINING = "study.json", "classifier.weights.h5", "training.json"
TEST, EXTRA = "test", "extra"
_PACKAGES = ("tensorflow", "keras", "numpy")


@dataclasses.dataclass(frozen=True)
class Study:
    """An experiment.

    Attributes:
      data_dir: what `//preprocessing:preprocess` wrote; the records of `config.data.view`.
      config: as in `evaluation/augmentation/configs`.
      arms: from `arms.make_arms`.
      seeds: of the trainings; every arm is trained with each.
      weights: see `classifier.build_classifier`.
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
        classifier.check_config(self.config)

    @property
    def predictions_dir(self) -> str:
        """The folder of stored predictions."""
        return str(pathlib.Path(self.workdir) / "predictions")

    def names(self, test_set: str) -> pseudonyms.Pseudonyms:
        """Returns the pseudonyms of a test set's people, by the key beside its records."""
        return pseudonyms.load_or_create(
            self.extra_test if test_set == EXTRA and self.extra_test else self.data_dir
        )

    def plan(self) -> List[predictions.TrainingKey]:
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
      left_out: records of the extra test set that are generated, or whose condition has no
        photograph to train on.
    """

    train: Images
    validation: Images
    tests: Mapping[str, Images]
    synthetic: Images
    left_out: int = 0


def check_conditions(data_dir: str, view: str) -> None:
    """Raises ValueError if there are no photographs of two conditions to tell apart."""
    counts = records.read_info(data_dir).counts[view].get("train", {})
    named = [name for name, by_type in counts.items() if sum(by_type.values())]
    if len(named) < 2:
        raise ValueError(
            f"{data_dir}: its training photographs show one condition, {' '.join(named)}; a "
            "classifier tells two or more apart"
        )


def read_data(study: Study) -> Data:
    """Reads and checks the images of an experiment; paints the synthetic ones.

    Raises:
      ValueError: missing or corrupt records, synthetic images outside the training
        split, a patient or photograph that is to be tested on and trained on, or a
        workdir with another experiment.
    """
    size = classifier.stored_size(study.config.model.input_size)
    cache, view = str(pathlib.Path(study.workdir) / "cache"), study.config.data.view

    def photographs(split: str) -> Images:
        return images.read_images(study.data_dir, view, split, size, cache)

    train, validation, test = map(photographs, ("train", "validation", "test"))
    seen = [("train", train), ("validation", validation)]
    images.check_separate(test, seen)
    images.check_separate(validation, seen[:1], "validation")
    tests, left_out = {TEST: test}, 0
    if study.extra_test:
        known = np.unique(train.labels).tolist()
        tests[EXTRA] = images.read_images(
            study.extra_test, view, images.EVERY, size, cache, labels=known
        )
        images.check_other_data(tests[EXTRA], seen, study.extra_test)
        info = records.read_info(study.extra_test)
        left_out = sum(info.count(view, split) for split in manifest.SPLITS) - len(tests[EXTRA])
    data = Data(train, validation, tests, images.no_images_like(train), left_out)
    _note_in_workdir(study, describe_study(study, data))
    if study.synthetic is None:
        return data
    study.synthetic.prepare()
    synthetic = images.read_images(
        study.synthetic.data_dir, "crops", "train", size, cache, synthetic=True
    )
    return dataclasses.replace(data, synthetic=synthetic)


def _file_digest(weights: str) -> str:
    if weights in (classifier.NO_WEIGHTS, classifier.IMAGENET):
        return weights
    return hashlib.sha256(pathlib.Path(weights).read_bytes()).hexdigest()


def describe_study(study: Study, data: Data) -> Dict[str, Any]:
    """Returns what all trainings of an experiment depend on."""
    counts = images.counts_by_condition(data.train)
    return {
        "config": study.config.to_dict(),
        "weights": _file_digest(study.weights),
        "precision": precision.choose_precision(study.config.training.precision),
        "replicas": precision.make_strategy(study.config.training.batch_size).num_replicas_in_sync,
        "dataset_digest": records.read_info(study.data_dir).digest,
        "photographs": {
            name: int(count) for name, count in zip(taxonomy.conditions(), counts) if count
        },
        "validation_photographs": len(data.validation),
        "synthetic": dict(study.synthetic.protocol) if study.synthetic else None,
        # Trainings of one experiment are compared: by the same libraries.
        "packages": {name: metadata.version(name) for name in _PACKAGES},
    }


def _note_in_workdir(study: Study, description: Mapping[str, Any]) -> None:
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
    files.write_json(path, description)


@dataclasses.dataclass(frozen=True)
class _Training:
    """A classifier of a study."""

    study: Study
    data: Data
    arm: Arm
    seed: int
    kept: Optional[np.ndarray] = None  # positions of the synthetic images that a filter keeps

    def select(self) -> "_Training":
        """Returns the same with the images that its arm's filter keeps.

        Raises:
          ValueError: none is kept.
        """
        if self.arm.kind not in arms.FILTERED:
            return self
        judge = _Training(self.study, self.data, Arm(arms.REAL, arms.REAL), self.seed)
        model, size = judge.build(), self.study.config.model.input_size
        judge.load(model)
        synthetic = self.data.synthetic
        if self.arm.kind == arms.AGREED:
            keeps = selection.agreed(model, synthetic, size)
        else:
            photographs = self.data.train
            if self.study.config.data.photographs:
                photographs = photographs.select(self._sources[0])
            keeps = selection.near(model, synthetic, photographs, size)
        if not keeps.any():
            raise ValueError(
                f"arm {self.arm.name!r}, seed {self.seed}: its filter keeps none of "
                f"{len(keeps)} synthetic images"
            )
        return dataclasses.replace(self, kept=np.flatnonzero(keeps))

    def _folder(self, kind: str) -> pathlib.Path:
        name = predictions.folder_name(self.arm.name)
        return pathlib.Path(self.study.workdir, kind, name, f"seed_{self.seed}")

    @property
    def trained(self) -> bool:
        """Whether its weights are there; `training.json` is written last."""
        return (self._folder("trainings") / _TRAINING).exists()

    def path_of(self, test: str) -> pathlib.Path:
        """Returns the file of its predictions for a test set."""
        return predictions.path_of(self.study.predictions_dir, self.arm.name, test, self.seed)

    def missing_tests(self) -> List[str]:
        """Returns the test sets without predictions."""
        missing = []
        for name, test in self.data.tests.items():
            path = self.path_of(name)
            if not path.exists():
                missing.append(name)
            elif predictions.read_training(path)["test"]["digest"] != test.digest:
                if not self.study.overwrite:
                    raise ValueError(
                        f"{path}: of other test photographs; choose another --workdir or pass "
                        "--overwrite"
                    )
                missing.append(name)
        return missing

    @functools.cached_property
    def _sources(self) -> Tuple[np.ndarray, np.ndarray]:
        """Positions of the photographs and of the synthetic images that it draws from."""
        photographs, most = np.arange(len(self.data.train)), self.study.config.data.photographs
        if most:
            photographs = arms.choose_few(self.data.train.labels, most, self.seed)
        kept = np.arange(len(self.data.synthetic)) if self.kept is None else self.kept
        return photographs, kept

    @functools.cached_property
    def mixture(self) -> Mixture:
        """What it draws from."""
        photographs, kept = self._sources
        return arms.mixture_of_arm(
            self.arm,
            self.data.train.labels[photographs],
            self.data.synthetic.labels[kept],
            self.study.config.data.synthetic_share,
            (self.data.train.skin_types[photographs], self.data.synthetic.skin_types[kept]),
        )

    def _order(self, length: int) -> np.ndarray:
        """Returns the images of the training; len(train) + m is synthetic image m."""
        order = arms.draw_images(self.arm, self.mixture, length, self.seed)
        photographs, kept = self._sources
        return np.concatenate([photographs, len(self.data.train) + kept])[order]

    def build(self) -> tf.keras.Model:
        """Returns the classifier, untrained."""
        tf.keras.backend.clear_session()
        tf.keras.utils.set_random_seed(self.seed)
        with precision.make_strategy(self.study.config.training.batch_size).scope():
            return classifier.build_classifier(
                self.study.config, len(taxonomy.conditions()), self.study.weights
            )

    def fit(self, model: tf.keras.Model, bar: tqdm.tqdm, description: Mapping[str, Any]) -> None:
        """Trains, and stores the weights and what became of it."""
        config, logs = self.study.config, self._folder("logs")
        length = config.training.steps * config.training.batch_size
        batches = classifier.training_batches(
            (self.data.train, self.data.synthetic),
            self._order(length),
            arms.class_weights(self.arm, self.mixture, len(taxonomy.conditions())),
            config,
            self.seed,
            strong=self.arm.kind == arms.STRONG,
        )
        count_step = tf.keras.callbacks.LambdaCallback(on_train_batch_end=lambda *_: bar.update(1))
        count_step._supports_tf_logs = True  # else Keras waits for the loss of every step
        shutil.rmtree(logs, ignore_errors=True)  # of a training that was stopped
        callbacks = [count_step, tf.keras.callbacks.TensorBoard(str(logs))]
        started = time.monotonic()
        outcome = classifier.fit_classifier(model, batches, self.data.validation, config, callbacks)
        seconds = round(time.monotonic() - started, 1)
        folder = self._folder("trainings")
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"tmp.{_WEIGHTS}"
        model.save_weights(temporary)
        temporary.replace(folder / _WEIGHTS)
        content = {
            "protocol": self._protocol(description),
            "outcome": {**outcome, "seconds": seconds},
        }
        files.write_json(folder / _TRAINING, content)

    def _protocol(self, description: Mapping[str, Any]) -> Dict[str, Any]:
        shown = len(self.mixture.synthetic) if self.arm.kind in arms.SHOWING else 0
        share = 0.5 if self.arm.kind == arms.FIRST else self.mixture.share
        return {
            "study": dict(description),
            "arm": self.arm.name,
            "kind": self.arm.kind,
            "ratio": self.arm.ratio,
            "seed": self.seed,
            "photographs": 0 if self.arm.kind == arms.ONLY else len(self.mixture.real),
            "synthetic_images": shown,
            "share": share,
        }

    def load(self, model: tf.keras.Model) -> None:
        """Takes the stored weights."""
        model.load_weights(self._folder("trainings") / _WEIGHTS)

    def predict(self, model: tf.keras.Model) -> None:
        """Stores what it says of the test sets that lack it."""
        training = json.loads((self._folder("trainings") / _TRAINING).read_text(encoding="utf-8"))
        for name in self.missing_tests():
            test = self.data.tests[name]
            predictions.write_predictions(
                self.path_of(name),
                _table(test, self.study.names(name)),
                classifier.predict_images(model, test, self.study.config.model.input_size),
                {
                    **training,
                    "test": {
                        "digest": test.digest,
                        "images": len(test),
                        "left_out": self.data.left_out if name == EXTRA else 0,
                    },
                },
            )


def _table(test: Images, names: pseudonyms.Pseudonyms) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image_id": [names.name("photograph", one) for one in test.image_ids.tolist()],
            "case_id": [names.name("case", one) for one in test.case_ids.tolist()],
            "patient_id": [names.name("patient", one) for one in test.patient_ids.tolist()],
            "condition": [taxonomy.name_of(label) for label in test.labels],
            "fitzpatrick": test.skin_types,
            "fitzpatrick_source": test.skin_type_sources,
        }
    )


def train_arms(study: Study, data: Data) -> None:
    """Trains what is not trained yet and stores the predictions of all test sets.

    A study that was stopped goes on with the next training.

    Args:
      study: the experiment.
      data: its images.

    Raises:
      ValueError: weights that are not MobileNet's, a training that diverges, or too few
        synthetic images.
    """
    description = describe_study(study, data)
    trainings = [_Training(study, data, arm, seed) for seed in study.seeds for arm in study.arms]
    for one in trainings:
        _ = one.mixture  # tells what cannot be before anything is trained
    todo = [one for one in trainings if not one.trained or one.missing_tests()]
    untrained = [one for one in todo if not one.trained]
    steps = study.config.training.steps
    tf.keras.mixed_precision.set_global_policy(description["precision"])
    with progress.bar(total=steps * len(untrained), what="classifiers", unit="steps") as bar:
        done = 0
        for one in todo:
            if not one.trained:
                one = one.select()
            model = one.build()
            if one.trained:
                one.load(model)
            else:
                name = f"{one.arm.name}, seed {one.seed}, {done + 1} of {len(untrained)}"
                bar.set_postfix_str(name)
                one.fit(model, bar, description)
                done += 1
                bar.update(steps * done - bar.n)  # what early stopping saved
            one.predict(model)
    tf.keras.mixed_precision.set_global_policy("float32")
