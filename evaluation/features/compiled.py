"""A feature network as a program for any XLA runtime, its weights beside it.

  network.json        network, layer, digests, resize, batch
  network.hlo.pb.gz   uint8 [batch, S, S, 3] and the weights to float32 [batch, d]
  weights.npz         w0 is the matrix of the resize, the others the network's own

The resize is that of `FeatureExtractor.prepare`: a linear map along each axis, found by
resizing the unit matrix.
"""

import json
import os
import pathlib
from typing import Callable, Dict, List, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from evaluation.features.networks import INPUT_SIZE, FeatureExtractor
from training.program import lowering

BATCH = 32
_MOST_EFFECT = 0.01  # of half floats, as a part of a feature vector's length
_LEAST = 1024  # values; smaller constants stay in the program


def resize_matrix(extractor: FeatureExtractor, image_size: int) -> np.ndarray:
    """Returns what a column of pixels is multiplied by, float32 [299, image_size]."""
    unit = tf.eye(image_size)[None, :, None, :]
    resized = tf.image.resize(
        unit, (INPUT_SIZE, 1), extractor.resize, antialias=extractor.antialias
    )
    return resized.numpy()[0, :, 0, :]


def _frozen(call: Callable[[tf.Tensor], tf.Tensor]) -> tf.compat.v1.GraphDef:
    """Returns a network as one flat graph, its weights as constants."""
    images = tf.TensorSpec([BATCH, INPUT_SIZE, INPUT_SIZE, 3], tf.float32)
    concrete = tf.function(lambda x: tf.identity(call(x)), autograph=False).get_concrete_function(
        images
    )
    return convert_to_constants.convert_variables_to_constants_v2(concrete).graph.as_graph_def()


class CompiledNetwork:
    """A network whose weights are parameters.

    Attributes:
      weights: float32, the matrix of the resize first.
    """

    def __init__(self, extractor: FeatureExtractor, image_size: int):
        """Takes a network apart.

        Raises:
          ValueError: it is no graph of TensorFlow's.
        """
        if extractor.network.is_onnx:
            raise ValueError(
                f"feature network {extractor.network.name}: an ONNX file cannot go along with a "
                "program; pass a SavedModel"
            )
        self._extractor = extractor
        self._size = image_size
        graph = _frozen(extractor.network.call)
        self.weights = [resize_matrix(extractor, image_size)]
        self._graph = tf.compat.v1.GraphDef(versions=graph.versions, library=graph.library)
        self._constants: List[str] = []
        for node in graph.node:
            value = tf.make_ndarray(node.attr["value"].tensor) if node.op == "Const" else None
            if node.op == "Placeholder":
                self._input = f"{node.name}:0"
            elif value is not None and value.dtype == np.float32 and value.size >= _LEAST:
                self._constants.append(f"{node.name}:0")
                self.weights.append(value)
            else:
                self._graph.node.append(node)
        self._output = f"{graph.node[-1].name}:0"

    def halved(self) -> List[np.ndarray]:
        """Returns the weights, kernels as half floats; the resize stays as it is."""
        return [
            value.astype(np.float16) if number and value.ndim > 1 else value
            for number, value in enumerate(self.weights)
        ]

    def features(self, images: tf.Tensor, *weights: tf.Tensor) -> tf.Tensor:
        """Returns the features of images, uint8 [BATCH, S, S, 3], as the program does."""
        matrix, *others = weights
        pixels = tf.cast(images, tf.float32)
        rows = tf.einsum("ph,nhwc->npwc", matrix, pixels)
        resized = tf.einsum("qw,npwc->npqc", matrix, rows)
        prepared = tf.clip_by_value(resized / 127.5 - 1.0, -1.0, 1.0)
        inputs: Dict[str, tf.Tensor] = {self._input: prepared}
        inputs.update(zip(self._constants, others))
        (found,) = tf.graph_util.import_graph_def(
            self._graph, input_map=inputs, return_elements=[self._output], name=""
        )
        return found

    def run(self, images: np.ndarray, weights: Sequence[np.ndarray]) -> np.ndarray:
        """Returns `features` of up to BATCH images here, not compiled."""
        call = tf.function(self.features, autograph=False)
        padded = np.resize(images, (BATCH, *images.shape[1:]))
        return call(padded, *(np.float32(one) for one in weights)).numpy()[: len(images)]

    def effect_of_halves(self, images: np.ndarray) -> float:
        """Returns how far half floats move features, as a part of their length, mean.

        Raises:
          ValueError: too far, or there is a weight that they cannot hold.
        """
        exact, rounded = (self.run(images[:BATCH], w) for w in (self.weights, self.halved()))
        lengths = np.maximum(np.linalg.norm(exact, axis=1), 1e-12)
        effect = float((np.linalg.norm(rounded - exact, axis=1) / lengths).mean())
        if not effect < _MOST_EFFECT:  # nor if it is not a number
            raise ValueError(
                f"feature network {self._extractor.network.name}: its weights or features are "
                f"beyond half floats; pass --nohalf_floats"
            )
        return effect

    def write(self, folder: pathlib.Path, halves: bool, effect: float) -> None:
        """Writes the three files.

        Args:
          folder: new.
          halves: whether kernels become half floats.
          effect: of that, to be recorded.
        """
        shape = [BATCH, self._size, self._size, 3]
        inputs = [tf.TensorSpec(shape, tf.uint8)]
        inputs += [tf.TensorSpec(one.shape, tf.float32) for one in self.weights]
        before = tf.config.experimental.tensor_float_32_execution_enabled()
        tf.config.experimental.enable_tensor_float_32_execution(False)
        try:
            lowered = lowering.lower(self.features, inputs)
        finally:
            tf.config.experimental.enable_tensor_float_32_execution(before)
        folder.mkdir(parents=True)
        lowered.write(folder, "network")
        weights = self.halved() if halves else self.weights
        arrays = {f"w{number}": value for number, value in enumerate(weights)}
        np.savez_compressed(folder / "weights.npz", **arrays)
        protocol = {**self._extractor.protocol}
        protocol["feature_network"] = os.path.basename(protocol["feature_network"].rstrip("/"))
        described = {
            **protocol,
            "batch": BATCH,
            "weights": "float16" if halves else "float32",
            "effect_of_weights": effect if halves else 0.0,
        }
        (folder / "network.json").write_text(json.dumps(described, indent=1), encoding="utf-8")
