"""Painters of rashes and of disorders of pigment and hair, and of their parts.

Conventions as in `growths`.
"""

import numpy as np

from preprocessing.demo.canvas import Patch
from preprocessing.demo.growths import BLACK, BLOOD, CRUST, SCALE
from preprocessing.demo.textures import smoothstep

PUS = (0.78, 0.68, 0.42)
GREASE = (0.70, 0.52, 0.20)
DEPIGMENTED = (0.74, 0.52, 0.45)


def papule(p: Patch) -> None:
    """Inflamed acne papule."""
    depth = p.outline(irregular=0.08)
    p.add("blood", 0.85 * p.edge(depth, 0.6) + 0.28 * p.edge(depth + 0.4, 0.9))
    p.dome(depth, 0.35 * p.radius, 0.8)
    p.add("gloss", 0.10 * p.edge(depth, 0.4))
    p.mark(p.edge(depth + 0.15, 0.3))


def pustule(p: Patch) -> None:
    """Acne pustule: a yellow-white head in a red halo."""
    papule(p)
    head = p.edge(0.44 - p.r - 0.08 * p.noise(0.6, 4), 0.28)
    p.paint(PUS, 0.82 * head * (1 + 0.1 * p.noise(0.2, 5)))
    p.add("height", 0.16 * p.radius * head)
    p.smooth(head)


def comedo(p: Patch) -> None:
    """Blackhead: a dark plug in a pore."""
    plug = p.edge(0.40 - p.r - 0.06 * p.noise(0.5, 2), 0.35)
    p.paint((0.035, 0.02, 0.014), 0.9 * plug)
    p.add("height", 0.12 * p.radius * p.edge(1.1 - p.r, 0.8))
    p.add("blood", 0.18 * p.edge(1.1 - p.r, 0.9))
    p.mark(p.edge(0.7 - p.r, 0.3))


def follicle(p: Patch) -> None:
    """Folliculitis: a small pustule pierced by a hair, in a narrow red collar."""
    p.add("blood", 0.95 * p.edge(1.0 - p.r - 0.08 * p.noise(0.8, 2), 0.35))
    head = p.edge(0.50 - p.r, 0.2)
    p.paint(PUS, 0.75 * head)
    p.dome(1.0 - p.r, 0.30 * p.radius, 0.8)
    hair = p.edge(0.10 - np.abs(p.v), 0.08) * (p.u > -0.1) * (p.u < 1.5)
    p.paint(BLACK, 0.85 * hair)
    p.mark(p.edge(1.05 - p.r, 0.2))


def contact_dermatitis(p: Patch) -> None:
    """Acute contact dermatitis: a red area cut straight, full of vesicles."""
    aspect = p.rng.uniform(1.0, 1.6)
    wander = 0.035 * p.noise(0.5, 1)
    inside = np.minimum(0.92 - np.abs(p.u), 0.92 / aspect - np.abs(p.v)) - wander
    mask = p.edge(inside, 0.10)
    p.add("blood", mask * (0.75 + 0.12 * p.noise(0.5, 2)) + 0.10 * p.edge(inside + 0.12, 0.3))
    centre, tone = p.cells(0.13, 3, kinds=(1, 2), bend=0.08)
    wet = smoothstep(p.noise(0.6, 4), -0.5, 0.2)
    vesicle = mask * wet * (tone > 0.35) * smoothstep(-centre, -0.42, -0.25)
    p.add("height", 0.045 * p.radius * vesicle * np.clip(1 - (centre / 0.42) ** 2, 0, 1))
    p.paint((0.70, 0.48, 0.30), 0.42 * vesicle)
    p.add("gloss", 0.55 * vesicle)
    p.smooth(vesicle)
    p.paint((0.55, 0.34, 0.10), 0.6 * mask * wet * smoothstep(p.noise(0.22, 6), 1.3, 1.8))
    p.mark(mask)


def alopecia_areata(p: Patch) -> None:
    """Smooth, round, sharply bounded bald patch."""
    depth = p.outline(irregular=0.05, aspect=p.rng.uniform(1.0, 1.25), lobe=1.2)
    mask = p.edge(depth, 0.14)
    centre, tone = p.cells(0.11, 2, kinds=(1, 2), bend=0.0)
    stubs = (tone > 0.88) * p.edge(0.16 - centre, 0.12) * mask
    frayed = p.edge(depth + 0.04 * p.noise(0.14, 6), 0.30)
    p.bald(np.maximum(frayed, mask * (depth > 0.15)))
    p.add("melanin", 0.8 * stubs)
    p.add("gloss", 0.10 * mask)
    p.add("blood", 0.04 * mask)
    p.mark(mask)


