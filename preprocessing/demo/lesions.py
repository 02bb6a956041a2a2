"""Which lesions a condition shows: how many, how large, where on the body."""

import dataclasses
from typing import Callable, Dict, List, Sequence, Tuple

import numpy as np

from preprocessing.demo import growths, rashes
from preprocessing.demo.canvas import Canvas, Element, Patch

Painter = Callable[[Patch], None]


@dataclasses.dataclass(frozen=True)
class Morphology:
    """How a condition presents.

    Attributes:
      parts: body parts it is seen on, entries of `scenes.PARTS`.
      radius: range of an ROI's radius in millimetres.
      rois: probability of 1, 2, ... ROIs.
      kinds: painters and their shares. One is drawn per element, except that
        with `together` false all elements of a case are of one kind.
      count: range of the number of elements in an ROI; (1, 1) puts one element of
        the ROI's radius in its middle.
      element: range of an element's radius in millimetres, where there are several.
      together: whether the kinds mix.
      aligned: whether an element lies along the part's axis.
    """

    parts: Tuple[str, ...]
    radius: Tuple[float, float]
    rois: Tuple[float, ...]
    kinds: Tuple[Tuple[Painter, float], ...]
    count: Tuple[int, int] = (1, 1)
    element: Tuple[float, float] = (0.0, 0.0)
    together: bool = True
    aligned: bool = False


MORPHOLOGY: Dict[str, Morphology] = {
    "Acne": Morphology(
        ("face", "face", "back"),
        (15, 24),
        (0.5, 0.3, 0.2),
        ((rashes.papule, 0.45), (rashes.pustule, 0.33), (rashes.comedo, 0.22)),
        count=(7, 15),
        element=(1.3, 3.0),
    ),
    "Actinic Keratosis": Morphology(
        ("face", "forearm", "hand"),
        (6, 11),
        (0.45, 0.3, 0.15, 0.1),
        ((growths.actinic_keratosis, 1),),
    ),
    "Allergic Contact Dermatitis": Morphology(
        ("forearm", "trunk", "leg"), (18, 30), (0.7, 0.3), ((rashes.contact_dermatitis, 1),)
    ),
    "Alopecia Areata": Morphology(
        ("scalp",), (14, 26), (0.6, 0.3, 0.1), ((rashes.alopecia_areata, 1),)
    ),
    "Androgenetic Alopecia": Morphology(
        ("scalp",), (40, 58), (1.0,), ((rashes.androgenetic_alopecia, 1),)
    ),
    "Basal Cell Carcinoma": Morphology(
        ("face", "face", "back"), (5, 9), (0.85, 0.15), ((growths.basal_cell_carcinoma, 1),)
    ),
    "Cyst": Morphology(("back", "face", "trunk"), (8, 15), (0.85, 0.15), ((growths.cyst, 1),)),
    "Eczema": Morphology(
        ("forearm", "leg", "hand", "trunk"), (17, 30), (0.45, 0.35, 0.2), ((rashes.eczema, 1),)
    ),
    "Folliculitis": Morphology(
        ("leg", "back", "trunk"),
        (18, 28),
        (0.6, 0.25, 0.15),
        ((rashes.follicle, 1),),
        count=(18, 34),
        element=(1.1, 1.7),
    ),
    "Hidradenitis": Morphology(
        ("trunk",),
        (18, 26),
        (0.75, 0.25),
        ((rashes.hidradenitis_nodule, 0.7), (rashes.hidradenitis_scar, 0.3)),
        count=(3, 6),
        element=(5.5, 9.5),
    ),
    "Lentigo": Morphology(
        ("hand", "forearm", "face"), (4, 9), (0.28, 0.22, 0.18, 0.16, 0.16), ((growths.lentigo, 1),)
    ),
    "Melanocytic Nevus": Morphology(
        ("back", "trunk", "forearm", "leg"),
        (3, 5.5),
        (0.7, 0.2, 0.1),
        ((growths.melanocytic_nevus, 1),),
    ),
    "Melanoma": Morphology(("back", "leg", "trunk"), (7, 13), (1.0,), ((growths.melanoma, 1),)),
    "Post Inflammatory Hyperpigmentation": Morphology(
        ("forearm", "leg", "face", "back"),
        (17, 27),
        (0.6, 0.3, 0.1),
        ((rashes.hyperpigmentation, 1),),
        count=(4, 8),
        element=(3.5, 7.0),
    ),
    "Psoriasis": Morphology(
        ("forearm", "leg", "back", "scalp"),
        (12, 26),
        (0.35, 0.3, 0.2, 0.15),
        ((rashes.psoriasis, 1),),
    ),
    "SCC/SCCIS": Morphology(
        ("face", "hand", "leg"), (7, 13), (0.9, 0.1), ((growths.carcinoma, 1),)
    ),
    "SK/ISK": Morphology(
        ("back", "trunk", "face"),
        (5, 10),
        (0.4, 0.3, 0.15, 0.15),
        ((growths.seborrheic_keratosis, 1),),
    ),
    "Scar Condition": Morphology(
        ("forearm", "trunk", "leg"), (16, 32), (0.85, 0.15), ((growths.scar, 1),)
    ),
    "Seborrheic Dermatitis": Morphology(
        ("face", "face", "scalp"), (14, 24), (0.5, 0.35, 0.15), ((rashes.seborrheic_dermatitis, 1),)
    ),
    "Skin Tag": Morphology(
        ("trunk", "face"), (2.6, 4.5), (0.3, 0.22, 0.2, 0.14, 0.14), ((growths.skin_tag, 1),)
    ),
    "Stasis Dermatitis": Morphology(
        ("leg",), (34, 52), (0.85, 0.15), ((rashes.stasis_dermatitis, 1),), aligned=True
    ),
    "Tinea": Morphology(
        ("trunk", "forearm", "leg"), (12, 24), (0.55, 0.3, 0.15), ((rashes.tinea, 1),)
    ),
    "Tinea Versicolor": Morphology(
        ("trunk", "back"),
        (28, 42),
        (0.7, 0.3),
        ((rashes.versicolor_pale, 0.6), (rashes.versicolor_dark, 0.4)),
        count=(22, 40),
        element=(2.5, 6.5),
        together=False,
    ),
    "Urticaria": Morphology(
        ("trunk", "back", "forearm", "leg"),
        (24, 38),
        (0.6, 0.25, 0.15),
        ((rashes.wheal, 1),),
        count=(4, 8),
        element=(6.0, 12.0),
    ),
    "Verruca Vulgaris": Morphology(
        ("hand", "hand", "forearm"), (3.5, 6.5), (0.5, 0.25, 0.15, 0.1), ((growths.wart, 1),)
    ),
    "Vitiligo": Morphology(
        ("hand", "forearm", "face", "trunk"),
        (12, 26),
        (0.4, 0.3, 0.2, 0.1),
        ((rashes.vitiligo, 1),),
    ),
    "Other": Morphology(
        ("forearm", "leg", "trunk", "back"),
        (5, 11),
        (0.65, 0.2, 0.15),
        (
            (growths.dermatofibroma, 0.2),
            (growths.hemangioma, 0.2),
            (growths.insect_bite, 0.2),
            (growths.bruise, 0.15),
            (rashes.molluscum, 0.1),
            (rashes.annular_granuloma, 0.15),
        ),
        together=False,
    ),
}


