"""Finds near-duplicates in the shards of a data set and keeps them in one split."""

import pathlib
from typing import Dict, List, Sequence

import numpy as np

from preprocessing.data import manifest
from preprocessing.data.manifest import Photograph
from preprocessing.duplicates import linked_patients, near_duplicates, thumbnails
from preprocessing.sharding import moving
from preprocessing.sharding.plans import Settings
from preprocessing.sharding.shards import Summary

FILE_NAME = "duplicates.csv"
UNUSED = "not used"
COLUMNS = (
    "image_id",
    "patient_id",
    "split",
    "other_image_id",
    "other_patient_id",
    "other_split",
    "distance",
    "correlation",
    "mirrored",
)


def _write_report(
    path: pathlib.Path,
    rows: Sequence[Photograph],
    pairs: Sequence[near_duplicates.Pair],
    split_of: Dict[str, str],
) -> None:
    lines = []
    for pair in pairs:
        cells: List[object] = []
        for row in (rows[pair.first], rows[pair.second]):
            cells += [row.image_id, row.patient_id, split_of[row.image_id]]
        lines.append([*cells, pair.distance, f"{pair.correlation:.3f}", int(pair.mirrored)])
    manifest.write_csv(path, COLUMNS, lines)


def keep_together(work: pathlib.Path, names: Sequence[str], settings: Settings) -> Dict[str, int]:
    """Moves linked patients to one split and writes `near_duplicates.csv`.

    Args:
      work: the folder that `shards.write_shard` wrote to.
      names: of all shards.
      settings: the options.

    Returns:
      Counts for `dataset.json`'s notes.
    """
    rows: List[Photograph] = []
    pictures: List[np.ndarray] = []
    for name in names:
        planned = {row.image_id: row for row in moving.read_plan(work, name).photographs}
        for image_id, text in Summary.load(work, name).fingerprints:
            rows.append(planned[image_id])
            pictures.append(thumbnails.from_text(text))
    order = sorted(range(len(rows)), key=lambda position: rows[position].row)
    rows = [rows[position] for position in order]
    stacked = np.array([pictures[position] for position in order], np.uint8)
    pairs = near_duplicates.find_pairs(
        stacked.reshape(-1, thumbnails.SIDE, thumbnails.SIDE), [row.patient_id for row in rows]
    )
    decision = linked_patients.decide(rows, pairs, settings.split_fractions, settings.seed)
    moved = moving.move(work, names, decision.splits, decision.unused)
    split_of = {**decision.splits, **dict.fromkeys(decision.unused, UNUSED)}
    _write_report(work / FILE_NAME, rows, pairs, split_of)
    return {
        "near_duplicate_pairs": len(pairs),
        "near_duplicates_not_used": len(decision.unused),
        "photographs_moved_to_linked_patients": moved,
    }
