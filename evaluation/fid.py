"""Measures the distance of generated images to photographs the generator never saw.

  bazel run //evaluation:fid                                   # newest run under runs/
  bazel run //evaluation:fid -- --run_dir=R --feature_network=PATH --layer=pool_3
  bazel run //evaluation:fid -- --run_dir=R --feature_network=dinov2.onnx,PATH
  bazel run //evaluation:fid -- --run_dir=R --every_checkpoint
  bazel run //evaluation:fid -- --generated_features=F.npz --data_dir=R

Prints, first, where the images stand among photographs of lower resolution. Then the
Frechet distance (FID where the features are those of TF-GAN's Inception),
the kernel distance, precision, recall, density and coverage, each beside the same of
real against real photographs at the same sample size, and how far the images of one map
differ. Further networks, with commas between, are measured at the last checkpoint and stand
below. Writes fid.json with the whole protocol, fid.png, fid_ladder.png (the photographs of
lower resolution and the images where they stand: share it only as you may share the
photographs) and TensorBoard scalars to RUN_DIR/evaluation, pictures and scalars by the first
network; with --every_checkpoint also fid_every_checkpoint.csv and .png. F.npz is what an
exported program's runner brought back (//evaluation:export_features); its folder receives
the results.
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

import os
from typing import Sequence, Tuple

from absl import flags

from common.report import Report
from evaluation.features import feature_flags
from evaluation.features.networks import FeatureExtractor
from evaluation.frechet import program_features, report
from evaluation.frechet.evaluator import FrechetEvaluator
from evaluation.frechet.protocol import TrialProtocol
from synthesis import run_flags, trained_generator
from training import run_directory

_GENERATOR = run_flags.define_generator()
_DATA_DIR = run_flags.define_data_dir()
_OUTPUT_DIR = run_flags.define_evaluation_dir()
_TRIALS = flags.DEFINE_integer("trials", TrialProtocol.trials, "Resamplings.", 1, 10_000)
_IMAGES_PER_TRIAL = flags.DEFINE_integer(
    "images_per_trial", 0, "N; by default nine tenths of half the test photographs.", 0, 1_000_000
)
_NUM_IMAGES = flags.DEFINE_integer(
    "num_images", 0, "Images to paint; by default twice the test photographs.", 0, 1_000_000
)
_PARTINGS = flags.DEFINE_integer(
    "partings",
    TrialProtocol.partings,
    "Random partings of the test patients, which take turns.",
    1,
    1000,
)
_SMALLEST_GROUP = flags.DEFINE_integer(
    "smallest_group",
    TrialProtocol.smallest_group,
    "Images a condition or skin type needs.",
    1,
    1_000_000,
)
_SEED = flags.DEFINE_integer("seed", 0, "Of maps, images and trials.", 0, command_line.LARGEST_SEED)
_REAL_SPLIT = flags.DEFINE_string("real_split", "test", "Photographs to compare with.")
_MAP_SPLIT = flags.DEFINE_string("map_split", "validation", "Where the maps come from.")
_EVERY_CHECKPOINT = flags.DEFINE_bool(
    "every_checkpoint", False, "Evaluate all checkpoints that the run has kept; not with --step."
)
_GENERATED_FEATURES = flags.DEFINE_string(
    "generated_features", None, "Of a program's runner, in place of a run."
)
_OVERWRITE = run_flags.define_overwrite("measurements by another protocol")

# What an exported program has decided already.
_OF_A_RUN = (
    *("run_dir", "step", "every_checkpoint", "num_images", "seed", "real_split", "map_split"),
)


def main(_: Sequence[str]) -> None:
    """Measures, writes and prints."""
    if _GENERATED_FEATURES.value:
        _measure_features(command_line.user_path(_GENERATED_FEATURES.value))
        return
    generator = _GENERATOR()
    run_dir, data_dir = generator.run_dir, _DATA_DIR(generator)
    steps = [generator.step]
    if _EVERY_CHECKPOINT.value:
        command_line.exclude("every_checkpoint", ("step",))
        steps = sorted(step for step, _ in run_directory.whole_checkpoints(run_dir))
    evaluator, *further = (
        _evaluator(
            *(data_dir, generator.conditions, extractor),
            *(_SEED.value, _NUM_IMAGES.value, _REAL_SPLIT.value, _MAP_SPLIT.value),
        )
        for extractor in feature_flags.extractors(data_dir, generator.conditions)
    )
    protocol = report.protocol([one.describe(generator) for one in (evaluator, *further)])
    results = Report(_OUTPUT_DIR(run_dir), "fid", protocol, _OVERWRITE.value)
    evaluations = []
    with feature_flags.stoppable(), results.alone():
        for step in steps:
            if step != generator.step:
                generator = trained_generator.load(run_dir, step)
            evaluations.append(evaluator.evaluate(generator))
            report.write_scalars(evaluations[-1], results)
        by_others = [one.evaluate(generator) for one in further]
        report.write(evaluations[-1], results, by_others)
        if len(evaluations) > 1:
            frame = report.training_frame(evaluations)
            name = evaluations[-1].distance_name
            report.write_training_curve(frame, name, results, report.EVERY_CHECKPOINT)
    table = report.table(evaluations, by_others)
    results.show(
        table,
        f"bazel run //evaluation:fidelity -- --run_dir={run_dir}",
        run_directory.tensorboard(os.path.dirname(run_dir)),
    )


def _measure_features(path: str) -> None:
    """Measures features of images that a program painted elsewhere."""
    command_line.exclude("generated_features", _OF_A_RUN)
    painted = program_features.read(path)
    data_dir = _DATA_DIR(None)
    extractor = feature_flags.extractor(data_dir, painted.conditions)
    painted.check(extractor, data_dir)
    meta = painted.meta
    evaluator = _evaluator(
        data_dir,
        painted.conditions,
        extractor,
        *(meta["seed"], painted.num_generated, meta["real_split"], meta["map_split"]),
    )
    results = Report(
        _OUTPUT_DIR(painted.run_dir), "fid", evaluator.describe(painted), _OVERWRITE.value
    )
    with feature_flags.stoppable(), results.alone():
        evaluation = evaluator.evaluate(painted)
        report.write_scalars(evaluation, results)
        report.write(evaluation, results)
    shown = run_directory.tensorboard(painted.run_dir)
    results.show(report.table([evaluation]), f"look at {results.folder}/fid.png", shown)


def _evaluator(
    data_dir: str,
    conditions: Tuple[str, ...],
    extractor: FeatureExtractor,
    seed: int,
    num_generated: int,
    real_split: str,
    map_split: str,
) -> FrechetEvaluator:
    trials = TrialProtocol(
        trials=_TRIALS.value,
        num_images=_IMAGES_PER_TRIAL.value,
        partings=_PARTINGS.value,
        smallest_group=_SMALLEST_GROUP.value,
        seed=seed,
    )
    return FrechetEvaluator(
        *(data_dir, conditions, extractor, trials, num_generated, real_split, map_split),
        with_diversity=True,
        with_ladder=True,
    )


if __name__ == "__main__":
    command_line.run(main)
