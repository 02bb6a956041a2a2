"""Painters of single lesions: nevi, tumours, keratoses, warts, cysts, scars, tags.

Each painter draws one lesion on a patch, in units of the lesion's radius, and marks
where it can be seen. Morphology after Fitzpatrick's Dermatology, 9th edition.
"""

import numpy as np

from preprocessing.demo_canvas import Patch
from preprocessing.demo_textures import smoothstep

SCALE = (0.66, 0.63, 0.58)
KERATIN = (0.50, 0.36, 0.18)
CRUST = (0.16, 0.045, 0.02)
BLOOD = (0.09, 0.008, 0.008)
BLACK = (0.012, 0.008, 0.006)


def actinic_keratosis(p: Patch) -> None:
    """Rough, scaly, ill-defined pink patch."""
    depth = p.outline(irregular=0.16, aspect=p.rng.uniform(1.0, 1.5))
    p.add("blood", p.rng.uniform(0.45, 0.6) * p.edge(depth, 0.7))
    (border,) = p.cells(0.17, 1)
    rough = smoothstep(p.noise(0.5, 2) + 0.5 * p.noise(0.14, 3), -0.2, 0.9)
    flakes = rough * p.edge(depth - 0.08, 0.35) * smoothstep(border, 0.05, 0.25)
    p.paint((0.68, 0.60, 0.46), 0.72 * flakes)
    p.add("height", 0.30 * flakes)
    p.mark(p.edge(depth + 0.05, 0.4))


def basal_cell_carcinoma(p: Patch) -> None:
    """Pearly nodule with a rolled border, telangiectasia and a central ulcer."""
    depth = p.outline(irregular=0.07, aspect=p.rng.uniform(1.0, 1.25))
    mask = p.edge(depth, 0.14)
    p.dome(depth, 0.34 * p.radius, 0.45)
    rim = np.exp(-(((depth - 0.26) / 0.13) ** 2)) * mask
    p.add("height", 0.10 * p.radius * rim * (1 + 0.3 * p.noise(0.4, 2)))
    p.smooth(mask)
    p.add("gloss", 0.40 * mask)
    p.add("blood", 0.42 * mask + 0.12 * p.edge(depth + 0.2, 0.5))
    p.paint((0.66, 0.42, 0.40), 0.34 * mask)
    vessels = np.exp(-((p.noise(0.75, 5, 2) / 0.10) ** 2)) * smoothstep(p.noise(0.6, 6), -0.4, 0.4)
    p.add("blood", 0.95 * vessels * mask * (depth < 0.75))
    if p.rng.random() < 0.7:
        ulcer = p.edge(0.36 - p.r - 0.10 * p.noise(0.4, 8), 0.10)
        p.paint(CRUST, 0.88 * ulcer)
        p.paint(KERATIN, 0.5 * ulcer * smoothstep(p.noise(0.22, 9), 0.3, 1.0))
        p.add("height", -0.12 * p.radius * ulcer)
    if p.rng.random() < 0.35:
        p.add("melanin", 1.3 * mask * smoothstep(p.noise(0.4, 12), 0.9, 1.4))
    p.mark(mask)


def cyst(p: Patch) -> None:
    """Smooth skin-coloured dome with a central punctum."""
    depth = p.outline(irregular=0.03, aspect=p.rng.uniform(1.0, 1.15), lobe=1.4)
    mask = p.edge(depth, 0.25)
    p.add("height", 0.50 * p.radius * np.sqrt(np.clip(1 - (1 - np.clip(depth, 0, 1)) ** 2, 0, 1)))
    p.smooth(0.85 * mask)
    p.add("gloss", 0.14 * mask)
    p.add("blood", p.rng.uniform(0.05, 0.28) * mask)
    p.add("melanin", -0.10 * mask * smoothstep(depth, 0.2, 0.8))
    x, y = p.rng.uniform(-0.15, 0.15, 2)
    punctum = p.edge(0.085 - np.hypot(p.u - x, p.v - y), 0.06)
    p.paint((0.03, 0.02, 0.015), 0.95 * punctum)
    p.add("height", -0.04 * p.radius * p.edge(0.2 - np.hypot(p.u - x, p.v - y), 0.3))
    p.mark(mask)


def lentigo(p: Patch) -> None:
    """Flat, uniformly brown, sharp, slightly moth-eaten macule."""
    depth = p.outline(irregular=0.10, aspect=p.rng.uniform(1.0, 1.4), lobe=0.5)
    mask = p.edge(depth, 0.10)
    p.add("melanin", p.rng.uniform(0.5, 0.7) * mask * (1 + 0.07 * p.noise(0.12, 3)))
    p.mark(mask)


