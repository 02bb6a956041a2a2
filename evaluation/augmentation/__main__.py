"""Does synthetic data help a classifier? The paper's experiment, with controls.

  bazel run //evaluation:augmentation                          # newest run, its data
  bazel run //evaluation:augmentation -- --run_dir=R --config=paper --weights=imagenet
  bazel run //evaluation:augmentation -- --run_dir=R --ratio=0.5,1,2,5 --seeds=0,1,2,3,4
  bazel run //evaluation:augmentation -- --from_predictions=W/predictions --workdir=W2

Trains a MobileNet on photographs four ways, the same number of steps each:
photographs alone; with synthetic images; with photographs repeated, and with losses
weighted, to the same frequencies of conditions. Tests on photographs of unseen patients,
stores every prediction, and writes augmentation.md, .csv, .json and the paper's Figure 8
to --workdir. An experiment that was stopped goes on, training by training, when the same
command is given.
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

import dataclasses
import functools
import os
import pathlib
import sys
from typing import List, Optional, Sequence

from absl import flags
from ml_collections import config_flags

from common import locks
from common.report import Report
from evaluation.augmentation import (
    arms,
    classification,
    classifier,
    images,
    predictions,
    report,
    results,
)
from evaluation.augmentation.images import SyntheticSource
from evaluation.augmentation.study import (
    EXTRA,
    TEST,
    Study,
    check_conditions,
    read_data,
    train_arms,
)
from preprocessing.data import fetching, records
from synthesis import run_flags
from synthesis.trained_generator import TrainedGenerator
from training import configurations, run_directory

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
_ARMS = flags.DEFINE_list("arms", list(arms.DEFAULT), f"Ways to train, of {', '.join(arms.NAMES)}.")
_RATIO = flags.DEFINE_list(
    "ratio", [], "Further arms with so many synthetic images to one photograph, e.g. 0.5,1,2,5."
)
_SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "Of the trainings; every arm has each.")
_NUM_SYNTHETIC = flags.DEFINE_integer(
    "num_synthetic", 20_000, "Images to generate; more where --ratio takes more.", 1, 10_000_000
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
    "replicates", classification.REPLICATES, "Of the bootstraps.", 1, 1_000_000
)
_OVERWRITE = run_flags.define_overwrite("results of another experiment")


def _ratios() -> List[float]:
    try:
        return [float(text) for text in _RATIO.value]
    except ValueError as error:
        raise ValueError(f"--ratio={','.join(_RATIO.value)}: {error}") from error


def _synthetic(generator: TrainedGenerator, study: Study) -> Optional[SyntheticSource]:
    if all(arm.kind in (arms.REAL, arms.STRONG) for arm in study.arms):
        return None
    if _SYNTHETIC_DIR.value:
        command_line.exclude("synthetic_dir", ("num_synthetic", "balance"))
        return images.given_images(fetching.local_copy(_SYNTHETIC_DIR.value), study.data_dir)
    data = study.config.data
    counts = records.read_info(study.data_dir).counts[data.view].get("train", {})
    photographs = sum(
        min(sum(by_type.values()), data.photographs or sys.maxsize) for by_type in counts.values()
    )
    return images.planned_images(
        generator,
        study.data_dir,
        os.path.join(study.workdir, "synthetic"),
        max(_NUM_SYNTHETIC.value, arms.synthetic_images_needed(study.arms, photographs)),
        [axis for axis in _BALANCE.value if axis],
    )


def _study() -> Study:
    """Makes the study of the flags; they are checked before anything is painted."""
    generator = _GENERATOR()
    data_dir = _DATA_DIR(generator)
    default = os.path.join(generator.run_dir, "evaluation", "augmentation")
    workdir = command_line.user_path(_WORKDIR.value or default)
    wanted = arms.make_arms(_ARMS.value, _ratios())
    weights = _WEIGHTS.value
    if weights not in (classifier.NO_WEIGHTS, classifier.IMAGENET):
        weights = command_line.user_path(weights)
    study = Study(
        data_dir=data_dir,
        config=_CONFIG.value,
        arms=wanted,
        seeds=command_line.whole_numbers(_SEEDS, 0, command_line.LARGEST_SEED),
        weights=weights,
        synthetic=None,
        workdir=workdir,
        extra_test=command_line.user_path(_EXTRA_TEST.value) if _EXTRA_TEST.value else None,
        overwrite=_OVERWRITE.value,
    )
    check_conditions(data_dir, study.config.data.view)
    return dataclasses.replace(study, synthetic=_synthetic(generator, study))


def _report(
    predictions_dir: str,
    workdir: str,
    wanted: Optional[Sequence[predictions.TrainingKey]] = None,
    next_step: str = "",
) -> None:
    all_results = []
    for test_set in (TEST, EXTRA):
        found = predictions.read_predictions(predictions_dir, test_set, wanted)
        if found:
            all_results.append(results.compute_results(test_set, found, _REPLICATES.value))
    if not all_results:
        raise ValueError(f"{predictions_dir}: no predictions there")
    protocol = report.protocol_of(all_results)
    written = Report(workdir, "augmentation", protocol, _OVERWRITE.value, "--workdir")
    report.write_report(all_results, written)
    shown = "\n".join(map(report.screen_summary, all_results))
    written.show(shown, next_step or f"read {written.paths[0]}")


def _experiment() -> None:
    study = _study()
    how = f"continue with the same options and --workdir={study.workdir}"
    with locks.only_writer(study.workdir, "augmentation"):
        with command_line.stoppable(how):
            train_arms(study, read_data(study))
        logs = os.path.join(study.workdir, "logs")
        _report(study.predictions_dir, study.workdir, study.plan(), run_directory.tensorboard(logs))


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
    workdir = command_line.user_path(_WORKDIR.value or os.path.dirname(predictions_dir))
    _report(predictions_dir, workdir)


if __name__ == "__main__":
    command_line.run(main, prepare=functools.partial(configurations.expand_names, folder=_CONFIGS))
