"""Trains the classifiers of an augmentation study and stores what they say."""

import json
import pathlib
import shutil
import sys
import time
from typing import Any, Dict, List, Mapping, Optional

import pandas as pd
import tensorflow as tf
from tqdm import tqdm

from common import files
from evaluation.augmentation import arms, classifier, classifier_input, classifier_predictions
from evaluation.augmentation import study as augmentation_study
from evaluation.augmentation.arms import Arm, Mixture
from evaluation.augmentation.classifier_data import Images
from evaluation.augmentation.study import Data, Study
from preprocessing.data import taxonomy
from training import building

_WEIGHTS, _TRAINING = "classifier.weights.h5", "training.json"


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
    return arms.mixture(
        arm, data.train.labels, data.synthetic.labels, study.config.data.synthetic_share
    )


def _batches(study: Study, data: Data, arm: Arm, seed: int) -> tf.data.Dataset:
    training, mixed = study.training, _mixture(study, data, arm)
    order = arms.draw(arm, mixed, training.steps * training.batch_size, seed)
    return classifier_input.training_batches(
        (data.train, data.synthetic),
        order,
        arms.class_weights(arm, mixed, len(taxonomy.CONDITIONS)),
        study.jitter,
        study.config.model.input_size,
        training.batch_size,
        seed,
    )


def _compiled(study: Study, seed: int) -> tf.keras.Model:
    tf.keras.backend.clear_session()
    tf.keras.utils.set_random_seed(seed)
    network = dict(study.config.model)
    with building.make_strategy(study.training.batch_size).scope():
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
    files.write_json(folder / _TRAINING, training)


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
    description = augmentation_study.describe(study, data)
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
    shown = len(mixed.synthetic) if arm.kind == arms.SYNTHETIC else 0
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
