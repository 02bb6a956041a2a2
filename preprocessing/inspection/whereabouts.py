"""Finds where a patient's photographs went, as for a withdrawal of consent.

Ids stand in manifests, records and tables. What leaves the machine has pseudonyms in their
place, and says by the digest of the records what it was made of; both are long enough to be
looked for in the bytes of any file.
"""

import csv
import pathlib
import re
from typing import Dict, Iterator, List, NamedTuple, Optional, Set

import pyarrow.parquet as pq

from common import progress, pseudonyms
from preprocessing.data import manifest, records

# What a folder is by a file in it, the first that is there.
_KINDS = (
    ("dataset.json", "records"),
    ("program.json", "program"),
    ("saved_model.pb", "exported generator"),
    ("config.json", "run"),
    ("private/answer_key.json", "study"),
    ("answer_key.json", "key of a study"),
    ("manifest.json", "generated images"),
)
_ID_COLUMNS = {"patient": "patient_id", "case": "case_id", "photograph": "image_id"}
_BLOCK = 1 << 22  # bytes
_TABLES = (".csv", ".parquet")
_ByName = Dict[str, List[pathlib.Path]]


class Found(NamedTuple):
    """A file that has to do with the patient.

    Attributes:
      path: of the file, or of the folder of records.
      why: in words.
    """

    path: pathlib.Path
    why: str

    @property
    def kind(self) -> str:
        """What the file's folder is, or "file"."""
        folder = self.path if self.path.is_dir() else self.path.parent
        for name, kind in _KINDS:
            if (folder / name).exists():
                return kind
        return "file"


class _Patient:
    """What is known of a patient so far."""

    def __init__(self, asked: str, names: List[pseudonyms.Pseudonyms]):
        self._asked, self._names = asked, names
        self.ids: Dict[str, Set[str]] = {kind: set() for kind in _ID_COLUMNS}
        self.digests: Set[str] = set()

    def is_it(self, patient_id: str) -> bool:
        """Tells whether an id, or a pseudonym of it, was asked for."""
        return patient_id == self._asked or any(
            one.name("patient", patient_id) == self._asked for one in self._names
        )

    def learn(self, **ids: str) -> None:
        """Notes ids, by kind."""
        for kind, one in ids.items():
            self.ids[kind].add(one)

    def needles(self) -> Dict[bytes, str]:
        """Returns what to look for in any file, and what it says there."""
        known = {kind: {*ids} for kind, ids in self.ids.items()}
        known["patient"].add(self._asked)
        found = {
            one.name(kind, name).encode(): f"holds the pseudonym of the {kind}"
            for kind, ids in known.items()
            for name in ids
            for one in self._names
        }
        if re.fullmatch("patient_[0-9a-f]{16}", self._asked):
            found[self._asked.encode()] = "holds the pseudonym of the patient"
        for digest in self.digests:
            found[digest.encode()] = "made with records that hold the patient"
        return found


def _in_records(folder: pathlib.Path, patient: _Patient) -> Iterator[Found]:
    """Yields a data set that holds the patient."""
    info = records.read_info(str(folder))
    counts: Dict[str, int] = {}
    for kind in ("crops", "full"):
        for split in manifest.SPLITS:
            if not info.count(kind, split):
                continue
            for record in records.read(str(folder), kind, split, images=False):
                if patient.is_it(record.patient_id):
                    patient.learn(
                        patient=record.patient_id, case=record.case_id, photograph=record.image_id
                    )
                    name = f"{kind}/{split}"
                    counts[name] = counts.get(name, 0) + 1
    if counts:
        patient.digests.add(info.digest)
        shown = ", ".join(f"{number} in {name}" for name, number in counts.items())
        yield Found(folder, f"records of the patient: {shown}")


def _rows(path: pathlib.Path) -> List[Dict[str, str]]:
    """Returns the rows of a table; none of a file that is no table of ours."""
    try:
        if path.suffix == ".parquet":
            wanted = [*_ID_COLUMNS.values()]
            columns = [name for name in pq.read_schema(path).names if name in wanted]
            return pq.read_table(path, columns=columns).to_pylist()
        with open(path, newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):  # pyarrow's errors are among them
        return []


