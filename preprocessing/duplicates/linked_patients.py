"""Keeps patients whose photographs are near-duplicates in one split.

Two patients with a near-duplicate are taken for one person, and so are those linked
to them. Such a group shares one split: the one that the manifest fixes for any of
them, else that of the first patient id, so that neither the order of rows nor other
patients change it.

Where the manifest fixes several splits for a group, both cannot be: patients keep
their splits, and of a near-duplicate pair that lies in two splits the photograph in
the earlier one (train before validation before test) is not used. A generated image
is in the training split always, so one that comes too close to a photograph of
another split is not used.
"""

import pathlib
from typing import Dict, List, Mapping, NamedTuple, Sequence

from preprocessing.data import manifest, splits
from preprocessing.data.manifest import SPLITS, Photograph
from preprocessing.duplicates.near_duplicates import Pair

UNUSED = "not used"
COLUMNS = (
    "image_id",
    "patient_id",
    "split",
    "other_image_id",
    "other_patient_id",
    "other_split",
    "turned",
    "correlation",
    "mirrored",
)


class Decision(NamedTuple):
    """What follows from the near-duplicates.

    Attributes:
      splits: of every photograph, by image id.
      unused: why a photograph may not be used, by image id.
    """

    splits: Mapping[str, str]
    unused: Mapping[str, str]


class _Groups:
    """Disjoint sets of patients (union-find with path halving)."""

    def __init__(self) -> None:
        self._parent: Dict[str, str] = {}

    def first_of(self, patient: str) -> str:
        """The first patient id of a group."""
        self._parent.setdefault(patient, patient)
        while self._parent[patient] != patient:
            self._parent[patient] = self._parent[self._parent[patient]]
            patient = self._parent[patient]
        return patient

    def join(self, one: str, other: str) -> None:
        first, second = sorted((self.first_of(one), self.first_of(other)))
        self._parent[second] = first

    def __contains__(self, patient: str) -> bool:
        return patient in self._parent


def decide(
    rows: Sequence[Photograph], pairs: Sequence[Pair], fractions: Sequence[float], seed: int
) -> Decision:
    """Finds the splits of linked patients.

    Args:
      rows: the photographs.
      pairs: of near-duplicates; `first` and `second` are positions in `rows`.
      fractions: shares of train, validation and test.
      seed: of the splits.

    Returns:
      See `Decision`.
    """
    groups = _Groups()
    for pair in pairs:
        one, other = rows[pair.first], rows[pair.second]
        if not (one.synthetic or other.synthetic):
            groups.join(one.patient_id, other.patient_id)
    fixed: Dict[str, List[str]] = {}
    for row in rows:
        if row.split and not row.synthetic and row.patient_id in groups:
            fixed.setdefault(groups.first_of(row.patient_id), []).append(row.split)

    def split_of(row: Photograph) -> str:
        if row.synthetic or row.split or row.patient_id not in groups:
            return splits.split_of(row, fractions, seed)
        first = groups.first_of(row.patient_id)
        if first in fixed:
            return max(fixed[first], key=SPLITS.index)
        return splits.split_of_patient(first, fractions, seed)

    unused: Dict[str, str] = {}
    for pair in pairs:
        sides = rows[pair.first], rows[pair.second]
        earlier, later = sorted(sides, key=lambda row: SPLITS.index(split_of(row)))
        if split_of(earlier) != split_of(later):
            unused[earlier.image_id] = (
                f"near-duplicate of {later.image_id!r} on row {later.row}, patient "
                f"{later.patient_id!r}, which the {split_of(later)} split has"
            )
    return Decision({row.image_id: split_of(row) for row in rows}, unused)


def write_report(
    path: pathlib.Path, rows: Sequence[Photograph], pairs: Sequence[Pair], decision: Decision
) -> None:
    """Writes a CSV with a row for each pair; arguments as of `decide`, and what it returned."""
    split_of = {**decision.splits, **dict.fromkeys(decision.unused, UNUSED)}
    lines = []
    for pair in pairs:
        cells: List[object] = []
        for row in (rows[pair.first], rows[pair.second]):
            cells += [row.image_id, row.patient_id, split_of[row.image_id]]
        lines.append([*cells, pair.turned, f"{pair.correlation:.3f}", int(pair.mirrored)])
    manifest.write_csv(path, COLUMNS, lines)
