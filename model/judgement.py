"""What discriminators say of images, and the losses of it."""

from typing import Callable, Dict, List, NamedTuple, Sequence

import tensorflow as tf

from model import losses


class Judgement(NamedTuple):
    """One discriminator's word on a batch of photographs and of generated images.

    Attributes:
      real_logits: float32 [B, h, w, 1]; positive means real.
      real_features: float [B, h', w', C], for feature matching.
      fake_logits: as `real_logits`.
      fake_features: as `real_features`.
    """

    real_logits: tf.Tensor
    real_features: tf.Tensor
    fake_logits: tf.Tensor
    fake_features: tf.Tensor


def judge(
    networks: Sequence[tf.keras.Model],
    semantic_map: tf.Tensor,
    image: tf.Tensor,
    generated: tf.Tensor,
    training: bool,
) -> List[Judgement]:
    """Shows images to discriminators, to each at half the resolution of the one before.

    Args:
      networks: from `build_discriminator`, the finest first; network i for images of
        S / 2^i.
      semantic_map: float32 [B, S, S, 3] in [-1, 1]; its codes are picked, not averaged.
      image: float32 [B, S, S, 3] in [-1, 1], photographs.
      generated: float32 [B, S, S, 3] in [-1, 1], generated images.
      training: whether normalization uses the statistics of the batch.

    Returns:
      One judgement per network.
    """
    judgements = []
    for index, network in enumerate(networks):
        if index:
            semantic_map = semantic_map[:, ::2, ::2]
            image, generated = (
                tf.nn.avg_pool2d(each, 2, 2, "VALID") for each in (image, generated)
            )
        # In passes of their own: with batch statistics over both, training ended in
        # coloured noise (docs/results/image_quality.md).
        real = network([semantic_map, image], training=training)
        fake = network([semantic_map, generated], training=training)
        judgements.append(Judgement(*real, *fake))
    return judgements


def adversarial_values(
    judgements: Sequence[Judgement],
    generator_loss: Callable[[tf.Tensor], tf.Tensor],
    discriminator_loss: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
) -> Dict[str, tf.Tensor]:
    """Returns the losses of judgements, float32 scalars, each the mean over the networks.

    Args:
      judgements: from `judge`.
      generator_loss: of the logits of generated images.
      discriminator_loss: of the logits of photographs and of generated images.

    Returns:
      `gan`, `discriminator` and `feature_matching`.
    """
    # pix2pix halves the discriminator's loss to slow it relative to the generator.
    values = [
        (
            generator_loss(one.fake_logits),
            0.5 * discriminator_loss(one.real_logits, one.fake_logits),
            losses.feature_matching_loss(one.real_features, one.fake_features),
        )
        for one in judgements
    ]
    names = ("gan", "discriminator", "feature_matching")
    return {name: tf.add_n(each) / len(values) for name, each in zip(names, zip(*values))}
