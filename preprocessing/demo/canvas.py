"""The layers that demo lesions are painted on, and the strokes that paint them."""

import dataclasses
from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np

from preprocessing.demo import textures
from preprocessing.demo.textures import smoothstep

Colour = Tuple[float, float, float]


@dataclasses.dataclass
class Canvas:
    """What the skin of one photograph is made of; all float32 [H, W].

    Attributes:
      s: body coordinate along the part, millimetres.
      t: body coordinate across the part.
      pixels_per_mm: resolution.
      melanin: change of melanin density.
      blood: change of haemoglobin density.
      veins: strength of bluish veins.
      height: relief in millimetres.
      shadow: share of the light that is lost, 0..1.
      smooth: 0 for normal micro-relief, 1 where it is stretched away.
      gloss: additional specular reflection.
      hair: cover of scalp hair, 0..1.
      paint: opaque matter (scale, crust, pus), linear sRGB times cover, [3, H, W].
      cover: its opacity.
      darkness: of the skin, 0 light to 1 dark.
      truth: per ROI how visible the lesion is, 0..1, [N, H, W].
    """

    s: np.ndarray
    t: np.ndarray
    pixels_per_mm: float
    melanin: np.ndarray
    blood: np.ndarray
    veins: np.ndarray
    height: np.ndarray
    shadow: np.ndarray
    smooth: np.ndarray
    gloss: np.ndarray
    hair: np.ndarray
    paint: np.ndarray
    cover: np.ndarray
    darkness: float
    truth: np.ndarray

    @classmethod
    def blank(
        cls,
        s: np.ndarray,
        t: np.ndarray,
        pixels_per_mm: float,
        num_rois: int,
        darkness: float = 0.0,
    ) -> "Canvas":
        """Returns bare skin at the given body coordinates."""
        given = ("s", "t", "pixels_per_mm", "darkness")
        channels = {"paint": (3,), "truth": (num_rois,)}
        layers = {
            field.name: np.zeros((*channels.get(field.name, ()), *s.shape), np.float32)
            for field in dataclasses.fields(cls)
            if field.name not in given
        }
        return cls(s=s, t=t, pixels_per_mm=pixels_per_mm, darkness=darkness, **layers)


@dataclasses.dataclass(frozen=True)
class Element:
    """One lesion of an ROI, in the body's millimetres.

    Attributes:
      painter: draws it, from `growths` or `rashes`.
      s: centre.
      t: centre.
      radius: millimetres.
      angle: orientation, radians.
      seed: what makes it this lesion and not another of its kind.
    """

    painter: Callable[["Patch"], None]
    s: float
    t: float
    radius: float
    angle: float
    seed: int


