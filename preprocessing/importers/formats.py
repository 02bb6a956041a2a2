"""What the importer of a collection has to say about it, and how its tables are read."""

import dataclasses
import pathlib
import re
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from preprocessing.data import manifest
from preprocessing.data.manifest import Photograph, Rejection
from preprocessing.importers import labels
from preprocessing.importers.labels import LabelMapping, UnmappedLabelError

Row = Tuple[int, Dict[str, str]]

ANNOTATED = "annotated"
SELF_REPORTED = "self_reported"


@dataclasses.dataclass(frozen=True)
class Entry:
    """A photograph as a collection's tables describe it; its file is not read yet.

    Attributes:
      photograph: its row of the manifest. `image` is how the collection names the file:
        with or without folder and extension. ROIs are those that people drew.
      label: the collection's own label that made the condition.
      skin_types: the two Fitzpatrick types (lighter, darker) that the collection leaves
        a choice of; `photograph.fitzpatrick` is None then.
      skin_type_source: who says `photograph.fitzpatrick`.
      frame: (width, height) that the ROIs were drawn on; None for the photograph's own.
      turned_frame: whether `frame` may be the size before EXIF orientation, although the
        ROIs are upright.
    """

    photograph: Photograph
    label: str
    skin_types: Tuple[int, ...] = ()
    skin_type_source: str = ANNOTATED
    frame: Optional[Tuple[int, int]] = None
    turned_frame: bool = False


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a collection's tables hold.

    Attributes:
      entries: photographs to look for.
      rejections: rows and annotations that cannot be used, and why.
      notes: what the user should know, a line each: agreement of annotators, what
        splits cannot tell apart.
      table: the file that rows are lines of; "" where reasons name it.
    """

    entries: Sequence[Entry]
    rejections: Sequence[Rejection]
    notes: Tuple[str, ...] = ()
    table: str = ""


@dataclasses.dataclass(frozen=True)
class Format:
    """How a collection is laid out.

    Attributes:
      name: the value of `--format`.
      source: what it is, where it comes from, and its licence.
      read: reads the tables in a folder with the mapping that `mapping` makes; raises
        `ValueError` where the folder does not hold the collection.
      conditions: condition by label.
      undecided: labels that leave the condition open, and why.
      mask_suffix: what a mask's file name adds to its photograph's; empty for a
        collection without masks.
    """

    name: str
    source: str
    read: Callable[[pathlib.Path, LabelMapping], Contents]
    conditions: Mapping[str, str] = dataclasses.field(default_factory=lambda: labels.CONDITIONS)
    undecided: Mapping[str, str] = dataclasses.field(default_factory=lambda: labels.UNDECIDED)
    mask_suffix: str = ""

    def mapping(self, overrides: Optional[Mapping[str, str]] = None) -> LabelMapping:
        """Returns the collection's mapping of labels, with the user's overrides."""
        return LabelMapping(self.conditions, self.undecided, overrides)


def extra_columns(cells: Mapping[str, str]) -> Mapping[str, str]:
    """Returns a collection's columns without those whose names the manifest uses."""
    taken = {*manifest.REQUIRED_COLUMNS, "split", "synthetic"}
    return {key: value for key, value in cells.items() if key not in taken}


_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6}
# Unknown: -1 is Fitzpatrick17k's, NONE_... SCIN's, __undefined__ CVAT's.
_UNKNOWN = frozenset(
    {"", "-1", "nan", "na", "n/a", "none", "null", "unknown", "undefined", "__undefined__"}
    | {"none_identified", "none_selected"}
)


def parse_skin_type(text: str) -> Optional[int]:
    """Parses "3", "3.0", "III", "FST3", "Type III" or a word for unknown.

    Returns:
      1..6, or None for unknown.

    Raises:
      ValueError: anything else.
    """
    word = text.strip().lower()
    if re.sub(r"[ -]+", "_", word) in _UNKNOWN or word in _UNKNOWN:
        return None
    word = re.sub(r"^((fitzpatrick|skin|type|fst)[ _:-]*)+", "", word)
    word = re.sub(r"\.0+$", "", word)
    if word in _ROMAN:
        return _ROMAN[word]
    if re.fullmatch("[1-6]", word):
        return int(word)
    raise ValueError(f"skin type: {text!r} is not one of 1 to 6, I to VI, FST1 to FST6 or unknown")


