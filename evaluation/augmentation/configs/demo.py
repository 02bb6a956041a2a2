"""The default: a narrow MobileNet V1 at 96x96, some two minutes an arm on two cores.

bazel run //evaluation:augmentation
"""

import ml_collections

from evaluation.augmentation.configs import paper


def get_config() -> ml_collections.ConfigDict:
    """Returns the configuration."""
    config = paper.get_config()
    config.name = "demo"

    # 20,000 synthetic images to some hundred photographs: in proportion, a batch would
    # hold next to no photograph.
    config.data.synthetic_share = 0.5

    config.model.input_size = 96
    config.model.alpha = 0.25

    config.training.steps = 1000
    config.training.batch_size = 32
    config.training.learning_rate = 2e-3
    config.training.validate_every = 100
    config.training.patience = 0
    return config
