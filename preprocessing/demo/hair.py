"""Body hair and scalp hair of the demo patients."""

from typing import Tuple

import numpy as np
from PIL import Image, ImageDraw

from preprocessing.demo import textures
from preprocessing.demo.camera import Camera
from preprocessing.demo.canvas import Canvas
from preprocessing.demo.textures import smoothstep


def body_hair(
    camera: Camera,
    hairiness: float,
    shape: Tuple[int, ...],
    pixels_per_mm: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draws fine hair on limbs.

    Args:
      camera: the photograph; hairs turn with it.
      hairiness: 0..1.
      shape: rows and columns.
      pixels_per_mm: resolution of those rows and columns.
      rng: source of chance.

    Returns:
      How much of a pixel hair covers, float32 [h, w] in [0, 1].
    """
    height, width = shape
    area = width * height / pixels_per_mm**2
    count = int(min(700, 0.09 * area * hairiness))
    layer = Image.new("L", (2 * width, 2 * height))
    draw = ImageDraw.Draw(layer)
    x, y = rng.uniform(-0.1, 1.1, (2, count)) * np.array([[width], [height]])
    lean = -camera.angle + 0.6 + rng.normal(0, 0.35, count)
    bend = rng.normal(0, 0.5, count)
    length = rng.uniform(4.0, 11.0, count) * pixels_per_mm
    steps = np.linspace(0, 1, 6)
    heading = lean[:, None] + bend[:, None] * steps[None]
    px = x[:, None] + np.cumsum(np.cos(heading), 1) * length[:, None] / 6
    py = y[:, None] + np.cumsum(np.sin(heading), 1) * length[:, None] / 6
    shade = rng.integers(90, 230, count)
    line = max(1, int(round(0.10 * pixels_per_mm * 2)))
    for index in range(count):
        points = np.stack([px[index], py[index]], 1).ravel() * 2
        draw.line(points.tolist(), fill=int(shade[index]), width=line)
    layer = layer.resize((width, height), Image.Resampling.BOX)
    return np.asarray(layer, np.float32) / 255.0


def scalp_hair(seed: int, canvas: Canvas) -> Tuple[np.ndarray, np.ndarray]:
    """Draws the strands of scalp hair.

    Args:
      seed: of the patient; the same hair in every photograph.
      canvas: its body coordinates and `hair`, the density 0..1.

    Returns:
      How much of a pixel hair covers, and the gain of its brightness, float32
      [h, w], about 1.
    """
    s, t = canvas.s, canvas.t
    wave = 7.0 * textures.noise(s, t, 55.0, seed + 41) + 0.8 * textures.noise(s, t, 9.0, seed + 42)
    along = 0.30 * s
    strands = textures.look_up(textures.strand_tile(), along * 6.0, (t + wave) * 4.6)
    other = textures.look_up(
        textures.strand_tile(), (along + 0.02 * t) * 7.0 + 99, (t - 0.18 * s + 0.7 * wave) * 5.2
    )
    field = 0.75 * np.maximum(strands, other) + 0.2 * textures.noise(s, t, 20.0, seed + 43)
    density = canvas.hair
    cover = smoothstep(field, 1.0 - 3.2 * density, 2.0 - 3.1 * density) * (density > 0.02)
    return cover, 1.0 + 0.25 * strands + 0.14 * other
