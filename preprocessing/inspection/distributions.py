"""Counts and distributions of an inspected data set, and what in them is worth a look."""

import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from preprocessing.data import manifest, skin, taxonomy
from preprocessing.inspection.sources import Inspection, Look

UNKNOWN = 0
SKIN_TYPES = (*taxonomy.FITZPATRICK_TYPES, UNKNOWN)
GRID = 24  # Rows and columns of the map of where boxes lie.
FEW_PATIENTS = 10
_ITA_STEP = 5  # degrees
_ITA_EDGES = range(-90, 91, _ITA_STEP)
_MAX_NAMES = 6


class Histogram(NamedTuple):
    """Counts by bin.

    Attributes:
      labels: of the bins.
      counts: of the same number.
      ticks: (place in bins from the left, text) for an axis that has no room for the
        labels.
    """

    labels: List[str]
    counts: List[int]
    ticks: Sequence[Tuple[float, str]] = ()


def counts(looks: Sequence[Look]) -> Tuple[List[str], np.ndarray]:
    """Counts photographs.

    Returns:
      The conditions in the order of their names, and int [conditions, 7, 3], the counts
      by skin type (0: unknown) and split.
    """
    names = sorted({look.row.condition for look in looks})
    found = np.zeros((len(names), len(SKIN_TYPES), len(manifest.SPLITS)), int)
    for look in looks:
        split = manifest.SPLITS.index(look.split)
        found[names.index(look.row.condition), look.row.fitzpatrick or UNKNOWN, split] += 1
    return names, found


def patients(looks: Sequence[Look]) -> Dict[str, int]:
    """Counts patients by condition."""
    found: Dict[str, set] = {}
    for look in looks:
        found.setdefault(look.row.condition, set()).add(look.row.patient_id)
    return {condition: len(names) for condition, names in found.items()}


def _binned(
    values: Union[Sequence[float], np.ndarray],
    edges: Sequence[float],
    labels: List[str],
    ticks: Sequence[Tuple[float, str]] = (),
) -> Histogram:
    """Counts values between edges; those beyond go to the first and last bin."""
    clipped = np.clip(values, edges[0], np.nextafter(edges[-1], edges[0]))
    return Histogram(labels, np.histogram(clipped, edges)[0].tolist(), ticks)


def boxes_per_photograph(looks: Sequence[Look]) -> Histogram:
    """Counts photographs by their number of ROIs: 0, 1, ... 5, 6 and more."""
    values = [len(look.boxes) for look in looks]
    return _binned(values, range(8), [*map(str, range(6)), "6+"])


def _box_pixels(looks: Sequence[Look]) -> np.ndarray:
    """Width and height of each ROI and of its photograph in pixels, float [N, 4]."""
    sides = [
        ((box.x1 - box.x0) * look.size[0], (box.y1 - box.y0) * look.size[1], *look.size)
        for look in looks
        for box in look.boxes
    ]
    return np.reshape(np.array(sides, float), (-1, 4))


def box_sizes(looks: Sequence[Look]) -> Histogram:
    """Counts ROIs by their longer side relative to the photograph's shorter one."""
    sides = _box_pixels(looks)
    shares = sides[:, :2].max(1) / sides[:, 2:].min(1)
    edges = np.linspace(0, 1.2, 13).tolist()
    labels = [f"{low:.0%} to {high:.0%}" for low, high in zip(edges, edges[1:])]
    labels[-1] = f"{edges[-2]:.0%} or more"
    ticks = [(n, f"{edge:.0%}") for n, edge in enumerate(edges) if n % 2 == 0]
    return _binned(shares, edges, labels, ticks)


def box_aspects(looks: Sequence[Look]) -> Histogram:
    """Counts ROIs by width to height, bins of half an octave."""
    sides = _box_pixels(looks)
    octaves = np.arange(-2, 2.01, 0.5)
    labels = [f"{2**n:.2g}:1" if n > 0 else f"1:{2**-n:.2g}" for n in octaves]
    ticks = [(n + 0.5, labels[n]) for n in range(0, len(labels), 2)]
    edges = [-2.25, *(octaves + 0.25)]
    return _binned(np.log2(sides[:, 0] / sides[:, 1]), edges, labels, ticks)


