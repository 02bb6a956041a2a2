"""The case manifest, `cases.csv`: one row per photograph.

Columns: `case_id, patient_id, image_id, image, condition, fitzpatrick, rois` and
optionally `split`, `synthetic`, `fitzpatrick_source`, `ita` and `monk`. Other columns are
carried along untouched.
"""

import array
import collections
import csv
import dataclasses
import itertools
import marshal
import math
import os
import pathlib
import re
import stat
from typing import (
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
    overload,
)

from common import files
from preprocessing.data import taxonomy

REQUIRED_COLUMNS = (
    *("case_id", "patient_id", "image_id", "image", "condition", "fitzpatrick", "rois"),
)
MONK_TONES = tuple(range(1, 11))
_OPTIONAL_COLUMNS = ("split", "synthetic", "fitzpatrick_source", "ita", "monk")
SPLITS = ("train", "validation", "test")
UNKNOWN = "unknown"
# Who says a skin type: annotators; the person; a pair of types of which the darker was
# taken, or the one nearest to the ITA; the ITA alone; who ordered a generated image.
ANNOTATED, ESTIMATED = "annotated", "estimated"
SKIN_TYPE_SOURCES = (
    *(ANNOTATED, "self_reported", "pair", "pair_estimated", ESTIMATED, "requested", UNKNOWN),
)
# Far more lesions than anybody marks; the time to group boxes grows faster than their
# number.
MAX_ROIS = 500
# A side that is shorter than this, in pixels, may round to nothing.
LEAST_SIDE = 0.5
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")


