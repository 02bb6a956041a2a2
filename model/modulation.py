"""Scales and shifts of the decoder's channels, by region.

A box says the same of every pixel in it. What differs between images of one map is a
matter of the whole picture (tone, colour and kind of the lesion) or of noise; the first
is drawn here once per image, for the skin around the boxes and for their inside, and
told to every level of the decoder (Huang & Belongie 2017, by region as in Zhu et al.
2020).
"""

from typing import Any

import tensorflow as tf

from model import layers
from preprocessing.data import maps


@layers.serializable
class MapStyles(tf.keras.layers.Layer):
    """Turns a map's codes and noise into a style vector per region.

    Inputs: map float [B, H, W, 3] in [-1, 1] and, where there is one, the global noise
    [B, N]. Outputs: styles [B, 2, units], around the boxes and inside, and the ROI
    [B, h, w, 1], 0..1, averaged down to `roi_side`, if that is not 0. Both regions
    share skin type (zeros where it is unknown) and noise, but for its last `lesion_noise`
    values, which are zero around the boxes. Computed in float32 whatever the policy.
    """

    def __init__(
        self,
        units: int,
        roi_side: int = 0,
        num_skin_types: int = 6,
        num_conditions: int = 27,
        lesion_noise: int = 0,
        **kwargs: Any,
    ):
        super().__init__(autocast=False, **kwargs)
        self.lesion_noise = lesion_noise
        self.num_skin_types = num_skin_types
        self.num_conditions = num_conditions
        self.units = units
        self.roi_side = roi_side
        self.hidden = tf.keras.layers.Dense(units, dtype="float32")
        self.styles = tf.keras.layers.Dense(units, dtype="float32")

    def build(self, input_shape: Any) -> None:
        """Makes a standard normal vector for each skin type and condition."""
        for name, number in (
            ("skin_types", self.num_skin_types),
            ("conditions", self.num_conditions),
        ):
            normal = tf.keras.initializers.RandomNormal(stddev=1.0)
            shape = (number, self.units)
            vectors = self.add_weight(name, shape, "float32", normal, experimental_autocast=False)
            setattr(self, name, vectors)
        super().build(input_shape)

    def call(self, inputs: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Maps (map, noise) to (styles, ROI)."""
        semantic_map, *noise = inputs
        skin_type, condition, roi = maps.decode_batch(semantic_map)
        around = layers.look_up(self.skin_types, skin_type - 1)
        inside = around + layers.look_up(self.conditions, condition)
        regions = tf.stack([around, inside], axis=1)
        for one in noise:
            masks = tf.constant(
                [_of_skin(one.shape[-1], self.lesion_noise), _of_skin(one.shape[-1], 0)]
            )
            regions = tf.concat([regions, tf.cast(one, tf.float32)[:, None] * masks], axis=-1)
        hidden = tf.nn.leaky_relu(self.hidden(regions), 0.2)
        styles = tf.nn.leaky_relu(self.styles(hidden), 0.2)
        roi = tf.cast(roi, self.compute_dtype)[..., None]
        return tf.cast(styles, self.compute_dtype), _resized(roi, self.roi_side or roi.shape[1])

    def get_config(self) -> dict[str, Any]:  # noqa: D102
        return {
            **super().get_config(),
            "units": self.units,
            "roi_side": self.roi_side,
            "num_skin_types": self.num_skin_types,
            "num_conditions": self.num_conditions,
            "lesion_noise": self.lesion_noise,
        }


def _of_skin(size: int, lesion_noise: int) -> list[float]:
    """Returns 1 for the values of global noise that skin around the boxes sees, else 0."""
    return [1.0] * (size - lesion_noise) + [0.0] * lesion_noise


@layers.serializable
class TiledNoise(tf.keras.layers.Layer):
    """Lays the global noise on every pixel, its last `lesion_noise` values inside the boxes alone.

    Inputs: map float [B, S, S, 3] in [-1, 1] and noise [B, N]. Output: [B, S, S, N].
    """

    def __init__(self, lesion_noise: int = 0, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)
        self.lesion_noise = lesion_noise

    def call(self, inputs: Any) -> tf.Tensor:
        """Maps (map, noise) to noise per pixel."""
        semantic_map, noise = inputs
        noise = tf.cast(noise, self.compute_dtype)[:, None, None]
        everywhere = tf.constant(_of_skin(noise.shape[-1], self.lesion_noise), noise.dtype)
        roi = tf.cast(maps.roi_of_batch(semantic_map), noise.dtype)[..., None]
        return noise * tf.maximum(roi, everywhere)

    def get_config(self) -> dict[str, Any]:  # noqa: D102
        return {**super().get_config(), "lesion_noise": self.lesion_noise}


def _resized(roi: tf.Tensor, side: int) -> tf.Tensor:
    """Averages an ROI down to a side, or interpolates it up."""
    if roi.shape[1] >= side:
        factor = roi.shape[1] // side
        return tf.nn.avg_pool2d(roi, factor, factor, "VALID") if factor > 1 else roi
    return tf.cast(tf.image.resize(roi, (side, side)), roi.dtype)


@layers.serializable
class Modulation(tf.keras.layers.Layer):
    """Scales and shifts channels by the styles of the regions.

    Inputs: activations [B, h, w, C], styles [B, 2, units] and ROI [B, H, W, 1], averaged
    down or interpolated to h. Output: x * (1 + scale) + shift, [B, h, w, C].
    """

    def build(self, input_shape: Any) -> None:
        """Makes the linear map from a style to scales and shifts."""
        self.affine = tf.keras.layers.Dense(
            2 * input_shape[0][-1],
            kernel_initializer=tf.keras.initializers.RandomNormal(stddev=0.05),
            dtype=self.dtype_policy,
        )
        self.affine.build(input_shape[1])
        super().build(input_shape)

    def call(self, inputs: Any) -> tf.Tensor:
        """Maps (activations, styles, ROI) to activations."""
        activations, styles, roi = inputs
        roi = _resized(roi, activations.shape[1])
        around, inside = tf.unstack(self.affine(styles)[:, :, None, None], axis=1)
        scale, shift = tf.split(around + roi * (inside - around), 2, axis=-1)
        return activations * (1.0 + scale) + shift
