"""PAD-UFES-20: 2,298 clinical photographs from smartphones.

Pacheco et al. 2020, Data in Brief 32:106221, doi.org/10.17632/zr7vgbcyr2.1,
CC BY 4.0. The column of skin types is spelt `fitspatrick`; it is empty where
nobody noted it.
"""

import pathlib
from typing import Mapping

from preprocessing.data import manifest
from preprocessing.importers import formats
from preprocessing.importers.formats import Entry, Format
from preprocessing.importers.labels import LabelMapping

CONDITIONS = {
    "ACK": "Actinic Keratosis",
    "BCC": "Basal Cell Carcinoma",
    "MEL": "Melanoma",
    "NEV": "Melanocytic Nevus",
    "SCC": "SCC/SCCIS",
    "SEK": "SK/ISK",
}


def _parse(cells: Mapping[str, str], mapping: LabelMapping) -> Entry:
    name = pathlib.PurePath(cells["img_id"]).stem
    photograph = manifest.Photograph(
        case_id=f"{cells['patient_id']}_{cells['lesion_id']}",
        patient_id=cells["patient_id"],
        image_id=name,
        image=name,
        condition=mapping.condition(cells["diagnostic"]),
        fitzpatrick=manifest.parse_fitzpatrick(cells["fitspatrick"]),
        extra={key: value for key, value in cells.items() if key != "patient_id"},
    )
    return Entry(photograph, cells["diagnostic"])


FORMAT = Format(
    name="pad_ufes_20",
    source="PAD-UFES-20 (doi.org/10.17632/zr7vgbcyr2.1, CC BY 4.0)",
    read=formats.reader(
        names=("metadata.csv",),
        columns=("patient_id", "lesion_id", "fitspatrick", "diagnostic", "img_id"),
        image_column="img_id",
        parse=_parse,
        collection="PAD-UFES-20",
    ),
    conditions=CONDITIONS,
    undecided={},
    mask_suffix="_mask",
)