def box_places(looks: Sequence[Look]) -> np.ndarray:
    """Share of all ROIs that cover each cell of the photograph, float [GRID, GRID]."""
    total, covered = 0, np.zeros((GRID, GRID))
    for look in looks:
        for box in look.boxes:
            x0, y0 = int(box.x0 * GRID), int(box.y0 * GRID)
            covered[y0 : int(np.ceil(box.y1 * GRID)), x0 : int(np.ceil(box.x1 * GRID))] += 1
            total += 1
    return covered / max(total, 1)


def shorter_sides(looks: Sequence[Look]) -> Histogram:
    """Counts photographs by their shorter side, pixels."""
    edges = [0, 128, 256, 512, 1024, 2048, 4096]
    labels = [f"{low} to {high - 1}" for low, high in zip(edges, edges[1:])]
    labels[0], labels[-1] = "under 128", "2048 or more"
    ticks = [(n, str(edge)) for n, edge in enumerate(edges[:-1]) if n]
    return _binned([min(look.size) for look in looks], edges, labels, ticks)


def _by_type(types: Sequence[Optional[int]]) -> Histogram:
    labels = [*map(str, SKIN_TYPES[:6]), "unknown"]
    return Histogram(labels, [types.count(kind or None) for kind in SKIN_TYPES])


def annotated_types(looks: Sequence[Look]) -> Histogram:
    """Photographs by annotated skin type 1 to 6, then unknown or estimated on import."""
    return _by_type([look.row.fitzpatrick if look.has_annotated_type else None for look in looks])


def estimated_types(looks: Sequence[Look]) -> Histogram:
    """Photographs by estimated skin type, then those of which it cannot be said."""
    return _by_type([look.estimated_type for look in looks])


def monk_tones(looks: Sequence[Look]) -> Histogram:
    """Photographs by annotated Monk skin tone 1 to 10."""
    tones = [look.row.monk for look in looks]
    return Histogram(
        list(map(str, manifest.MONK_TONES)), list(map(tones.count, manifest.MONK_TONES))
    )


def angles(looks: Sequence[Look]) -> Histogram:
    """Counts photographs by ITA, bins of 5 degrees from -90 to 90."""
    values = [look.ita for look in looks if look.ita is not None]
    labels = [f"{edge} to {edge + _ITA_STEP}" for edge in _ITA_EDGES[:-1]]
    ticks = [(n, str(edge)) for n, edge in enumerate(_ITA_EDGES) if edge % 30 == 0]
    return _binned(values, _ITA_EDGES, labels, ticks)


def angle_marks() -> List[float]:
    """Where the thresholds between skin types lie in `angles`, in bins."""
    return [(threshold - _ITA_EDGES[0]) / _ITA_STEP for threshold in skin.ITA_THRESHOLDS]


def angle_types() -> List[int]:
    """The skin type that the middle of each bin of `angles` stands for."""
    return [skin.fitzpatrick_from_ita(edge + _ITA_STEP / 2) for edge in _ITA_EDGES[:-1]]


def type_agreement(looks: Sequence[Look]) -> np.ndarray:
    """Photographs by annotated (rows) and estimated (columns) skin type, int [6, 6]."""
    table = np.zeros((6, 6), int)
    for look in looks:
        given, estimated = look.row.fitzpatrick, look.estimated_type
        if given and estimated and look.has_annotated_type:
            table[given - 1, estimated - 1] += 1
    return table


class Reason(NamedTuple):
    """Rejections that say the same of different rows."""

    number: int
    stage: str
    example: manifest.Rejection


def reasons(rejections: Sequence[manifest.Rejection]) -> List[Reason]:
    """Groups rejections, most frequent first; names and numbers do not count."""
    groups: Dict[Tuple[str, str], List[manifest.Rejection]] = {}
    for rejection in rejections:
        text = (
            rejection.reason.replace(rejection.image, "") if rejection.image else rejection.reason
        )
        kind = re.sub(r"'[^']*'|[-\d.]+|\S*/\S*", "", text)
        groups.setdefault((rejection.stage, kind), []).append(rejection)
    found = [Reason(len(group), key[0], group[0]) for key, group in groups.items()]
    return sorted(found, key=lambda reason: -reason.number)


