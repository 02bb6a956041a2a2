"""The values that a program's variables begin with, written as small as they can be."""

import pathlib
from typing import Any, Optional

import numpy as np
import tensorflow as tf

_LEAST = 4096  # values; fewer are stored, whatever they look like


def write(
    named: dict[str, tf.Variable], path: pathlib.Path, drawn: bool, seed: int
) -> list[dict[str, Any]]:
    """Writes variables.npz; equal values (the moving average at first) once.

    Args:
      named: the variables.
      path: of the file.
      drawn: leave values that are a sample of a normal distribution out: the runner
        draws others of the same deviation. For a training that begins.
      seed: of that.

    Returns:
      By variable name, shape, dtype and value, as `runner.first_value` reads it.
    """
    arrays: dict[str, np.ndarray] = {}
    seen: dict[tuple[str, tuple[int, ...], bytes], list[Any]] = {}
    described = []
    for number, (name, variable) in enumerate(named.items()):
        value = variable.numpy()
        key = (str(value.dtype), value.shape, value.tobytes())
        if key not in seen:
            seen[key] = _describe(value, f"v{number}", drawn, [seed, number])
            if seen[key][0] == "stored":
                arrays[seen[key][1]] = value
        described.append(
            {
                "name": name,
                "shape": list(value.shape),
                "dtype": str(value.dtype),
                "value": seen[key],
            }
        )
    np.savez_compressed(path, **arrays)
    return described


def _describe(value: np.ndarray, key: str, drawn: bool, seeds: list[int]) -> list[Any]:
    if value.size and np.all(value == value.flat[0]):
        return ["fill", value.flat[0].item()]
    kind = distribution_of(value) if drawn else None
    if kind:
        return [kind, float(value.std(dtype=np.float64)), seeds]
    return ["stored", key]


# Kurtosis: a normal distribution, and one cut at two deviations; a uniform one has 1.8.
_KURTOSIS = {"normal": 3.0, "truncated": 2.3656}


def distribution_of(value: np.ndarray) -> Optional[str]:
    """Returns what many values are likely independent draws from: a key of _KURTOSIS, or None.

    Mean, kurtosis and the correlation of neighbours along every axis must be within five
    standard errors.
    """
    if value.size < _LEAST or not np.issubdtype(value.dtype, np.floating):
        return None
    deviation = value.std(dtype=np.float64)
    scaled = value.astype(np.float64) / deviation
    error = value.size**-0.5
    if abs(scaled.mean()) > 5 * error:
        return None
    near = 5 * 24**0.5 * error
    fourth = (scaled**4).mean()
    kinds = [kind for kind, kurtosis in _KURTOSIS.items() if abs(fourth - kurtosis) < near]
    for axis, length in enumerate(value.shape):
        if length > 1:
            first = scaled.take(range(length - 1), axis)
            product = first * scaled.take(range(1, length), axis)
            if abs(product.mean()) > 5 * product.size**-0.5:
                return None
    return kinds[0] if len(kinds) == 1 else None
