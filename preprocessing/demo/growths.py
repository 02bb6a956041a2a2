"""Painters of single lesions: nevi, tumours, keratoses, warts, cysts, scars, tags.

Each painter draws one lesion on a patch, in units of the lesion's radius, and marks
where it can be seen. Morphology after Fitzpatrick's Dermatology, 9th edition.
"""

import numpy as np

from preprocessing.demo.canvas import Patch
from preprocessing.demo.textures import smoothstep

SCALE = (0.66, 0.63, 0.58)
CRUST = (0.16, 0.045, 0.02)
BLOOD = (0.09, 0.008, 0.008)
BLACK = (0.012, 0.008, 0.006)


def actinic_keratosis(p: Patch) -> None:
    """Rough, scaly, ill-defined pink patch."""
    depth = p.outline(irregular=0.16, aspect=p.rng.uniform(1.0, 1.5))
    p.add("blood", p.rng.uniform(0.5, 0.65) * p.edge(depth, 0.7) * (1 + 0.2 * p.noise(0.2, 9)))
    (border,) = p.cells(0.20, 1)
    rough = smoothstep(p.noise(0.45, 2) + 0.6 * p.noise(0.13, 3), -0.1, 1.0)
    flakes = (
        rough * p.edge(depth - 0.08, 0.4) * smoothstep(border + 0.12 * p.noise(0.1, 4), 0.0, 0.35)
    )
    p.paint((0.62, 0.53, 0.38), 0.72 * flakes)
    p.paint((0.36, 0.22, 0.11), 0.6 * flakes * smoothstep(p.noise(0.16, 5), 0.5, 1.3))
    p.add("height", 0.35 * flakes * (1 + 0.3 * p.noise(0.07, 6)))
    p.mark(p.edge(depth + 0.05, 0.4))


def basal_cell_carcinoma(p: Patch) -> None:
    """Pearly nodule with a rolled border, telangiectasia and a central ulcer."""
    depth = p.outline(irregular=0.10, aspect=p.rng.uniform(1.0, 1.3), lobe=0.8)
    mask = p.edge(depth, 0.22)
    lumps = 1 + 0.35 * p.noise(0.42, 2)
    p.add("height", 0.20 * p.radius * smoothstep(depth, -0.05, 0.55))
    rim = np.exp(-(((depth - 0.25) / 0.15) ** 2))
    p.add("height", 0.10 * p.radius * rim * lumps)
    p.smooth(0.9 * mask)
    p.add("gloss", 0.24 * mask * smoothstep(lumps, 0.5, 1.3))
    p.add("blood", 0.38 * mask + 0.14 * p.edge(depth + 0.2, 0.6))
    p.add("melanin", 0.30 * p.darkness * mask)
    p.paint((0.62, 0.40, 0.38), (0.34 - 0.26 * p.darkness) * mask * smoothstep(lumps, 0.6, 1.4))
    vessels = np.exp(-((p.noise(0.8, 5, 2) / 0.09) ** 2)) * smoothstep(p.noise(0.6, 6), -0.4, 0.4)
    p.add("blood", 1.0 * vessels * mask * (depth < 0.7))
    if p.rng.random() < 0.75:
        inside = 0.34 - 0.8 * np.hypot(p.u - 0.05, p.v * 1.2) - 0.11 * p.noise(0.4, 8)
        ulcer = p.edge(inside - 0.05 * p.noise(0.12, 9), 0.10)
        p.paint(CRUST, 0.90 * ulcer)
        p.paint((0.24, 0.012, 0.012), 0.7 * ulcer * smoothstep(p.noise(0.25, 10), 0.0, 0.8))
        p.paint((0.42, 0.24, 0.08), 0.7 * ulcer * smoothstep(p.noise(0.2, 11), 0.8, 1.4))
        p.add("height", ulcer * p.radius * (-0.12 + 0.03 * p.noise(0.15, 12)))
    if p.rng.random() < 0.25 + 0.4 * p.darkness:
        p.add("melanin", 1.3 * mask * smoothstep(p.noise(0.35, 13), 0.7, 1.4))
    p.mark(mask)


