"""SCIN, Skin Condition Image Network: 5,033 cases that people sent in, 10,407 photographs.

Ward et al. 2024, arxiv.org/abs/2402.18545, github.com/google-research-datasets/scin;
SCIN Data Use License. Two tables are joined on `case_id`, a text (the numbers do not
fit a double). A case has up to three photographs and stands in for the patient, who
is not named.

Up to three dermatologists gave each case a differential. Its condition is the one
with the most weight in `weighted_skin_condition_label`, after labels of the same
condition are added up (diseases that are Other stay apart: several rare guesses do
not outvote an eczema). Confidences break ties; a case that stays tied, or that more
than half of its dermatologists could not grade, is rejected. `condition_share` is
the winner's share of the weight, 0..1.

The skin type is the median of the dermatologists' estimates (the darker of two),
which say how the skin looks; else the person's own answer about sunburn and tan, of
source "self_reported". The Monk skin tone is the median of what annotators in India and
in the US said.
"""

import ast
import pathlib
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from preprocessing.data import manifest, taxonomy
from preprocessing.data.manifest import Photograph, Rejection
from preprocessing.importers import annotations, files, formats
from preprocessing.importers.formats import Contents, Entry, Format
from preprocessing.importers.labels import LabelMapping, UnmappedLabelError

_DERMATOLOGISTS = ("1", "2", "3")
_IMAGES = ("image_1_path", "image_2_path", "image_3_path")
_GRADABLE = "dermatologist_gradable_for_skin_condition_"
_SKIN_TYPE = "dermatologist_fitzpatrick_skin_type_label_"
_MONK = ("monk_skin_tone_label_india", "monk_skin_tone_label_us")
_NAMES = "dermatologist_skin_condition_on_label_name"
_CONFIDENCES = "dermatologist_skin_condition_confidence"
_WEIGHTS = "weighted_skin_condition_label"


def _literal(cells: Mapping[str, str], column: str, kind: type) -> Any:
    """Reads a cell that holds a Python list or dict; empty is an empty one."""
    text = cells[column]
    if not text:
        return kind()
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = None
    if not isinstance(value, kind):
        raise ValueError(f"{column}: {text[:40]!r} is not a Python {kind.__name__}")
    return value


def _weights(cells: Mapping[str, str]) -> Tuple[Dict[str, float], Dict[str, float]]:
    """Returns weight and summed confidence by label; without weights those of ranks."""
    names = _literal(cells, _NAMES, list)
    confidences = _literal(cells, _CONFIDENCES, list)
    weights = _literal(cells, _WEIGHTS, dict)
    if len(names) != len(confidences):
        if not weights:
            raise ValueError(f"{_CONFIDENCES}: {len(confidences)} of them for {len(names)} names")
        names = []  # Then nothing breaks ties.
    summed: Dict[str, float] = {}
    try:
        for name, confidence in zip(names, confidences):
            summed[str(name)] = summed.get(str(name), 0.0) + float(confidence)
        weights = {str(name): float(weight) for name, weight in weights.items()}
    except (TypeError, ValueError) as error:
        raise ValueError(f"{_WEIGHTS}: not a number in {cells[_WEIGHTS][:40]!r}") from error
    return weights or dict(annotations.rank_weights(summed)), summed


def _gradings(cells: Mapping[str, str]) -> Dict[str, bool]:
    """Returns whether each dermatologist could tell a condition.

    The values say DEFAULT_YES_IMAGE_QUALITY_SUFFICIENT, or what was in the way:
    NO_IMAGE_QUALITY_INSUFFICIENT, ..._NO_DISCERNIBLE_PATHOLOGY.
    """
    answers = {number: cells[_GRADABLE + number].upper() for number in _DERMATOLOGISTS}
    return {
        number: answer in ("TRUE", "YES", "DEFAULT_YES_IMAGE_QUALITY_SUFFICIENT")
        for number, answer in answers.items()
        if answer
    }


def _check_gradable(cells: Mapping[str, str]) -> None:
    gradings = _gradings(cells)
    unable = [number for number, able in gradings.items() if not able]
    if 2 * len(unable) > len(gradings):
        answers = sorted({cells[_GRADABLE + number] for number in unable})
        raise ValueError(
            f"{len(unable)} of {len(gradings)} dermatologists could not grade it: "
            f"{', '.join(answers)}"
        )


def _vote(cells: Mapping[str, str], mapping: LabelMapping) -> Tuple[str, str, float]:
    """Returns (condition, the label that brought it the most weight, its share)."""
    weights, confidences = _weights(cells)
    if not weights:
        raise ValueError(f"{_WEIGHTS}: no condition was given")
    conditions: Dict[str, Optional[str]] = {}
    for label in {**weights, **confidences}:
        try:
            conditions[label] = mapping.condition(label)
        except UnmappedLabelError:
            conditions[label] = None  # It may lose the vote; if it wins, we ask again.
    keys = {
        label: label if condition in (None, taxonomy.OTHER) else str(condition)
        for label, condition in conditions.items()
    }

    def by_key(values: Mapping[str, float]) -> List[Mapping[str, float]]:
        return [{keys[label]: value} for label, value in values.items()]

    result = annotations.vote(by_key(weights), by_key(confidences))
    first = [
        max((label for label in weights if keys[label] == key), key=lambda label: weights[label])
        for key in result.tied
    ]
    if len(first) > 1 and {conditions[label] for label in first} != {taxonomy.OTHER}:
        raise ValueError(f"{_WEIGHTS}: {' and '.join(result.tied)} have the same weight")
    return mapping.condition(first[0]), first[0], sum(result.share[key] for key in result.tied)


