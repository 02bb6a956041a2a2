"""Painters of rashes and of disorders of pigment and hair, and of their parts.

Conventions as in `demo_growths`.
"""

import numpy as np

from preprocessing.demo_canvas import Patch
from preprocessing.demo_growths import BLACK, BLOOD, CRUST, SCALE
from preprocessing.demo_textures import smoothstep

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
    head = p.edge(0.46 - p.r - 0.05 * p.noise(0.6, 4), 0.16)
    p.paint(PUS, 0.88 * head)
    p.add("height", 0.16 * p.radius * head)
    p.smooth(head)


def comedo(p: Patch) -> None:
    """Blackhead: a dark plug in a pore."""
    plug = p.edge(0.62 - p.r, 0.4)
    p.paint((0.05, 0.03, 0.02), 0.9 * plug)
    p.add("height", 0.10 * p.radius * p.edge(1.3 - p.r, 0.7))
    p.mark(plug)


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
    centre, tone = p.cells(0.13, 3, kinds=(1, 2))
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
    centre, tone = p.cells(0.11, 2, kinds=(1, 2))
    stubs = (tone > 0.88) * p.edge(0.16 - centre, 0.12) * mask
    p.bald(mask)
    p.add("melanin", 0.8 * stubs)
    p.add("gloss", 0.10 * mask)
    p.add("blood", 0.04 * mask)
    p.mark(mask)


def androgenetic_alopecia(p: Patch) -> None:
    """Diffuse thinning: scalp shines through, most in the middle, no border."""
    depth = p.outline(irregular=0.12, aspect=p.rng.uniform(1.0, 1.4), lobe=1.2)
    p.bald(p.rng.uniform(0.66, 0.8) * smoothstep(depth + 0.08 * p.noise(0.25, 3), -0.25, 0.5))
    p.add("gloss", 0.06 * p.edge(depth, 0.6))
    p.mark(p.edge(depth - 0.02, 0.3))


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
    dry = mask * smoothstep(p.noise(0.09, 5) + 0.5 * p.noise(0.4, 6), 0.9, 1.7)
    p.paint(SCALE, 0.50 * dry)
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
    mask = p.edge(depth, 0.08) * (p.r < 1.2)
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
    mask = p.edge(depth, 0.06)
    p.add("blood", 0.98 * mask)
    p.add("melanin", 0.14 * mask)
    p.smooth(mask)
    border, tone = p.cells(0.15, 2, kinds=(0, 2))
    plate = smoothstep(border, 0.02, 0.22) * smoothstep(tone + 0.22 * p.noise(0.5, 3), 0.2, 0.6)
    plate *= p.edge(depth - 0.09, 0.14)
    p.paint((0.76, 0.75, 0.74), 0.86 * plate)
    p.add("height", 0.55 * mask + 0.45 * plate * (0.5 + tone))
    p.mark(mask)


def seborrheic_dermatitis(p: Patch) -> None:
    """Ill-defined salmon patch with greasy yellow scale."""
    depth = p.outline(irregular=0.20, aspect=p.rng.uniform(1.2, 2.0))
    mask = p.edge(depth, 0.55)
    p.add("blood", 0.48 * mask)
    border, tone = p.cells(0.13, 2, kinds=(0, 2))
    flakes = mask * smoothstep(border, 0.02, 0.3)
    flakes *= smoothstep(tone + 0.3 * p.noise(0.45, 3), 0.35, 0.75)
    p.paint(GREASE, 0.30 * mask * smoothstep(p.noise(0.5, 6), -0.6, 0.6))
    p.paint((0.80, 0.66, 0.34), 0.78 * flakes)
    p.add("height", 0.22 * flakes)
    p.add("gloss", 0.24 * mask)
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
    (border,) = p.cells(0.12, 7)
    p.paint(SCALE, 0.45 * mask * smoothstep(border, 0.3, 0.5) * smoothstep(p.noise(0.4, 8), 0.4, 1))
    p.mark(p.edge(depth + 0.03, 0.4))


