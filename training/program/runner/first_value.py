"""The value that a variable begins with."""

from typing import Any

import numpy as np

_TRUNCATED_DEVIATION = 0.87962566103423978  # of a standard normal cut at 2


def first_value(variable: dict[str, Any], stored: Any) -> np.ndarray:
    """Returns the value that a variable begins with.

    Its "value" is ["stored", key of variables.npz], ["fill", number], or ["normal" or
    "truncated" (at two deviations of the normal), standard deviation, seeds of NumPy's
    generator].
    """
    kind, *rest = variable["value"]
    shape, dtype = variable["shape"], np.dtype(variable["dtype"])
    if kind == "stored":
        return stored[rest[0]]
    if kind == "fill":
        return np.full(shape, rest[0], dtype)
    deviation, seeds = rest
    generator = np.random.default_rng(seeds)
    drawn = generator.standard_normal(shape, np.float32)
    if kind == "truncated":
        while (far := np.abs(drawn) > 2.0).any():
            drawn[far] = generator.standard_normal(int(far.sum()), np.float32)
        drawn /= np.float32(_TRUNCATED_DEVIATION)
    return (drawn * np.float32(deviation)).astype(dtype)