class Box(NamedTuple):
    """A pixel box, half-open: x0 <= x < x1, y0 <= y < y1; origin at the top left."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclasses.dataclass(frozen=True)
class Photograph:
    """One row of the manifest.

    Attributes:
      case_id: the consultation; several photographs may share one.
      patient_id: the person; splits never separate a patient's photographs.
      image_id: unique in the manifest.
      image: path of the file, relative to the image folder (the manifest's own,
        unless another is given).
      condition: a name of the taxonomy.
      fitzpatrick: skin type 1..6, or None where unknown.
      rois: boxes in pixels of the photograph after EXIF orientation.
      split: "train", "validation" or "test" where the manifest fixes it.
      synthetic: whether a program made the image; such an image is for training only.
      fitzpatrick_source: one of `SKIN_TYPE_SOURCES`, or "" where the manifest does not say.
      ita: individual typology angle of the skin, degrees; None where not measured.
      monk: Monk skin tone, 1..10; None where not annotated.
      extra: the manifest's other columns.
      row: line of the file the entry starts on; 0 for one that was not read.
    """

    case_id: str
    patient_id: str
    image_id: str
    image: str
    condition: str
    fitzpatrick: Optional[int]
    rois: Tuple[Box, ...] = ()
    split: Optional[str] = None
    synthetic: bool = False
    fitzpatrick_source: str = ""
    ita: Optional[float] = None
    monk: Optional[int] = None
    extra: Mapping[str, str] = dataclasses.field(default_factory=dict)
    row: int = 0

    @property
    def skin_type_source(self) -> str:
        """Who says the skin type, one of `SKIN_TYPE_SOURCES`."""
        if self.fitzpatrick is None:
            return UNKNOWN
        return self.fitzpatrick_source or ("requested" if self.synthetic else ANNOTATED)


class Rows(Sequence[Photograph]):
    """Photographs in the order in which they came, packed: a million are 0.25 GiB, not 1.5.

    Each is unpacked whenever it is asked for.
    """

    def __init__(self, photographs: Iterable[Photograph] = ()) -> None:
        self._packed = bytearray()
        self._ends = array.array("Q", [0])
        for photograph in photographs:
            self.append(photograph)

    def append(self, photograph: Photograph) -> None:
        """Adds one at the end."""
        fields = {**vars(photograph)}
        fields["rois"] = tuple(map(tuple, photograph.rois))
        self._packed += marshal.dumps(tuple(fields.values()))
        self._ends.append(len(self._packed))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def _at(self, position: int) -> Photograph:
        packed = memoryview(self._packed)[self._ends[position] : self._ends[position + 1]]
        values = marshal.loads(packed)
        row = Photograph(*values)
        return dataclasses.replace(row, rois=tuple(itertools.starmap(Box, row.rois)))

    @overload
    def __getitem__(self, position: int) -> Photograph: ...

    @overload
    def __getitem__(self, position: slice) -> List[Photograph]: ...

    def __getitem__(self, position: Union[int, slice]) -> Union[Photograph, List[Photograph]]:
        places = range(len(self))[position]
        return self._at(places) if isinstance(places, int) else [self._at(one) for one in places]


_OF_ESTIMATES = " (estimated)"


def is_estimated(source: str) -> bool:
    """Tells whether a skin type of this source was estimated from colour (ITA)."""
    return source.endswith(ESTIMATED)


def skin_type_group(skin_type: int, source: str) -> str:
    """Names the group that results by skin type put a photograph into; 0 is unknown.

    Types that people annotated and estimates are apart: "3" and "3 (estimated)".
    """
    return f"{skin_type}{_OF_ESTIMATES if is_estimated(source) else ''}"


def is_estimated_group(name: str) -> bool:
    """Tells whether a group of `skin_type_group` is one of estimates."""
    return name.endswith(_OF_ESTIMATES)


class Rejection(NamedTuple):
    """A row, or a crop of it, that was not used, and why."""

    row: int
    image_id: str
    image: str
    stage: str
    reason: str


def _readable(text: str, most: int = 300) -> str:
    """Puts a text of any kind on one line of bounded length, without undecodable bytes."""
    if len(text) > most:
        text = f"{text[: most // 2]} ... {text[-most // 2 :]}"
    text = text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")
    return " ".join(text.split())


def reject(row: int, image_id: str, image: str, stage: str, reason: str) -> Rejection:
    """Returns a rejection that can be written and read as one line, whatever is in the cells."""
    return Rejection(row, _readable(image_id), _readable(image), stage, _readable(reason))


def parse_rois(text: str) -> Tuple[Box, ...]:
    """Parses "x0 y0 x1 y1;x0 y0 x1 y1".

    Raises:
      ValueError: a box without four finite numbers, one that is empty, inverted or
        less than half a pixel, or more than `MAX_ROIS` boxes.
    """
    parts = [piece.strip() for piece in text.split(";") if piece.strip()]
    if len(parts) > MAX_ROIS:
        raise ValueError(f"rois: {len(parts)} boxes are more than the limit of {MAX_ROIS}")
    boxes = []
    for part in parts:
        try:
            numbers = [float(word) for word in part.replace(",", " ").split()]
        except ValueError:
            numbers = []
        if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
            raise ValueError(f"rois: {part!r} is not 'x0 y0 x1 y1'")
        box = Box(*numbers)
        if box.x0 >= box.x1 or box.y0 >= box.y1:
            raise ValueError(f"rois: box {part!r} is empty or inverted (needs x0 < x1 and y0 < y1)")
        if min(box.x1 - box.x0, box.y1 - box.y0) < LEAST_SIDE:
            raise ValueError(f"rois: box {part!r} is smaller than half a pixel")
        boxes.append(box)
    return tuple(boxes)


def format_rois(boxes: Iterable[Box]) -> str:
    """Writes boxes as `parse_rois` reads them."""
    return ";".join(" ".join(f"{value:.12g}" for value in box) for box in boxes)


def _parse_number(column: str, text: str, low: int, high: int) -> Optional[float]:
    """Parses a number from low to high, or nothing."""
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise ValueError(f"{column}: {text!r} is not {low}..{high} or empty")
    return value


def _parse_step(column: str, text: str, last: int) -> Optional[int]:
    """Parses a step of a scale that starts with 1; "3" and "3.0" are step 3."""
    value = _parse_number(column, text, 1, last)
    if value is not None and value != int(value):
        raise ValueError(f"{column}: {text!r} is not 1..{last} or empty")
    return None if value is None else int(value)


def parse_fitzpatrick(text: str) -> Optional[int]:
    """Parses a skin type; empty is unknown, "3" and "3.0" are type 3.

    Raises:
      ValueError: anything else.
    """
    return _parse_step("fitzpatrick", text, taxonomy.FITZPATRICK_TYPES[-1])


def parse_monk(text: str, column: str = "monk") -> Optional[int]:
    """Parses a Monk skin tone; empty is unknown, "3" and "3.0" are tone 3.

    Raises:
      ValueError: anything else; it names the column.
    """
    return _parse_step(column, text, MONK_TONES[-1])


def _parse_synthetic(text: str) -> bool:
    """Parses "1", "true", "0", "false" or nothing."""
    if text.lower() not in ("", "0", "1", "false", "true"):
        raise ValueError(f"synthetic: {text!r} is not 1, 0 or empty")
    return text.lower() in ("1", "true")


class _Folder:
    """The folder of images: who may be in it is asked of each of its folders once."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._root = path.resolve()
        self._inside: Dict[str, bool] = {}  # by folder, relative

    def _is_inside(self, path: pathlib.Path) -> bool:
        return self._root in path.resolve().parents

    def _is_plain(self, image: str) -> bool:
        """Tells whether a file is in one of the folders known to be inside, and no link."""
        folder, _, name = image.rpartition("/")
        if name in ("", ".", "..") or image.startswith("/"):
            return False
        if folder not in self._inside:
            place = (self._root / folder).resolve()
            self._inside[folder] = self._root in (place, *place.parents)
        if not self._inside[folder] or files.is_remote(self._root):
            return self._inside[folder]
        try:
            return not stat.S_ISLNK(os.lstat(self._root / image).st_mode)
        except FileNotFoundError:
            return True

    def check(self, image: str) -> None:
        """Makes sure that an image lies in the folder.

        Raises:
          ValueError: it does not, whatever links there are.
        """
        if not image:
            raise ValueError("image: the path is empty")
        elsewhere = files.is_remote(self._path) and (image[0] == "/" or files.is_remote(image))
        try:
            inside = not elsewhere and (
                self._is_plain(image) or self._is_inside(self._root / image)
            )
        except (OSError, RuntimeError) as error:  # Too long a name; a circle of links.
            raise ValueError(f"image: {image!r} is no path of a file ({error})") from error
        if not inside:
            raise ValueError(f"image: {image!r} leaves the folder {self._path}")