def tinea(p: Patch) -> None:
    """Ring with a raised, scaly, red border and a clearing centre."""
    depth = p.outline(irregular=0.07, aspect=p.rng.uniform(1.0, 1.25), lobe=0.8)
    ring = np.exp(-(((depth - 0.13) / 0.10) ** 2)) * (0.85 + 0.2 * p.noise(0.35, 2))
    p.add("blood", 0.98 * ring + 0.16 * p.edge(depth, 0.2))
    p.add("melanin", 0.14 * p.edge(depth, 0.2))
    p.add("height", 0.55 * ring * (1 + 0.3 * p.noise(0.15, 3)))
    (border,) = p.cells(0.10, 4)
    flakes = smoothstep(border, 0.05, 0.3) * smoothstep(p.noise(0.2, 5), 0.0, 0.8)
    p.paint(SCALE, 0.75 * flakes * np.exp(-(((depth - 0.16) / 0.07) ** 2)))
    p.paint(SCALE, 0.35 * flakes * p.edge(depth - 0.2, 0.2) * (p.noise(0.3, 6) > 0.9))
    p.mark(p.edge(depth + 0.05, 0.1))


def versicolor_pale(p: Patch) -> None:
    """Tinea versicolor: a paler, finely scaling oval macule."""
    depth = p.outline(irregular=0.13, aspect=p.rng.uniform(1.1, 1.6))
    mask = p.edge(depth, 0.22)
    p.add("melanin", -0.36 * mask)
    p.add("blood", -0.06 * mask)
    p.paint(SCALE, 0.16 * mask * smoothstep(p.noise(0.3, 3), 0.2, 1.0))
    p.mark(mask)


def versicolor_dark(p: Patch) -> None:
    """Tinea versicolor: a fawn, finely scaling oval macule."""
    depth = p.outline(irregular=0.13, aspect=p.rng.uniform(1.1, 1.6))
    mask = p.edge(depth, 0.22)
    p.add("melanin", 0.34 * mask)
    p.add("blood", 0.14 * mask)
    p.paint(SCALE, 0.18 * mask * smoothstep(p.noise(0.3, 3), 0.2, 1.0))
    p.mark(mask)


def wheal(p: Patch) -> None:
    """Urticaria: smooth raised wheal, blanched inside a red flare."""
    depth = p.outline(irregular=0.22, aspect=p.rng.uniform(1.0, 1.8), lobe=0.8)
    mask = p.edge(depth, 0.12)
    rim = np.exp(-(((depth - 0.03) / 0.16) ** 2))
    p.add("blood", 0.62 * rim + 0.24 * mask + 0.30 * p.edge(depth + 0.2, 0.5))
    p.add("blood", -0.30 * smoothstep(depth, 0.12, 0.45))
    p.add("melanin", -0.12 * smoothstep(depth, 0.12, 0.45))
    p.add("height", 1.5 * smoothstep(depth, -0.04, 0.28))
    p.smooth(0.75 * mask)
    p.add("gloss", 0.09 * mask)
    p.mark(p.edge(depth + 0.1, 0.15))


def vitiligo(p: Patch) -> None:
    """Chalk-white patch, sharp scalloped border, darker rim."""
    depth = p.outline(irregular=0.22, aspect=p.rng.uniform(1.0, 1.7), lobe=0.6)
    mask = p.edge(depth, 0.05)
    islands = smoothstep(p.noise(0.16, 4), 1.9, 2.1)
    p.paint(DEPIGMENTED, 0.90 * mask * (1 - 0.9 * islands))
    p.add("melanin", 0.13 * np.exp(-(((depth + 0.06) / 0.07) ** 2)))
    p.mark(mask)


def molluscum(p: Patch) -> None:
    """Pearly papule with a central dimple."""
    depth = 1.0 - p.r
    mask = p.edge(depth, 0.15)
    p.paint((0.66, 0.50, 0.44), 0.4 * mask)
    p.dome(depth, 0.5 * p.radius, 0.5)
    p.add("height", -0.3 * p.radius * p.edge(0.25 - p.r, 0.25))
    p.smooth(mask)
    p.add("gloss", 0.3 * mask)
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