def cyst(p: Patch) -> None:
    """Smooth skin-coloured dome with a central punctum."""
    depth = p.outline(irregular=0.05, aspect=p.rng.uniform(1.0, 1.2), lobe=1.2)
    mask = p.edge(depth, 0.5)
    p.add("height", p.rng.uniform(0.28, 0.40) * p.radius * smoothstep(depth, -0.25, 0.85))
    p.add("height", 0.02 * p.radius * mask * p.noise(0.6, 2))
    p.smooth(0.6 * mask)
    p.add("gloss", 0.07 * mask)
    p.add("blood", p.rng.uniform(0.08, 0.38) * mask * (1 + 0.2 * p.noise(0.5, 3)))
    p.add("melanin", -0.06 * smoothstep(depth, 0.2, 0.8))
    x, y = p.rng.uniform(-0.18, 0.18, 2)
    away = np.hypot(p.u - x, p.v - y) + 0.02 * p.noise(0.1, 4)
    p.paint((0.04, 0.025, 0.018), 0.9 * p.edge(0.075 - away, 0.06))
    p.add("melanin", 0.25 * p.edge(0.15 - away, 0.2))
    p.add("height", -0.05 * p.radius * p.edge(0.16 - away, 0.3))
    p.mark(p.edge(depth + 0.05, 0.3))


def lentigo(p: Patch) -> None:
    """Flat, uniformly brown, sharp, slightly moth-eaten macule."""
    depth = p.outline(irregular=0.11, aspect=p.rng.uniform(1.0, 1.4), lobe=0.5)
    mask = p.edge(depth + 0.02 * p.noise(0.12, 4), 0.12)
    p.add("melanin", p.rng.uniform(0.6, 0.85) * mask * (1 + 0.10 * p.noise(0.10, 3)))
    p.mark(mask)


def melanocytic_nevus(p: Patch) -> None:
    """Small, round, symmetric, evenly dark brown and slightly raised."""
    depth = p.outline(irregular=0.035, aspect=p.rng.uniform(1.0, 1.2), lobe=1.0)
    mask = p.edge(depth, 0.24)
    shade = p.rng.uniform(1.4, 2.1)
    p.add("melanin", shade * mask * (0.70 + 0.30 * smoothstep(depth, 0.0, 0.6)))
    p.add("melanin", 0.09 * mask * p.noise(0.14, 4))
    p.add("height", p.rng.uniform(0.10, 0.24) * p.radius * smoothstep(depth, -0.1, 0.6))
    p.add("height", 0.002 * p.radius * mask * p.noise(0.13, 5))
    p.smooth(0.97 * mask)
    p.mark(mask)


def melanoma(p: Patch) -> None:
    """Asymmetric, notched border, several browns, black, blue-grey and red."""
    depth = p.outline(irregular=0.155, aspect=p.rng.uniform(1.15, 1.6), lobe=0.75)
    side = p.rng.choice([-1.0, 1.0])
    depth = depth + 0.16 * side * p.u
    mask = p.edge(depth + 0.03 * p.noise(0.15, 2), 0.16)
    shade = 1.25 + 0.34 * p.noise(0.8, 3) + 0.18 * p.noise(0.2, 4)
    dark = smoothstep(0.55 * side * p.u + 0.6 * p.noise(0.7, 5) + 0.22 * p.noise(0.2, 6), -0.4, 0.9)
    p.add("melanin", mask * np.clip(shade + 1.9 * dark, 0.5, None))
    p.add("blood", 0.6 * mask * (1 - dark) * smoothstep(p.noise(0.55, 7), 0.2, 1.0))
    blue = mask * dark * smoothstep(p.noise(0.5, 8), 0.0, 1.2)
    tint = 1.0 - 0.8 * p.darkness
    p.paint((0.075 * tint, 0.078 * tint, 0.095 * tint), 0.62 * blue)
    pale = mask * (1 - dark) * smoothstep(p.noise(0.4, 9), 1.0, 1.9)
    p.paint((0.42, 0.32, 0.30), 0.45 * pale * (1 - 0.9 * p.darkness))
    p.add("blood", 0.20 * p.edge(depth + 0.18, 0.4))
    p.add("height", mask * p.radius * (0.04 + 0.09 * dark * (1 + 0.16 * p.noise(0.25, 10))))
    p.smooth(0.7 * mask)
    p.mark(mask)


