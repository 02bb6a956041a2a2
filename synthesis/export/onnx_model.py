"""The generator as an ONNX model, which any runtime of ONNX computes.

One function, `from_noise`, in float32 and in standard operators only:

  map uint8 [B, S, S, 3], and by name the generator's noise, float32 [B, ...]
      ->  image uint8 [B, S, S, 3]

Noise is an input, so that every runtime paints the same picture: its shapes lie in
`assets/taxonomy.json`, and `noise.py` beside the model draws that of a seed with NumPy
(`model.numpy_noise`).
"""

import logging
import pathlib
import shutil
from typing import Dict, Iterator, List

import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx

from common import progress
from model import images, numpy_noise
from model.generator import build_generator, noise_inputs
from preprocessing.data import maps, taxonomy
from preprocessing.data.manifest import Box
from synthesis.export import exported, model_card
from synthesis.trained_generator import TrainedGenerator

MODEL = "model.onnx"
NOISE = "noise.py"
_FUNCTION = "from_noise"
_OPSET = 17  # what ONNX Runtime has read since 1.12
_LARGEST_DIFFERENCE = 1  # levels of 255, from the order of sums


def float32_network(generator: TrainedGenerator) -> tf.keras.Model:
    """Returns the generator's network, to be computed in float32."""
    network = build_generator(generator.config, "float32")
    network.set_weights(generator.network.get_weights())
    return network


def convert(network: tf.keras.Model) -> onnx.ModelProto:
    """Converts a generator to ONNX.

    Args:
      network: from `model.generator.build_generator`, of float32.

    Raises:
      ValueError: it has operations that ONNX lacks.
    """
    inputs = noise_inputs(network)
    signature = [tf.TensorSpec(network.input_shape["map"], tf.uint8, "map")]
    signature += [
        tf.TensorSpec([None, *shape], tf.float32, name) for name, (shape, _) in inputs.items()
    ]

    @tf.function(input_signature=signature, autograph=False)
    def from_noise(semantic_map: tf.Tensor, *drawn: tf.Tensor) -> Dict[str, tf.Tensor]:
        given = {"map": images.to_float(semantic_map), **dict(zip(inputs, drawn))}
        return {"image": images.to_uint8(network(given, training=False))}

    # It logs what it cannot convert and returns a model all the same.
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    model, _ = tf2onnx.convert.from_function(from_noise, signature, opset=_OPSET)
    opset = {one.domain: one.version for one in model.opset_import}.get("", _OPSET)
    unknown = sorted(
        {
            f"{node.domain}.{node.op_type}".lstrip(".")
            for node in _nodes(model.graph)
            if node.domain not in ("", "ai.onnx") or not onnx.defs.has(node.op_type, opset)
        }
    )
    if unknown:
        raise ValueError(f"cannot be an ONNX model: no operators for {', '.join(unknown)}")
    model.graph.name = _FUNCTION
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "B"
    onnx.checker.check_model(model, full_check=True)
    return model


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Goes through the operations of a graph and of the graphs inside it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def largest_difference(model: onnx.ModelProto, network: tf.keras.Model, count: int = 2) -> int:
    """Paints pictures by both and returns by how many levels of 255 they differ at most.

    Args:
      model: of `convert`.
      network: what it was converted from.
      count: pictures in one batch, of as many conditions, seeds and skin types, from
        unknown on.
    """
    size, conditions = network.input_shape["map"][1], len(taxonomy.conditions())
    box = Box(size // 4, size // 4, 3 * size // 4, size // 2)
    semantic_maps = np.stack(
        [
            maps.encode(index % (maps.SKIN_TYPES + 1), 7 * index % conditions, [box], size, size)
            for index in range(count)
        ]
    )
    drawn = numpy_noise.of_seeds(noise_inputs(network), range(count))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (painted,) = session.run(["image"], {"map": semantic_maps, **drawn})
    given = {"map": images.to_float(semantic_maps), **drawn}
    expected = images.to_uint8(network(given, training=False)).numpy()
    return int(np.abs(painted.astype(int) - expected).max())


def export(generator: TrainedGenerator, output_dir: str, overwrite: bool = False) -> List[str]:
    """Writes the ONNX model, taxonomy, noise and model card, as `exported.writing`.

    Returns:
      The paths of the files.

    Raises:
      ValueError: the generator cannot be converted, or the model paints other pictures.
    """
    with exported.writing(generator, output_dir, model_card.ONNX, overwrite) as folder:
        with progress.doing("converting to ONNX"):
            network = float32_network(generator)
            model = convert(network)
            difference = largest_difference(model, network)
        if difference > _LARGEST_DIFFERENCE:
            raise ValueError(
                f"the ONNX model paints other pictures than the generator: {difference} levels "
                f"of 255 apart, where {_LARGEST_DIFFERENCE} is rounding"
            )
        (folder / exported.TAXONOMY).parent.mkdir(parents=True)
        model.metadata_props.add(key="generator_digest", value=generator.digest)
        onnx.save(model, str(folder / MODEL))
        shutil.copyfile(numpy_noise.__file__, folder / NOISE)
        (folder / exported.TAXONOMY).write_text(
            exported.describe_codes(generator), encoding="utf-8"
        )
    names = (MODEL, NOISE, exported.TAXONOMY, exported.CARD)
    return [str(pathlib.Path(output_dir, name)) for name in names]
