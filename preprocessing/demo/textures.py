"""Procedural textures: seeded noise, skin cells and hair strands on wrapping tiles.

Everything the demo photographs draw is a function of body coordinates in
millimetres, so that two photographs of one patient show the same skin. Noise is
therefore looked up in a few fixed tiles instead of being drawn per pixel.
"""

import functools
from typing import Sequence, Tuple, Union

import numpy as np
from PIL import Image
from scipy import ndimage, spatial

TILE = 512
SMOOTH_PITCH = 10.0  # Tile pixels per bump of `smooth_tile`.
CELL_PITCH = 12.8  # Tile pixels per cell of `cell_tiles`.


def smoothstep(
    values: np.ndarray,
    low: Union[float, np.ndarray] = 0.0,
    high: Union[float, np.ndarray] = 1.0,
) -> np.ndarray:
    """Returns 0 below `low`, 1 above `high` and a smooth cubic between (GLSL)."""
    x = np.clip((values - low) / (high - low), 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def _unit(tile: np.ndarray) -> np.ndarray:
    return ((tile - tile.mean()) / tile.std()).astype(np.float32)


@functools.cache
def smooth_tile() -> np.ndarray:
    """Returns band-limited noise, float32 [512, 512], mean 0, deviation 1."""
    white = np.random.default_rng(11).standard_normal((TILE, TILE))
    return _unit(ndimage.gaussian_filter(white, SMOOTH_PITCH / 2.5, mode="wrap"))


@functools.cache
def strand_tile() -> np.ndarray:
    """Returns noise drawn out along the rows (hair, brushed fibres), deviation 1."""
    white = np.random.default_rng(12).standard_normal((TILE, TILE))
    return _unit(ndimage.gaussian_filter(white, (0.9, 40.0), mode="wrap"))


@functools.cache
def cell_tiles() -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns a Voronoi pattern, 40 x 40 jittered cells that wrap.

    Returns:
      `border`, distance from the cell's border in units of a cell (0 on it);
      `centre`, distance from the cell's centre; `tone`, one random number in
      [0, 1) per cell. All float32 [512, 512].
    """
    rng = np.random.default_rng(13)
    count = int(TILE / CELL_PITCH)
    grid = np.stack(np.meshgrid(np.arange(count), np.arange(count)), -1).reshape(-1, 2)
    points = (grid + 0.5 + rng.uniform(-0.42, 0.42, grid.shape)) % count
    rows, columns = np.mgrid[:TILE, :TILE] / CELL_PITCH
    query = np.stack([columns, rows], -1).reshape(-1, 2) % count
    distance, index = spatial.cKDTree(points, boxsize=count).query(query, k=2)
    shape = (TILE, TILE)
    border = (distance[:, 1] - distance[:, 0]).reshape(shape)
    tone = rng.random(len(points))[index[:, 0]].reshape(shape)
    return (
        border.astype(np.float32),
        distance[:, 0].reshape(shape).astype(np.float32),
        tone.astype(np.float32),
    )


def look_up(tile: np.ndarray, x: np.ndarray, y: np.ndarray, order: int = 1) -> np.ndarray:
    """Samples a wrapping tile at tile coordinates; float32, the shape of `x`."""
    return ndimage.map_coordinates(
        tile, [y, x], order=order, mode="grid-wrap", prefilter=False, output=np.float32
    )


def noise(x: np.ndarray, y: np.ndarray, wavelength: float, seed: int) -> np.ndarray:
    """Returns smooth noise of deviation 1 at the given coordinates.

    Args:
      x: float32 coordinates.
      y: float32 coordinates, the shape of `x`.
      wavelength: size of a bump, in the unit of the coordinates.
      seed: moves the place on the tile; another seed is another noise.
    """
    scale = SMOOTH_PITCH / wavelength
    dx, dy = offsets(seed)
    return look_up(smooth_tile(), x * scale + dx, y * scale + dy)


def fractal(
    x: np.ndarray, y: np.ndarray, wavelength: float, seed: int, octaves: int = 3
) -> np.ndarray:
    """Returns a sum of octaves of `noise`, each half as large and half as strong."""
    total = np.zeros(x.shape, np.float32)
    norm = 0.0
    for octave in range(octaves):
        total += noise(x, y, wavelength / 2**octave, seed + 101 * octave) * 0.5**octave
        norm += 0.25**octave
    return total / np.float32(norm**0.5)


def cells(
    x: np.ndarray, y: np.ndarray, pitch: float, seed: int, kinds: Sequence[int] = (0,)
) -> Tuple[np.ndarray, ...]:
    """Returns maps of `cell_tiles` at the given coordinates.

    Args:
      x: float32 coordinates.
      y: float32 coordinates.
      pitch: size of a cell, in the unit of the coordinates.
      seed: moves the place on the tile.
      kinds: which of the tiles: 0 border, 1 centre, 2 tone.
    """
    scale = CELL_PITCH / pitch
    dx, dy = offsets(seed)
    at_x, at_y = x * scale + dx, y * scale + dy
    tiles = cell_tiles()
    return tuple(look_up(tiles[kind], at_x, at_y, order=0 if kind == 2 else 1) for kind in kinds)


def offsets(seed: int) -> Tuple[np.float32, np.float32]:
    """Returns a place on the tiles for a seed."""
    mixed = (seed * 2654435761 + 97) % 2**32
    return np.float32(mixed % 509), np.float32((mixed // 509) % 503)


def resize(field: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes a float32 [h, w] field smoothly."""
    image = Image.fromarray(np.ascontiguousarray(field, np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
