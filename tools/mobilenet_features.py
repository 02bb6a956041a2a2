"""Wraps MobileNet V1 as a feature network: a second opinion beside Inception.

  python tools/mobilenet_features.py --weights=mobilenet_1_0_224_tf_no_top.h5 --output_dir=D
  bazel run //evaluation:fid -- --feature_network=D --layer=pool_1024

The SavedModel takes float32 [N, 299, 299, 3] in [-1, 1], which is the range that MobileNet
was trained with, and returns `pool_1024`, the mean over the image of its last activations
(Howard et al. 2017, trained on ImageNet at 224x224; it is fully convolutional, so the image
is not made smaller first). The weights are Keras' own file without top.
"""

import os
from typing import Any, Sequence

import tensorflow as tf
from absl import app, flags

_WEIGHTS = flags.DEFINE_string("weights", None, "Keras' .h5 file without top.")
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "New SavedModel.")
LAYER = "pool_1024"
_SIZE = 299


class FeatureNetwork(tf.Module):
    """MobileNet V1 behind the interface of feature networks."""

    def __init__(self, weights: Any):
        """Builds it.

        Args:
          weights: path of the file, or None for random ones.
        """
        super().__init__()
        self._network = tf.keras.applications.MobileNet(
            input_shape=(_SIZE, _SIZE, 3), include_top=False, weights=weights, pooling="avg"
        )
        self._network.trainable = False
        self._variables = self._network.variables

    @tf.function(input_signature=[tf.TensorSpec([None, _SIZE, _SIZE, 3], tf.float32)])
    def __call__(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Maps images to activations, float32 [N, 1024]."""
        return {LAYER: self._network(images, training=False)}


def write(weights: Any, output_dir: str) -> None:
    """Writes the SavedModel.

    Raises:
      ValueError: no such weights, others, or the folder is not empty.
    """
    if weights is not None and not os.path.isfile(weights):
        raise ValueError(f"{weights}: no such file")
    if os.path.isdir(output_dir) and os.listdir(output_dir):
        raise ValueError(f"{output_dir}: not empty; choose another --output_dir")
    try:
        network = FeatureNetwork(weights)
    except (ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"{weights}: no weights of MobileNet 1.0 without top ({reason})"
        ) from error
    tf.saved_model.save(network, output_dir)


def main(_: Sequence[str]) -> None:
    """Reads the flags and writes."""
    try:
        write(_WEIGHTS.value, _OUTPUT_DIR.value)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from error
    print(f"{_OUTPUT_DIR.value}: --feature_network={_OUTPUT_DIR.value} --layer={LAYER}")


if __name__ == "__main__":
    flags.mark_flags_as_required(["weights", "output_dir"])
    app.run(main)
