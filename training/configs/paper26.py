"""The paper's recipe on all conditions, for its skin-type and size sweeps.

bazel run //training:train -- --config=paper26 --data_dir=D

Paper, section 3: "In this and the subsequent experiment, we train a DermGAN model
on all of the 26 conditions of the dataset to use images of wider demographics."
Cost as `paper`, times the share of the data that has these conditions.
"""

import ml_collections

from training.configs import paper


def get_config() -> ml_collections.ConfigDict:
    """Returns the configuration."""
    config = paper.get_config()
    config.name = "paper26"
    config.data.conditions = "all"
    return config
