"""The encoder: what a photograph shows that its map does not say.

Many photographs fit one map. Compared with one of them, a generator that paints from
drawn noise does best to ignore the noise and to paint their mean. An encoder tells it
which one is meant (Zhu et al. 2017, BicycleGAN; Park et al. 2019, SPADE's image
encoder): it reads from a photograph the distribution of the generator's global noise.
Unlike theirs it reads by region: the last values of the code come from inside the boxes
and speak of the inside alone, so that skin and lesion can be varied apart.
"""

import tensorflow as tf

from model import layers
from preprocessing.data import maps

_MOST_FILTERS = 256
_INNERMOST = 4  # side of the activations that are averaged by region
_LOG_VARIANCE = (-8.0, 4.0)


def build_encoder(
    image_size: int,
    code_size: int,
    lesion_code_size: int = 0,
    base_filters: int = 32,
    dtype: str = "float32",
) -> tf.keras.Model:
    """Builds the network.

    Args:
      image_size: rows and columns, a power of two.
      code_size: length N of the generator's global noise.
      lesion_code_size: how many of them, the last, are read from inside the boxes.
      base_filters: channels of the first convolution.
      dtype: Keras dtype policy.

    Returns:
      A model from (map, image), each float32 [B, S, S, 3] in [-1, 1], to the code's
      mean and the logarithm of its variance, each float32 [B, N].
    """
    semantic_map = tf.keras.Input((image_size, image_size, 3), name="map")
    image = tf.keras.Input((image_size, image_size, 3), name="image")
    roi = BoxMask(name="roi", dtype="float32")(semantic_map)
    x = tf.keras.layers.Concatenate(name="input", dtype=dtype)([image, roi])
    side, filters = image_size, base_filters
    while side > _INNERMOST:
        name = f"encoder_{side}"
        x = layers.convolution(
            filters, 2, use_bias=True, initialization="he", name=name, dtype=dtype
        )(x)
        x = tf.keras.layers.LeakyReLU(0.2, name=f"{name}_activation", dtype=dtype)(x)
        side, filters = side // 2, min(2 * filters, _MOST_FILTERS)
    around, inside = RegionMeans(name="region_means", dtype="float32")([x, roi])
    codes = [
        tf.keras.layers.Dense(2 * size, name=f"{region}_code", dtype="float32")(means)
        for region, size, means in (
            ("skin", code_size - lesion_code_size, around),
            ("lesion", lesion_code_size, inside),
        )
        if size
    ]
    means, log_variances = zip(*(tf.split(code, 2, axis=-1) for code in codes))
    log_variance = tf.clip_by_value(tf.concat(log_variances, -1), *_LOG_VARIANCE)
    return tf.keras.Model(
        [semantic_map, image], [tf.concat(means, -1), log_variance], name="encoder"
    )


@layers.serializable
class BoxMask(tf.keras.layers.Layer):
    """Maps a semantic map, float [B, S, S, 3] in [-1, 1], to its ROI, 0 or 1 [B, S, S, 1]."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Maps a semantic map to its ROI."""
        return tf.cast(maps.roi_of_batch(inputs), self.compute_dtype)[..., None]


@layers.serializable
class RegionMeans(tf.keras.layers.Layer):
    """Averages activations around and inside the boxes.

    Inputs: activations [B, h, w, C] and ROI [B, S, S, 1] in 0..1. Outputs: two of
    [B, 2 C]: for the skin the mean around and the mean of all, for the lesion the mean
    inside and the mean around; zeros where a region is empty.
    """

    def call(self, inputs: list[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Maps (activations, ROI) to the two regions' means."""
        x, roi = inputs
        factor = roi.shape[1] // x.shape[1]
        roi = tf.nn.avg_pool2d(roi, factor, factor, "VALID")

        def mean(weight: tf.Tensor) -> tf.Tensor:
            total = tf.reduce_sum(weight, [1, 2])
            return tf.math.divide_no_nan(tf.reduce_sum(x * weight, [1, 2]), total)

        around = mean(1.0 - roi)
        everything = tf.reduce_mean(x, [1, 2])
        return tf.concat([around, everything], -1), tf.concat([mean(roi), around], -1)
