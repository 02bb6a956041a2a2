"""PAD-UFES-20: 2,298 clinical photographs from smartphones.

Pacheco et al. 2020, Data in Brief 32:106221, doi.org/10.17632/zr7vgbcyr2.1,
CC BY 4.0. The column of skin types is spelt `fitspatrick`; it is empty where
nobody noted it.
"""

import pathlib
from typing import Mapping

from preprocessing import cases, taxonomy
from preprocessing.importers.formats import Format

CONDITIONS = {
    "ACK": "Actinic Keratosis",
    "BCC": "Basal Cell Carcinoma",
    "MEL": "Melanoma",
    "NEV": "Melanocytic Nevus",
    "SCC": "SCC/SCCIS",
    "SEK": "SK/ISK",
}


def _parse(cells: Mapping[str, str]) -> cases.Photograph:
    diagnosis = cells["diagnostic"].upper()
    if diagnosis not in CONDITIONS:
        raise ValueError(
            f"diagnostic: {cells['diagnostic']!r} is not one of {', '.join(CONDITIONS)}"
        )
    name = pathlib.PurePath(cells["img_id"]).stem
    return cases.Photograph(
        case_id=f"{cells['patient_id']}_{cells['lesion_id']}",
        patient_id=cells["patient_id"],
        image_id=name,
        image=name,
        condition=taxonomy.canonical(CONDITIONS[diagnosis]),
        fitzpatrick=cases.parse_fitzpatrick(cells["fitspatrick"]),
        extra={key: value for key, value in cells.items() if key != "patient_id"},
    )


FORMAT = Format(
    name="pad_ufes_20",
    metadata_names=("metadata.csv",),
    columns=("patient_id", "lesion_id", "fitspatrick", "diagnostic", "img_id"),
    parse=_parse,
    mask_suffix="_mask",
    source="PAD-UFES-20 (doi.org/10.17632/zr7vgbcyr2.1, CC BY 4.0)",
)
