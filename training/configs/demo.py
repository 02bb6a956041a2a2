"""The default: procedural demo cases, 64x64, minutes on two cores.

bazel run //training:train

Not the paper's recipe but what makes better pictures (docs/results/image_quality.md): light
reconstruction losses, a last level at full size, styles and noise, three
discriminators of small patches that are shown fine texture amplified, batch
normalization, learned map codes.
"""

import ml_collections

from training.configs import paper


def get_config() -> ml_collections.ConfigDict:
    """Returns the configuration."""
    config = paper.get_config()
    config.name = "demo"

    config.data.conditions = "all"
    config.data.jitter = 1.0  # crops are drawn at random already
    config.data.shuffle_buffer = 8192

    config.model.base_filters = 32
    config.model.normalization = "batch"
    config.model.dropout = 0.0
    config.model.global_noise = 32
    config.model.lesion_noise = 16
    config.model.pixel_noise = 4
    config.model.level_noise = 4
    config.model.map_encoding = "embedding"
    config.model.modulation = 32
    config.model.largest_skip = 0
    config.model.roi_side = 0
    config.model.output_filters = 16
    config.model.activation_limit = 4.0
    config.model.ema_decay = 0.998

    config.discriminator.base_filters = 32
    config.discriminator.scales = 0
    config.discriminator.downsamplings = 2
    config.discriminator.normalization = "batch"
    config.discriminator.features = "activation"
    config.discriminator.map_encoding = "embedding"
    config.discriminator.initialization = "he"
    config.discriminator.detail = 20.0

    config.loss.l1 = 10.0
    config.loss.roi = 1.0
    config.loss.feature_matching = 1.0
    config.loss.kl = 0.02
    config.loss.code = 0.5

    config.encoder.base_filters = 32

    config.optimizer.discriminator_learning_rate = 4e-4

    config.training.batch_size = 8
    config.training.steps = 4000
    config.training.log_every = 50
    config.training.checkpoint_every = 500
    config.training.sample_every = 500
    config.training.num_samples = 24
    return config
