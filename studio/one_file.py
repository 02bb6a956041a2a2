"""The studio as one HTML file: page, model and runtime, for a double click.

No server, no network, nothing to install; a worker of the page paints by ONNX Runtime Web
(`here.js`, `here_worker.js`).
It has the counts of the training photographs, but none of these.
"""

import base64
import gzip
import pathlib
from typing import Any, Dict, Optional

import markupsafe
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from common import progress
from model import noise
from model.generator import noise_inputs
from preprocessing.data import maps, taxonomy
from studio import onnxruntime_web, page
from studio.painter import StudioPainter
from studio.training_data import TrainingData
from synthesis import provenance
from synthesis.export import onnx_model
from synthesis.trained_generator import TrainedGenerator

_LARGEST_DIFFERENCE = 2  # levels of 255 that half floats may cost
_LEAST = 1024  # weights of a tensor that is worth halving


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns a model whose large weights are stored as half floats and computed in float32."""
    smaller = onnx.ModelProto()
    smaller.CopyFrom(model)
    casts = []
    for weight in smaller.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype == np.float32 and values.size >= _LEAST:
            name = weight.name
            half = numpy_helper.from_array(values.astype(np.float16), f"{name}/half")
            weight.CopyFrom(half)
            casts.append(helper.make_node("Cast", [half.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *smaller.graph.node]
    del smaller.graph.node[:]
    smaller.graph.node.extend(nodes)
    return smaller


def _model(generator: TrainedGenerator) -> onnx.ModelProto:
    """Returns the model, in half floats if its pictures stay what they are.

    Raises:
      ValueError: it cannot be converted.
    """
    network = onnx_model.float32_network(generator)
    exact = onnx_model.convert(network)
    smaller = halved(exact)
    close = onnx_model.largest_difference(smaller, network, 8) <= _LARGEST_DIFFERENCE
    return smaller if close else exact


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode("ascii")


def render(
    generator: TrainedGenerator, data: Optional[TrainingData], runtime: onnxruntime_web.Runtime
) -> str:
    """Returns the HTML.

    Args:
      generator: what paints.
      data: what it was trained on, if it is at hand.
      runtime: from `onnxruntime_web.read`.

    Raises:
      ValueError: the generator cannot be converted to ONNX.
    """
    given: Dict[str, Any] = {
        "size": generator.image_size,
        "codes": {name: taxonomy.code(name) for name in generator.conditions},
        "level": maps.LEVEL,
        "distributions": noise.DISTRIBUTIONS,
        "noise": [[name, *one] for name, one in noise_inputs(generator.network).items()],
        "lesion_noise": generator.config.lesion_noise,
        "packet": provenance.packet(generator.digest, "SEED", "MIXTURE"),
        "counts": data.known()[0] if data else None,
        "patients_unnamed": data.patients_unnamed if data else False,
    }
    with progress.doing("converting to ONNX"):
        model = _model(generator).SerializeToString()
    parts = {"runtime": runtime.module, "wasm": runtime.wasm, "model": model}
    worker = pathlib.Path(__file__).with_name("here_worker.js").read_text(encoding="utf-8")
    here = {
        "given": given,
        "worker": markupsafe.Markup(worker),
        "parts": {name: _packed(content) for name, content in parts.items()},
        "version": onnxruntime_web.VERSION,
        "license": onnxruntime_web.LICENSE,
    }
    begin = data.commonest if data else (generator.conditions[0], 0)
    return page.render([StudioPainter(generator)], *begin, here)
