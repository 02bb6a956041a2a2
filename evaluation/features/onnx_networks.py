"""Feature networks that are ONNX files, as of DINOv2.

What an ONNX file does not say lies in a small YAML beside it, or is given by flags:

  dinov2.onnx    float32 [N, 3, S, S] or [N, S, S, 3], RGB, to some outputs
  dinov2.yaml    size: 224
                 mean: [0.485, 0.456, 0.406]       # of pixels in 0..1
                 deviation: [0.229, 0.224, 0.225]
                 output: last_hidden_state[0]      # [N, d]; of [N, tokens, d] the first token
"""

import dataclasses
import math
import pathlib
import re
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import yaml

from common import files
from evaluation.features.networks import FeatureNetwork

_FLAGS = {
    "size": "--network_size",
    "mean": "--network_mean",
    "deviation": "--network_deviation",
    "output": "--layer",
}
_SIZES = range(16, 2049)


@dataclasses.dataclass(frozen=True)
class _Settings:
    """What a network is fed with, and what is taken from it."""

    size: int
    mean: Tuple[float, ...]
    deviation: Tuple[float, ...]
    output: str


def load_network(path: str, given: Mapping[str, Any]) -> FeatureNetwork:
    """Loads a network.

    Args:
      path: of the ONNX file.
      given: in place of fields of the YAML; values of None do not count.

    Raises:
      ValueError: it cannot be loaded, takes or gives something else, or a field is missing
        or makes no sense; one line that names the file.
    """
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return _network(session, path, {k: v for k, v in given.items() if v is not None})
    except ValueError as error:
        raise ValueError(f"feature network {path}: {error}") from error
    except Exception as error:  # the runtime's own, of many kinds
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"feature network {path}: cannot be loaded ({reason})") from error


def _network(
    session: onnxruntime.InferenceSession, path: str, given: Mapping[str, Any]
) -> FeatureNetwork:
    (taken, *others) = session.get_inputs()
    shape = taken.shape
    if others or taken.type != "tensor(float)" or len(shape) != 4 or 3 not in (shape[1], shape[3]):
        takes = ", ".join(f"{one.name} {one.type} {one.shape}" for one in [taken, *others])
        raise ValueError(f"takes {takes}; it must take float32 [N, 3, S, S] or [N, S, S, 3]")
    channels_first = shape[1] == 3
    sides = [side for side in (shape[2:] if channels_first else shape[1:3]) if _is_known(side)]
    settings = _settings(path, given, session, sides)
    if any(side != settings.size for side in sides):
        raise ValueError(f"takes images of {shape}, not of size {settings.size}")
    call = _caller(session, settings, channels_first, shape[0] if _is_known(shape[0]) else 0)
    features = call(tf.zeros([1, settings.size, settings.size, 3]))
    if not np.isfinite(features).all():
        raise ValueError(f"output {settings.output!r} of a grey image is not finite")
    protocol = {"mean": list(settings.mean), "deviation": list(settings.deviation)}
    return FeatureNetwork(
        path, settings.output, _digest(path, protocol), call, settings.size, protocol
    )


def _is_known(dimension: Any) -> bool:
    """Tells whether a dimension is fixed; others are names or None."""
    return isinstance(dimension, int)


def _settings(
    path: str,
    given: Mapping[str, Any],
    session: onnxruntime.InferenceSession,
    sides: Sequence[int],
) -> _Settings:
    """Reads the YAML, where there is one, and checks its fields and those given."""
    beside = pathlib.Path(path).with_suffix(".yaml")
    outputs = [one.name for one in session.get_outputs()]
    found: Dict[str, Any] = {"size": sides[0]} if sides else {}
    if len(outputs) == 1:
        found["output"] = outputs[0]
    found |= _read_yaml(beside) | dict(given)
    if missing := [name for name in _FLAGS if name not in found]:
        by_flags = ", ".join(_FLAGS[name] for name in missing)
        told = f" (there are {', '.join(outputs)})" if "output" in missing else ""
        raise ValueError(
            f"no {', '.join(missing)} told{told}; write what is missing to {beside} or pass "
            f"{by_flags}"
        )
    size = found["size"]
    if not _is_known(size) or size not in _SIZES:
        raise ValueError(f"size {size!r} is not in {_SIZES[0]}..{_SIZES[-1]}")
    mean, deviation = (_three_numbers(name, found[name]) for name in ("mean", "deviation"))
    if min(deviation) <= 0:
        raise ValueError(f"deviation {list(deviation)} is not above 0")
    name = _parted(str(found["output"]))[0]
    if name not in outputs:
        raise ValueError(f"no output {name!r}; there are {', '.join(outputs)}")
    return _Settings(size, mean, deviation, str(found["output"]))


def _read_yaml(path: pathlib.Path) -> Dict[str, Any]:
    if not path.exists():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path.name} is not YAML ({reason})") from error
    if not isinstance(content, dict) or set(content) - set(_FLAGS):
        raise ValueError(f"{path.name} must have no fields but {', '.join(_FLAGS)}: {content!r}")
    return content


def _three_numbers(name: str, value: Any) -> Tuple[float, ...]:
    try:
        numbers = tuple(float(one) for one in value)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{name} {value!r} is not three numbers, for red, green and blue in 0..1")
    return numbers


def _parted(output: str) -> Tuple[str, Optional[int]]:
    """Parts "name[2]" into name and token."""
    match = re.fullmatch(r"(.+)\[(\d+)\]", output)
    return (match[1], int(match[2])) if match else (output, None)


def _caller(
    session: onnxruntime.InferenceSession, settings: _Settings, channels_first: bool, batch: int
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns `FeatureNetwork.call`; `batch` is the size that the network insists on, or 0."""
    mean, deviation = (np.array(one, np.float32) for one in (settings.mean, settings.deviation))
    taken = session.get_inputs()[0].name
    name, token = _parted(settings.output)

    def features(pixels: np.ndarray) -> np.ndarray:
        (found,) = session.run([name], {taken: pixels})
        if token is not None and found.ndim == 3 and token < found.shape[1]:
            found = found[:, token]
        if found.ndim != 2 or len(found) != len(pixels):
            raise ValueError(
                f"output {settings.output!r} has shape {list(found.shape)} for {len(pixels)} "
                "images, not [N, dimension] (NAME[0] is the first token of [N, tokens, dimension])"
            )
        return found.astype(np.float32)

    def call(images: tf.Tensor) -> tf.Tensor:
        pixels = (np.asarray(images) * np.float32(0.5) + np.float32(0.5) - mean) / deviation
        if channels_first:
            pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        step, parts = batch or len(pixels), []
        for start in range(0, len(pixels), step):
            some = pixels[start : start + step]
            filled = np.resize(some, (step, *some.shape[1:])) if len(some) < step else some
            parts.append(features(filled)[: len(some)])
        return tf.constant(np.concatenate(parts))

    return call


def _digest(path: str, protocol: Mapping[str, Any]) -> str:
    """Identifies file, weights that lie in files beside it, and settings."""
    graph = onnx.load(path, load_external_data=False).graph
    beside = {
        entry.value
        for weight in graph.initializer
        for entry in weight.external_data
        if entry.key == "location"
    }
    path_beside = pathlib.Path(path).parent
    parts = [files.sha256_of(one) for one in (path, *(path_beside / one for one in sorted(beside)))]
    return files.digest_of([parts, protocol])
