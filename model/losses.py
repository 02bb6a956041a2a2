"""DermGAN's four losses, as pure functions.

The only module of the model that uses tensorflow-gan.

Paper, section 2: reconstruction, condition-specific reconstruction, min-max GAN
and feature matching. Each function returns a float32 scalar, the mean over the
batch it is given.
"""

from typing import Callable, Tuple

import tensorflow as tf
import tensorflow_gan as tfgan

ADVERSARIAL_LOSSES = ("non_saturating", "least_squares")

# tf-gan's functions also file each loss in a TF1 graph collection; none is used.
_NO_COLLECTION = {"loss_collection": None}


def non_saturating_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """-log sigmoid(D(G(m))): Goodfellow et al. 2014, the usual form of min-max.

    Args:
      fake_logits: float32 [B, h, w, 1], unbounded; positive means "real".
    """
    return tfgan.losses.wargs.modified_generator_loss(fake_logits, **_NO_COLLECTION)


def non_saturating_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """-log sigmoid(D(x)) - log(1 - sigmoid(D(G(m)))): Goodfellow et al. 2014.

    Args:
      real_logits: float32 [B, h, w, 1], unbounded; positive means "real".
      fake_logits: the same of generated images.
    """
    return tfgan.losses.wargs.modified_discriminator_loss(
        real_logits, fake_logits, label_smoothing=0.0, **_NO_COLLECTION
    )


def least_squares_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """1/2 (D(G(m)) - 1)^2: Mao et al. 2017.

    Args:
      fake_logits: float32 [B, h, w, 1], unbounded.
    """
    return tfgan.losses.wargs.least_squares_generator_loss(fake_logits, **_NO_COLLECTION)


def least_squares_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """1/2 (D(x) - 1)^2 + 1/2 D(G(m))^2: Mao et al. 2017.

    Args:
      real_logits: float32 [B, h, w, 1], unbounded.
      fake_logits: the same of generated images.
    """
    return tfgan.losses.wargs.least_squares_discriminator_loss(
        real_logits, fake_logits, **_NO_COLLECTION
    )


def adversarial_losses(kind: str) -> Tuple[Callable, Callable]:
    """Returns the generator's and the discriminator's loss of a kind.

    Raises:
      ValueError: unknown kind.
    """
    if kind == "non_saturating":
        return non_saturating_generator_loss, non_saturating_discriminator_loss
    if kind == "least_squares":
        return least_squares_generator_loss, least_squares_discriminator_loss
    raise ValueError(f"adversarial loss {kind!r} is not one of {', '.join(ADVERSARIAL_LOSSES)}")


def reconstruction_loss(image: tf.Tensor, generated: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference over the whole image (l1).

    Args:
      image: float32 [B, H, W, 3] in [-1, 1], the photograph.
      generated: the same, generated from its map.
    """
    return tf.reduce_mean(tf.abs(image - generated))


def roi_reconstruction_loss(image: tf.Tensor, generated: tf.Tensor, roi: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference inside the ROI boxes (l1).

    Each example is normalized by the area of its own ROI, so that small lesions
    weigh as much as large ones; an example without ROI counts as zero.

    Args:
      image: float32 [B, H, W, 3] in [-1, 1], the photograph.
      generated: the same, generated from its map.
      roi: bool or float [B, H, W], true inside the boxes.
    """
    weight = tf.cast(roi, tf.float32)
    difference = tf.reduce_mean(tf.abs(image - generated), axis=-1)
    area = tf.reduce_sum(weight, axis=[1, 2])
    inside = tf.reduce_sum(difference * weight, axis=[1, 2])
    return tf.reduce_mean(tf.math.divide_no_nan(inside, area))


def feature_matching_loss(real_features: tf.Tensor, fake_features: tf.Tensor) -> tf.Tensor:
    """Mean squared difference of discriminator activations (l2).

    Paper, section 2: "the l2 distance between the activations of synthetic
    images in a chosen discriminator layer and that of the real images", as in
    pix2pixHD per example and place. The real side is detached.

    Args:
      real_features: [B, h, w, C] of the photographs.
      fake_features: the same of the images generated from their maps.
    """
    real = tf.stop_gradient(tf.cast(real_features, tf.float32))
    return tf.reduce_mean(tf.math.squared_difference(real, tf.cast(fake_features, tf.float32)))