def androgenetic_alopecia(p: Patch) -> None:
    """Diffuse thinning: scalp shines through, most in the middle, no border."""
    depth = p.outline(irregular=0.12, aspect=p.rng.uniform(1.0, 1.4), lobe=1.2)
    ragged = depth + 0.07 * p.noise(0.2, 3) + 0.05 * p.noise(0.07, 4)
    p.bald(p.rng.uniform(0.76, 0.84) * smoothstep(ragged, -0.6, 0.8))
    p.add("gloss", 0.06 * p.edge(depth, 0.6))
    p.mark(p.edge(depth - 0.12, 0.3))


def eczema(p: Patch) -> None:
    """Ill-defined, dry, lichenified patch with excoriations."""
    depth = p.outline(irregular=0.24, aspect=p.rng.uniform(1.0, 1.6))
    mask = p.edge(depth, 0.75) * smoothstep(p.noise(0.55, 2, 2), -1.3, 0.5)
    p.add("blood", 0.62 * mask)
    p.add("melanin", 0.16 * mask)
    (border,) = p.cells(0.10, 3)
    lines = smoothstep(-border, -0.22, 0.0) * mask
    p.add("height", -0.35 * lines)
    p.add("melanin", 0.26 * lines)
    dry = smoothstep(p.noise(0.045, 5) + 0.8 * p.noise(0.35, 6), 0.4, 2.2)
    p.paint(SCALE, (0.62 - 0.32 * p.darkness) * mask * dry)
    for _ in range(p.rng.integers(4, 9)):
        x, y = p.rng.uniform(-0.5, 0.5, 2)
        length, tilt = p.rng.uniform(0.06, 0.2), p.rng.normal(0.4, 0.25)
        along = (p.u - x) * np.cos(tilt) + (p.v - y) * np.sin(tilt)
        across = (p.v - y) * np.cos(tilt) - (p.u - x) * np.sin(tilt)
        scratch = p.edge(0.016 - np.abs(across), 0.016) * p.edge(length - np.abs(along), 0.03)
        p.paint(CRUST, 0.75 * scratch)
    p.mark(p.edge(depth + 0.02, 0.4))


def hidradenitis_nodule(p: Patch) -> None:
    """Deep violaceous nodule, sometimes with a draining sinus."""
    depth = p.outline(irregular=0.10, aspect=p.rng.uniform(1.0, 1.5))
    mask = p.edge(depth, 0.45)
    p.add("blood", 0.95 * mask + 0.22 * p.edge(depth + 0.3, 0.8))
    p.add("melanin", 0.35 * mask)
    p.add("veins", 0.5 * mask)
    p.dome(depth, 0.38 * p.radius, 0.7)
    p.add("gloss", 0.16 * mask)
    p.smooth(0.7 * mask)
    if p.rng.random() < 0.7:
        x, y = p.rng.uniform(-0.3, 0.3, 2)
        hole = np.hypot(p.u - x, 1.6 * (p.v - y)) + 0.06 * p.noise(0.3, 4)
        p.paint(PUS, 0.75 * p.edge(0.34 - hole, 0.12) * (p.noise(0.3, 5) > -0.3))
        p.paint(BLOOD, 0.92 * p.edge(0.22 - hole, 0.08))
        p.add("height", -0.10 * p.radius * p.edge(0.22 - hole, 0.1))
    p.mark(p.edge(depth + 0.05, 0.3))


def hidradenitis_scar(p: Patch) -> None:
    """Rope-like bridged scar."""
    depth = 0.16 + 0.04 * p.noise(0.5, 2) - np.abs(p.v - 0.2 * np.sin(2 * p.u)) - 0.1 * p.r**2
    mask = p.edge(depth, 0.20) * smoothstep(-p.r, -1.3, -1.0)
    p.add("height", 0.12 * p.radius * mask)
    p.add("melanin", 0.38 * mask)
    p.add("blood", 0.30 * mask)
    p.smooth(mask)
    p.add("gloss", 0.2 * mask)
    p.mark(mask)


def hyperpigmentation(p: Patch) -> None:
    """Post-inflammatory macule: brown, flat, with no border to speak of."""
    depth = p.outline(irregular=0.15, aspect=p.rng.uniform(1.0, 1.4))
    p.add("melanin", p.rng.uniform(0.5, 0.72) * p.edge(depth, 0.75))
    p.mark(p.edge(depth + 0.05, 0.3))


