"""The paper's recipe: 256x256, pix2pix's width, the 8 rarest conditions.

bazel run //training:train -- --config=paper --data_dir=D

Deterministic generator but for dropout, four losses, batch size 1 with instance
normalization as pix2pix has it (the paper names no batch size). 40,000 crops for
200 epochs are 8 million images: 14 hours at the 159 images/s that one H200 took in batches
of one (bfloat16, compiled), an hour and a half at the 1,877 of batches of 64. The weights of
the losses are pix2pix's and our choice; the paper selected its own by grid
search and does not print them.
"""

import ml_collections

from model import losses


def get_config() -> ml_collections.ConfigDict:
    """Returns the configuration."""
    config = ml_collections.ConfigDict()
    config.name = "paper"
    config.seed = 0

    config.data = ml_collections.ConfigDict()
    config.data.conditions = "rarest:8"  # "all", "rarest:N", or names with commas
    # 0 shows conditions as often as they were recorded, 1 all equally often.
    config.data.balance = 0.0
    config.data.jitter = 286 / 256  # enlarge, then crop; 1 is off
    config.data.mirror = True
    config.data.shuffle_buffer = 4096  # records

    config.model = ml_collections.ConfigDict()
    config.model.image_size = 0  # a power of two from 32 to 512; 0 is the records'
    config.model.base_filters = 64  # of the generator
    config.model.upsampling = "fast"  # "fast", "plain" or "deconvolution"
    config.model.upsampling_kernel = 3
    config.model.normalization = "instance"  # "instance", "batch" or "none"
    config.model.dropout = 0.5  # rate at the three innermost decoder levels
    config.model.global_noise = 0  # channels tiled over the map
    config.model.lesion_noise = 0  # how many of them, the last, are zero around the boxes
    config.model.pixel_noise = 0  # channels per pixel beside the map
    config.model.level_noise = 0  # channels per pixel at each decoder level
    config.model.map_encoding = "rgb"  # "rgb" or "embedding"
    config.model.modulation = 0  # length of the decoder's style vectors; 0 is off
    # Side of the largest skip connection, 512 is all; 0 is a quarter of image_size.
    config.model.largest_skip = 512
    # Resolution of the boxes that modulation sees; 0 is a quarter of image_size.
    config.model.roi_side = 0
    config.model.output_filters = 0  # of a last level at full size; 0 is off
    config.model.activation_limit = 0.0  # of the decoder, after normalization; 0 is none
    config.model.ema_decay = 0.999  # per step

    config.encoder = ml_collections.ConfigDict()
    config.encoder.base_filters = 0  # of the first convolution; 0 is no encoder

    config.discriminator = ml_collections.ConfigDict()
    config.discriminator.base_filters = 64
    config.discriminator.downsamplings = 3  # stride-2 convolutions; 3 is 70x70
    # Discriminators, each at half the resolution; 0 are as many as it takes for the coarsest
    # to see the whole picture, at 16x16.
    config.discriminator.scales = 1
    config.discriminator.normalization = "instance"
    config.discriminator.spectral_norm = False
    config.discriminator.features = "convolution"  # or "activation"
    config.discriminator.map_encoding = "rgb"
    config.discriminator.initialization = "normal"  # N(0, 0.02), or "he"
    config.discriminator.detail = 0.0  # gain of the image without its local mean; 0 is off
    # Moves what is shown, as often as it takes that logits of photographs have this mean sign;
    # 0 is off, 0.6 aims for 8 patches of 10.
    config.discriminator.moves = 0.0
    config.discriminator.moves_images = 100_000  # from never to always, at the fastest

    # Weights; a loss that is not named here is off.
    config.loss = ml_collections.ConfigDict(dict.fromkeys(losses.NAMES, 0.0))
    config.loss.gan = 1.0
    config.loss.l1 = 100.0
    config.loss.roi = 100.0
    config.loss.feature_matching = 10.0
    config.loss.roi_gan = 0.0  # above 0 adds the ROI discriminator
    config.loss.adversarial = "non_saturating"  # or "least_squares"

    config.optimizer = ml_collections.ConfigDict()
    config.optimizer.generator_learning_rate = 2e-4
    config.optimizer.discriminator_learning_rate = 2e-4
    config.optimizer.beta_1 = 0.5
    config.optimizer.beta_2 = 0.999
    config.optimizer.decay_start = 0.5  # share of the steps before linear decay to 0

    config.training = ml_collections.ConfigDict()
    config.training.batch_size = 1  # over all replicas
    config.training.epochs = 200
    config.training.steps = 0  # above 0 replaces epochs
    config.training.precision = "auto"  # or float32, mixed_bfloat16, mixed_float16
    config.training.xla = False
    config.training.log_every = 100  # steps
    config.training.checkpoint_every = 5000  # steps
    config.training.keep_checkpoints = 3
    config.training.sample_every = 5000  # steps
    config.training.num_samples = 24  # examples in a grid
    return config
