"""Image sets and small ONNX networks made by code, for tests."""

import pathlib
from typing import Any, Optional, Sequence

import numpy as np
import onnx
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

from evaluation.features.image_sets import ImageSet
from preprocessing.data.manifest import Box
from synthesis.layouts import Layout

SETTINGS = "size: 32\nmean: [0.5, 0.4, 0.3]\ndeviation: [0.2, 0.25, 0.5]\noutput: pooled\n"


def write_network(
    path: str,
    shape: Sequence[Any] = ("N", 3, "S", "S"),
    settings: str = SETTINGS,
    kind: int = TensorProto.FLOAT,
) -> str:
    """Writes a network of channel means: `pooled` [N, 3], `tokens` [N, 2, 3], `nan` [N, 3].

    Args:
      path: of the ONNX file.
      shape: that it takes.
      settings: of the YAML beside it; "" for none.
      kind: of values that it takes.

    Returns:
      The path.
    """
    axes = [2, 3] if shape[1] == 3 else [1, 2]
    factor = numpy_helper.from_array(np.array([[1.0], [2.0]], np.float32), "factor")
    nan = numpy_helper.from_array(np.array(np.nan, np.float32), "not_a_number")
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["pooled"], axes=axes, keepdims=0),
        helper.make_node("Unsqueeze", ["pooled", "one"], ["row"]),
        helper.make_node("Mul", ["row", "factor"], ["tokens"]),
        helper.make_node("Mul", ["pooled", "not_a_number"], ["nan"]),
    ]
    one = numpy_helper.from_array(np.array([1]), "one")
    outputs = {"pooled": ["N", 3], "tokens": ["N", 2, 3], "nan": ["N", 3]}
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in outputs.items()],
        [factor, nan, one],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    if settings:
        pathlib.Path(path).with_suffix(".yaml").write_text(settings)
    return path


def images(
    number: int = 7, size: int = 32, seed: int = 0, digest: Optional[str] = None
) -> ImageSet:
    """Returns images of random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (number, size, size, 3), np.uint8)
    layouts = (Layout("Acne", 1, (Box(0, 0, 4, 4),)),) * number
    return ImageSet(
        "test",
        digest or f"{seed} {number}",
        layouts,
        tuple(f"p{index}" for index in range(number)),
        tuple(f"i{index}" for index in range(number)),
        ("annotated",) * number,
        lambda: tf.data.Dataset.from_tensor_slices(pixels),
    )
