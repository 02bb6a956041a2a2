"""From body to picture: pose, light, lens, sensor."""

import dataclasses
from typing import Tuple

import numpy as np
from PIL import Image, ImageFilter
from scipy import ndimage

from preprocessing.demo import textures


@dataclasses.dataclass(frozen=True)
class Camera:
    """How one photograph was taken.

    Attributes:
      width: columns of the upright picture.
      height: rows of the upright picture.
      centre: body coordinates (s, t) in the middle of the frame, millimetres.
      pixels_per_mm: of the picture.
      angle: rotation of the part's axis against the rows, radians.
      tilt: foreshortening across the line of sight, 0.85 to 1.
      light: unit vector to the light in the picture's axes.
      ambient: share of light from all around, 0.4 to 0.7.
      gradient: change of brightness across half the frame, (x, y).
      white_balance: gain of (R, G, B), near 1.
      exposure: gain, near 1.
      blur: deviation in pixels of the render resolution.
      motion: length of a motion blur in the same pixels, 0 for none.
      noise: deviation of the sensor noise in 8-bit levels.
      orientation: EXIF orientation tag, 1, 3, 6 or 8.
    """

    width: int
    height: int
    centre: Tuple[float, float]
    pixels_per_mm: float
    angle: float
    tilt: float
    light: Tuple[float, float, float]
    ambient: float
    gradient: Tuple[float, float]
    white_balance: Tuple[float, float, float]
    exposure: float
    blur: float
    motion: int
    noise: float
    orientation: int

    def body_coordinates(self, height: int, width: int) -> Tuple[np.ndarray, np.ndarray]:
        """Returns body coordinates (s, t) of a raster over the frame, float32 [h, w]."""
        x = (np.arange(width, dtype=np.float32) + 0.5) * (self.width / width) - self.width / 2
        y = (np.arange(height, dtype=np.float32) + 0.5) * (self.height / height) - self.height / 2
        x = x[None, :] / np.float32(self.pixels_per_mm)
        y = y[:, None] / np.float32(self.pixels_per_mm * self.tilt)
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        s = np.float32(self.centre[0]) + cos * x + sin * y
        t = np.float32(self.centre[1]) - sin * x + cos * y
        return s, t


_SIZES = ((600, 800), (720, 960), (768, 1024), (960, 1280))


def _white_balance(rng: np.random.Generator) -> Tuple[float, float, float]:
    red, green, blue = rng.normal(1.0, 0.012, 3).tolist()
    return red, green, blue


def draw_camera(centre: Tuple[float, float], frame_mm: float, rng: np.random.Generator) -> Camera:
    """Draws a plausible photograph.

    Args:
      centre: body coordinates to aim at, millimetres.
      frame_mm: what the shorter side of the frame spans, millimetres.
      rng: source of chance.
    """
    short, long = _SIZES[rng.choice(len(_SIZES), p=[0.3, 0.3, 0.25, 0.15])]
    portrait = rng.random() < 0.5
    width, height = (short, long) if portrait else (long, short)
    around, tilt = rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 0.75)
    angle = rng.normal(np.pi / 2 if portrait else 0.0, 0.3) + np.pi * (rng.random() < 0.5)
    kind = rng.random()
    blur = rng.uniform(1.2, 2.2) if kind < 0.07 else rng.uniform(0.25, 0.7)
    return Camera(
        width=width,
        height=height,
        centre=centre,
        pixels_per_mm=short / frame_mm,
        angle=float(angle),
        tilt=float(rng.uniform(0.86, 1.0)),
        light=(
            float(np.sin(tilt) * np.cos(around)),
            float(np.sin(tilt) * np.sin(around)),
            float(np.cos(tilt)),
        ),
        ambient=float(rng.uniform(0.40, 0.65)),
        gradient=(float(rng.normal(0, 0.05)), float(rng.normal(0, 0.05))),
        white_balance=_white_balance(rng),
        exposure=float(np.exp(rng.normal(0.0, 0.025))),
        blur=float(blur),
        motion=int(rng.integers(3, 6)) if kind > 0.95 else 0,
        noise=float(rng.uniform(1.2, 4.0)),
        orientation=int(rng.choice([1, 3, 6, 8], p=[0.88, 0.04, 0.04, 0.04])),
    )


def _to_srgb_table() -> np.ndarray:
    linear = np.linspace(0.0, 1.0, 4096)
    low = 12.92 * linear
    high = 1.055 * linear ** (1 / 2.4) - 0.055
    return np.round(255 * np.where(linear <= 0.0031308, low, high)).astype(np.uint8)


_SRGB = _to_srgb_table()


def develop(linear: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Turns scene light into the picture: white balance, lens blur, size, noise.

    Args:
      linear: linear sRGB, float32 [3, h, w], the middle of the skin's range near
        its reflectance.
      camera: the photograph.
      rng: source of the noise.

    Returns:
      uint8 [camera.height, camera.width, 3].
    """
    gains = np.array(camera.white_balance, np.float32) * np.float32(camera.exposure)
    levels = np.clip(linear * gains[:, None, None], 0.0, 1.0) * np.float32(4095)
    image = Image.fromarray(np.moveaxis(_SRGB[levels.astype(np.uint16)], 0, -1).copy())
    if camera.motion:
        pixels = np.asarray(image)
        pixels = ndimage.uniform_filter1d(pixels, camera.motion, axis=1, mode="nearest")
        image = Image.fromarray(pixels)
    image = image.filter(ImageFilter.GaussianBlur(camera.blur))
    size = (camera.width, camera.height)
    pixels = np.asarray(image.resize(size, Image.Resampling.BICUBIC), np.int16)
    shape = (camera.height, camera.width)
    # Demosaicing and denoising leave grain larger than a pixel; chroma is coarser.
    grain = rng.standard_normal((shape[0] // 2 + 1, shape[1] // 2 + 1), dtype=np.float32)
    luma = 1.5 * camera.noise * textures.resize(grain, *shape)
    fine = rng.integers(-2, 3, shape, dtype=np.int16)
    pixels = pixels + (luma + 0.5).astype(np.int16)[..., None] + fine[..., None]
    chroma = rng.standard_normal((2, shape[0] // 4 + 1, shape[1] // 4 + 1), dtype=np.float32)
    for channel, plane in zip((0, 2), chroma):
        pixels[..., channel] += (0.9 * camera.noise * textures.resize(plane, *shape)).astype(
            np.int16
        )
    return np.clip(pixels, 0, 255).astype(np.uint8)
