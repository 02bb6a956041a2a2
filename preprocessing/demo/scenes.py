"""Body parts, backgrounds and clothing of the demo photographs."""

import dataclasses
from typing import Dict

import numpy as np

from preprocessing.demo import textures
from preprocessing.demo.textures import smoothstep

# Half width of the part across its axis, millimetres.
HALF_WIDTH: Dict[str, float] = {
    "forearm": 42.0,
    "leg": 58.0,
    "trunk": 165.0,
    "back": 175.0,
    "face": 78.0,
    "scalp": 92.0,
    "hand": 44.0,
}
PARTS = tuple(HALF_WIDTH)

# Linear sRGB of things behind a patient; few are near skin.
_WALLS = ((0.66, 0.68, 0.66), (0.45, 0.56, 0.60), (0.30, 0.42, 0.52), (0.55, 0.60, 0.50),
          (0.34, 0.36, 0.40), (0.72, 0.72, 0.74), (0.40, 0.52, 0.44))  # fmt: skip
_CLOTHS = ((0.03, 0.05, 0.14), (0.05, 0.16, 0.30), (0.02, 0.02, 0.025), (0.16, 0.17, 0.19),
           (0.62, 0.64, 0.66), (0.03, 0.14, 0.10), (0.18, 0.05, 0.22), (0.10, 0.28, 0.30),
           (0.30, 0.02, 0.06), (0.22, 0.34, 0.52))  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Scene:
    """What surrounds the lesion in the photographs of a case.

    Attributes:
      part: an entry of `PARTS`.
      axis_t: where the part's axis lies, millimetres across from the lesion.
      garment_s: where clothing begins along the part; infinite for none.
      seed: bends of the outline, folds of the cloth.
    """

    part: str
    axis_t: float
    garment_s: float
    seed: int


