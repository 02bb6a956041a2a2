"""Reading the CSV tables of a collection."""

import dataclasses
import pathlib
from typing import Callable, Dict, List, Mapping, Sequence, Tuple

from preprocessing.data import manifest
from preprocessing.data.manifest import Rejection
from preprocessing.importers.formats import Contents, Entry
from preprocessing.importers.labels import LabelMapping, UnmappedLabelError

Row = Tuple[int, Dict[str, str]]


def read_table(
    folder: pathlib.Path, names: Sequence[str], columns: Sequence[str], collection: str
) -> Tuple[List[Row], List[Rejection]]:
    """Reads a table; a column without name (an index) is left out.

    Args:
      folder: where it is.
      names: names that it may have, first match wins; `.tab` is separated by tabs.
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
    lines = manifest.csv_rows(found[0], "\t" if found[0].suffix == ".tab" else ",")
    header = [name.strip() for name in next(lines, (1, []))[1]]
    missing = [name for name in columns if name not in header]
    if missing:
        raise ValueError(f"{found[0]}: not {collection}: column {', '.join(missing)} missing")
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


def rejection(row: int, image_id: str, image: str, error: ValueError) -> Rejection:
    """Makes a rejection of an error: of stage "label" if only the label is at fault."""
    stage = "label" if isinstance(error, UnmappedLabelError) else "row"
    return Rejection(row, image_id, image, stage, str(error))


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
        entries = []
        for line, cells in rows:
            try:
                entry = parse(cells, mapping)
            except ValueError as error:
                rejections.append(rejection(line, cells[image_column], "", error))
                continue
            photograph = dataclasses.replace(entry.photograph, row=line)
            entries.append(dataclasses.replace(entry, photograph=photograph))
        return Contents(entries, rejections, tuple(notes(rows)))

    return read