def read_table(
    folder: pathlib.Path, names: Sequence[str], columns: Sequence[str], collection: str
) -> Tuple[List[Row], List[Rejection]]:
    """Reads a table; a column without name (an index) is left out.

    Args:
      folder: where it is.
      names: names that it may have, first match wins. Cells are separated by what
        separates the header's: commas, semicolons, tabs or bars.
      columns: columns that it must have.
      collection: what it belongs to, for errors.

    Returns:
      (line of the row, cells by column), and the rows of another length.

    Raises:
      ValueError: no such folder or table, or not the collection's columns.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    found = [folder / name for name in names if (folder / name).is_file()]
    if not found:
        raise ValueError(f"{folder}: no {names[0]}; is this {collection}?")
    lines = manifest.csv_rows(found[0], manifest.delimiter_of(found[0]))
    header = [name.strip() for name in next(lines, (1, []))[1]]
    missing = [name for name in columns if name not in header]
    if missing:
        raise ValueError(
            f"{found[0]}: not {collection}: column {', '.join(missing)} missing; "
            f"found {', '.join(header)[:200] or 'nothing'}"
        )
    return rows_of(header, lines)


def rows_of(
    header: Sequence[str], lines: Iterable[Tuple[int, Sequence[str]]]
) -> Tuple[List[Row], List[Rejection]]:
    """Returns the rows of a table below its header, and those of another length."""
    rows, rejections = [], []
    for line, values in lines:
        if len(values) == len(header):
            cells = dict(zip(header, (value.strip() for value in values)))
            cells.pop("", None)
            rows.append((line, cells))
        elif values:
            reason = f"{len(values)} cells where the header has {len(header)}"
            rejections.append(Rejection(line, "", "", "row", reason))
    return rows, rejections


def with_photograph(entry: Entry, **fields: Any) -> Entry:
    """Returns an entry with other fields of its photograph."""
    return dataclasses.replace(entry, photograph=dataclasses.replace(entry.photograph, **fields))


def rejection(row: int, image_id: str, image: str, error: ValueError) -> Rejection:
    """Makes a rejection of an error: of stage "label" if only the label is at fault."""
    stage = "label" if isinstance(error, UnmappedLabelError) else "row"
    return Rejection(row, image_id, image, stage, str(error))


def of_table(rejected: Rejection, table: str) -> Rejection:
    """Returns a rejection that says of which of several tables its row is.

    Those for their label are counted by reason, and stay as they are.
    """
    if rejected.stage == "label":
        return rejected
    return rejected._replace(reason=f"{table} row {rejected.row}: {rejected.reason}")


def reader(
    names: Sequence[str],
    columns: Sequence[str],
    image_column: str,
    parse: Callable[[Mapping[str, str], LabelMapping], Entry],
    collection: str,
    notes: Callable[[Sequence[Row]], Sequence[str]] = lambda rows: (),
) -> Callable[[pathlib.Path, LabelMapping], Contents]:
    """Makes the `Format.read` of a collection with one table and a row per photograph.

    Args:
      names: see `read_table`.
      columns: see `read_table`.
      image_column: column that names the photograph, for rejections.
      parse: makes an entry of a row; raises `ValueError` where it cannot be used.
      collection: see `read_table`.
      notes: what to say about the rows.
    """

    def read(folder: pathlib.Path, mapping: LabelMapping) -> Contents:
        rows, rejections = read_table(folder, names, columns, collection)
        table = next(name for name in names if (folder / name).is_file())
        entries = []
        for line, cells in rows:
            try:
                entry = parse(cells, mapping)
            except ValueError as error:
                rejections.append(rejection(line, cells[image_column], "", error))
                continue
            entries.append(with_photograph(entry, row=line))
        return Contents(entries, rejections, tuple(notes(rows)), table)

    return read
