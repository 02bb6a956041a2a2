"""DDI, Diverse Dermatology Images: 656 clinical photographs, biopsied, 78 labels.

Daneshjou et al. 2022, Science Advances 8:eabq6147, ddi-dataset.github.io; under
Stanford's research use agreement, not for commercial use. The table's first
column, without name, is `DDI_ID` - 1 and is left out. It names no patients.

`skin_tone` is a pair of Fitzpatrick types: 12, 34 or 56. A map needs one. With
`--estimate_skin_type` it is the type of the pair that is nearest to the estimate
(`fitzpatrick_source` "pair_estimated"); without, or where no skin can be measured,
the darker (source "pair"), as at every half between two types.
"""

import pathlib
from typing import Mapping

from preprocessing.data.manifest import Photograph
from preprocessing.importers import formats
from preprocessing.importers.formats import Entry, Format
from preprocessing.importers.labels import LabelMapping

_PAIRS = {"12": (1, 2), "34": (3, 4), "56": (5, 6)}


def _parse(cells: Mapping[str, str], mapping: LabelMapping) -> Entry:
    tone = cells["skin_tone"]
    if tone not in ("", *_PAIRS):
        raise ValueError(f"skin_tone: {tone!r} is not one of {', '.join(_PAIRS)} or empty")
    photograph = Photograph(
        case_id=cells["DDI_ID"],
        patient_id=cells["DDI_ID"],
        image_id=pathlib.PurePath(cells["DDI_file"]).stem,
        image=cells["DDI_file"],
        condition=mapping.condition(cells["disease"]),
        fitzpatrick=None,
        extra=formats.extra_columns(cells),
    )
    return Entry(photograph, cells["disease"], skin_types=_PAIRS.get(tone, ()))


FORMAT = Format(
    name="ddi",
    source="DDI (doi.org/10.1126/sciadv.abq6147, Stanford research use agreement)",
    read=formats.reader(
        names=("ddi_metadata.csv",),
        columns=("DDI_ID", "DDI_file", "skin_tone", "malignant", "disease"),
        image_column="DDI_file",
        parse=_parse,
        collection="DDI",
        notes=lambda rows: [
            "no patients are named: photographs of one person may be in different splits"
        ],
    ),
)