def carcinoma(p: Patch) -> None:
    """Squamous cell carcinoma: red indurated nodule, thick keratin, crusts."""
    depth = p.outline(irregular=0.12, aspect=p.rng.uniform(1.0, 1.35), lobe=0.7)
    mask = p.edge(depth, 0.28)
    p.add("blood", 0.95 * mask * (1 + 0.15 * p.noise(0.3, 2)) + 0.32 * p.edge(depth + 0.22, 0.7))
    p.add("height", 0.34 * p.radius * smoothstep(depth, -0.15, 0.5))
    p.smooth(0.9 * mask)
    p.add("gloss", 0.12 * mask)
    core = p.edge(depth - 0.30 - 0.12 * p.noise(0.4, 3) - 0.05 * p.noise(0.12, 8), 0.16)
    border, tone = p.cells(0.26, 4, kinds=(0, 2))
    grain = p.noise(0.09, 9)
    p.paint((0.36, 0.23, 0.11), 0.92 * core)
    p.paint((0.58, 0.52, 0.42), 0.62 * core * smoothstep(tone + 0.25 * grain, 0.45, 0.9))
    p.paint(CRUST, 0.88 * core * smoothstep(p.noise(0.36, 6) + 0.25 * grain, 0.0, 0.7))
    p.paint(BLACK, 0.5 * core * smoothstep(-border, -0.12, 0.02))
    p.add(
        "height",
        core * p.radius * (0.12 + 0.08 * smoothstep(border, 0, 0.4) * tone + 0.008 * grain),
    )
    p.mark(mask)


def seborrheic_keratosis(p: Patch) -> None:
    """Waxy brown, cerebriform, sharp "stuck-on" plaque with horn cysts."""
    depth = p.outline(irregular=0.08, aspect=p.rng.uniform(1.0, 1.5), lobe=0.6)
    mask = p.edge(depth, 0.07)
    bent = p.noise(0.32, 3) + 0.45 * p.noise(0.15, 4)
    fissure = np.exp(-((bent / 0.30) ** 2))
    grain = p.noise(0.08, 6)
    p.add("melanin", mask * (p.rng.uniform(0.9, 1.25) + 0.5 * fissure + 0.14 * grain))
    p.paint((0.25, 0.18, 0.11), (0.42 - 0.28 * p.darkness) * mask * (1 - fissure))
    p.add(
        "height", p.radius * (0.14 * smoothstep(depth, -0.02, 0.14) + 0.045 * mask * (1 - fissure))
    )
    p.add("height", 0.007 * p.radius * mask * grain)
    p.add("shadow", 0.22 * p.edge(depth + 0.06, 0.12) * (1 - mask))
    cysts = p.distance(p.spots(p.rng.integers(6, 12), 0.2, 0.75))
    p.paint((0.60, 0.52, 0.36), 0.8 * mask * p.edge(0.05 - cysts, 0.06))
    p.smooth(mask)
    p.add("gloss", 0.07 * mask)
    p.mark(mask)