def _names(values: Sequence[str]) -> str:
    more = f" and {len(values) - _MAX_NAMES} more" if len(values) > _MAX_NAMES else ""
    return ", ".join(values[:_MAX_NAMES]) + more


def _share(part: int, whole: int) -> str:
    share = part / max(whole, 1)
    percent = "less than 1%" if 0 < share < 0.005 else f"{share:.0%}"
    return f"{part:,} of {whole:,} ({percent})"


def _about_conditions(looks: Sequence[Look]) -> List[str]:
    findings = []
    if len(looks) > FEW_PATIENTS and len({look.row.patient_id for look in looks}) == len(looks):
        findings.append(
            "Each photograph counts as a patient. Where several show one person, say so in "
            "patient_id: else training and test hold the same people."
        )
    few = sorted(name for name, count in patients(looks).items() if count < FEW_PATIENTS)
    if few:
        findings.append(f"Fewer than {FEW_PATIENTS} patients: {_names(few)}.")
    names, found = counts(looks)
    for split, of_split in zip(manifest.SPLITS, found.sum(1).T):
        missing = [name for name, count in zip(names, of_split) if not count]
        if missing:
            findings.append(f"No {split} photograph: {_names(missing)}.")
    return findings


def _about_skin(looks: Sequence[Look]) -> List[str]:
    findings = []
    types = [look.row.fitzpatrick for look in looks]
    unknown = types.count(None)
    if unknown:
        findings.append(
            f"Skin type unknown: {_share(unknown, len(looks))}; these are used like the others, "
            "but not where skin types are compared."
        )
    known = len(looks) - unknown
    dark = types.count(5) + types.count(6)
    if known and dark < 0.1 * known:
        findings.append(f"Skin types 5 and 6: only {_share(dark, known)} of known type.")
    estimated = sum(
        look.row.fitzpatrick is not None and not look.has_annotated_type for look in looks
    )
    if estimated:
        share = _share(estimated, len(looks))
        findings.append(f"Skin type estimated from colour (ITA), not annotated: {share}.")
    return findings


def _about_boxes(looks: Sequence[Look]) -> List[str]:
    findings = []
    without = sum(not look.boxes for look in looks)
    if without:
        findings.append(f"No ROI: {_share(without, len(looks))}; these get no crops.")
    boxes = [box for look in looks for box in look.boxes]
    whole = sum(min(box.x1 - box.x0, box.y1 - box.y0) > 0.95 for box in boxes)
    if whole:
        findings.append(
            f"ROI as large as the photograph: {_share(whole, len(boxes))}; such a map says "
            "nothing about the place."
        )
    return findings


def _about_background(looks: Sequence[Look]) -> List[str]:
    lost = sum(look.no_crop for look in looks)
    if not lost:
        return []
    return [
        f"Too much background around the ROI, so that preprocessing will make no crop: about "
        f"{_share(lost, len(looks))}; --background_limit is the limit there."
    ]


def _about_windows(inspection: Inspection) -> List[str]:
    if not inspection.enlarged:
        return []
    size = inspection.image_size
    if inspection.from_records:
        share = _share(inspection.enlarged, sum(inspection.crops.values()))
        what = f"Crops enlarged from windows of fewer than {size} pixels: {share}"
    else:
        share = _share(inspection.enlarged, len(inspection.looks))
        what = f"Photographs of which most crops of {size}x{size} would be enlarged: {share}"
    return [
        f"{what}; a generator learns their blur. Preprocess with --max_enlargement=1, which takes "
        "larger windows, or with a smaller --image_size."
    ]


def findings(inspection: Inspection) -> List[str]:
    """What a careful reader would want to know before training, a sentence each."""
    looks = inspection.looks
    synthetic = sum(look.row.synthetic for look in looks)
    found = [*_about_conditions(looks), *_about_skin(looks), *_about_boxes(looks)]
    found += _about_background(looks) + _about_windows(inspection)
    if synthetic:
        found.insert(
            0, f"Synthetic images: {_share(synthetic, len(looks))}; they are for training only."
        )
    if inspection.pairs:
        found.append(
            f"Suspected near-duplicates across patients: {len(inspection.pairs):,} pairs; "
            "preprocessing keeps these patients in one split."
        )
    if inspection.rejections:
        found.append(
            f"Not used: {len(inspection.rejections):,} rows or crops, see the reasons below."
        )
    return found
