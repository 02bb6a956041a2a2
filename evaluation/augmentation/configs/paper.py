"""MobileNet V1 at 224x224, as far as the paper describes its classifier.

bazel run //evaluation:augmentation -- --config=paper --run_dir=R --weights=imagenet

Paper, section 3: MobileNet on uncropped photographs, 27 classes, with and without
20,000 synthetic images; "flips, saturation and jitter" in both. It names neither
optimizer nor length of training: those here are ours. 50,000 steps of 64 images for
each arm and seed are some hours on one GPU.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """Returns the configuration."""
    config = ml_collections.ConfigDict()
    config.name = "paper"

    config.data = ml_collections.ConfigDict()
    # Share of a batch that is synthetic in the arm real+synthetic; 0 is that of all
    # images, as where synthetic ones are simply added.
    config.data.synthetic_share = 0.0
    # "full" is uncropped photographs, as in the paper; "crops" those that the generator
    # learns from, so that photographs and generated images show the same field.
    config.data.view = "full"
    # Photographs of each condition to train on, other ones for each seed; 0 is all.
    config.data.photographs = 0

    config.model = ml_collections.ConfigDict()
    config.model.input_size = 224  # pixels, square
    config.model.alpha = 1.0  # MobileNet's width
    config.model.dropout = 0.1  # before the last layer
    # Of the moving statistics. Keras' 0.99 is for long trainings: through 27 layers in a row
    # the network at test lags hundreds of steps behind the one that is trained.
    config.model.batch_norm_momentum = 0.9

    config.augmentation = ml_collections.ConfigDict()  # of every arm alike
    config.augmentation.flip_horizontal = True
    config.augmentation.flip_vertical = True
    config.augmentation.crop = 0.7  # least share of the sides that a crop keeps; 1 is off
    config.augmentation.saturation = 0.2  # factors from 1 - x to 1 + x
    config.augmentation.contrast = 0.2
    config.augmentation.brightness = 0.1  # added, of the range
    config.augmentation.rotation = 0.0  # degrees at most, either way
    config.augmentation.erase = 0.0  # largest share of the sides of a box that is greyed out

    config.strong_augmentation = ml_collections.ConfigDict()  # of the arm real+strong_jitter
    config.strong_augmentation.flip_horizontal = True
    config.strong_augmentation.flip_vertical = True
    config.strong_augmentation.crop = 0.5
    config.strong_augmentation.saturation = 0.5
    config.strong_augmentation.contrast = 0.5
    config.strong_augmentation.brightness = 0.2
    config.strong_augmentation.rotation = 180.0
    config.strong_augmentation.erase = 0.4

    config.training = ml_collections.ConfigDict()
    config.training.steps = 50_000  # of each arm at most
    config.training.batch_size = 64
    config.training.learning_rate = 1e-3  # Adam, cosine decay to 0 over the steps
    config.training.validate_every = 1000  # steps
    config.training.patience = 10  # validations without improvement; 0 never stops
    config.training.monitor = "loss"  # or "accuracy": which validation picks the weights
    config.training.precision = "auto"  # or float32, mixed_bfloat16, mixed_float16
    return config
