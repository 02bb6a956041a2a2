"""Skin colour and surface for the demo photographs.

Colour starts in CIELAB. The individual typology angle, ITA = atan2(L* - 50, b*) in
degrees, falls in the middle of the skin type's range: type I above 55, II 41 to
55, III 28 to 41, IV 10 to 28, V -30 to 10, VI below -30 (Chardon et al. 1991,
Int. J. Cosmet. Sci. 13; Del Bino and Bernerd 2013, Br. J. Dermatol. 169). a* and b*
are near the means that Xiao et al. 2017 (Skin Res. Technol. 23) measured.

What changes the colour is a change of chromophore: optical density of melanin and of
haemoglobin, which multiplies the reflectance. So a freckle or an erythema takes
the look it has on that skin, violet-brown rather than red on dark skin.
"""

import dataclasses
import math
from typing import Tuple

import numpy as np

from preprocessing.data import taxonomy
from preprocessing.demo import textures

# Type: (ITA in degrees, its half spread, a*, b*).
_TONES = {
    1: (61.5, 3.0, 8.5, 12.3),
    2: (48.0, 3.5, 10.5, 15.3),
    3: (34.5, 3.5, 11.8, 18.0),
    4: (19.0, 4.5, 12.5, 20.0),
    5: (-9.0, 8.0, 13.0, 19.0),
    6: (-51.0, 6.0, 10.5, 13.5),
}
# Optical density per unit of chromophore in (R, G, B).
MELANIN = np.array([0.55, 0.95, 1.30], np.float32)
_BLOOD_LIGHT = np.array([0.16, 1.00, 0.78], np.float32)
_BLOOD_DARK = np.array([0.50, 1.00, 0.58], np.float32)
_VEIN = np.array([0.30, 0.14, 0.02], np.float32)


def ita(lightness: float, b: float) -> float:
    """Returns the individual typology angle in degrees."""
    return math.degrees(math.atan2(lightness - 50.0, b))


def draw_tone(skin_type: int, rng: np.random.Generator) -> Tuple[float, float, float]:
    """Draws a person's skin colour.

    Args:
      skin_type: Fitzpatrick type, 1..6.
      rng: source of chance.

    Returns:
      CIELAB (D65) whose ITA is one of the skin type.

    Raises:
      ValueError: the type is not in 1..6.
    """
    angle, spread, a, b = _TONES[taxonomy.check_fitzpatrick(skin_type)]
    angle += rng.uniform(-spread, spread)
    b += rng.uniform(-1.2, 1.2)
    a += rng.uniform(-1.3, 1.3)
    return 50.0 + b * math.tan(math.radians(angle)), a, b


def lab_to_linear(lab: Tuple[float, float, float]) -> np.ndarray:
    """Converts CIELAB (D65) to linear sRGB, float32 [3], cut to [0, 1]."""
    fy = (lab[0] + 16.0) / 116.0
    f = np.array([fy + lab[1] / 500.0, fy, fy - lab[2] / 200.0])
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    xyz *= np.array([0.95047, 1.0, 1.08883])
    matrix = np.array(
        [
            [3.2404542, -1.5371385, -0.4985314],
            [-0.9692660, 1.8760108, 0.0415560],
            [0.0556434, -0.2040259, 1.0572252],
        ]
    )
    return np.clip(matrix @ xyz, 0.0, 1.0).astype(np.float32)


def darkness(lab: Tuple[float, float, float]) -> float:
    """Returns 0 for light skin (ITA over 30) rising to 1 for dark (under -30)."""
    return float(np.clip((30.0 - ita(lab[0], lab[2])) / 60.0, 0.0, 1.0))


def blood(lab: Tuple[float, float, float]) -> np.ndarray:
    """Returns the density of a unit of haemoglobin seen through that skin, (R, G, B)."""
    share = darkness(lab)
    return (1 - share) * _BLOOD_LIGHT + share * _BLOOD_DARK


@dataclasses.dataclass(frozen=True)
class Surface:
    """What a patient's skin looks like on one body part.

    Attributes:
      lab: colour in CIELAB.
      seed: moves mottling, freckles and veins.
      freckles: 0 none to 1 many.
      veins: strength of the veins seen through the skin, 0..1.
      mottling: strength of the low-frequency variation, about 1.
      furrow_mm: size of a cell of the micro-relief.
      furrow_stretch: how much longer than wide the cells are.
      pores: 0..1.
      gloss: strength of the specular reflection, about 0.05 to 0.3.
    """

    lab: Tuple[float, float, float]
    seed: int
    freckles: float
    veins: float
    mottling: float
    furrow_mm: float
    furrow_stretch: float
    pores: float
    gloss: float