def _learn_from(rows: List[Dict[str, str]], patient: _Patient) -> None:
    """Notes the ids of a manifest's rows."""
    for row in rows:
        if patient.is_it(row.get("patient_id") or ""):
            known = {kind: row.get(column) for kind, column in _ID_COLUMNS.items()}
            patient.learn(**{kind: one for kind, one in known.items() if one})


def _names(row: Dict[str, str], patient: _Patient, needles: Set[str]) -> bool:
    """Tells whether a row is the patient's; a case alone may be another's too."""
    if not needles.isdisjoint(one for one in row.values() if isinstance(one, str)):
        return True
    for kind in ("patient", "photograph", "case"):
        one = row.get(_ID_COLUMNS[kind])
        if one:
            return one in patient.ids[kind]
    return False


def _in_table(
    path: pathlib.Path, patient: _Patient, needles: Set[str], by_name: _ByName
) -> Iterator[Found]:
    """Yields a table that names the patient, or one of its photographs, and the latter's files."""
    places = []
    for number, row in enumerate(_rows(path), start=2):
        if not _names(row, patient, needles):
            continue
        places.append(number)
        image = pathlib.PurePath(row.get("image") or "")
        for place in by_name.get(image.name, ()):
            if place.parts[-len(image.parts) :] == image.parts:
                yield Found(place, "photograph of the patient")
    if places:
        more = f" and {len(places) - 8} more" if len(places) > 8 else ""
        yield Found(path, f"names the patient in rows {', '.join(map(str, places[:8]))}{more}")


def _in_bytes(path: pathlib.Path, pattern: "re.Pattern[bytes]", longest: int) -> Optional[bytes]:
    """Returns the first of some texts that a file holds, or its name."""
    named = pattern.search(path.name.encode())
    if named:
        return named[0]
    tail = b""
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            hit = pattern.search(tail + block)
            if hit:
                return hit[0]
            tail = block[-longest:]
    return None


def find(asked: str, folder: str) -> List[Found]:
    """Looks for a patient in a folder and all below it; writes nothing.

    Args:
      asked: patient id, or a pseudonym.
      folder: where manifests, records, runs, programs and studies lie.

    Returns:
      What was found: manifests with their photographs, records, then other files.

    Raises:
      ValueError: no such folder, or records that cannot be read.
    """
    root = pathlib.Path(folder)
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder")
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    keys = [path.parent for path in paths if path.name == pseudonyms.FILE_NAME]
    patient = _Patient(asked, [pseudonyms.load_or_create(key) for key in keys])
    datasets = [path.parent for path in paths if path.name == "dataset.json"]
    found: List[Found] = []
    for data_dir in datasets:
        found += _in_records(data_dir, patient)
    tables = [path for path in paths if path.suffix in _TABLES]
    for path in tables:
        _learn_from(_rows(path), patient)
    needles = patient.needles()
    texts = {one.decode() for one in needles}
    by_name: _ByName = {}
    for path in paths:
        by_name.setdefault(path.name, []).append(path)
    for path in tables:
        found += _in_table(path, patient, texts, by_name)
    if not needles:
        return found
    pattern = re.compile(b"|".join(map(re.escape, needles)))
    longest = max(map(len, needles))
    seen = {one.path for one in found}
    for path in progress.bar(paths, what="looking", unit="files"):
        if path in seen or path.name == "dataset.json" and path.parent in seen:
            continue
        hit = _in_bytes(path, pattern, longest)
        if hit is not None:
            found.append(Found(path, needles[hit]))
    return found


def text(asked: str, folder: str, found: List[Found]) -> str:
    """Returns what was found, for the screen, by folder."""
    if not found:
        return f"{asked}: nothing in {folder}, by this id or by a pseudonym whose key is there"
    lines = [f"{asked}: {len(found)} files or folders below {folder}"]
    for one in found:
        lines.append(f"  {one.kind:20}{one.path.relative_to(folder)}: {one.why}")
    lines.append(
        "What was trained on these records remembers them: delete it, or train again without. "
        "Copies elsewhere, such as pages that were handed out, are not seen from here."
    )
    return "\n".join(lines)
