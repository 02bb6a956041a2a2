"""The discriminator: pix2pix's 70x70 PatchGAN on a semantic map and an image.

Isola et al. 2017, section 6.1.2: C64 (without normalization), C128, C256 with
stride 2, C512 and C1 with stride 1, all 4x4. It is fully convolutional, as the
paper asks, and also returns what feature matching compares. Deviations, all
optional: a learned reading of the map's codes, an amplified copy of fine texture,
fewer halvings, other normalizations and initial weights.
"""

import dataclasses
from typing import NamedTuple, Sequence

import tensorflow as tf

from model import layers

FEATURES = ("convolution", "activation")
# Skin varies by a tenth or two of [-1, 1]. Beside vectors of length 1 a discriminator
# takes three times as many steps to tell a blur from a photograph.
_EMBEDDING_STDDEV = 0.1


@dataclasses.dataclass(frozen=True)
class DiscriminatorConfig:
    """Architecture of the discriminator; the defaults are the paper's."""

    base_filters: int = 64  # channels of the first convolution; 64 in pix2pix
    downsamplings: int = 3  # stride-2 convolutions; 3 gives 70x70 patches
    normalization: str = "instance"  # or "batch" or "none"
    spectral_norm: bool = False  # of every convolution
    # Where feature matching looks: "convolution", the output of the second-to-last one (the
    # paper's text), or "activation", the same after normalization and activation (its Figure 3).
    features: str = "convolution"
    map_encoding: str = "rgb"  # or "embedding"
    # Gain of a copy of the image without its local mean (3x3), shown beside the image; 0 shows
    # none. Skin varies by a tenth or two of [-1, 1] around its tone, fine texture by
    # hundredths: without the copy, the first filters answer to the tone and the discriminator
    # is slow to see blur.
    detail: float = 0.0
    initialization: str = "normal"  # of the convolutions, pix2pix's, or "he"
    synchronized: bool = False  # batch statistics over all replicas
    num_conditions: int = 27  # that maps may name

    def __post_init__(self) -> None:
        if self.features not in FEATURES:
            raise ValueError(f"features {self.features!r} is not one of {', '.join(FEATURES)}")
        layers.check_map_encoding(self.map_encoding)
        layers.initializer(self.initialization)  # raises on an unknown one
        if self.detail < 0:
            raise ValueError(f"detail {self.detail} is negative; 0 is off")


def build_discriminator(
    config: DiscriminatorConfig,
    image_size: int,
    dtype: str = "float32",
    name: str = "discriminator",
) -> tf.keras.Model:
    """Builds one network, of a Keras dtype policy.

    Returns:
      A model from (map, image), each float32 [B, S, S, 3] in [-1, 1], to
      (logits float32 [B, h, w, 1], features [B, h', w', C]); 30x30 logits for
      256. Positive logits mean real.

    Raises:
      ValueError: images so small that no patch is left.
    """
    if image_size >> config.downsamplings < 3:
        raise ValueError(
            f"images of {image_size}x{image_size} are too small for a discriminator of "
            f"{config.downsamplings} downsamplings; use fewer of them, or fewer scales"
        )
    semantic_map = tf.keras.Input((image_size, image_size, 3), name="map")
    image = tf.keras.Input((image_size, image_size, 3), name="image")

    x = semantic_map
    if config.map_encoding == "embedding":
        x = layers.MapEmbedding(
            stddev=_EMBEDDING_STDDEV,
            num_conditions=config.num_conditions,
            name="map_embedding",
            dtype=dtype,
        )(x)
    beside = [x, image]
    if config.detail:
        beside.append(_detail(image, config.detail))
    x = tf.keras.layers.Concatenate(name="input", dtype=dtype)(beside)
    for index in range(config.downsamplings):
        _, x = _block(config, dtype, x, index)
    # The second-to-last convolution is what feature matching compares.
    convolved, x = _block(config, dtype, x, config.downsamplings)
    features = convolved if config.features == "convolution" else x

    x = tf.keras.layers.ZeroPadding2D(name="logits_padding", dtype=dtype)(x)
    x = layers.convolution(
        1,
        strides=1,
        padding="valid",
        use_bias=True,
        spectral_norm=config.spectral_norm,
        initialization=config.initialization,
        name="patch_logits",
        dtype=dtype,
    )(x)
    logits = tf.keras.layers.Activation("linear", name="logits", dtype="float32")(x)
    return tf.keras.Model([semantic_map, image], [logits, features], name=name)


def _detail(image: tf.Tensor, gain: float) -> tf.Tensor:
    """The image without its local mean, amplified."""
    # In float32: near a tone, bfloat16 would round some per cent of the texture away.
    mean = tf.keras.layers.AveragePooling2D(3, 1, "same", name="local_mean", dtype="float32")(image)
    texture = tf.keras.layers.Subtract(name="texture", dtype="float32")([image, mean])
    return tf.keras.layers.Rescaling(gain, name="detail", dtype="float32")(texture)


def _block(
    config: DiscriminatorConfig,
    dtype: str,
    x: tf.Tensor,
    index: int,
) -> tuple[tf.Tensor, tf.Tensor]:
    """A convolution, by stride 2 but for the last; its output before and after activation."""
    name = f"block_{index + 1}"
    halves = index < config.downsamplings
    if not halves:
        x = tf.keras.layers.ZeroPadding2D(name=f"{name}_padding", dtype=dtype)(x)
    convolved = x = layers.convolution(
        config.base_filters * min(2**index, 8),
        strides=2 if halves else 1,
        padding="same" if halves else "valid",
        use_bias=index == 0 or config.normalization == "none",
        spectral_norm=config.spectral_norm,
        initialization=config.initialization,
        name=name,
        dtype=dtype,
    )(x)
    if index > 0:
        x = layers.normalization(
            config.normalization, config.synchronized, name=f"{name}_norm", dtype=dtype
        )(x)
    activated = tf.keras.layers.LeakyReLU(0.2, name=f"{name}_activation", dtype=dtype)(x)
    return convolved, activated


def build_discriminators(
    config: DiscriminatorConfig, image_size: int, scales: int = 1, dtype: str = "float32"
) -> list[tf.keras.Model]:
    """Builds a discriminator per scale, the finest first.

    Each sees half the resolution of the one before (Wang et al. 2018): a fine one sees
    texture, a coarse one shape.

    Raises:
      ValueError: no scale at all, or one too small for the architecture.
    """
    if scales < 1:
        raise ValueError(f"discriminator scales {scales} is not positive")
    return [
        build_discriminator(
            config,
            image_size >> scale,
            dtype,
            name=f"discriminator_{image_size >> scale}" if scale else "discriminator",
        )
        for scale in range(scales)
    ]


class Judgement(NamedTuple):
    """One discriminator's word on a batch of photographs and of generated images."""

    real_logits: tf.Tensor  # float32 [B, h, w, 1]; positive means real
    real_features: tf.Tensor  # float [B, h', w', C], for feature matching
    fake_logits: tf.Tensor
    fake_features: tf.Tensor


def judge(
    networks: Sequence[tf.keras.Model],
    semantic_map: tf.Tensor,
    image: tf.Tensor,
    generated: tf.Tensor,
    training: bool,
) -> list[Judgement]:
    """Shows images to discriminators, to each at half the resolution of the one before.

    Args:
      networks: from `build_discriminators`.
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
