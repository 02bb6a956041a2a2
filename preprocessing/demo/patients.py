"""Who the demo patients are: classes, skin types, cases and poses."""

import dataclasses
from typing import Dict, List, Sequence, Tuple

import numpy as np

from preprocessing.data.taxonomy import CONDITIONS, FITZPATRICK_TYPES
from preprocessing.demo import camera, lesions, render, scenes, skin_surface

# Relative frequency of a condition. The eight rarest together hold 17%, as the eight
# of the paper (section 3); melanoma is the rarest (fewer than 200 of 9,897 cases).
_RARE = {
    "Melanoma": 1.2,
    "Basal Cell Carcinoma": 2.3,
    "Melanocytic Nevus": 2.5,
    "Actinic Keratosis": 2.3,
    "SCC/SCCIS": 1.9,
    "Androgenetic Alopecia": 2.3,
    "Hidradenitis": 2.1,
    "Stasis Dermatitis": 2.4,
}
_COMMON = {
    "Eczema": 9.0,
    "Acne": 8.5,
    "Psoriasis": 7.0,
    "Other": 7.0,
    "SK/ISK": 5.5,
    "Tinea": 4.5,
    "Seborrheic Dermatitis": 4.3,
    "Post Inflammatory Hyperpigmentation": 4.0,
    "Allergic Contact Dermatitis": 3.6,
    "Verruca Vulgaris": 3.6,
    "Cyst": 3.3,
    "Folliculitis": 3.3,
    "Vitiligo": 3.0,
    "Alopecia Areata": 2.9,
    "Urticaria": 2.9,
    "Lentigo": 2.8,
    "Scar Condition": 2.7,
    "Skin Tag": 2.6,
    "Tinea Versicolor": 2.5,
}
CONDITION_SHARES: Dict[str, float] = {
    name: {**_RARE, **_COMMON}[name] / sum([*_RARE.values(), *_COMMON.values()])
    for name in CONDITIONS
}
SKIN_TYPE_SHARES: Dict[int, float] = {1: 0.10, 2: 0.25, 3: 0.25, 4: 0.18, 5: 0.12, 6: 0.10}
# Millimetres that the shorter side of the frame spans at most: a face has no features
# to show from afar.
_WIDEST = {"face": 105.0, "hand": 190.0, "scalp": 190.0}
_HAIR_COLOURS = (
    (0.010, 0.007, 0.005),
    (0.035, 0.018, 0.009),
    (0.09, 0.05, 0.025),
    (0.26, 0.17, 0.08),
)
_HAIR_COLOURS_OF = {1: 4, 2: 4, 3: 3, 4: 2}  # how many of them people of a skin type have