def draw_surface(lab: Tuple[float, float, float], part: str, rng: np.random.Generator) -> Surface:
    """Draws the surface of a patient's skin on a body part."""
    light = 1.0 - darkness(lab)
    exposed = part in ("face", "forearm", "hand", "back")
    freckled = exposed and light > 0.95 and rng.random() < 0.35
    return Surface(
        lab=lab,
        seed=int(rng.integers(2**31)),
        freckles=rng.uniform(0.4, 1.0) if freckled else 0.0,
        veins=light * rng.uniform(0.0, 1.0) if part in ("forearm", "hand", "leg") else 0.0,
        mottling=rng.uniform(0.6, 1.4),
        furrow_mm={"face": 0.55, "scalp": 0.7, "hand": 1.05, "leg": 0.95}.get(part, 0.8),
        furrow_stretch=rng.uniform(1.1, 1.6),
        pores=rng.uniform(0.3, 1.0) if part == "face" else 0.0,
        gloss=rng.uniform(0.04, 0.15) * (1.3 if part == "face" else 1.0) * (0.6 + 0.4 * light),
    )


def chromophores(
    surface: Surface, s: np.ndarray, t: np.ndarray
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the slow variation of the skin colour.

    Args:
      surface: the skin.
      s: body coordinate along the part, float32 [h, w], millimetres.
      t: body coordinate across the part.

    Returns:
      Melanin, haemoglobin and vein strength, float32 [h, w]; about mean 0.
    """
    seed = surface.seed
    melanin = 0.055 * textures.fractal(s, t, 45.0, seed) + 0.03 * textures.noise(
        s, t, 5.0, seed + 1
    )
    melanin += 0.018 * textures.noise(s, t, 1.6, seed + 9)
    haemoglobin = 0.040 * textures.fractal(s, t, 28.0, seed + 2)
    haemoglobin += 0.026 * textures.noise(s, t, 4.5, seed + 3)
    haemoglobin += 0.018 * textures.noise(s, t, 1.9, seed + 4)
    if surface.freckles:
        presence = textures.noise(s, t, 14.0, seed + 6)
        spots = textures.noise(s, t, 2.6, seed + 5) + 0.35 * presence
        melanin = melanin + 0.34 * textures.smoothstep(spots, 2.2 - 0.8 * surface.freckles, 2.7)
    veins = np.zeros_like(melanin)
    if surface.veins > 0.1:
        path = textures.noise(s * 0.45, t, 34.0, seed + 7) + 0.25 * textures.noise(
            s, t, 15.0, seed + 8
        )
        veins = surface.veins * np.exp(-((path / 0.11) ** 2))
    return surface.mottling * melanin, surface.mottling * haemoglobin, veins


def relief(
    surface: Surface, s: np.ndarray, t: np.ndarray, pixels_per_mm: float
) -> Tuple[np.ndarray, np.ndarray]:
    """Returns the micro-relief: the lattice of furrows, pores and grain.

    A lattice too fine for the camera is drawn coarser and fainter instead of
    aliasing.

    Args:
      surface: the skin.
      s: body coordinate, float32 [h, w], millimetres.
      t: body coordinate.
      pixels_per_mm: resolution.

    Returns:
      Height in millimetres and additional melanin (dark furrows), float32 [h, w].
    """
    cell = max(surface.furrow_mm, 4.5 / pixels_per_mm)
    fade = surface.furrow_mm / cell
    wobble = 0.35 * cell * textures.noise(s, t, 4.0 * cell, surface.seed + 21)
    (border,) = textures.cells(s / surface.furrow_stretch + wobble, t, cell, surface.seed + 22)
    plateau = textures.smoothstep(border, 0.0, 0.45)
    grain = textures.noise(s, t, 0.55 * cell, surface.seed + 23)
    height = (0.062 * plateau + 0.030 * grain) * (cell * fade**1.2)
    dark = fade * (0.045 * (0.72 - plateau) + 0.016 * grain)
    if surface.pores:
        (centre,) = textures.cells(s, t, 1.9 * cell, surface.seed + 24, kinds=(1,))
        pore = surface.pores * textures.smoothstep(-centre, -0.2, -0.02)
        height -= 0.03 * pore
        dark += 0.10 * fade * pore
    return height.astype(np.float32), dark.astype(np.float32)


def reflectance(
    lab: Tuple[float, float, float],
    melanin: np.ndarray,
    haemoglobin: np.ndarray,
    veins: np.ndarray,
) -> np.ndarray:
    """Returns the skin's diffuse reflectance, linear sRGB float32 [3, h, w]."""
    base = lab_to_linear(lab)
    red = blood(lab)
    channels = [
        base[c] * np.exp(-(MELANIN[c] * melanin + red[c] * haemoglobin + _VEIN[c] * veins))
        for c in range(3)
    ]
    return np.stack(channels)