def _parse_row(cells: Dict[str, str], row: int, folder: _Folder) -> Photograph:
    for column, cell in cells.items():
        if _NOT_TEXT.search(cell):
            raise ValueError(f"{column}: {cell!r} is not UTF-8 text")
    for column in ("case_id", "patient_id", "image_id"):
        if not cells[column]:
            raise ValueError(f"{column}: the cell is empty")
    folder.check(cells["image"])
    split = cells.get("split") or None
    if split is not None and split not in SPLITS:
        raise ValueError(f"split: {split!r} is not one of {', '.join(SPLITS)} or empty")
    synthetic = _parse_synthetic(cells.get("synthetic", ""))
    if synthetic and split not in (None, "train"):
        raise ValueError(f"split: a synthetic image may be in 'train' only, not in {split!r}")
    source = cells.get("fitzpatrick_source", "")
    if source and source not in SKIN_TYPE_SOURCES:
        valid = ", ".join(SKIN_TYPE_SOURCES)
        raise ValueError(f"fitzpatrick_source: {source!r} is not one of {valid} or empty")
    known = {*REQUIRED_COLUMNS, *_OPTIONAL_COLUMNS}
    return Photograph(
        case_id=cells["case_id"],
        patient_id=cells["patient_id"],
        image_id=cells["image_id"],
        image=cells["image"],
        condition=taxonomy.canonical(cells["condition"]),
        fitzpatrick=parse_fitzpatrick(cells["fitzpatrick"]),
        rois=parse_rois(cells["rois"]),
        split=split,
        synthetic=synthetic,
        fitzpatrick_source=source,
        ita=_parse_number("ita", cells.get("ita", ""), -180, 180),
        monk=parse_monk(cells.get("monk", "")),
        extra={key: value for key, value in cells.items() if key not in known},
        row=row,
    )


def check_row(photograph: Photograph, folder: pathlib.Path) -> None:
    """Checks that a row can be written and read back.

    Raises:
      ValueError: it cannot, for instance because it has too many boxes.
    """
    cells = {name: str(cell) for name, cell in _cells(photograph).items()}
    stripped = {name: cell.strip() for name, cell in cells.items()}
    again = _parse_row(stripped, photograph.row, _Folder(folder))
    if again.image != photograph.image:
        raise ValueError(f"image: {photograph.image!r} has blanks at its start or end; rename it")


def _check_header(header: Sequence[str], path: pathlib.Path) -> None:
    if _NOT_TEXT.search("".join(header)):
        raise ValueError(f"{path}: not UTF-8 text; save it as UTF-8")
    missing = [column for column in REQUIRED_COLUMNS if column not in header]
    if missing:
        found = _readable(", ".join(header)) or "nothing"
        raise ValueError(f"{path}: missing column {', '.join(missing)}; found {found}")
    twice = [column for column, count in collections.Counter(header).items() if count > 1]
    if twice:
        raise ValueError(f"{path}: column {_readable(', '.join(twice))} appears more than once")