def melanocytic_nevus(p: Patch) -> None:
    """Small, round, symmetric, evenly dark brown and slightly raised."""
    depth = p.outline(irregular=0.03, aspect=p.rng.uniform(1.0, 1.2), lobe=1.2)
    mask = p.edge(depth, 0.20)
    shade = p.rng.uniform(1.15, 1.7)
    p.add("melanin", shade * mask * (0.72 + 0.28 * smoothstep(depth, 0.0, 0.6)))
    p.add("melanin", 0.10 * mask * p.noise(0.16, 4))
    p.dome(depth, p.rng.uniform(0.12, 0.28) * p.radius, 0.6)
    p.smooth(0.6 * mask)
    p.add("gloss", 0.07 * mask)
    p.mark(mask)


def melanoma(p: Patch) -> None:
    """Asymmetric, notched border, several browns, black, blue-grey and red."""
    depth = p.outline(irregular=0.27, aspect=p.rng.uniform(1.1, 1.6), lobe=0.8)
    depth = depth + 0.20 * p.u * p.rng.choice([-1.0, 1.0])
    mask = p.edge(depth, 0.13)
    shade = 1.15 + 0.55 * p.noise(0.75, 3) + 0.28 * p.noise(0.22, 4)
    dark = smoothstep(p.noise(0.8, 5) + 0.25 * p.noise(0.25, 6), -0.1, 0.5)
    p.add("melanin", mask * np.clip(shade + 1.7 * dark, 0.25, None))
    red = mask * (1 - dark) * smoothstep(p.noise(0.6, 7), 0.1, 0.8)
    p.add("blood", 0.75 * red)
    blue = mask * dark * smoothstep(p.noise(0.5, 8), 0.35, 0.8)
    p.paint((0.060, 0.068, 0.090), 0.75 * blue)
    pale = mask * (1 - dark) * smoothstep(p.noise(0.45, 9), 1.1, 1.5)
    p.paint((0.46, 0.38, 0.36), 0.6 * pale)
    p.add("blood", 0.18 * p.edge(depth + 0.18, 0.4))
    p.add("height", mask * dark * 0.14 * p.radius * (1 + 0.4 * p.noise(0.3, 10)))
    p.smooth(0.5 * mask)
    p.mark(mask)


def carcinoma(p: Patch) -> None:
    """Squamous cell carcinoma: red indurated nodule, thick keratin, crusts."""
    depth = p.outline(irregular=0.10, aspect=p.rng.uniform(1.0, 1.3))
    mask = p.edge(depth, 0.16)
    p.add("blood", 0.95 * mask + 0.32 * p.edge(depth + 0.22, 0.6))
    p.dome(depth, 0.42 * p.radius, 0.4)
    p.smooth(mask)
    p.add("gloss", 0.18 * mask)
    core = p.edge(depth - 0.34 - 0.12 * p.noise(0.4, 3), 0.14)
    border, tone = p.cells(0.22, 4, kinds=(0, 2))
    p.paint(KERATIN, 0.93 * core)
    p.paint((0.72, 0.62, 0.42), 0.65 * core * (tone > 0.5))
    p.paint(CRUST, 0.85 * core * smoothstep(p.noise(0.35, 6), 0.3, 0.7))
    p.paint(BLACK, 0.6 * core * smoothstep(-border, -0.1, 0.0))
    p.add("height", core * p.radius * (0.16 + 0.10 * smoothstep(border, 0, 0.4) * tone))
    p.mark(mask)


def seborrheic_keratosis(p: Patch) -> None:
    """Waxy brown, cerebriform, sharp "stuck-on" plaque with horn cysts."""
    depth = p.outline(irregular=0.07, aspect=p.rng.uniform(1.0, 1.5), lobe=0.6)
    mask = p.edge(depth, 0.06)
    gyri = np.abs(p.noise(0.42, 3) + 0.25 * p.noise(0.2, 4))
    fissure = np.exp(-((gyri / 0.22) ** 2))
    p.add("melanin", mask * (p.rng.uniform(0.75, 1.1) + 0.75 * fissure))
    p.paint((0.22, 0.17, 0.12), 0.34 * mask * (1 - fissure))
    p.add("height", mask * 0.14 * p.radius * (1.0 + 0.8 * (1 - fissure)))
    cysts = p.distance(p.spots(p.rng.integers(6, 12), 0.2, 0.75))
    p.paint((0.62, 0.56, 0.42), 0.9 * mask * p.edge(0.055 - cysts, 0.05))
    p.smooth(mask)
    p.add("gloss", 0.10 * mask)
    p.mark(mask)


