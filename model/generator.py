"""The generator: a U-Net from a semantic map (and noise) to a photograph.

pix2pix's U-Net (Isola et al. 2017, section 6.1) with every deconvolution
replaced by a resize-convolution (paper, section 2). Deviations, all optional:
input noise, a learned reading of the map's codes, styles by region, fewer skip
connections, a last level at full size, batch instead of instance normalization,
sizes from 32 to 512.

All randomness enters through explicit inputs: the network is a deterministic
function, so an image can be repeated from its map and seed, training resumes
exactly, and variation at inference needs no special mode.
"""

import dataclasses
from typing import Optional

import tensorflow as tf

from model import layers, modulation
from preprocessing.data.maps import IMAGE_SIZES

MAX_FILTERS_FACTOR = 8  # C64-C128-C256-C512-C512-...


@dataclasses.dataclass(frozen=True)
class GeneratorConfig:
    """Architecture of the generator; the defaults are the paper's."""

    image_size: int = 256  # rows and columns, a power of two from 32 to 512
    base_filters: int = 64  # channels of the outermost level; 64 in pix2pix
    upsampling: str = "fast"  # or "plain", the same function, or "deconvolution"
    upsampling_kernel: int = 3  # side of the decoder's kernels
    normalization: str = "instance"  # or "batch" or "none"
    dropout: float = 0.5  # rate at the three innermost decoder levels; 0.5 in pix2pix
    global_noise: int = 0  # channels of one noise vector tiled over the map
    lesion_noise: int = 0  # how many of them, the last, are zero around the boxes
    pixel_noise: int = 0  # channels of per-pixel noise beside the map
    level_noise: int = 0  # channels of per-pixel noise at every decoder level
    map_encoding: str = "rgb"  # or "embedding"
    # Length of the style vectors, read from the map's codes and the global noise, that
    # scale and shift the decoder's levels; 0 is none.
    modulation: int = 0
    # Side of the largest encoder activations that the decoder sees; 0 is all. With few of
    # them and a coarse `roi_side` the boxes' sharp edges cannot be copied into the picture.
    largest_skip: int = 0
    roi_side: int = 0  # resolution of the boxes that modulation sees; 0 is full
    # Channels of a last level at full size, before a 3x3 convolution to colours; 0 ends with
    # the last upsampling, which draws a pixel out of activations of half the resolution.
    output_filters: int = 0
    # Largest magnitude of the decoder's activations after their normalization; 0 is none.
    activation_limit: float = 0.0
    synchronized: bool = False  # batch statistics over all replicas
    num_conditions: int = 27  # that maps may name

    def __post_init__(self) -> None:
        if self.image_size not in IMAGE_SIZES:
            raise ValueError(f"image_size {self.image_size} is not one of {IMAGE_SIZES}")
        layers.check_map_encoding(self.map_encoding)
        for name in (
            "modulation",
            "largest_skip",
            "roi_side",
            "output_filters",
            "activation_limit",
        ):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} {getattr(self, name)} is negative")
        if not 0 <= self.lesion_noise <= self.global_noise:
            raise ValueError(
                f"lesion_noise {self.lesion_noise} is not in 0..{self.global_noise}, the "
                "global_noise that it is a part of"
            )
        if self.roi_side and not self.modulation:
            raise ValueError(f"roi_side {self.roi_side} is for modulation, which is off")
        if self.roi_side and self.image_size % self.roi_side:
            raise ValueError(f"roi_side {self.roi_side} does not divide {self.image_size}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} is not in [0, 1)")

    @property
    def levels(self) -> int:
        """Number of halvings, down to 1x1: 8 for 256."""
        return self.image_size.bit_length() - 1

    @property
    def decoder_levels(self) -> range:
        """Levels from the innermost to the outermost, 0 if there is one at full size."""
        return range(self.levels - 1, -1 if self.output_filters else 0, -1)

    def filters(self, level: int) -> int:
        """Channels of the encoder after `level` halvings (1 is the outermost)."""
        return self.base_filters * min(2 ** (level - 1), MAX_FILTERS_FACTOR)

    def dropout_levels(self) -> list[int]:
        """The decoder levels with dropout: the three innermost of full width."""
        if not self.dropout:
            return []
        full = self.base_filters * MAX_FILTERS_FACTOR
        inner = range(self.levels - 1, max(self.levels - 4, 0), -1)
        return [level for level in inner if self.filters(level) == full]


def noise_shapes(config: GeneratorConfig) -> dict[str, tuple[int, ...]]:
    """Returns the shapes, without batch, of the generator's noise inputs by name.

    Empty for the paper's form without dropout.
    """
    size = config.image_size
    shapes: dict[str, tuple[int, ...]] = {}
    if config.global_noise:
        shapes["global_noise"] = (config.global_noise,)
    if config.pixel_noise:
        shapes["pixel_noise"] = (size, size, config.pixel_noise)
    for level in config.decoder_levels:
        side = size >> level
        if config.level_noise:
            shapes[f"level_noise_{side}"] = (side, side, config.level_noise)
        if level in config.dropout_levels():
            shapes[f"dropout_{side}"] = (side, side, config.filters(level))
    return shapes


def noise_inputs(generator: tf.keras.Model) -> dict[str, tuple[tuple[int, ...], str]]:
    """Returns what noise a generator takes, in the order of `noise_shapes`.

    Args:
      generator: from `build_generator`, or loaded by Keras.

    Returns:
      By input name, the shape without batch and the distribution, "normal"
      (standard) or "uniform" (in [0, 1)).
    """
    return {
        name: (shape[1:], "uniform" if name.startswith("dropout") else "normal")
        for name, shape in generator.input_shape.items()
        if name != "map"
    }