def _apportion(shares: Sequence[float], total: int, least: int) -> List[int]:
    """Splits a total by shares, at least `least` each where the total allows it."""
    least = min(least, total // len(shares))
    ideal = np.asarray(shares, float) / sum(shares) * total
    counts = np.maximum(np.floor(ideal).astype(int), least)
    while counts.sum() > total:
        counts[np.argmax(np.where(counts > least, counts - ideal, -np.inf))] -= 1
    while counts.sum() < total:
        counts[np.argmax(ideal - counts)] += 1
    return counts.tolist()


def _frame(
    rois: Sequence[lesions.Roi], widest: float, rng: np.random.Generator
) -> Tuple[Tuple[float, float], float]:
    """Chooses where to aim and how much to show: mostly all ROIs, at times one."""
    shown = rois if len(rois) == 1 or rng.random() < 0.75 else [rois[int(rng.integers(len(rois)))]]
    low = np.min([(roi.s - roi.radius, roi.t - roi.radius) for roi in shown], axis=0)
    high = np.max([(roi.s + roi.radius, roi.t + roi.radius) for roi in shown], axis=0)
    extent = float(max(high - low))
    frame = extent * np.exp(rng.uniform(np.log(1.25), np.log(3.2)))
    # Small lesions are photographed from near: a radius of at least about 1% of the frame.
    smallest = min(element.radius for roi in shown for element in roi.elements)
    frame = float(np.clip(frame, max(24.0, 1.2 * extent), max(widest, 1.2 * extent)))
    frame = min(frame, max(1.2 * extent, 75.0 * smallest))
    slack = max(0.0, (frame - extent) / 2 - 0.03 * frame)
    centre = (low + high) / 2 + rng.uniform(-0.8, 0.8, 2) * slack
    return (float(centre[0]), float(centre[1])), frame


def describe_case(
    condition: str, skin_type: int, patient_seed: int, case_seed: int
) -> Tuple[render.Description, ...]:
    """Draws a case: one to three photographs of the same lesions.

    Args:
      condition: an entry of `taxonomy.CONDITIONS`.
      skin_type: Fitzpatrick type, 1..6.
      patient_seed: decides skin and hair colour.
      case_seed: decides the rest.
    """
    person = np.random.default_rng(patient_seed)
    lab = skin_surface.draw_tone(skin_type, person)
    hair = _HAIR_COLOURS[person.integers(_HAIR_COLOURS_OF.get(skin_type, 1))]
    rng = np.random.default_rng(case_seed)
    part = str(rng.choice(lesions.MORPHOLOGY[condition].parts))
    half = scenes.HALF_WIDTH[part]
    rois = lesions.draw_rois(condition, 0.75 * half, rng)
    middle = float(np.mean([roi.t for roi in rois]))
    reach = max(abs(roi.t - middle) + 0.8 * roi.radius for roi in rois)
    room = max(0.0, 0.82 * half - reach)
    far = max(abs(roi.s) + roi.radius for roi in rois)
    dressed = part in ("forearm", "leg", "trunk", "back") and rng.random() < 0.4
    scene = scenes.Scene(
        part=part,
        axis_t=middle + float(rng.uniform(-room, room)),
        garment_s=float(rng.choice([-1, 1]) * (far + rng.uniform(8, 40))) if dressed else np.inf,
        seed=int(rng.integers(2**31)),
    )
    surface = skin_surface.draw_surface(lab, part, rng)
    hairy = part in ("forearm", "leg") and rng.random() < 0.6
    hairiness = float(rng.uniform(0.15, 1.0)) if hairy else 0.0
    photographs = 1 + int(rng.choice(3, p=[0.4, 0.35, 0.25]))
    return tuple(
        render.Description(
            condition=condition,
            fitzpatrick=skin_type,
            surface=surface,
            scene=scene,
            rois=rois,
            hair_colour=hair,
            hairiness=hairiness,
            camera=camera.draw_camera(*_frame(rois, _WIDEST.get(part, 260.0), rng), rng),
        )
        for _ in range(photographs)
    )


@dataclasses.dataclass(frozen=True)
class Job:
    """One case to draw; plain numbers, so that it is cheap to send to a worker."""

    index: int
    patient: int
    condition: str
    skin_type: int
    seed: int


def plan(num_cases: int, seed: int) -> List[Job]:
    """Decides class, skin type and patient of every case.

    Skin types are dealt out within the order of the conditions, so that every
    condition meets several of them. About one patient in ten comes twice, with
    different conditions.
    """
    rng = np.random.default_rng([seed, 1])
    counts = _apportion([CONDITION_SHARES[name] for name in CONDITIONS], num_cases, least=2)
    conditions = [name for name, count in zip(CONDITIONS, counts) for _ in range(count)]
    quota = _apportion([SKIN_TYPE_SHARES[k] for k in FITZPATRICK_TYPES], num_cases, least=1)
    # Each type's cases lie evenly along the list of conditions, with a random phase.
    places = [
        ((position + rng.random()) / count, skin_type)
        for skin_type, count in zip(FITZPATRICK_TYPES, quota)
        for position in range(count)
    ]
    types = [skin_type for _, skin_type in sorted(places)]
    pairs = [(conditions[i], types[i]) for i in range(num_cases)]
    order = rng.permutation(num_cases)
    pairs = [pairs[i] for i in order]
    jobs: List[Job] = []
    patients = 0
    waiting: Dict[int, Tuple[int, str]] = {}
    for index, (condition, skin_type) in enumerate(pairs):
        returning = waiting.get(skin_type)
        if returning and returning[1] != condition and rng.random() < 0.5:
            patient = waiting.pop(skin_type)[0]
        else:
            patient = patients
            patients += 1
            if rng.random() < 0.2:
                waiting[skin_type] = (patient, condition)
        jobs.append(Job(index, patient, condition, skin_type, seed))
    return jobs
