"""HAM10000: 10,015 dermoscopic images of pigmented lesions.

Tschandl, Rosendahl & Kittler 2018, Scientific Data 5:180161,
doi.org/10.7910/DVN/DBW86T, CC BY-NC 4.0; masks: Tschandl et al. 2020, Nature
Medicine 26:1229. The table names no patients: photographs of one lesion share
`lesion_id`, which stands in for the patient, so that no lesion is in two splits.
"""

from typing import Mapping

from preprocessing.data.manifest import Photograph
from preprocessing.importers import files, formats
from preprocessing.importers.formats import Entry, Format
from preprocessing.importers.labels import LabelMapping

CONDITIONS = {
    "akiec": "Actinic Keratosis",
    "bcc": "Basal Cell Carcinoma",
    "bkl": "SK/ISK",
    "df": "Other",  # Dermatofibroma
    "mel": "Melanoma",
    "nv": "Melanocytic Nevus",
    "vasc": "Other",  # Vascular lesions
}


def _parse(cells: Mapping[str, str], mapping: LabelMapping) -> Entry:
    name = files.stem(cells["image_id"])
    photograph = Photograph(
        case_id=cells["lesion_id"],
        patient_id=cells["lesion_id"],
        image_id=name,
        image=name,
        condition=mapping.condition(cells["dx"]),
        fitzpatrick=None,
        extra={key: value for key, value in cells.items() if key != "image_id"},
    )
    return Entry(photograph, cells["dx"])


FORMAT = Format(
    name="ham10000",
    source="HAM10000 (doi.org/10.7910/DVN/DBW86T, CC BY-NC 4.0)",
    read=formats.reader(
        names=("HAM10000_metadata.csv", "HAM10000_metadata", "HAM10000_metadata.tab"),
        columns=("lesion_id", "image_id", "dx"),
        image_column="image_id",
        parse=_parse,
        collection="HAM10000",
    ),
    conditions=CONDITIONS,
    undecided={},
    mask_suffix="_segmentation",
)