def scar(p: Patch) -> None:
    """Long, shiny band with no skin lines: pale and sunken, or pink and raised."""
    bend = 0.08 * np.sin(2.2 * p.u + p.rng.uniform(0, 6))
    half = 0.11 * (1 + 0.22 * p.noise(0.5, 2)) * np.sqrt(np.clip(1 - p.u**2, 0, 1))
    depth = half - np.abs(p.v - bend)
    mask = p.edge(depth, 0.035) * (np.abs(p.u) < 0.99)
    raised = p.rng.random() < 0.55
    p.smooth(mask)
    p.add("gloss", 0.34 * mask)
    if raised:
        p.add("blood", 0.62 * mask + 0.10 * p.edge(depth + 0.05, 0.12))
        p.paint((0.62, 0.32, 0.30), 0.18 * (1 - p.darkness) * mask)
        p.add("height", 0.13 * p.radius * np.clip(depth / 0.11, 0, 1) ** 0.6)
    else:
        p.add("blood", -0.12 * mask)
        p.paint((0.66, 0.48, 0.42), (0.62 - 0.25 * p.darkness) * mask)
        p.add("height", -0.03 * p.radius * mask)
    stitches = 0.0
    if p.rng.random() < 0.6:
        across = np.exp(-((((p.u * 5.5) % 1.0) - 0.5) ** 2) / 0.006) * (np.abs(p.u) < 0.85)
        stitches = across * p.edge(0.20 - np.abs(p.v - bend), 0.06)
        p.paint((0.60, 0.42, 0.37), 0.40 * (1 - 0.6 * p.darkness) * stitches)
        p.add("blood", 0.22 * stitches)
    p.mark(np.maximum(mask, stitches))


def skin_tag(p: Patch) -> None:
    """Small soft pouch on a stalk: a high rounded body beside its own shadow."""
    body = np.hypot(p.u - 0.10, p.v * 1.3) + 0.10 * p.noise(0.8, 2) + 0.04 * p.noise(0.3, 4)
    depth = 0.78 - np.minimum(body, np.hypot(p.u + 0.55, p.v * 2.2) + 0.42)
    mask = p.edge(depth, 0.12)
    shadow = p.edge(0.80 - np.hypot(p.u - 0.35, p.v * 1.15 - 0.28), 0.6)
    p.add("shadow", 0.55 * shadow * (1 - mask))
    p.add("melanin", mask * (p.rng.uniform(0.20, 0.55) + 0.35 * (1 - smoothstep(depth, 0, 0.3))))
    p.add("blood", 0.16 * mask + 0.10 * mask * p.noise(0.4, 5))
    p.add("height", 0.62 * p.radius * smoothstep(depth, -0.12, 0.72))
    p.add("height", mask * p.radius * (0.05 * p.noise(0.35, 3) + 0.02 * p.noise(0.14, 6)))
    p.smooth(0.9 * mask)
    p.add("gloss", 0.05 * mask)
    p.mark(np.maximum(mask, (shadow > 0.6).astype(np.float32)))


def wart(p: Patch) -> None:
    """Rough papillomatous grey-tan growth with black dots."""
    depth = p.outline(irregular=0.08, aspect=p.rng.uniform(1.0, 1.25), lobe=0.5)
    mask = p.edge(depth, 0.12)
    border, centre, tone = p.cells(0.17, 1, kinds=(0, 1, 2), bend=0.15)
    papilla = smoothstep(border, 0.0, 0.5)
    light = 1.0 - 0.45 * p.darkness
    p.paint((0.50 * light, 0.33 * light, 0.24 * light), 0.62 * mask)
    p.paint((0.68 * light, 0.53 * light, 0.42 * light), 0.7 * mask * papilla * (0.3 + 0.7 * tone))
    p.paint((0.20, 0.12, 0.08), 0.30 * mask * (1 - papilla))
    p.add("height", 0.22 * p.radius * smoothstep(depth, -0.03, 0.4))
    p.add(
        "height",
        mask
        * p.radius
        * (0.06 * (1 - np.clip(1.6 * centre, 0, 1) ** 2) + 0.004 * p.noise(0.06, 4)),
    )
    dots = (tone > 0.72) * p.edge(0.26 - centre, 0.2)
    p.paint(BLACK, 0.9 * mask * dots)
    p.add("blood", 0.15 * p.edge(depth + 0.15, 0.3))
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
