"""The noise of a seed in NumPy alone: what `model.noise` draws in TensorFlow.

An exported ONNX model takes noise as inputs and has a copy of this file beside it:

    inputs = json.load(open("assets/taxonomy.json"))["noise"]["inputs"]
    drawn = of_seeds(inputs, [1, 2])  # the noise of seeds 1 and 2

Uniform values are exactly those of TensorFlow, normal ones up to the rounding of
logarithm, sine and cosine, 5e-7.
"""

import math
from typing import Dict, Mapping, Sequence, Tuple

import numpy as np

DISTRIBUTIONS = ("normal", "uniform")  # each is a stream of a seed
_UNIT = 2.0**-24  # a float32 holds 24 bits


def of_seeds(
    inputs: Mapping[str, Tuple[Sequence[int], str]], seeds: Sequence[int]
) -> Dict[str, np.ndarray]:
    """Draws a generator's noise.

    Args:
      inputs: by name, in the generator's order, shape without batch and distribution.
      seeds: one for each image.

    Returns:
      By name, float32 [B, ...].
    """
    drawn: Dict[str, np.ndarray] = {}
    for index, distribution in enumerate(DISTRIBUTIONS):
        shapes = {name: shape for name, (shape, its) in inputs.items() if its == distribution}
        sizes = [math.prod(shape) for shape in shapes.values()]
        rows = [draw([sum(sizes)], fold_in((seed, 0), index), distribution) for seed in seeds]
        parts = np.split(np.stack(rows), np.cumsum(sizes)[:-1], axis=1) if shapes else ()
        for (name, shape), part in zip(shapes.items(), parts):
            drawn[name] = part.reshape(len(seeds), *shape)
    return drawn


def fold_in(seed: Sequence[int], data: int) -> Tuple[int, int]:
    """Makes a seed, two numbers of 64 bits, of its own for a stream of numbers."""
    low, high = (int(word) for word in _bits(2, seed))
    first = np.array(low | high << 32, np.uint64).astype(np.int64)
    return int(first), data


def draw(shape: Sequence[int], seed: Sequence[int], distribution: str) -> np.ndarray:
    """Draws numbers.

    Args:
      shape: of the result.
      seed: two numbers of 64 bits, signed or not.
      distribution: "normal" (standard) or "uniform" (in [0, 1)).

    Returns:
      float32 of this shape.
    """
    count = int(np.prod(shape))
    if distribution == "uniform":
        return _unit(_bits(count, seed)).reshape(shape)
    pairs = (count + 1) // 2
    bits = _bits(2 * pairs, seed)
    radius = np.sqrt(np.float32(-2) * np.log(_unit(bits[:pairs]) + np.float32(_UNIT)))
    angle = np.float32(2 * np.pi) * _unit(bits[pairs:])
    normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
    return normal[:count].reshape(shape)


def _unit(bits: np.ndarray) -> np.ndarray:
    return (bits >> np.uint32(8)).astype(np.float32) * np.float32(_UNIT)


def _bits(count: int, seed: Sequence[int]) -> np.ndarray:
    """Returns uint32 [count]; key and counter come from the seed as in TensorFlow."""
    words = [int(part) & (1 << 64) - 1 for part in seed]
    counter = np.array([[word & 0xFFFFFFFF, word >> 32] for word in words], np.uint32)
    mixed = _philox(counter.reshape(1, 4), (0x3EC8F720, 0x02461E29))[0]
    blocks = -(-count // 4)
    counters = np.zeros((blocks, 4), np.uint32)
    counters[:, 0] = np.arange(blocks)
    counters[:, 2:] = mixed[2:]
    return _philox(counters, (int(mixed[0]), int(mixed[1]))).reshape(-1)[:count]


def _philox(counters: np.ndarray, key: Tuple[int, int]) -> np.ndarray:
    """Ten rounds of Philox 4x32.

    Args:
      counters: uint32 [n, 4].
      key: two numbers of 32 bits.

    Returns:
      uint32 [n, 4].
    """
    a, b, c, d = (counters[:, column].astype(np.uint64) for column in range(4))
    low = np.uint64(0xFFFFFFFF)
    for turn in range(10):
        left = a * np.uint64(0xD2511F53)
        right = c * np.uint64(0xCD9E8D57)
        keys = [
            np.uint64((word + turn * step) & 0xFFFFFFFF)
            for word, step in zip(key, (0x9E3779B9, 0xBB67AE85))
        ]
        a, b, c, d = (
            (right >> np.uint64(32)) ^ b ^ keys[0],
            right & low,
            (left >> np.uint64(32)) ^ d ^ keys[1],
            left & low,
        )
    return np.stack([a, b, c, d], 1).astype(np.uint32)