def build_generator(config: GeneratorConfig, dtype: str = "float32") -> tf.keras.Model:
    """Builds the network.

    Args:
      config: the architecture.
      dtype: Keras dtype policy, e.g. "float32" or "mixed_bfloat16".

    Returns:
      A model from a dictionary, `map` float32 [B, S, S, 3] in [-1, 1] and the
      inputs of `noise_shapes`, to float32 [B, S, S, 3] in [-1, 1].
    """
    size = config.image_size
    inputs = {"map": tf.keras.Input((size, size, 3), name="map")}
    for name, shape in noise_shapes(config).items():
        inputs[name] = tf.keras.Input(shape, name=name)
    parts = _Parts(config, dtype)
    skips = parts.encode(parts.read(inputs))
    image = parts.colour(parts.decode(skips, inputs))
    return tf.keras.Model(inputs, image, name="generator")


@dataclasses.dataclass(frozen=True)
class _Parts:
    """The network's parts, each from activations to activations, in the order of use."""

    config: GeneratorConfig
    dtype: str

    def read(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """The map, with the noise beside it."""
        x = inputs["map"]
        if self.config.map_encoding == "embedding":
            x = layers.MapEmbedding(
                num_conditions=self.config.num_conditions,
                name="map_embedding",
                dtype=self.dtype,
            )(x)
        beside = [x]
        if self.config.global_noise:
            tiled = modulation.TiledNoise(
                self.config.lesion_noise, name="tiled_noise", dtype=self.dtype
            )
            beside.append(tiled([inputs["map"], inputs["global_noise"]]))
        if self.config.pixel_noise:
            beside.append(inputs["pixel_noise"])
        return self._concatenate(beside, "input")

    def encode(self, x: tf.Tensor) -> list[tf.Tensor]:
        """Activations after each halving, outermost first, before their non-linearity."""
        skips = []
        for level in range(1, self.config.levels + 1):
            name = f"encoder_{level}"
            if level > 1:
                x = tf.keras.layers.LeakyReLU(0.2, name=f"{name}_activation", dtype=self.dtype)(x)
            plain = level in (1, self.config.levels)
            x = layers.convolution(
                self.config.filters(level), 2, use_bias=plain, name=name, dtype=self.dtype
            )(x)
            if not plain:
                x = self._normalize(x, name)
            skips.append(x)
        return skips

    def decode(self, skips: list[tf.Tensor], inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """Activations after the last of the decoder's levels."""
        config = self.config
        styles, roi = self._styles(inputs)
        x = skips[-1]
        for level in config.decoder_levels:
            name, side = f"decoder_{level}", config.image_size >> level
            x = tf.keras.layers.ReLU(name=f"{name}_activation", dtype=self.dtype)(x)
            x = self._upsample(
                x,
                config.filters(level) if level else config.output_filters,
                name,
                use_bias=config.normalization == "none",
            )
            x = self._normalize(x, name)
            if config.activation_limit:
                x = layers.Limit(config.activation_limit, name=f"{name}_limit", dtype=self.dtype)(x)
            if styles is not None:
                x = modulation.Modulation(name=f"{name}_modulation", dtype=self.dtype)(
                    [x, styles, roi]
                )
            if level in config.dropout_levels():
                x = layers.Dropout(config.dropout, name=f"{name}_dropout", dtype=self.dtype)(
                    [x, inputs[f"dropout_{side}"]]
                )
            beside = [x]
            if level and (not config.largest_skip or side <= config.largest_skip):
                beside.append(skips[level - 1])
            if config.level_noise:
                beside.append(inputs[f"level_noise_{side}"])
            x = self._concatenate(beside, f"{name}_skip")
        return x

    def colour(self, x: tf.Tensor) -> tf.Tensor:
        """The image, float32 in [-1, 1]."""
        x = tf.keras.layers.ReLU(name="output_activation", dtype=self.dtype)(x)
        if self.config.output_filters:
            x = layers.convolution(3, 1, 3, use_bias=True, name="output", dtype=self.dtype)(x)
        else:
            x = self._upsample(x, 3, "output", use_bias=True)
        return tf.keras.layers.Activation("tanh", name="image", dtype="float32")(x)

    def _styles(
        self, inputs: dict[str, tf.Tensor]
    ) -> tuple[Optional[tf.Tensor], Optional[tf.Tensor]]:
        """Style vectors and the boxes that they are for; None if there is no modulation."""
        if not self.config.modulation:
            return None, None
        noise = [inputs["global_noise"]] if self.config.global_noise else []
        return modulation.MapStyles(
            self.config.modulation,
            self.config.roi_side,
            num_conditions=self.config.num_conditions,
            lesion_noise=self.config.lesion_noise,
            name="styles",
            dtype=self.dtype,
        )([inputs["map"], *noise])

    def _upsample(self, x: tf.Tensor, filters: int, name: str, use_bias: bool) -> tf.Tensor:
        return layers.upsample(
            filters,
            self.config.upsampling_kernel,
            self.config.upsampling,
            use_bias=use_bias,
            name=name,
            dtype=self.dtype,
        )(x)

    def _normalize(self, x: tf.Tensor, name: str) -> tf.Tensor:
        # At 1x1, statistics over the image (or a batch of one) erase the signal.
        if x.shape[1] == 1:
            return x
        return layers.normalization(
            self.config.normalization,
            self.config.synchronized,
            name=f"{name}_norm",
            dtype=self.dtype,
        )(x)

    def _concatenate(self, beside: list[tf.Tensor], name: str) -> tf.Tensor:
        if len(beside) == 1:
            return beside[0]
        return tf.keras.layers.Concatenate(name=name, dtype=self.dtype)(beside)