class _Row(NamedTuple):
    """One row of the file: the lines it starts and ends on, cells, and what csv says."""

    line: int
    last_line: int
    cells: List[str]
    error: str = ""

    def check_cells(self, header: Sequence[str]) -> None:
        """Checks that there is one cell to each column."""
        reason = self.error
        if not reason and len(self.cells) != len(header):
            reason = f"{len(self.cells)} cells where the header has {len(header)}"
        if reason and self.last_line > self.line:
            reason += f"; the row ends on line {self.last_line}: is a quotation mark not closed?"
        if reason:
            raise ValueError(reason)


def _rows(path: pathlib.Path, delimiter: str = ",", strict: bool = True) -> Iterator[_Row]:
    """Yields the rows, the header included; bytes that are not UTF-8 become surrogates."""
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=strict)
        while True:
            line = reader.line_num + 1
            try:
                cells, error = next(reader), ""
            except StopIteration:
                return
            except csv.Error as raised:  # The reader goes on with the next line.
                error = str(raised)
                cells = ["\0"] if "NUL" in error else []  # of which Python 3.10 reads no line
            yield _Row(line, reader.line_num, cells, error)


def delimiter_of(path: pathlib.Path) -> str:
    """Returns what separates the cells of a table's header: a comma, semicolon, tab or bar."""
    header = next(_rows(path, "\x1f", strict=False), _Row(1, 1, [])).cells
    text = header[0] if header else ""
    return max(",;\t|", key=text.count)


def csv_rows(path: pathlib.Path, delimiter: str = ",") -> Iterator[Tuple[int, List[str]]]:
    """Yields (line the row starts on, cells), the header included.

    Raises:
      ValueError: the file is not UTF-8 text or not a CSV.
    """
    for row in _rows(path, delimiter, strict=False):
        if row.error or _NOT_TEXT.search("".join(row.cells)):
            raise ValueError(f"{path}:{row.line}: {row.error or 'not UTF-8 text'}")
        yield row.line, row.cells


class _Earlier:
    """What the rows so far, of this and earlier manifests, fix for those that follow."""

    def __init__(self) -> None:
        self._row_of_image: Dict[str, Dict[str, int]] = {}  # by manifest
        self._patients: Dict[str, Tuple[Optional[str], int]] = {}  # split, row

    def check(self, photograph: Photograph, of: str) -> None:
        """Adds a row, unless its image is there already or its patient in another split."""
        for place, rows in self._row_of_image.items():
            if (row := rows.get(photograph.image_id)) is not None:
                raise ValueError(
                    f"image_id: {photograph.image_id!r} is already on row {row}{place}"
                )
        here = photograph.split, photograph.row
        split, row = self._patients.setdefault(photograph.patient_id, here)
        if split != photograph.split:
            raise ValueError(
                f"split: patient {photograph.patient_id!r} is in {photograph.split or 'none'!r} "
                f"here and in {split or 'none'!r} on row {row}"
            )
        self._row_of_image.setdefault(of, {})[photograph.image_id] = photograph.row


def read_cases(
    path: str, image_dir: Optional[str] = None
) -> Tuple[List[Photograph], List[Rejection]]:
    """Reads and checks a manifest; the `taxonomy.csv` beside it says its conditions.

    Args:
      path: a `cases.csv`; UTF-8, with or without a byte-order mark.
      image_dir: folder that the `image` column is relative to and may not leave; by
        default the manifest's own.

    Returns:
      The usable photographs, in the file's order, and the rows that are not
      usable with the reason. What needs the photograph itself (a missing file, a
      box outside the frame) is checked where photographs are read.

    Raises:
      ValueError: the file is not a manifest, or has no usable row.
    """
    rejections: List[Rejection] = []
    return list(_usable(path, image_dir, _Earlier(), "", rejections)), rejections


