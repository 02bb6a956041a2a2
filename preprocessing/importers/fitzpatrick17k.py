"""Fitzpatrick17k: 16,577 clinical photographs from two atlases, 114 labels.

Groh et al. 2021, CVPR workshops, arxiv.org/abs/2104.09957,
github.com/mattgroh/fitzpatrick17k; CC BY-NC-SA 3.0. The table comes without the
photographs, which are downloaded from its `url` column and named `<md5hash>.jpg`;
some are gone, and those rows are rejected. No patients are named, and the atlases
show the same lesion several times: each photograph is a group of its own.

Two services annotated skin types, -1 where they could not tell.
`fitzpatrick_scale` counts, as in the paper; where it is unknown,
`fitzpatrick_centaur`. The table's first version has one column, `fitzpatrick`. Of the
about 500 rows that dermatologists checked (`qc`), those they found wrongly labelled are
rejected.
"""

from typing import Dict, List, Mapping, Optional, Sequence

from preprocessing.data.manifest import Photograph
from preprocessing.importers import annotations, formats
from preprocessing.importers.formats import Entry, Format
from preprocessing.importers.labels import LabelMapping

_SKIN_TYPES = ("fitzpatrick_scale", "fitzpatrick_centaur", "fitzpatrick")


def _types(cells: Mapping[str, str]) -> Dict[str, Optional[int]]:
    there = [column for column in _SKIN_TYPES if column in cells]
    return {column: formats.parse_skin_type(cells[column]) for column in there}


def _parse(cells: Mapping[str, str], mapping: LabelMapping) -> Entry:
    name = cells["md5hash"]
    if not name:
        raise ValueError("md5hash: the cell is empty")
    if "wrongly" in cells.get("qc", "").lower():
        raise ValueError(f"qc: {cells['qc']!r}")
    types = _types(cells).values()
    photograph = Photograph(
        case_id=name,
        patient_id=name,
        image_id=name,
        image=name,
        condition=mapping.condition(cells["label"]),
        fitzpatrick=next((known for known in types if known), None),
        extra=formats.extra_columns(cells),
    )
    return Entry(photograph, cells["label"])


def _notes(rows: Sequence[formats.Row]) -> List[str]:
    judged = []
    for _, cells in rows:
        try:
            types = _types(cells)
        except ValueError:
            continue
        judged.append({column: value for column, value in types.items() if value})
    agreement = annotations.agreement("skin type, the two services", judged, numbers=True)
    return [
        *([str(agreement)] if agreement else []),
        "no patients are named: photographs of one person may be in different splits",
    ]


FORMAT = Format(
    name="fitzpatrick17k",
    source="Fitzpatrick17k (arxiv.org/abs/2104.09957, CC BY-NC-SA 3.0)",
    read=formats.reader(
        names=("fitzpatrick17k.csv",),
        columns=("md5hash", "label", "nine_partition_label"),
        image_column="md5hash",
        parse=_parse,
        collection="Fitzpatrick17k",
        notes=_notes,
    ),
)
