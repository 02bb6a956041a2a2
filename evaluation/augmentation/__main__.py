"""Does synthetic data help a classifier? The paper's experiment, with controls.

  bazel run //evaluation:augmentation                          # newest run, its data
  bazel run //evaluation:augmentation -- --run_dir=R --config=paper --weights=imagenet
  bazel run //evaluation:augmentation -- --run_dir=R --ratio=0.5,1,2,5 --seeds=0,1,2,3,4
  bazel run //evaluation:augmentation -- --from_predictions=W/predictions --workdir=W2

Trains a MobileNet on uncropped photographs four ways, the same number of steps each:
photographs alone; with synthetic images; with photographs repeated, and with losses
weighted, to the same frequencies of conditions. Tests on photographs of unseen patients,
stores every prediction, and writes augmentation.md, .csv, .json and the paper's Figure 8
to --workdir. An experiment that was stopped goes on, training by training, when the same
command is given.
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

import functools
import os
import pathlib
import sys
from typing import List, Optional, Sequence

from absl import flags
from ml_collections import config_flags

from evaluation.augmentation import arms as augmentation_arms
from evaluation.augmentation import (
    classification_statistics,
    classifier,
    classifier_predictions,
    fitting,
    report,
    synthetic_sources,
)
from evaluation.augmentation import results as augmentation_results
from evaluation.augmentation import study as augmentation_study
from evaluation.augmentation.arms import Arm
from evaluation.augmentation.study import Study
from preprocessing.data import records
from synthesis import run_flags
from synthesis.trained_generator import TrainedGenerator
from training import configurations

_CONFIGS = pathlib.Path(__file__).parent / "configs"
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Of the classifier: demo (default), paper or a config file."
)
_GENERATOR = run_flags.define_generator()
_DATA_DIR = run_flags.define_data_dir()
_WORKDIR = flags.DEFINE_string("workdir", None, "Default: RUN_DIR/evaluation/augmentation.")
_WEIGHTS = flags.DEFINE_string(
    "weights",
    classifier.NO_WEIGHTS,
    "Initial ones: none draws them, imagenet fetches Keras' own, or a file in Keras' layout, "
    "without top.",
)
_ARMS = flags.DEFINE_list("arms", list(augmentation_arms.NAMES), "Ways to train.")
_RATIO = flags.DEFINE_list(
    "ratio", [], "Further arms with so many synthetic images to one photograph, e.g. 0.5,1,2,5."
)
_SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "Of the trainings; every arm has each.")
_NUM_SYNTHETIC = flags.DEFINE_integer(
    "num_synthetic", 20_000, "Images to generate; more where --ratio takes more."
)
_BALANCE = flags.DEFINE_list(
    "balance",
    ["condition"],
    "Which gaps of the training data the synthetic images fill: condition, skin_type or "
    'condition,skin_type; empty ("--balance=") is as common as in training.',
)
_SYNTHETIC_DIR = flags.DEFINE_string(
    "synthetic_dir", None, "Output of //synthesis:generate, instead of generating."
)
_EXTRA_TEST = flags.DEFINE_string(
    "extra_test", None, "Records of another data set, all splits of which are a second test."
)
_FROM_PREDICTIONS = flags.DEFINE_string(
    "from_predictions", None, "Stored predictions to redo the statistics of, without training."
)
_REPLICATES = flags.DEFINE_integer(
    "replicates", classification_statistics.REPLICATES, "Of the bootstraps."
)
_OVERWRITE = run_flags.define_overwrite("results of another experiment")


def _numbers(flag: "flags.FlagHolder[List[str]]", kind: type) -> List:
    try:
        return [kind(text) for text in flag.value]
    except ValueError as error:
        raise ValueError(f"--{flag.name}={','.join(flag.value)}: {error}") from error


def _synthetic(
    generator: TrainedGenerator, data_dir: str, workdir: str, arms: Sequence[Arm]
) -> Optional[synthetic_sources.SyntheticSource]:
    if all(arm.kind == augmentation_arms.REAL for arm in arms):
        return None
    if _SYNTHETIC_DIR.value:
        command_line.exclude("synthetic_dir", ("num_synthetic", "balance"))
        return synthetic_sources.given(command_line.user_path(_SYNTHETIC_DIR.value), data_dir)
    photographs = records.read_info(data_dir).count("full", "train")
    return synthetic_sources.planned(
        generator,
        data_dir,
        os.path.join(workdir, "synthetic"),
        max(_NUM_SYNTHETIC.value, augmentation_arms.synthetic_images_needed(arms, photographs)),
        [axis for axis in _BALANCE.value if axis],
    )


def _study() -> Study:
    """Makes the study of the flags; they are checked before anything is painted."""
    generator = _GENERATOR()
    data_dir = _DATA_DIR(generator)
    default = os.path.join(generator.run_dir, "evaluation", "augmentation")
    workdir = command_line.user_path(_WORKDIR.value or default)
    arms = augmentation_arms.make_arms(_ARMS.value, _numbers(_RATIO, float))
    weights = _WEIGHTS.value
    if weights not in (classifier.NO_WEIGHTS, classifier.IMAGENET):
        weights = command_line.user_path(weights)
    return Study(
        data_dir=data_dir,
        config=_CONFIG.value,
        arms=arms,
        seeds=_numbers(_SEEDS, int),
        weights=weights,
        synthetic=_synthetic(generator, data_dir, workdir, arms),
        workdir=workdir,
        extra_test=command_line.user_path(_EXTRA_TEST.value) if _EXTRA_TEST.value else None,
        overwrite=_OVERWRITE.value,
    )


def _report(
    predictions_dir: str, workdir: str, wanted: Optional[Sequence[classifier_predictions.Key]]
) -> None:
    results = []
    for test_set in (augmentation_study.TEST, augmentation_study.EXTRA):
        arms = classifier_predictions.read(predictions_dir, test_set, wanted)
        if arms:
            results.append(augmentation_results.compute(test_set, arms, _REPLICATES.value))
    if not results:
        raise ValueError(f"{predictions_dir}: no predictions there")
    paths = report.write(results, workdir, _OVERWRITE.value)
    for one in results:
        print(report.screen(one))
    print("\n" + "\n".join(paths))


def _experiment() -> None:
    study = _study()
    try:
        fitting.run(study, augmentation_study.read_data(study))
    except KeyboardInterrupt:
        print(
            f"\nstopped; continue with the same options and --workdir={study.workdir}",
            file=sys.stderr,
        )
        sys.exit(130)
    _report(study.predictions_dir, study.workdir, study.plan())
    print(f"next: tensorboard --logdir {os.path.join(study.workdir, 'logs')}")


def main(_: Sequence[str]) -> None:
    """Trains, measures, writes and prints."""
    if not _FROM_PREDICTIONS.value:
        _experiment()
        return
    training_flags = (
        *("arms", "ratio", "seeds", "weights", "extra_test", "synthetic_dir", "run_dir"),
        *("data_dir", "config.", "num_synthetic", "balance", "step"),
    )
    command_line.exclude("from_predictions", training_flags)
    predictions_dir = command_line.user_path(_FROM_PREDICTIONS.value)
    default = os.path.dirname(predictions_dir)
    _report(predictions_dir, command_line.user_path(_WORKDIR.value or default), None)


if __name__ == "__main__":
    command_line.run(main, prepare=functools.partial(configurations.expand_names, folder=_CONFIGS))
