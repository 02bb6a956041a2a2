"""Clinical photographs at 256x256, hundreds to tens of thousands of them.

bazel run //training:train -- --config=clinical --data_dir=D

The demo's recipe, wider, for photographs of patients; at 256x256 there are five
discriminators, so that the coarsest sees the whole picture (docs/results/clinical.md).
80,000 images take four minutes on an H200, compiling included.
"""

import ml_collections

from training.configs import demo


def get_config() -> ml_collections.ConfigDict:
    """Returns the configuration."""
    config = demo.get_config()
    config.name = "clinical"

    config.model.base_filters = 64

    config.discriminator.base_filters = 48

    config.training.batch_size = 16
    config.training.steps = 12_500  # 200,000 images
    config.training.log_every = 100
    config.training.checkpoint_every = 2500
    config.training.sample_every = 2500
    return config
