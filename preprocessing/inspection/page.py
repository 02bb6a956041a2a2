"""The report on a data set: one HTML page that needs nothing else."""

import datetime
import pathlib
from typing import Any, Dict, List, Sequence

import numpy as np

from common import pages
from preprocessing.inspection import charts, distributions
from preprocessing.inspection.distributions import SKIN_TYPES, UNKNOWN, Histogram
from preprocessing.inspection.sources import Inspection, Look

_PAGE = pages.Page(pathlib.Path(__file__).with_name("page.html"), style_attributes=True)
_GIVEN, _ESTIMATED = "#14508f", "#c2701c"
_MOST_REASONS = 30
# Colors in the middle of each type's range of ITA.
_TONES = {1: "#f6e3d6", 2: "#e9c9ae", 3: "#d3a57f", 4: "#b07d55", 5: "#80522f", 6: "#4a2c1c"}
_SECTIONS = (
    ("findings", "Before you train"),
    ("counts", "Counts"),
    ("skin", "Skin type"),
    ("boxes-found", "ROI boxes"),
    ("photographs", "Photographs"),
    ("duplicates", "Near-duplicates"),
    ("rejected", "Not used"),
)


def _cell(by_split: np.ndarray, largest: int) -> Dict[str, Any]:
    total = int(by_split.sum())
    share = (total / largest) ** 0.5 if largest else 0.0
    return {
        "total": f"{total:,}" if total else "",
        "splits": " · ".join(f"{count:,}" for count in by_split),
        "color": charts.shade(share),
        "dark": share > charts.DARK_FROM,
    }


def _counts(looks: Sequence[Look]) -> Dict[str, Any]:
    """Rows and totals of the table of condition, skin type and split."""
    names, counts = distributions.counts(looks)
    patients = distributions.patients(looks)
    kinds = [kind for kind in SKIN_TYPES if kind or counts[:, UNKNOWN].any()]
    largest = counts.sum(2).max()
    rows = [
        {
            "name": name,
            "patients": f"{patients[name]:,}",
            "cells": [_cell(own[kind], largest) for kind in kinds],
            **_cell(own.sum(0), 0),
        }
        for name, own in zip(names, counts)
    ]
    totals = [*counts.sum(0)[kinds], counts.sum((0, 1))]
    return {
        "skin_types": kinds,
        "count_rows": rows,
        "totals": [_cell(by_split, 0) for by_split in totals],
    }


def _agreement(looks: Sequence[Look]) -> Dict[str, Any]:
    table = distributions.type_agreement(looks)
    count, near = table.sum(), sum(table.trace(offset) for offset in (-1, 0, 1))
    cells = [
        [{**_cell(value, table.max()), "total": value.sum()} for value in row]
        for row in table[..., None]
    ]
    return {
        "count": f"{count:,}" if count else "",
        "equal": f"{table.trace() / max(count, 1):.0%}",
        "near": f"{near / max(count, 1):.0%}",
        "rows": cells,
    }


def _charts(inspection: Inspection, given: str) -> Dict[str, charts.Chart]:
    looks = inspection.looks

    def simple(title: str, histogram: Histogram, axis: str) -> charts.Chart:
        return charts.bars(title, axis, {"count": histogram}, [_GIVEN])

    found = {
        "skin": charts.bars(
            f"Photographs by skin type, {given} and estimated",
            "Fitzpatrick skin type",
            {
                given: distributions.annotated_types(looks),
                "estimated": distributions.estimated_types(looks),
            },
            [_GIVEN, _ESTIMATED],
        ),
        "angles": charts.bars(
            "Photographs by typology angle",
            "ITA, degrees",
            {"photographs": distributions.angles(looks)},
            [_ESTIMATED],
            [_TONES[kind] for kind in distributions.angle_types()],
            distributions.angle_marks(),
        ),
        "per_photograph": simple(
            "Photographs by number of ROI boxes",
            distributions.boxes_per_photograph(looks),
            "ROI boxes",
        ),
        "sizes": simple(
            "ROI boxes by size",
            distributions.box_sizes(looks),
            "longer side of the box / shorter side of the photograph",
        ),
        "aspects": simple(
            "ROI boxes by aspect", distributions.box_aspects(looks), "width : height"
        ),
        "places": charts.heat_map("Where ROI boxes lie", distributions.box_places(looks)),
    }
    if any(look.row.monk for look in looks):
        found["monk"] = simple(
            "Photographs by annotated Monk skin tone",
            distributions.monk_tones(looks),
            "Monk skin tone",
        )
    if not inspection.from_records:
        found["sides"] = simple(
            "Photographs by their shorter side",
            distributions.shorter_sides(looks),
            "shorter side, pixels",
        )
    return found


def _tiles(inspection: Inspection) -> List[Any]:
    looks = inspection.looks
    synthetic = sum(look.row.synthetic for look in looks)
    tiles = [
        (len(looks) - synthetic, "photographs"),
        (len({look.row.patient_id for look in looks}), "patients"),
        (len({look.row.condition for look in looks}), "conditions"),
        (sum(len(look.boxes) for look in looks), "ROI boxes"),
    ]
    if synthetic:
        tiles.insert(1, (synthetic, "synthetic images"))
    if inspection.from_records:
        tiles.append((sum(inspection.crops.values()), "crops"))
    tiles.append((sum(look.row.fitzpatrick is None for look in looks), "of unknown skin type"))
    if inspection.pairs is not None:
        tiles.append((len(inspection.pairs), "near-duplicate pairs"))
    tiles.append((len(inspection.rejections), "rows or crops not used"))
    return [(f"{value:,}", name) for value, name in tiles]


def render(inspection: Inspection) -> str:
    """Returns the page's HTML."""
    given = "recorded" if inspection.from_records else "annotated"
    looks = inspection.looks
    return _PAGE.render(
        inspection=inspection,
        # Not the whole path: it may tell a reader who works where.
        title="/".join(
            pathlib.Path(inspection.source).parts[-1 if inspection.from_records else -2 :]
        ),
        date=datetime.date.today().isoformat(),
        tiles=_tiles(inspection),
        sections=_SECTIONS,
        findings=distributions.findings(inspection),
        **_counts(looks),
        patient_count=f"{len({look.row.patient_id for look in looks}):,}",
        tones=_TONES,
        skin_legend=[(given, _GIVEN), ("estimated from colour", _ESTIMATED)],
        charts=_charts(inspection, given),
        agreement=_agreement(looks),
        has_estimates=any(look.row.fitzpatrick for look in looks),
        box_count=f"{sum(len(look.boxes) for look in looks):,}",
        most_covered=f"{distributions.box_places(looks).max():.0%}",
        per_condition=inspection.per_condition,
        shown=sorted(inspection.shown().items()),
        pairs=[
            (pair, (looks[pair.first], looks[pair.second])) for pair in inspection.pairs_shown()
        ],
        reasons=distributions.reasons(inspection.rejections),
        most_reasons=_MOST_REASONS,
    )