def scar(p: Patch) -> None:
    """Long, shiny band with no skin lines: pale and sunken, or pink and raised."""
    bend = 0.08 * np.sin(2.2 * p.u + p.rng.uniform(0, 6))
    half = 0.11 * (1 + 0.22 * p.noise(0.5, 2)) * np.sqrt(np.clip(1 - p.u**2, 0, 1))
    depth = half - np.abs(p.v - bend)
    mask = p.edge(depth, 0.035)
    raised = p.rng.random() < 0.55
    p.smooth(mask)
    p.add("gloss", 0.34 * mask)
    if raised:
        p.add("blood", 0.62 * mask + 0.10 * p.edge(depth + 0.05, 0.12))
        p.paint((0.62, 0.32, 0.30), 0.18 * mask)
        p.add("height", 0.13 * p.radius * np.clip(depth / 0.11, 0, 1) ** 0.6)
    else:
        p.add("blood", -0.12 * mask)
        p.paint((0.68, 0.50, 0.44), 0.62 * mask)
        p.add("height", -0.03 * p.radius * mask)
    stitches = 0.0
    if p.rng.random() < 0.6:
        across = np.exp(-((((p.u * 5.5) % 1.0) - 0.5) ** 2) / 0.006) * (np.abs(p.u) < 0.85)
        stitches = across * p.edge(0.20 - np.abs(p.v - bend), 0.06)
        p.paint((0.60, 0.42, 0.37), 0.40 * stitches)
        p.add("blood", 0.22 * stitches)
    p.mark(np.maximum(mask, stitches))


def skin_tag(p: Patch) -> None:
    """Small soft pouch on a stalk: a high rounded body beside its own shadow."""
    body = np.hypot(p.u - 0.10, p.v * 1.25)
    depth = 0.80 - body - 0.05 * p.noise(0.7, 2)
    mask = p.edge(depth, 0.10)
    shadow = p.edge(0.82 - np.hypot(p.u - 0.42, p.v * 1.15 - 0.30), 0.5)
    p.add("melanin", 0.75 * shadow * (1 - mask))
    p.add("blood", 0.25 * shadow * (1 - mask))
    p.add("melanin", mask * (p.rng.uniform(0.18, 0.50) + 0.40 * (1 - smoothstep(depth, 0, 0.3))))
    p.add("blood", 0.16 * mask)
    dome = np.sqrt(np.clip(1 - (1 - np.clip(depth / 0.8, 0, 1)) ** 2, 0, 1))
    p.add("height", 0.95 * p.radius * dome + 0.06 * p.radius * mask * p.noise(0.35, 3))
    p.smooth(mask)
    p.add("gloss", 0.10 * mask)
    p.mark(np.maximum(mask, (shadow > 0.6).astype(np.float32)))


def wart(p: Patch) -> None:
    """Rough papillomatous grey-tan growth with black dots."""
    depth = p.outline(irregular=0.06, aspect=p.rng.uniform(1.0, 1.2), lobe=0.5)
    mask = p.edge(depth, 0.08)
    border, centre, tone = p.cells(0.23, 1, kinds=(0, 1, 2))
    papilla = smoothstep(border, 0.02, 0.45)
    p.paint((0.46, 0.39, 0.27), 0.82 * mask)
    p.paint((0.64, 0.58, 0.46), 0.65 * mask * papilla * (0.4 + 0.6 * tone))
    p.paint((0.13, 0.09, 0.06), 0.62 * mask * (1 - papilla))
    p.dome(depth, 0.26 * p.radius, 0.35)
    p.add("height", mask * p.radius * 0.13 * papilla)
    dots = (tone > 0.66) * p.edge(0.20 - centre, 0.15)
    p.paint(BLACK, 0.92 * mask * dots)
    p.add("blood", 0.18 * p.edge(depth + 0.15, 0.3))
    p.smooth(p.edge(depth + 0.1, 0.1))
    p.mark(mask)


def dermatofibroma(p: Patch) -> None:
    """Firm pinkish-brown papule with a darker halo."""
    depth = p.outline(irregular=0.05)
    mask = p.edge(depth, 0.35)
    p.add("melanin", 0.55 * mask)
    p.add("blood", 0.45 * smoothstep(depth, 0.3, 0.7))
    p.dome(depth, 0.12 * p.radius, 0.8)
    p.mark(mask)


def hemangioma(p: Patch) -> None:
    """Bright red to purple lobulated papule."""
    depth = p.outline(irregular=0.05, lobe=0.5)
    mask = p.edge(depth, 0.08)
    p.paint((0.22, 0.012, 0.022), 0.85 * mask)
    p.dome(depth, 0.35 * p.radius, 0.5)
    p.add("height", 0.05 * p.radius * mask * p.noise(0.4, 3))
    p.smooth(mask)
    p.add("gloss", 0.3 * mask)
    p.mark(mask)


def insect_bite(p: Patch) -> None:
    """Red swelling around a dark central point."""
    depth = p.outline(irregular=0.10)
    p.add("blood", 0.75 * p.edge(depth, 0.8))
    p.dome(depth, 0.12 * p.radius, 1.0)
    p.paint(BLOOD, 0.9 * p.edge(0.10 - p.r, 0.06))
    p.mark(p.edge(depth + 0.05, 0.3))


def bruise(p: Patch) -> None:
    """Blue-violet to yellow-green stain."""
    depth = p.outline(irregular=0.2, aspect=p.rng.uniform(1, 1.5))
    mask = p.edge(depth, 0.6)
    p.add("veins", 2.2 * mask * smoothstep(p.noise(0.8, 3), -0.8, 0.8))
    p.add("blood", 0.75 * mask)
    p.add("melanin", 0.25 * mask)
    p.mark(p.edge(depth, 0.4))