def _usable(
    path: str, image_dir: Optional[str], earlier: _Earlier, of: str, rejections: List[Rejection]
) -> Iterator[Photograph]:
    """Yields what `read_cases` returns, and adds to the rejections.

    Args:
      path: of `read_cases`, as the next.
      image_dir: its folder of images.
      earlier: what manifests that were read before fix.
      of: put after row numbers, to tell manifests apart.
      rejections: what is not usable.
    """
    source = files.at(path)
    if not source.is_file():
        raise ValueError(f"{path}: no such file")
    taxonomy.adopt_beside(source)
    folder = files.at(image_dir) if image_dir else source.parent
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    if (separator := delimiter_of(source)) != ",":
        raise ValueError(
            f"{path}: its cells are separated by {separator!r}, a manifest's by ','; save it as "
            "CSV with commas"
        )
    rows = _rows(source)
    header = [name.strip() for name in next(rows, _Row(1, 1, [])).cells]
    _check_header(header, source)
    checked = _Folder(folder)
    found = False
    for row in rows:
        if not row.error and not any(value.strip() for value in row.cells):
            continue
        cells = dict(zip(header, (value.strip() for value in row.cells)))
        try:
            row.check_cells(header)
            photograph = _parse_row(cells, row.line, checked)
            earlier.check(photograph, of)
        except ValueError as error:
            names = cells.get("image_id", ""), cells.get("image", "")
            rejections.append(reject(row.line, *names, "row", f"{error}{of}"))
            continue
        found = True
        yield photograph
    if not found:
        why = f"; row {rejections[0].row}: {rejections[0].reason}" if rejections else ""
        raise ValueError(f"{path}: no usable row{why}")


def _folder_of(folders: Sequence[str]) -> str:
    """Returns the folder that holds several; of object storage all are in one bucket."""
    parts = [folder.rpartition("://") for folder in folders]
    schemes = {scheme for scheme, _, _ in parts}
    together = "" if len(schemes) > 1 else os.path.commonpath([place for _, _, place in parts])
    if not together:
        raise ValueError(f"{', '.join(folders)}: folders of several manifests are in one bucket")
    return "".join((*parts[0][:2], together))


def read_several(
    paths: Sequence[str], image_dirs: Sequence[str] = ()
) -> Tuple[Rows, List[Rejection], str]:
    """Reads manifests as one: photographs and generated images, say, or two clinics'.

    An image may be in one of them only, and a patient in one split.

    Args:
      paths: as of `read_cases`.
      image_dirs: for each manifest, its folder of images; all in their manifest's own
        by default.

    Returns:
      Photographs and rejections, and the folder that `Photograph.image` is relative to:
      the images' own, or of several the one that holds them all.

    Raises:
      ValueError: as `read_cases`; other numbers of folders than of manifests; folders
        that nothing holds; data of two taxonomies.
    """
    if image_dirs and len(image_dirs) != len(paths):
        raise ValueError(
            f"--image_dir: {len(image_dirs)} folders for {len(paths)} manifests of --cases"
        )
    folders = [
        files.absolute(folder)
        for folder in (image_dirs or [os.path.dirname(files.absolute(path)) for path in paths])
    ]
    together = _folder_of(folders)
    earlier, photographs = _Earlier(), Rows()
    rejections: List[Rejection] = []
    for path, folder in zip(paths, folders):
        of = f" of {path}" if len(paths) > 1 else ""
        unused: List[Rejection] = []
        inside = os.path.relpath(folder, together)
        for row in _usable(path, folder, earlier, of, unused):
            image = os.path.normpath(os.path.join(inside, row.image)) if of else row.image
            photographs.append(dataclasses.replace(row, image=image) if of else row)
        rejections += unused
    return photographs, rejections, together


def write_cases(path: str, photographs: Sequence[Photograph]) -> None:
    """Writes a manifest that `read_cases` reads back unchanged."""
    rows = [_cells(photograph) for photograph in photographs]
    filled = {name for cells in rows for name, cell in cells.items() if cell != ""}
    columns = dict.fromkeys(name for cells in rows for name in cells)
    header = [name for name in columns if name in filled or name not in _OPTIONAL_COLUMNS[1:]]
    write_csv(path, header, ([cells.get(name, "") for name in header] for cells in rows))


def _cells(row: Photograph) -> Dict[str, object]:
    """The row as the file has it; what is not known is empty."""
    cells = {
        "case_id": row.case_id,
        "patient_id": row.patient_id,
        "image_id": row.image_id,
        "image": row.image,
        "condition": row.condition,
        "fitzpatrick": row.fitzpatrick or "",
        "rois": format_rois(row.rois),
        "split": row.split or "",
        "synthetic": int(row.synthetic) or "",
        "fitzpatrick_source": row.fitzpatrick_source,
        "ita": "" if row.ita is None else f"{row.ita:.12g}",
        "monk": row.monk or "",
    }
    return {**cells, **{name: cell for name, cell in row.extra.items() if name not in cells}}


def write_csv(
    path: files.PathLike, header: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Writes a UTF-8 CSV, which appears under its name only when it is complete."""
    with (
        files.replacing(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def write_rejections(path: files.PathLike, rejections: Iterable[Sequence[object]]) -> None:
    """Writes what was not used; each has the fields of a `Rejection`."""
    write_csv(path, Rejection._fields, rejections)
