"""HAM10000: 10,015 dermoscopic images of pigmented lesions.

Tschandl, Rosendahl & Kittler 2018, Scientific Data 5:180161,
doi.org/10.7910/DVN/DBW86T, CC BY-NC 4.0; masks: Tschandl et al. 2020, Nature
Medicine 26:1229. The table names no patients: photographs of one lesion share
`lesion_id`, which stands in for the patient, so that no lesion is in two splits.
"""

from typing import Mapping

from preprocessing import taxonomy
from preprocessing.cases import Photograph
from preprocessing.importers.formats import Format

CONDITIONS = {
    "akiec": "Actinic Keratosis",
    "bcc": "Basal Cell Carcinoma",
    "bkl": "SK/ISK",
    "df": "Other",  # Dermatofibroma
    "mel": "Melanoma",
    "nv": "Melanocytic Nevus",
    "vasc": "Other",  # Vascular lesions
}


def _parse(cells: Mapping[str, str]) -> Photograph:
    diagnosis = cells["dx"].lower()
    if diagnosis not in CONDITIONS:
        raise ValueError(f"dx: {cells['dx']!r} is not one of {', '.join(CONDITIONS)}")
    return Photograph(
        case_id=cells["lesion_id"],
        patient_id=cells["lesion_id"],
        image_id=cells["image_id"],
        image=cells["image_id"],
        condition=taxonomy.canonical(CONDITIONS[diagnosis]),
        fitzpatrick=None,
        extra={key: value for key, value in cells.items() if key != "image_id"},
    )


FORMAT = Format(
    name="ham10000",
    metadata_names=("HAM10000_metadata.csv", "HAM10000_metadata", "HAM10000_metadata.tab"),
    columns=("lesion_id", "image_id", "dx"),
    parse=_parse,
    mask_suffix="_segmentation",
    source="HAM10000 (doi.org/10.7910/DVN/DBW86T, CC BY-NC 4.0)",
)
