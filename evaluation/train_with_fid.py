r"""Trains as //training:train does, measures on the way and keeps the best checkpoint.

  bazel run //evaluation:train_with_fid -- --fid_every=500
  bazel run //evaluation:train_with_fid -- --data_dir=D --config=paper --workdir=W \
      --fid_every=5000 --feature_network=PATH --layer=pool_3

Takes the flags of //training:train and the feature flags of //evaluation:fid. The
distance to validation photographs goes to TensorBoard and to
WORKDIR/evaluation/fid_over_training.*; WORKDIR/best is a run directory with the
checkpoint of the least distance. Test photographs are left for //evaluation:fid: a
checkpoint chosen on them would be flattered by them.
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

from typing import List, Sequence

import ml_collections
from absl import flags

from evaluation.features import feature_flags
from evaluation.frechet.callback import FidCallback
from evaluation.frechet.evaluator import FrechetEvaluator
from evaluation.frechet.protocol import TrialProtocol
from preprocessing.data import records
from training import configurations, input_pipeline, train

_FID_EVERY = flags.DEFINE_integer(
    "fid_every",
    None,
    "Steps from one measurement to the next; a multiple of config.training.checkpoint_every, "
    "which is also the default.",
    1,
    1_000_000_000,
)
_TRIALS = flags.DEFINE_integer("trials", 10, "Resamplings of each measurement.", 1, 10_000)


def _make_callback(workdir: str, data_dir: str, config: ml_collections.ConfigDict) -> FidCallback:
    saved_every = config.training.checkpoint_every
    every = saved_every if _FID_EVERY.value is None else _FID_EVERY.value
    if every < 1 or every % saved_every:
        raise ValueError(
            f"--fid_every={every} is not a multiple of config.training.checkpoint_every, "
            f"{saved_every}: only saved checkpoints are measured"
        )
    info = records.read_info(data_dir)
    conditions = input_pipeline.select_conditions(info, config.data.conditions)
    extractor = feature_flags.extractor(data_dir, conditions)
    trials = TrialProtocol(trials=_TRIALS.value)

    def make_evaluator() -> FrechetEvaluator:
        return FrechetEvaluator(data_dir, conditions, extractor, trials, real_split="validation")

    return FidCallback(workdir, make_evaluator, every)


def main(_: Sequence[str]) -> None:
    """Reads the flags and trains."""
    made: List[FidCallback] = []

    def make_callbacks(
        workdir: str, data_dir: str, config: ml_collections.ConfigDict
    ) -> List[FidCallback]:
        made.append(_make_callback(workdir, data_dir, config))
        return made

    train.train(make_callbacks)
    # Of a run that was complete, and stopped before its last checkpoint was measured. Of
    # several workers one measures.
    for callback in made:
        callback.measure_missing()


if __name__ == "__main__":
    command_line.run(main, prepare=configurations.expand_names)