@dataclasses.dataclass(frozen=True)
class Roi:
    """One region of interest: its disc on the body and the lesions in it."""

    s: float
    t: float
    radius: float
    elements: Tuple[Element, ...]


def _places(
    radii: Sequence[float], limit_t: float, rng: np.random.Generator
) -> List[Tuple[float, float]]:
    """Places ROIs near one another without overlap; about half of them adjacent."""
    placed = [(0.0, 0.0)]
    for index in range(1, len(radii)):
        for _ in range(60):
            beside = int(rng.integers(len(placed)))
            gap = rng.uniform(1.02, 1.15) if rng.random() < 0.55 else rng.uniform(1.4, 2.4)
            reach = gap * (radii[index] + radii[beside])
            angle = rng.uniform(0, 2 * np.pi)
            s = placed[beside][0] + reach * np.cos(angle)
            t = placed[beside][1] + reach * np.sin(angle)
            free = all(
                np.hypot(s - x, t - y) > 1.01 * (radii[index] + radii[other])
                for other, (x, y) in enumerate(placed)
            )
            if free and abs(t) < limit_t:
                placed.append((float(s), float(t)))
                break
        else:
            break
    return placed


def _scatter(
    roi_radius: float, sizes: Sequence[float], rng: np.random.Generator
) -> List[Tuple[float, float, float]]:
    """Scatters discs of the given sizes in an ROI; those that find no room are left out."""
    placed: List[Tuple[float, float, float]] = []
    for size in sizes:
        for _ in range(25):
            angle = rng.uniform(0, 2 * np.pi)
            distance = max(roi_radius - size, 0.0) * rng.random() ** 0.5
            s, t = distance * np.cos(angle), distance * np.sin(angle)
            if all(np.hypot(s - x, t - y) > 0.9 * (size + other) for x, y, other in placed):
                placed.append((float(s), float(t), float(size)))
                break
    return placed


def draw_rois(condition: str, limit_t: float, rng: np.random.Generator) -> Tuple[Roi, ...]:
    """Draws the lesions of a case.

    Args:
      condition: an entry of `taxonomy.CONDITIONS`.
      limit_t: how far from the first ROI others may lie across the part, mm.
      rng: source of chance.

    Returns:
      One to five ROIs; the first is at the origin of the body coordinates.
    """
    look = MORPHOLOGY[condition]
    shares = np.array([share for _, share in look.kinds], float)
    shares /= shares.sum()
    kind_of_case = rng.choice(len(shares), p=shares)
    count = 1 + int(rng.choice(len(look.rois), p=np.array(look.rois) / sum(look.rois)))
    middle = rng.uniform(*look.radius)
    radii = [float(np.clip(middle * rng.uniform(0.75, 1.2), *look.radius)) for _ in range(count)]
    rois = []
    for (s, t), radius in zip(_places(radii, limit_t, rng), radii):
        if look.count == (1, 1):
            discs = [(0.0, 0.0, radius)]
        else:
            number = int(rng.integers(look.count[0], look.count[1] + 1))
            sizes = sorted(rng.uniform(*look.element, number), reverse=True)
            discs = _scatter(radius, sizes, rng)
        elements = []
        for x, y, size in discs:
            kind = rng.choice(len(shares), p=shares) if look.together else kind_of_case
            painter = look.kinds[kind][0]
            angle = rng.normal(0.0, 0.2) if look.aligned else rng.uniform(0, 2 * np.pi)
            elements.append(Element(painter, s + x, t + y, size, angle, int(rng.integers(2**31))))
        rois.append(Roi(s, t, radius, tuple(elements)))
    return tuple(rois)


def paint(canvas: Canvas, rois: Sequence[Roi]) -> None:
    """Paints the lesions of a case that are in the frame."""
    for index, roi in enumerate(rois):
        for element in roi.elements:
            patch = Patch.at(canvas, element, index)
            if patch is not None:
                element.painter(patch)
