"""ISIC: the ground truth of the challenges 2018 to 2020, and tables of the archive.

challenge.isic-archive.com; CC BY-NC 4.0 (2018: Tschandl et al. 2018, Codella et al. 2019,
arXiv:1902.03368; 2019: with Combalia et al. 2019, arXiv:1908.02288; 2020: Rotemberg et al.
2021, Scientific Data 8:34). A table has a row per photograph and says the diagnosis in one of
three ways:

- one column per diagnosis, 1.0 in one of them (2018 and 2019);
- `diagnosis` (2020 and the archive);
- `benign_malignant` (2020), where `diagnosis` is missing or "unknown". All that is malignant
  there is melanoma; "benign" leaves the condition open.

Every such table below the folder is read. Other tables with a column of photographs (2018's
`LesionGroupings`, 2019's `Metadata`) add their columns. Patients are `patient_id`, else
`lesion_id`, else nobody says. Where tables of several splits are there (their names have
Training, Validation or Test in them), `split` says which.
"""

import collections
import pathlib
from typing import Dict, List, Mapping, NamedTuple, Tuple

from preprocessing.data import manifest
from preprocessing.data.manifest import Photograph, Rejection
from preprocessing.importers import exports, files, formats
from preprocessing.importers.formats import Contents, Entry, Format
from preprocessing.importers.labels import LabelMapping

_IDS = ("image", "image_name", "image_id", "isic_id")
_ONE_HOT = ("MEL", "NV", "BCC", "AKIEC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
_LEAST_DIAGNOSES = 3  # Columns that make a table one of them.
_SAID = ("diagnosis", "benign_malignant")
_EMPTY = ("", "unknown", "nan", "na")


class _Table(NamedTuple):
    name: str
    id_column: str
    one_hot: Tuple[str, ...]
    rows: List[formats.Row]

    @property
    def has_diagnoses(self) -> bool:
        return bool(self.one_hot) or any(
            column in cells for column in _SAID for _, cells in self.rows[:1]
        )


def _read_tables(folder: pathlib.Path) -> Tuple[List[_Table], List[Rejection]]:
    """Reads every CSV below the folder that has a column of photographs."""
    tables, rejections = [], []
    for path in sorted(folder.rglob("*.csv")):
        name = path.relative_to(folder).as_posix()
        if files.is_hidden(name.split("/")):
            continue
        lines = manifest.csv_rows(path, manifest.delimiter_of(path))
        header = [cell.strip() for cell in next(lines, (1, []))[1]]
        id_column = next((column for column in _IDS if column in header), "")
        if not id_column:
            continue
        rows, ragged = formats.rows_of(header, lines)
        rejections += [formats.of_table(one, name) for one in ragged]
        one_hot = tuple(column for column in header if column.upper() in _ONE_HOT)
        tables.append(
            _Table(name, id_column, one_hot if len(one_hot) >= _LEAST_DIAGNOSES else (), rows)
        )
    return tables, rejections


def _label(table: _Table, cells: Mapping[str, str]) -> str:
    """Returns what a row says of the diagnosis.

    Raises:
      ValueError: nothing, or several.
    """
    if table.one_hot:
        said = [column for column in table.one_hot if cells[column] not in ("0", "0.0", "")]
        if len(said) != 1 or cells[said[0]] not in ("1", "1.0"):
            values = " ".join(cells[column] or "-" for column in table.one_hot)
            raise ValueError(f"{', '.join(table.one_hot)}: {values} is not a single 1")
        return said[0]
    label = cells.get("diagnosis", "")
    if label.lower() not in _EMPTY:
        return label
    kind = cells.get("benign_malignant", "").lower()
    if kind == "malignant" and table.id_column == "image_name":
        return "melanoma"
    return kind or label


def _parse(table: _Table, cells: Mapping[str, str], mapping: LabelMapping) -> Entry:
    name = files.stem(cells[table.id_column])
    if not name:
        raise ValueError(f"{table.id_column}: the cell is empty")
    label = _label(table, cells)
    patient = cells.get("patient_id", "") or cells.get("lesion_id", "") or name
    photograph = Photograph(
        case_id=cells.get("lesion_id", "") or patient,
        patient_id=patient,
        image_id=name,
        image=name,
        condition=mapping.condition(label),
        fitzpatrick=None,
        extra=formats.extra_columns(
            {key: value for key, value in cells.items() if key not in table.one_hot}
        ),
    )
    return Entry(photograph, label)


def _notes(entries: List[Entry]) -> List[str]:
    alone = sum(one.photograph.patient_id == one.photograph.image_id for one in entries)
    if not alone:
        return []
    return [
        f"{alone} of {len(entries)} photographs name no patient and no lesion: those of one person "
        "may be in different splits"
    ]


def _read(folder: pathlib.Path, mapping: LabelMapping) -> Contents:
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    tables, rejections = _read_tables(folder)
    if not any(table.has_diagnoses for table in tables):
        raise ValueError(
            f"{folder}: no table with a column {' or '.join(_IDS)} and either diagnoses "
            f"({', '.join(_ONE_HOT)}), diagnosis or benign_malignant; is this ISIC?"
        )
    more: Dict[str, Dict[str, str]] = collections.defaultdict(dict)
    for table in tables:
        if not table.has_diagnoses:
            for _, cells in table.rows:
                more[files.stem(cells[table.id_column])].update(cells)
    sources = [table for table in tables if table.has_diagnoses]
    splits = {table.name: exports.split_of_name(table.name) for table in sources}
    several = len(set(splits.values()) - {None}) > 1
    entries: List[Entry] = []
    for table in sources:
        for line, cells in table.rows:
            name = files.stem(cells[table.id_column])
            try:
                entry = _parse(table, {**more.get(name, {}), **cells}, mapping)
            except ValueError as error:
                rejected = formats.rejection(line, name, "", error)
                rejections.append(formats.of_table(rejected, table.name))
                continue
            entries.append(
                formats.with_photograph(
                    entry, row=line, split=splits[table.name] if several else None
                )
            )
    entries, moved = exports.one_split_per_patient(entries)
    table_name = sources[0].name if len(sources) == 1 else ""
    return Contents(entries, rejections, (*_notes(entries), *moved), table_name)


FORMAT = Format(
    name="isic",
    source="ISIC challenges (arxiv.org/abs/1902.03368, CC BY-NC 4.0)",
    read=_read,
    mask_suffix="_segmentation",
)
