"""The discriminator: pix2pix's 70x70 PatchGAN on a semantic map and an image.

Isola et al. 2017, section 6.1.2: C64 (without normalization), C128, C256 with
stride 2, C512 and C1 with stride 1, all 4x4. It is fully convolutional, as the
paper asks, and also returns what feature matching compares. Deviations, all
optional: a learned reading of the map's codes, an amplified copy of fine texture,
fewer halvings, other normalizations and initial weights.
"""

import dataclasses
from typing import Tuple

import tensorflow as tf

from model import layers

FEATURES = ("convolution", "activation")
# Skin varies by a tenth or two of [-1, 1]. Beside vectors of length 1 a discriminator
# takes three times as many steps to tell a blur from a photograph.
_EMBEDDING_STDDEV = 0.1


@dataclasses.dataclass(frozen=True)
class DiscriminatorConfig:
    """Architecture of the discriminator.

    Attributes:
      base_filters: channels of the first convolution; 64 in pix2pix.
      downsamplings: stride-2 convolutions; 3 gives 70x70 patches.
      normalization: "instance", "batch" or "none".
      spectral_norm: spectral normalization of every convolution.
      features: where feature matching looks: "convolution", the output of the
        second-to-last convolution (the paper's text), or "activation", the same
        after normalization and activation (its Figure 3).
      map_encoding: "rgb" (the paper) or "embedding".
      detail: gain of a copy of the image without its local mean (3x3), shown beside
        the image; 0, as in the paper, shows none. Skin varies by a tenth or two of
        [-1, 1] around its tone, fine texture by hundredths: without the copy, the
        first filters answer to the tone and the discriminator is slow to see blur.
      initialization: of the convolutions, "normal" (pix2pix) or "he".
      num_skin_types: known skin types, which maps may name.
      num_conditions: that maps may name.
      synchronized: batch statistics over all replicas.
    """

    base_filters: int = 64
    downsamplings: int = 3
    normalization: str = "instance"
    spectral_norm: bool = False
    features: str = "convolution"
    map_encoding: str = "rgb"
    detail: float = 0.0
    initialization: str = "normal"
    num_skin_types: int = 6
    num_conditions: int = 27
    synchronized: bool = False

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
    """Builds the network.

    Args:
      config: the architecture.
      image_size: rows and columns of the images.
      dtype: Keras dtype policy.
      name: of the model.

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
    policy = tf.keras.mixed_precision.Policy(dtype)
    semantic_map = tf.keras.Input((image_size, image_size, 3), name="map")
    image = tf.keras.Input((image_size, image_size, 3), name="image")

    x = semantic_map
    if config.map_encoding == "embedding":
        x = layers.MapEmbedding(
            stddev=_EMBEDDING_STDDEV,
            num_skin_types=config.num_skin_types,
            num_conditions=config.num_conditions,
            name="map_embedding",
            dtype=policy,
        )(x)
    beside = [x, image]
    if config.detail:
        beside.append(_detail(image, config.detail))
    x = tf.keras.layers.Concatenate(name="input", dtype=policy)(beside)
    for index in range(config.downsamplings):
        _, x = _block(config, policy, x, index)
    # The second-to-last convolution is what feature matching compares.
    convolved, x = _block(config, policy, x, config.downsamplings)
    features = convolved if config.features == "convolution" else x

    x = tf.keras.layers.ZeroPadding2D(name="logits_padding", dtype=policy)(x)
    x = layers.convolution(
        1,
        strides=1,
        padding="valid",
        use_bias=True,
        spectral_norm=config.spectral_norm,
        initialization=config.initialization,
        name="patch_logits",
        dtype=policy,
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
    policy: tf.keras.mixed_precision.Policy,
    x: tf.Tensor,
    index: int,
) -> Tuple[tf.Tensor, tf.Tensor]:
    """A convolution, by stride 2 but for the last; its output before and after activation."""
    name = f"block_{index + 1}"
    halves = index < config.downsamplings
    if not halves:
        x = tf.keras.layers.ZeroPadding2D(name=f"{name}_padding", dtype=policy)(x)
    convolved = x = layers.convolution(
        config.base_filters * min(2**index, 8),
        strides=2 if halves else 1,
        padding="same" if halves else "valid",
        use_bias=index == 0 or config.normalization == "none",
        spectral_norm=config.spectral_norm,
        initialization=config.initialization,
        name=name,
        dtype=policy,
    )(x)
    if index > 0:
        x = layers.normalization(
            config.normalization, config.synchronized, name=f"{name}_norm", dtype=policy
        )(x)
    activated = tf.keras.layers.LeakyReLU(0.2, name=f"{name}_activation", dtype=policy)(x)
    return convolved, activated