def psoriasis(p: Patch) -> None:
    """Sharply bounded red plaque under silvery scale."""
    depth = p.outline(irregular=0.13, aspect=p.rng.uniform(1.0, 1.5), lobe=0.7)
    mask = p.edge(depth, 0.07)
    p.add("blood", 0.98 * mask * (1 + 0.08 * p.noise(0.2, 8)))
    p.add("melanin", 0.14 * mask)
    p.smooth(mask)
    border, tone = p.cells(0.19, 2, kinds=(0, 2))
    fine = p.noise(0.06, 5)
    sheet = smoothstep(p.noise(0.5, 3) + 0.5 * p.noise(0.17, 4) + 0.25 * fine, -0.9, 0.5)
    plate = sheet * smoothstep(border + 0.06 * fine, 0.0, 0.3) * p.edge(depth - 0.10, 0.18)
    grey = 1.0 - 0.25 * p.darkness
    p.paint((0.70 * grey, 0.68 * grey, 0.67 * grey), 0.82 * plate * (0.55 + 0.45 * tone))
    p.paint((0.86, 0.85, 0.84), 0.45 * plate * smoothstep(fine + 2 * tone, 1.2, 2.2))
    p.bald(0.9 * mask)
    p.add(
        "height", 0.55 * smoothstep(depth, -0.03, 0.08) + 0.40 * plate * (0.5 + tone + 0.12 * fine)
    )
    p.mark(mask)


def seborrheic_dermatitis(p: Patch) -> None:
    """Ill-defined salmon patch with greasy yellow scale."""
    depth = p.outline(irregular=0.20, aspect=p.rng.uniform(1.2, 2.0))
    mask = p.edge(depth, 0.55)
    p.add("blood", 0.52 * mask * (1 + 0.15 * p.noise(0.3, 7)))
    border, tone = p.cells(0.15, 2, kinds=(0, 2))
    fine = p.noise(0.07, 8)
    flakes = mask * smoothstep(border + 0.08 * fine, 0.0, 0.35)
    flakes *= smoothstep(tone + 0.35 * p.noise(0.45, 3) + 0.1 * fine, 0.3, 0.95)
    p.paint(GREASE, 0.34 * mask * smoothstep(p.noise(0.5, 6), -0.6, 0.6))
    p.paint((0.70, 0.57, 0.33), 0.70 * flakes)
    p.add("height", 0.22 * flakes)
    p.add("gloss", 0.20 * mask)
    p.bald(0.55 * mask)
    p.mark(p.edge(depth + 0.03, 0.35))


def stasis_dermatitis(p: Patch) -> None:
    """Rusty, speckled staining of the shin with dilated veins and fine scale."""
    depth = p.outline(irregular=0.17, aspect=p.rng.uniform(1.2, 1.7))
    mask = p.edge(depth, 0.6)
    p.add("melanin", mask * (0.55 + 0.20 * p.noise(0.3, 2)))
    speckle = smoothstep(p.noise(0.055, 3) + 0.4 * p.noise(0.4, 4), 0.3, 1.2)
    p.add("melanin", 0.55 * mask * speckle)
    p.add("blood", mask * (0.55 + 0.15 * p.noise(0.4, 5)))
    vein = np.exp(-((p.noise(0.8, 6) / 0.12) ** 2)) * p.edge(depth + 0.25, 0.5)
    p.add("veins", 1.5 * vein)
    p.add("height", 0.9 * vein)
    p.add("gloss", 0.16 * mask)
    p.smooth(0.6 * mask)
    flakes = smoothstep(p.noise(0.035, 7) + 0.8 * p.noise(0.3, 8), 1.2, 2.0)
    p.paint(SCALE, 0.45 * mask * flakes)
    p.mark(p.edge(depth + 0.03, 0.4))


def tinea(p: Patch) -> None:
    """Ring with a raised, scaly, red border and a clearing centre."""
    depth = p.outline(irregular=0.07, aspect=p.rng.uniform(1.0, 1.25), lobe=0.8)
    ring = np.exp(-(((depth - 0.16) / 0.13) ** 2)) * (0.85 + 0.25 * p.noise(0.3, 2))
    p.add("blood", 0.98 * ring + 0.16 * p.edge(depth, 0.2))
    p.add("melanin", 0.14 * p.edge(depth, 0.2))
    p.add("height", 0.55 * ring * (1 + 0.3 * p.noise(0.15, 3)))
    (border,) = p.cells(0.10, 4)
    flakes = smoothstep(border, 0.0, 0.4) * smoothstep(p.noise(0.16, 5), -0.2, 0.9)
    p.paint(SCALE, 0.72 * flakes * np.exp(-(((depth - 0.20) / 0.09) ** 2)))
    p.paint(SCALE, 0.35 * flakes * p.edge(depth - 0.2, 0.2) * (p.noise(0.3, 6) > 0.9))
    p.mark(p.edge(depth + 0.05, 0.1))


