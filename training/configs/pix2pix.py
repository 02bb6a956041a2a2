"""Plain pix2pix (Isola et al. 2017): what DermGAN is built from and compared with.

bazel run //training:train -- --config=pix2pix --data_dir=D

The paper's recipe without its three additions: 4x4 deconvolutions, l1 over the
image alone, no feature matching.
"""

import ml_collections

from training.configs import paper


def get_config() -> ml_collections.ConfigDict:
    """Returns the configuration."""
    config = paper.get_config()
    config.name = "pix2pix"
    config.data.conditions = "all"
    config.model.upsampling = "deconvolution"
    config.model.upsampling_kernel = 4
    config.loss.roi = 0.0
    config.loss.feature_matching = 0.0
    return config