def _skin_type(cells: Mapping[str, str]) -> Tuple[Optional[int], str]:
    estimates = [formats.parse_skin_type(cells[_SKIN_TYPE + number]) for number in _DERMATOLOGISTS]
    known = [value for value in estimates if value]
    if known:
        return annotations.median_step(known), formats.ANNOTATED
    return formats.parse_skin_type(cells["fitzpatrick_skin_type"]), formats.SELF_REPORTED


def _monk(cells: Mapping[str, str]) -> Optional[int]:
    labels = [manifest.parse_monk(cells.get(column, ""), column) for column in _MONK]
    return annotations.median_step([label for label in labels if label])


def _parse(cells: Mapping[str, str], row: int, mapping: LabelMapping) -> List[Entry]:
    """Makes the entries of a case: one per photograph."""
    if not any(cells[column] for column in _IMAGES):
        raise ValueError("image_1_path: the case has no photograph")
    _check_gradable(cells)
    condition, label, share = _vote(cells, mapping)
    skin_type, source = _skin_type(cells)
    return [
        Entry(
            Photograph(
                case_id=cells["case_id"],
                patient_id=cells["case_id"],
                image_id=files.stem(cells[column]),
                image=cells[column],
                condition=condition,
                fitzpatrick=skin_type,
                monk=_monk(cells),
                extra={"condition_share": f"{share:.2f}", **formats.extra_columns(cells)},
                row=row,
            ),
            label,
            skin_type_source=source,
        )
        for column in _IMAGES
        if cells[column]
    ]


def _rejections(
    table: str, row: int, cells: Mapping[str, str], error: ValueError
) -> List[Rejection]:
    """Rejects each photograph of a case, or the row if it names none."""
    paths = [cells[column] for column in _IMAGES if cells.get(column)] or [""]
    return [
        formats.of_table(formats.rejection(row, files.stem(path), path, error), table)
        for path in paths
    ]


def _by_case(
    rows: Iterable[formats.Row], table: str
) -> Tuple[Dict[str, formats.Row], List[Rejection]]:
    """Returns the rows by `case_id`, and rejections of those without one of their own."""
    found: Dict[str, formats.Row] = {}
    rejections = []
    for row, cells in rows:
        case = cells["case_id"]
        if case and case not in found:
            found[case] = row, cells
            continue
        where = f"is already on row {found[case][0]}" if case else "is empty"
        rejections += _rejections(table, row, cells, ValueError(f"case_id: {case!r} {where}"))
    return found, rejections


def _read(folder: pathlib.Path, mapping: LabelMapping) -> Contents:
    columns = [name + number for name in (_GRADABLE, _SKIN_TYPE) for number in _DERMATOLOGISTS]
    found = []
    rejections: List[Rejection] = []
    for table, needed in (
        ("scin_cases.csv", ["fitzpatrick_skin_type", *_IMAGES]),
        ("scin_labels.csv", [_NAMES, _CONFIDENCES, _WEIGHTS, *columns]),
    ):
        rows, ragged = formats.read_table(folder, [table], ["case_id", *needed], "SCIN")
        by_case, repeated = _by_case(rows, table)
        found.append(by_case)
        rejections += [*(formats.of_table(one, table) for one in ragged), *repeated]
    cases, labels = found
    entries: List[Entry] = []
    for case, (row, cells) in cases.items():
        try:
            if case not in labels:
                raise ValueError(f"case_id: {case!r} is not in scin_labels.csv")
            entries += _parse({**cells, **labels[case][1]}, row, mapping)
        except ValueError as error:
            rejections += _rejections("scin_cases.csv", row, cells, error)
    for case, (row, cells) in labels.items():
        if case not in cases:
            alone = ValueError(f"case_id: {case!r} is not in scin_cases.csv")
            rejections += _rejections("scin_labels.csv", row, cells, alone)
    return Contents(entries, rejections, _notes([cells for _, cells in labels.values()]))


def _notes(rows: List[Dict[str, str]]) -> Tuple[str, ...]:
    skin_types = []
    for cells in rows:
        try:
            judged = {
                number: formats.parse_skin_type(cells[_SKIN_TYPE + number])
                for number in _DERMATOLOGISTS
            }
        except ValueError:
            continue
        skin_types.append({number: value for number, value in judged.items() if value})
    measured = (
        annotations.agreement("skin type, dermatologists", skin_types, numbers=True, named=False),
        annotations.agreement(
            "gradable, dermatologists", [_gradings(cells) for cells in rows], named=False
        ),
    )
    return (
        *(str(one) for one in measured if one),
        "whose condition is whose is not told: no agreement on conditions can be measured",
        "no patients are named: cases of one person may be in different splits",
    )


FORMAT = Format(
    name="scin",
    source="SCIN (arxiv.org/abs/2402.18545, SCIN Data Use License)",
    read=_read,
)