def versicolor_pale(p: Patch) -> None:
    """Tinea versicolor: a paler, finely scaling oval macule."""
    depth = p.outline(irregular=0.13, aspect=p.rng.uniform(1.1, 1.6))
    mask = p.edge(depth, 0.22)
    fresh = mask * p.fresh()
    p.add("melanin", -0.36 * fresh)
    p.add("blood", -0.06 * fresh)
    p.paint(SCALE, 0.12 * mask * smoothstep(p.noise(0.12, 3) + p.noise(0.5, 4), 0.0, 2.0))
    p.mark(mask)


def versicolor_dark(p: Patch) -> None:
    """Tinea versicolor: a fawn, finely scaling oval macule."""
    depth = p.outline(irregular=0.13, aspect=p.rng.uniform(1.1, 1.6))
    mask = p.edge(depth, 0.22)
    fresh = mask * p.fresh()
    p.add("melanin", 0.34 * fresh)
    p.add("blood", 0.14 * fresh)
    p.paint(SCALE, 0.18 * mask * smoothstep(p.noise(0.3, 3), 0.2, 1.0))
    p.mark(mask)


def wheal(p: Patch) -> None:
    """Urticaria: smooth raised wheal, blanched inside a red flare."""
    depth = p.outline(irregular=0.17, aspect=p.rng.uniform(1.0, 1.8), lobe=0.9)
    mask = p.edge(depth, 0.20)
    rim = np.exp(-(((depth + 0.02) / 0.24) ** 2))
    p.add("blood", 0.22 * rim + 0.44 * mask + 0.26 * p.edge(depth + 0.25, 0.8))
    p.add("blood", -0.30 * smoothstep(depth, 0.05, 0.75))
    p.add("melanin", -0.06 * smoothstep(depth, 0.1, 0.6))
    p.add("height", 1.1 * smoothstep(depth, -0.10, 0.40))
    p.smooth(0.75 * mask)
    p.add("gloss", 0.09 * mask)
    p.mark(p.edge(depth + 0.1, 0.15))


def vitiligo(p: Patch) -> None:
    """Chalk-white patch, sharp scalloped border, darker rim."""
    depth = p.outline(irregular=0.22, aspect=p.rng.uniform(1.0, 1.7), lobe=0.6)
    mask = p.edge(depth, 0.05)
    islands = smoothstep(p.noise(0.09, 4) + 0.5 * p.noise(0.7, 5), 2.2, 2.5)
    even = 0.88 + 0.035 * p.noise(0.25, 7)
    p.paint(DEPIGMENTED, even * mask * (1 - 0.9 * islands))
    p.smooth(0.3 * mask)
    p.add("melanin", 0.13 * np.exp(-(((depth + 0.06) / 0.07) ** 2)))
    p.mark(mask)


def molluscum(p: Patch) -> None:
    """A few pearly papules with a central dimple."""
    away = p.distance(p.spots(p.rng.integers(4, 8), 0.42, 0.75)) / 0.22
    depth = 1.0 - away
    mask = p.edge(depth, 0.3)
    p.paint((0.72, 0.52, 0.47), (0.50 - 0.25 * p.darkness) * mask)
    p.paint((0.80, 0.72, 0.62), 0.6 * p.edge(0.26 - away, 0.2))
    p.add("blood", 0.5 * p.edge(depth + 0.2, 0.8))
    p.add("height", 0.10 * p.radius * smoothstep(depth, -0.1, 0.7))
    p.add("height", -0.05 * p.radius * p.edge(0.3 - away, 0.4))
    p.smooth(mask)
    p.add("gloss", 0.16 * mask)
    p.mark(mask)


def annular_granuloma(p: Patch) -> None:
    """Smooth beaded ring without scale."""
    depth = p.outline(irregular=0.06)
    ring = np.exp(-(((depth - 0.16) / 0.11) ** 2))
    beads = 0.6 + 0.4 * smoothstep(p.noise(0.22, 3), -0.3, 0.3)
    p.add("blood", 0.45 * ring * beads)
    p.add("melanin", 0.18 * ring)
    p.add("height", 1.2 * ring * beads)
    p.smooth(0.7 * ring)
    p.mark(p.edge(depth + 0.05, 0.1))