class Patch:
    """A window of the canvas in the coordinates of one lesion.

    Attributes:
      u: lesion coordinate, 1 at the lesion's radius, float32 [h, w].
      v: lesion coordinate across.
      r: distance from the centre.
      pixel: size of a pixel in lesion units, for edges that do not alias.
      radius: millimetres.
      darkness: of the skin, 0 light to 1 dark.
      rng: source of the lesion's own chance, the same in every photograph.
    """

    def __init__(self, canvas: Canvas, element: Element, roi: int, rows: slice, columns: slice):
        self._canvas, self._roi = canvas, roi
        self._window = (rows, columns)
        self._seed = element.seed
        self.radius = element.radius
        self.darkness = canvas.darkness
        self.rng = np.random.default_rng(element.seed)
        ds = (canvas.s[rows, columns] - element.s) / element.radius
        dt = (canvas.t[rows, columns] - element.t) / element.radius
        cos, sin = np.float32(np.cos(element.angle)), np.float32(np.sin(element.angle))
        self.u = cos * ds + sin * dt
        self.v = cos * dt - sin * ds
        self.r = np.hypot(self.u, self.v)
        self.pixel = 1.0 / (element.radius * canvas.pixels_per_mm)

    @classmethod
    def at(
        cls, canvas: Canvas, element: Element, roi: int, reach: float = 2.2
    ) -> Optional["Patch"]:
        """Returns the window within `reach` radii of an element, None if out of frame."""
        distance = reach * element.radius
        near = (np.abs(canvas.s[::4, ::4] - element.s) < distance) & (
            np.abs(canvas.t[::4, ::4] - element.t) < distance
        )
        if not near.any():
            return None
        rows = np.flatnonzero(near.any(1))
        columns = np.flatnonzero(near.any(0))
        return cls(
            canvas,
            element,
            roi,
            slice(max(4 * rows[0] - 4, 0), 4 * rows[-1] + 5),
            slice(max(4 * columns[0] - 4, 0), 4 * columns[-1] + 5),
        )

    def noise(self, wavelength: float, index: int, octaves: int = 1) -> np.ndarray:
        """Returns the lesion's own noise; wavelength in radii."""
        return textures.fractal(
            self.u, self.v, wavelength, self._seed % 100003 + 7 * index, octaves
        )

    def cells(
        self, pitch: float, index: int, kinds: Sequence[int] = (0,), bend: float = 0.28
    ) -> Tuple[np.ndarray, ...]:
        """Returns the lesion's own cell maps.

        Args:
          pitch: size of a cell, in radii.
          index: another index is another pattern.
          kinds: as in `textures.cells`.
          bend: how far the cells are bent out of their straight-edged shape.
        """
        u = self.u + bend * pitch * self.noise(1.3 * pitch, index + 60)
        v = self.v + bend * pitch * self.noise(1.3 * pitch, index + 61)
        return textures.cells(u, v, pitch, self._seed % 100003 + 7 * index, kinds)

    def outline(
        self, irregular: float = 0.1, aspect: float = 1.0, lobe: float = 0.9, index: int = 0
    ) -> np.ndarray:
        """Returns the depth inside an irregular blob: 1 at the centre, 0 on its border.

        Args:
          irregular: deviation of the border, in radii.
          aspect: length over width.
          lobe: size of the border's lobes, in radii.
          index: another index is another border.
        """
        radius = np.hypot(self.u / aspect**0.5, self.v * aspect**0.5)
        wander = self.noise(lobe, 50 + index) + 0.35 * self.noise(0.35 * lobe, 51 + index)
        return 1.0 - radius - irregular * wander

    def edge(self, depth: np.ndarray, softness: float) -> np.ndarray:
        """Returns the mask of depth > 0 with a border of the given width in radii."""
        width = max(softness, 1.2 * self.pixel)
        return smoothstep(depth, -width / 2, width / 2)

    def _view(self, layer: str) -> np.ndarray:
        return getattr(self._canvas, layer)[self._window]

    def add(self, layer: str, values: np.ndarray) -> None:
        """Adds to melanin, blood, veins, shadow, gloss or (in millimetres) height."""
        self._view(layer)[...] += values

    def smooth(self, mask: np.ndarray) -> None:
        """Stretches the skin's micro-relief away under a mask."""
        view = self._view("smooth")
        np.maximum(view, mask, out=view)

    def bald(self, mask: np.ndarray) -> None:
        """Takes away a share of the scalp hair."""
        self._view("hair")[...] *= 1.0 - mask

    def paint(self, colour: Colour, opacity: np.ndarray) -> None:
        """Lays opaque matter (linear sRGB) over what is there."""
        rows, columns = self._window
        opacity = np.clip(opacity, 0.0, 1.0)
        for channel in range(3):
            view = self._canvas.paint[channel, rows, columns]
            view += (colour[channel] - view) * opacity
        cover = self._canvas.cover[rows, columns]
        cover += (1.0 - cover) * opacity

    def mark(self, visible: np.ndarray) -> None:
        """Records where the lesion can be seen, 0..1."""
        view = self._canvas.truth[self._roi][self._window]
        np.maximum(view, visible, out=view)

    def fresh(self) -> np.ndarray:
        """Returns where the ROI has no lesion yet, 0..1, so that neighbours merge."""
        return 1.0 - self._canvas.truth[self._roi][self._window]

    def dome(self, depth: np.ndarray, height_mm: float, power: float = 0.5) -> None:
        """Raises a dome where depth > 0; a lower power has a steeper wall."""
        self.add("height", height_mm * np.clip(depth, 0.0, 1.0) ** power)

    def spots(self, count: int, size: float, within: float = 0.8) -> List[Tuple[float, float]]:
        """Draws centres inside the lesion that keep a distance of `size` radii."""
        centres: List[Tuple[float, float]] = []
        for _ in range(12 * count):
            angle, distance = self.rng.uniform(0, 2 * np.pi), within * self.rng.random() ** 0.5
            place = (distance * np.cos(angle), distance * np.sin(angle))
            if all(np.hypot(place[0] - x, place[1] - y) > size for x, y in centres):
                centres.append(place)
            if len(centres) == count:
                break
        return centres

    def distance(self, centres: Sequence[Tuple[float, float]]) -> np.ndarray:
        """Returns the distance to the nearest of some centres, in radii."""
        nearest = np.full(self.u.shape, 9.0, np.float32)
        for x, y in centres:
            np.minimum(nearest, np.hypot(self.u - x, self.v - y), out=nearest)
        return nearest
