r"""Searches for the weights of the losses by the distance to validation photographs.

  bazel run //evaluation:grid_search_with_fid -- --data_dir=D --workdir=W
  bazel run //evaluation:grid_search_with_fid -- --data_dir=D --l1=1,10 --roi=1,10 \
      --feature_matching=1,10 --steps=5000 --feature_network=PATH --layer=pool_3

Takes the flags of //training:grid_search but for --objective, and the feature flags of
//evaluation:fid. The objective is the Frechet distance of the finished trial's images
to validation photographs; test photographs are left for //evaluation:fid.
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

from typing import Sequence

import ml_collections
import numpy as np
from absl import flags

from common import files
from evaluation.features import feature_flags
from evaluation.frechet.evaluator import FrechetEvaluator
from evaluation.frechet.protocol import TrialProtocol
from preprocessing.data import records
from synthesis import trained_generator
from training import configurations, grid_search, input_pipeline
from training.run import Result
from training.search.weight_search import Objective

_TRIALS = flags.DEFINE_integer("trials", 10, "Resamplings of each measurement.", 1, 10_000)
_NUM_IMAGES = flags.DEFINE_integer(
    "num_images", 0, "Images to paint; by default twice the validation photographs.", 0, 1_000_000
)


def _distance_objective(data_dir: str, config: ml_collections.ConfigDict) -> Objective:
    info = records.read_info(data_dir)
    conditions = input_pipeline.select_conditions(info, config.data.conditions)
    extractor = feature_flags.extractor(data_dir, conditions)
    evaluator = FrechetEvaluator(
        data_dir,
        conditions,
        extractor,
        TrialProtocol(trials=_TRIALS.value),
        _NUM_IMAGES.value,
        real_split="validation",
    )

    def distance(result: Result) -> float:
        evaluation = evaluator.evaluate(trained_generator.load(result.workdir))
        return float(np.mean(evaluation.overall.generated["frechet"]))

    # Numbers of another protocol must not be taken for these when a search continues.
    protocol = {
        **extractor.protocol,
        "trials": _TRIALS.value,
        "num_generated": _NUM_IMAGES.value,
    }
    digest = files.digest_of(protocol)[:6]
    network = extractor.network
    name = "fid" if network.is_canonical else f"frechet_{network.layer}"
    return Objective(f"{name}_{digest}", distance)


def main(_: Sequence[str]) -> None:
    """Searches by the distance to validation photographs."""
    if flags.FLAGS["objective"].present:
        raise ValueError("--objective is //training:grid_search's; here it is the distance")
    grid_search.search(_distance_objective)


if __name__ == "__main__":
    command_line.run(main, prepare=configurations.expand_names)