def _limb(s: np.ndarray, t: np.ndarray, half: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    taper = rng.uniform(-0.0012, 0.0012)
    bulge = rng.uniform(0.0, 0.10) * np.sin(s / rng.uniform(55, 80) + rng.uniform(0, 6))
    width = half * np.clip(1.0 + taper * s + bulge, 0.6, 1.5)
    bend = 5.0 * np.sin(s / 90.0 + rng.uniform(0, 6))
    return width - np.abs(t - bend)


def _hand(s: np.ndarray, t: np.ndarray, half: float, seed: int) -> np.ndarray:
    """Distance inside the back of a hand: a palm, a wrist and four fingers."""
    rng = np.random.default_rng(seed)
    palm = 24.0 - np.hypot(np.maximum(np.abs(s) - 26, 0), np.maximum(np.abs(t) - half + 24, 0))
    wrist = np.where(s < 0, half * 0.72 - np.abs(t), -60.0 - s)
    parts = [palm, wrist]
    for finger, length in zip(range(4), (76, 88, 84, 64)):
        root = (finger - 1.5) * 21.5
        lean = (finger - 1.5) * rng.uniform(0.03, 0.12)
        along = np.clip(s, 30.0, 36.0 + length)
        width = 9.8 + 0.7 * np.cos((s - 30.0) / 9.0)
        parts.append(width - np.hypot(s - along, t - root - lean * (along - 30)))
    # A smooth maximum rounds the webs between the fingers.
    web = 2.2
    return web * np.log(sum(np.exp(np.clip(part, -60, 60) / web) for part in parts))


def depth_inside(scene: Scene, s: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Returns how far a place lies inside the body part's outline, in millimetres.

    Negative values lie outside. Coordinates as in `canvas.Canvas`.
    """
    half = HALF_WIDTH[scene.part]
    t = t - scene.axis_t
    if scene.part == "hand":
        return _hand(s, t, half, scene.seed)
    if scene.part in ("face", "scalp"):
        return (1.0 - np.hypot(s / (1.32 * half), t / half)) * half
    return _limb(s, t, half, scene.seed)


def body_height(scene: Scene, depth: np.ndarray, s: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Returns the large-scale relief of the part in millimetres."""
    round_mm = 11.0 if scene.part == "hand" else HALF_WIDTH[scene.part]
    across = np.clip(1.0 - depth / round_mm, 0.0, 1.0)
    height = 0.75 * round_mm * np.sqrt(np.maximum(1.0 - across**2, 0.0))
    return height + 1.1 * textures.noise(s, t, 60.0, scene.seed + 3)


def garment(scene: Scene, s: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Returns how far a place lies under clothing, in millimetres (negative: bare)."""
    if not np.isfinite(scene.garment_s):
        return np.full(s.shape, -1e3, np.float32)
    hem = 3.5 * textures.noise(t, 0.0 * t, 50.0, scene.seed + 4)
    return (s - scene.garment_s - hem) * (1.0 if scene.garment_s > 0 else -1.0)


def cloth(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws fabric: a weave, folds and sometimes stripes.

    Args:
      x: millimetres, float32 [h, w].
      y: millimetres.
      rng: source of chance.

    Returns:
      Linear sRGB, float32 [3, h, w].
    """
    colour = np.array(_CLOTHS[rng.integers(len(_CLOTHS))]) * rng.uniform(0.8, 1.25)
    seed = int(rng.integers(2**31))
    folds = textures.noise(x * 0.4, y, 38.0, seed) + 0.4 * textures.noise(
        x, y * 0.6, 15.0, seed + 1
    )
    thread = rng.uniform(0.9, 1.8)
    weave = np.sin(2 * np.pi * x / thread) * np.sin(2 * np.pi * y / thread)
    fibre = textures.look_up(textures.strand_tile(), x * 8, y * 8)
    shade = 1.0 + 0.17 * folds + 0.10 * weave + 0.06 * fibre
    if rng.random() < 0.25:
        stripe = smoothstep(np.sin(2 * np.pi * y / rng.uniform(8, 22)), 0.2, 0.4)
        other = np.array(_CLOTHS[rng.integers(len(_CLOTHS))])
        return (colour[:, None, None] * (1 - stripe) + other[:, None, None] * stripe) * shade
    return colour[:, None, None] * np.clip(shade, 0.3, None)


def _paper(x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Crumpled examination-table paper."""
    (crease,) = textures.cells(x + 4 * textures.noise(x, y, 30.0, seed), y, 28.0, seed + 1)
    facets = textures.noise(x, y, 24.0, seed + 2) + 0.6 * textures.noise(x, y, 9.0, seed + 3)
    shade = 0.78 + 0.06 * facets - 0.10 * smoothstep(-crease, -0.08, 0.0)
    return np.array([0.97, 1.0, 1.02])[:, None, None] * shade


def _towel(x: np.ndarray, y: np.ndarray, seed: int, rng: np.random.Generator) -> np.ndarray:
    colour = np.array(_CLOTHS[rng.integers(4, len(_CLOTHS))])
    (centre,) = textures.cells(x, y, 2.4, seed, kinds=(1,))
    shade = 1.2 - 0.55 * centre + 0.12 * textures.noise(x, y, 40.0, seed + 1)
    return colour[:, None, None] * np.clip(shade, 0.2, None)


def background(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws what lies behind the patient: a wall, table paper, cloth or a towel.

    Args:
      x: millimetres in the picture plane, float32 [h, w].
      y: millimetres.
      rng: source of chance.

    Returns:
      Linear sRGB, float32 [3, h, w].
    """
    kind = rng.choice(["wall", "paper", "cloth", "towel"], p=[0.35, 0.25, 0.25, 0.15])
    seed = int(rng.integers(2**31))
    if kind == "cloth":
        return cloth(x, y, rng)
    if kind == "paper":
        return _paper(x, y, seed)
    if kind == "towel":
        return _towel(x, y, seed, rng)
    colour = np.array(_WALLS[rng.integers(len(_WALLS))]) * rng.uniform(0.75, 1.1)
    angle = rng.uniform(0, 2 * np.pi)
    slope = (np.cos(angle) * x + np.sin(angle) * y) / 250.0
    plaster = 0.02 * textures.noise(x, y, 3.0, seed) + 0.03 * textures.noise(x, y, 60.0, seed)
    return colour[:, None, None] * np.clip(1.0 + 0.25 * slope + plaster, 0.2, 1.4)
