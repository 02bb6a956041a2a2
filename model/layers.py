"""Layers of DermGAN's networks, and the only module that uses tensorflow-addons."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

from preprocessing.data import maps

UPSAMPLING_METHODS = ("fast", "plain", "deconvolution")
NORMALIZATIONS = ("instance", "batch", "none")
MAP_ENCODINGS = ("rgb", "embedding")
INITIALIZATIONS = ("normal", "he")

# Below this input size the plain form is quicker: the activations are tiny and
# expanding the kernel is most of the work.
_SMALLEST_FAST_SIZE = 8

_INITIAL_STDDEV = 0.02  # N(0, 0.02), Isola et al. 2017, section 6.2

# Under this name Keras finds our classes when it loads a model.
serializable = tf.keras.utils.register_keras_serializable(package="dermgan")


def initializer(kind: str = "normal") -> tf.keras.initializers.Initializer:
    """Returns pix2pix's N(0, 0.02) ("normal"), or He et al. 2015 ("he").

    The latter keeps the variance of activations from layer to layer.

    Raises:
      ValueError: another kind.
    """
    if kind == "normal":
        return tf.keras.initializers.RandomNormal(stddev=_INITIAL_STDDEV)
    if kind == "he":
        return tf.keras.initializers.HeNormal()
    raise ValueError(f"initialization {kind!r} is not one of {', '.join(INITIALIZATIONS)}")


def _expansion_matrix(kernel_size: int) -> np.ndarray:
    """The linear map from a k x k kernel to the (k+1) x (k+1) transposed kernel.

    With u the nearest-neighbour upsampling of x, u[p] = x[p // 2], a convolution
    y[o] = sum_j k[j] u[o - K//2 + j] is sum_i x[i] w[o - 2i], where w[d] collects
    the taps j for which (o - K//2 + j) // 2 = i, that is d = K//2 - j or
    K//2 - j + 1: the kernel mirrored and box-filtered with two ones.

    Returns:
      float32 [(k+1)^2, k^2].
    """
    taps = np.zeros((kernel_size + 1, kernel_size), np.float32)
    for tap in range(kernel_size):
        taps[kernel_size - 1 - tap, tap] = 1.0
        taps[kernel_size - tap, tap] = 1.0
    return np.kron(taps, taps)


@serializable
class ResizeConv2D(tf.keras.layers.Layer):
    """Doubles the size by nearest neighbour and convolves, without checkerboard.

    Paper, section 2: each deconvolution is replaced "with a nearest-neighbor
    resizing layer followed by a convolution layer" (Odena et al. 2016). Both
    `method`s compute that function from the same kernel, whose side is meant at the
    output's resolution: "plain" as it is written, "fast" as one stride-2 transposed
    convolution with the kernel box-filtered by 2x2 ones, so that no upsampled
    activation exists. Their outputs differ by rounding only.

    Example: float32 [4, 32, 32, 512] -> [4, 64, 64, 128] for filters=128.

    Raises:
      ValueError: unknown method.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        method: str = "fast",
        use_bias: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if method not in ("fast", "plain"):
            raise ValueError(f"method {method!r} is not 'fast' or 'plain'")
        self.filters = filters
        self.kernel_size = kernel_size
        self.method = method
        self.use_bias = use_bias
        self.bias = None

    def build(self, input_shape: tf.TensorShape) -> None:
        """Makes the kernel, float32 [k, k, filters, input channels]."""
        size = self.kernel_size
        self.kernel = self.add_weight(
            "kernel", (size, size, self.filters, input_shape[-1]), initializer=initializer()
        )
        if self.use_bias:
            self.bias = self.add_weight("bias", (self.filters,), initializer="zeros")
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Maps [B, H, W, C] to [B, 2H, 2W, filters]."""
        fast = self.method == "fast" and inputs.shape[1] >= _SMALLEST_FAST_SIZE
        outputs = self._fast(inputs) if fast else self._plain(inputs)
        return outputs if self.bias is None else tf.nn.bias_add(outputs, self.bias)

    def _plain(self, inputs: tf.Tensor) -> tf.Tensor:
        # XLA has no gradient of the resizing that repeats pixels.
        upsampled = tf.repeat(tf.repeat(inputs, 2, axis=1), 2, axis=2)
        kernel = tf.transpose(tf.convert_to_tensor(self.kernel), [0, 1, 3, 2])
        if self.kernel_size % 2:
            return tf.nn.conv2d(upsampled, kernel, 1, "SAME")
        before, after = self.kernel_size // 2, self.kernel_size // 2 - 1
        padded = tf.pad(upsampled, [[0, 0], [before, after], [before, after], [0, 0]])
        return tf.nn.conv2d(padded, kernel, 1, "VALID")

    def _fast(self, inputs: tf.Tensor) -> tf.Tensor:
        size, channels = self.kernel_size, inputs.shape[-1]
        kernel = tf.reshape(tf.convert_to_tensor(self.kernel), [size**2, self.filters * channels])
        expansion = tf.constant(_expansion_matrix(size), kernel.dtype)
        expanded = tf.reshape(
            tf.matmul(expansion, kernel), [size + 1, size + 1, self.filters, channels]
        )
        height, width = inputs.shape[1:3]
        shape = [tf.shape(inputs)[0], 2 * height, 2 * width, self.filters]
        return tf.nn.conv2d_transpose(inputs, expanded, shape, 2, "SAME")

    def get_config(self) -> dict[str, Any]:  # noqa: D102
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "method": self.method,
            "use_bias": self.use_bias,
        }


def upsample(
    filters: int, kernel_size: int, method: str, use_bias: bool = False, **kwargs: Any
) -> tf.keras.layers.Layer:
    """Returns a layer that doubles the size.

    "fast" and "plain" are resize-convolutions, "deconvolution" is pix2pix's own
    stride-2 transposed convolution.

    Raises:
      ValueError: unknown method.
    """
    if method not in UPSAMPLING_METHODS:
        raise ValueError(f"upsampling {method!r} is not one of {', '.join(UPSAMPLING_METHODS)}")
    if method == "deconvolution":
        return tf.keras.layers.Conv2DTranspose(
            filters,
            kernel_size,
            strides=2,
            padding="same",
            use_bias=use_bias,
            kernel_initializer=initializer(),
            **kwargs,
        )
    return ResizeConv2D(filters, kernel_size, method, use_bias, **kwargs)


def normalization(kind: str, synchronized: bool = False, **kwargs: Any) -> tf.keras.layers.Layer:
    """Returns a normalization layer; `synchronized` takes batch statistics over all replicas.

    Raises:
      ValueError: unknown kind.
    """
    if kind == "instance":
        # Its statistics in reduced precision are both inexact and, on CPUs, slow.
        return tfa.layers.InstanceNormalization(epsilon=1e-5, **{**kwargs, "dtype": "float32"})
    if kind == "batch":
        return tf.keras.layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, synchronized=synchronized, **kwargs
        )
    if kind == "none":
        return tf.keras.layers.Activation("linear", **kwargs)
    raise ValueError(f"normalization {kind!r} is not one of {', '.join(NORMALIZATIONS)}")


def convolution(
    filters: int,
    strides: int,
    kernel_size: int = 4,
    use_bias: bool = False,
    spectral_norm: bool = False,
    padding: str = "same",
    initialization: str = "normal",
    **kwargs: Any,
) -> tf.keras.layers.Layer:
    """Returns a convolution, pix2pix's 4x4 by default, in spectral normalization or not."""
    layer = tf.keras.layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding,
        use_bias=use_bias,
        kernel_initializer=initializer(initialization),
        **kwargs,
    )
    if not spectral_norm:
        return layer
    return tfa.layers.SpectralNormalization(layer, name=f"{layer.name}_spectral", dtype="float32")


def check_map_encoding(encoding: str) -> None:
    """Raises ValueError for what is not in `MAP_ENCODINGS`."""
    if encoding not in MAP_ENCODINGS:
        raise ValueError(f"map_encoding {encoding!r} is not one of {', '.join(MAP_ENCODINGS)}")


def look_up(vectors: tf.Variable, indices: tf.Tensor) -> tf.Tensor:
    """Returns rows of a table, [N, C], by indices [B]: [B, C]; zeros for index -1.

    As a product: the gradient of a gather is sparse, which optimizers treat
    differently. Not by `tf.one_hot`: in ONNX's, -1 is the last row.
    """
    table = tf.convert_to_tensor(vectors)
    rows = tf.range(table.shape[0], dtype=indices.dtype)
    return tf.matmul(tf.cast(indices[:, None] == rows, table.dtype), table)


@serializable
class MapEmbedding(tf.keras.layers.Layer):
    """Reads the codes of a semantic map as learned vectors.

    The RGB form asks the first convolution to tell 27 conditions apart by two
    grey levels. Here each skin type and each condition has a vector of its own:
    the type's fills the frame (zeros where it is unknown), the condition's is added
    inside the ROI. As a map has one type and one condition, the vectors are looked up
    once per image, not per pixel. The codes are read exactly whatever the policy.

    The vectors begin normal. Beside an image, whose contrast is low, a `stddev` of 1
    drowns it.

    Input: float [B, H, W, 3] in [-1, 1]. Output: [B, H, W, channels + 1], the last
    channel the ROI, 0 or 1.
    """

    def __init__(
        self,
        channels: int = 8,
        stddev: float = 1.0,
        num_skin_types: int = 6,
        num_conditions: int = 27,
        **kwargs: Any,
    ):
        super().__init__(autocast=False, **kwargs)
        self.num_skin_types = num_skin_types
        self.num_conditions = num_conditions
        self.channels = channels
        self.stddev = stddev

    def build(self, input_shape: tf.TensorShape) -> None:
        """Makes a vector for each skin type and condition."""
        for name, number in (
            ("skin_types", self.num_skin_types),
            ("conditions", self.num_conditions),
        ):
            normal = tf.keras.initializers.RandomNormal(stddev=self.stddev)
            shape = (number, self.channels)
            setattr(self, name, self.add_weight(name, shape, initializer=normal))
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Maps [B, H, W, 3] to [B, H, W, channels + 1]."""
        skin_type, condition, roi = maps.decode_batch(inputs)
        roi = tf.cast(roi, self.compute_dtype)[..., None]
        around = self._spread(self.skin_types, skin_type - 1)
        inside = self._spread(self.conditions, condition)
        return tf.concat([around + roi * inside, roi], axis=-1)

    def _spread(self, vectors: tf.Variable, indices: tf.Tensor) -> tf.Tensor:
        return tf.cast(look_up(vectors, indices), self.compute_dtype)[:, None, None, :]

    def get_config(self) -> dict[str, Any]:  # noqa: D102
        return {
            **super().get_config(),
            "num_skin_types": self.num_skin_types,
            "num_conditions": self.num_conditions,
            "channels": self.channels,
            "stddev": self.stddev,
        }


@serializable
class Limit(tf.keras.layers.Layer):
    """Cuts activations at -limit and limit.

    After a normalization few are beyond 4. A generator that lets one place of the
    picture carry many times that (StyleGAN's droplets, Karras et al. 2020) paints a
    blot there, which no discriminator of patches finds if it hides in a corner.
    """

    def __init__(self, limit: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.limit = limit

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Maps activations to activations."""
        return tf.clip_by_value(inputs, -self.limit, self.limit)

    def get_config(self) -> dict[str, Any]:  # noqa: D102
        return {**super().get_config(), "limit": self.limit}


@serializable
class Dropout(tf.keras.layers.Layer):
    """Dropout whose randomness is an input, so that it can be repeated exactly.

    Inputs: activations [B, H, W, C] and uniform noise of the same shape in
    [0, 1). An activation is kept, and scaled by 1 / (1 - rate), where its noise
    is at least the rate.
    """

    def __init__(self, rate: float, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)
        self.rate = rate

    def call(self, inputs: Any) -> tf.Tensor:
        """Maps (activations, noise) to activations."""
        activations, noise = inputs
        keep = tf.cast(tf.cast(noise, tf.float32) >= self.rate, activations.dtype)
        return activations * keep / tf.cast(1.0 - self.rate, activations.dtype)

    def get_config(self) -> dict[str, Any]:  # noqa: D102
        return {**super().get_config(), "rate": self.rate}
