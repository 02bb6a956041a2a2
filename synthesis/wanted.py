"""What a user asks for: how many images of which condition on which skin type.

A request becomes a `Wanted` per image, so that image i is the same whoever paints it.
"""

import collections
import csv
import dataclasses
import heapq
import itertools
import os
import re
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from preprocessing.data import manifest, records, taxonomy
from preprocessing.data.manifest import Box

AXES = ("condition", "skin_type")
Cell = Tuple[str, int]
MOST_IMAGES = 10_000_000  # of a job; what each shows is planned in memory
_COLUMNS = ("condition", "skin_type", "count")
_SEEDS = range(-(2**63), 2**63)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What one image must show.

    Attributes:
      condition: a name of the taxonomy.
      skin_type: Fitzpatrick type, 1..6, or 0 for unknown.
      boxes: where, in pixels; None leaves it to the sampler.
      seed: that the image is painted with; None leaves it to the job.
    """

    condition: str
    skin_type: int
    boxes: Optional[Tuple[Box, ...]] = None
    seed: Optional[int] = None


def training_cells(info: records.DatasetInfo, conditions: Sequence[str]) -> Dict[Cell, int]:
    """Returns the number of training crops by condition and skin type, zeros included.

    The unknown type is there if a crop of these conditions has it.
    """
    counts = info.counts["crops"].get("train", {})
    unknown = str(taxonomy.UNKNOWN_SKIN_TYPE)
    types = list(taxonomy.FITZPATRICK_TYPES)
    if any(counts.get(condition, {}).get(unknown) for condition in conditions):
        types.append(taxonomy.UNKNOWN_SKIN_TYPE)
    return {
        (condition, skin_type): counts.get(condition, {}).get(str(skin_type), 0)
        for condition in conditions
        for skin_type in types
    }


def knows_types(cells: Mapping[Cell, int]) -> bool:
    """Tells whether any training crop has a known skin type."""
    return any(count and skin_type for (_, skin_type), count in cells.items())


def _types_of(cells: Mapping[Cell, int]) -> List[int]:
    """The skin types of cells, in their order; unknown comes last."""
    return list(dict.fromkeys(skin_type for _, skin_type in cells))


def _interleaved(counts: Mapping[Cell, int]) -> List[Wanted]:
    """Spreads the cells evenly over the sequence, so that any stretch of it is a mixture."""
    places = sorted(
        ((index + 0.5) / count, cell) for cell, count in counts.items() for index in range(count)
    )
    return [Wanted(*cell) for _, cell in places]


def _apportion(shares: Mapping[Cell, float], number: int) -> Dict[Cell, int]:
    """Divides a number in proportion, by largest remainders."""
    total = sum(shares.values())
    exact = {cell: number * share / total for cell, share in shares.items()}
    counts = {cell: int(value) for cell, value in exact.items()}
    missing = number - sum(counts.values())
    for cell in sorted(exact, key=lambda cell: (counts[cell] - exact[cell], cell))[:missing]:
        counts[cell] += 1
    return counts


def by_selection(
    cells: Mapping[Cell, int],
    number: int,
    conditions: Sequence[str] = (),
    skin_types: Sequence[int] = (),
) -> List[Wanted]:
    """Asks for chosen conditions and skin types.

    What is chosen gets equal shares; what is left open is as common as in training.

    Args:
      cells: training crops by condition and skin type.
      number: of images.
      conditions: chosen ones; empty leaves them open.
      skin_types: chosen ones; empty leaves them open.

    Raises:
      ValueError: number not positive, an unknown condition or skin type.
    """
    if number < 1:
        raise ValueError(f"num_images {number} is not positive")
    chosen = [taxonomy.canonical(name) for name in conditions]
    types = [taxonomy.check_fitzpatrick(skin_type, unknown=True) for skin_type in skin_types]
    of_condition: Dict[str, int] = collections.Counter()
    of_type: Dict[int, int] = collections.Counter()
    for (condition, skin_type), count in cells.items():
        of_condition[condition] += count
        of_type[skin_type] += count
    shares: Dict[Cell, float] = {}
    for cell in itertools.product(chosen or of_condition, types or _types_of(cells)):
        condition, skin_type = cell
        if chosen and types:
            shares[cell] = 1
        elif chosen and of_condition[condition]:
            shares[cell] = cells.get(cell, 0) / of_condition[condition]
        elif chosen:
            shares[cell] = of_type[skin_type] / max(sum(of_type.values()), 1)
        elif types:
            shares[cell] = of_condition[condition]
        else:
            shares[cell] = cells.get(cell, 0)
    return _interleaved(_apportion({c: s for c, s in shares.items() if s > 0}, number))


def by_balance(cells: Mapping[Cell, int], number: int, axes: Sequence[str]) -> List[Wanted]:
    """Asks for what the training data lack.

    The images raise the emptiest groups to a common level, as high as their number
    allows. A group is a condition, a skin type, or both, by the axes; within a group
    images are as common as in training, or evenly spread where it is empty. Nothing is
    filled up with images of an unknown skin type, unless training knows no other.

    Args:
      cells: training crops by condition and skin type.
      number: of images.
      axes: "condition", "skin_type" or both.

    Raises:
      ValueError: number not positive, unknown axes, or skin types that training does not know.
    """
    if number < 1:
        raise ValueError(f"num_images {number} is not positive")
    if not axes or set(axes) - set(AXES):
        raise ValueError(f"balance {','.join(axes)!r} is not made of {', '.join(AXES)}")

    known = knows_types(cells)
    if "skin_type" in axes and not known:
        raise ValueError(
            "balance by skin_type: no training crop has a known skin type; --balance=condition"
        )

    def group_of(cell: Cell) -> Tuple:
        return tuple(cell[AXES.index(axis)] for axis in AXES if axis in axes)

    groups: Dict[Tuple, List[Cell]] = collections.defaultdict(list)
    for cell in cells:
        if cell[1] or "skin_type" not in axes:
            groups[group_of(cell)].append(cell)
    filled = fill([sum(cells[cell] for cell in members) for members in groups.values()], number)
    counts: Dict[Cell, int] = {}
    for members, added in zip(groups.values(), filled):
        shares = {cell: float(cells[cell]) for cell in members}
        if not any(shares.values()):
            shares = {cell: 1.0 for cell in members if bool(cell[1]) == known}
        counts.update(_apportion(shares, added))
    return _interleaved(counts)


def fill(levels: Sequence[int], number: int) -> List[int]:
    """Pours a number over columns so that the lowest rise to a common level.

    Example: levels 5, 1, 0 and number 4 give 0, 1, 3 (columns of 5, 2, 3).

    Returns:
      What each column gets; sums to `number`.
    """
    lowest_first = sorted(range(len(levels)), key=lambda column: levels[column])
    heap = [(levels[column], rank, column) for rank, column in enumerate(lowest_first)]
    added = [0] * len(levels)
    for _ in range(number):
        level, rank, column = heap[0]
        heapq.heapreplace(heap, (level + 1, rank, column))
        added[column] += 1
    return added


def read_requests(path: str, image_size: int, types_known: bool = True) -> List[Wanted]:
    """Reads a CSV of requests: `condition, skin_type, count`, optionally `rois` and `seed`.

    `rois` are boxes "x0 y0 x1 y1" in pixels of the image that is asked for, joined
    by ";"; a row without gets boxes from the sampler. A row with a seed is one image,
    which is that of this seed, as the studio shows it.

    Args:
      path: of the file.
      image_size: rows and columns of the images.
      types_known: whether training knows skin types; where it does not, the cell may
        be empty.

    Raises:
      ValueError: no such file, a missing column, no row, or a bad value, with row.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise ValueError(f"{path}: lacks the column {missing[0]!r}")
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from error
    wanted: List[Wanted] = []
    for line, row in rows:
        try:
            wanted += _row_of(row, image_size, types_known)
        except ValueError as error:
            raise ValueError(f"{path}, row {line}: {error}") from error
        if len(wanted) > MOST_IMAGES:
            raise ValueError(f"{path}, row {line}: more than {MOST_IMAGES:,} images until here")
    if not wanted:
        raise ValueError(f"{path}: asks for nothing")
    return wanted


def _row_of(row: Mapping[str, Optional[str]], image_size: int, types_known: bool) -> List[Wanted]:
    condition = taxonomy.canonical(row["condition"] or "")
    asked = (row["skin_type"] or "").strip() or ("" if types_known else "unknown")
    if not asked:
        raise ValueError("skin_type is empty; it is 1..6 or unknown")
    skin_type = taxonomy.parse_skin_type(asked)
    text = (row["count"] or "").strip()
    if not re.fullmatch("[0-9]{1,18}", text) or not 1 <= int(text) <= MOST_IMAGES:
        raise ValueError(f"count {text!r} is not a whole number from 1 to {MOST_IMAGES:,}")
    boxes = manifest.parse_rois(row.get("rois") or "")
    for box in boxes:
        if not (box.x0 >= 0 and box.y0 >= 0 and box.x1 <= image_size and box.y1 <= image_size):
            raise ValueError(
                f"rois: box {manifest.format_rois([box])!r} is outside the "
                f"{image_size}x{image_size} image"
            )
    seed = _seed_of(row)
    if seed is not None and (int(text) > 1 or not boxes):
        raise ValueError(
            f"seed {seed}: a row with a seed is one image, so its count is 1 and it has rois"
        )
    return [Wanted(condition, skin_type, boxes or None, seed)] * int(text)


def _seed_of(row: Mapping[str, Optional[str]]) -> Optional[int]:
    text = (row.get("seed") or "").strip()
    if not text:
        return None
    if not re.fullmatch("-?[0-9]{1,19}", text) or int(text) not in _SEEDS:
        raise ValueError(f"seed {text!r} is not a whole number of 64 bits")
    return int(text)


def check_seen(wanted: Iterable[Wanted], conditions: Sequence[str]) -> None:
    """Raises ValueError for a condition that the generator was not trained on."""
    unseen = sorted({one.condition for one in wanted} - set(conditions))
    if unseen:
        raise ValueError(
            f"the generator has never seen {', '.join(unseen)}; it would invent them. It was "
            f"trained on {', '.join(conditions)}. --allow_unseen paints them all the same"
        )


_NAMED = 4  # pairs that a warning names


def unseen_pairs(wanted: Iterable[Wanted], cells: Mapping[Cell, int]) -> str:
    """Returns a warning of images of a condition on a skin type without a training crop.

    Args:
      wanted: what each image must show.
      cells: training crops by condition and skin type.

    Returns:
      The warning; "" where every pair was seen.
    """
    asked = collections.Counter((one.condition, one.skin_type) for one in wanted)
    unseen = [(cell, number) for cell, number in asked.items() if not cells.get(cell)]
    if not unseen:
        return ""
    ranked = sorted(unseen, key=lambda one: -one[1])
    named = [f"{cell[0]} on {taxonomy.type_name(cell[1])} ({n:,})" for cell, n in ranked[:_NAMED]]
    more = f" and {len(unseen) - _NAMED} more pairs" if len(unseen) > _NAMED else ""
    return (
        f"{sum(n for _, n in unseen):,} of {asked.total():,} images show a condition on a skin "
        "type of which there is no training crop; the generator invents them: "
        f"{', '.join(named)}{more}"
    )


def balance_table(cells: Mapping[Cell, int], wanted: Iterable[Wanted]) -> str:
    """Returns training crops before and after the images are added, by cell, with a caption."""
    added = collections.Counter((one.condition, one.skin_type) for one in wanted)
    types = list(dict.fromkeys([*taxonomy.FITZPATRICK_TYPES, *_types_of({**cells, **added})]))
    lines = ["Training crops by condition and skin type, before -> with these images:"]
    lines += [f"  {'':36}" + "".join(f"{taxonomy.type_name(t):>16}" for t in types)]
    for name in dict.fromkeys(name for name, _ in [*cells, *added]):
        line = f"  {name:36.36}"
        for skin_type in types:
            before, more = cells.get((name, skin_type), 0), added[name, skin_type]
            line += f"{f'{before} -> {before + more}' if more else before:>16}"
        lines.append(line)
    return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class Request:
    """What to generate, in the words of `//synthesis:generate`'s flags.

    Attributes:
      num_images: how many; None with `requests`.
      images_per_map: different images of each map.
      condition: conditions, in equal shares; empty leaves them open.
      skin_type: Fitzpatrick types as text, or "unknown", in equal shares; empty leaves
        them open.
      balance: axes along which to fill what training lacks.
      requests: path of a CSV instead, see `read_requests`.
      maps: where boxes come from, "validation" or "synthetic".
    """

    num_images: Optional[int] = None
    images_per_map: int = 1
    condition: Sequence[str] = ()
    skin_type: Sequence[str] = ()
    balance: Sequence[str] = ()
    requests: Optional[str] = None
    maps: str = "validation"

    def __post_init__(self) -> None:
        for name in ("num_images", "images_per_map"):
            number = getattr(self, name)
            if number is not None and not 1 <= number <= MOST_IMAGES:
                raise ValueError(f"--{name}={number} is not in 1..{MOST_IMAGES:,}")
        names = ("requests", "balance", "condition", "skin_type")
        given = [name for name in names if getattr(self, name)]
        if len(given) > 1 and given != ["condition", "skin_type"]:
            raise ValueError(f"--{given[0]} and --{given[1]} exclude each other")
        if self.requests and self.num_images is not None:
            raise ValueError("--num_images and --requests exclude each other")
        if not self.requests and self.num_images is None:
            raise ValueError("--num_images is needed, or --requests")
        if self.num_images is not None and self.num_images % self.images_per_map:
            raise ValueError(
                f"--num_images={self.num_images} is not a multiple of "
                f"--images_per_map={self.images_per_map}"
            )

    def as_dict(self) -> Dict[str, Any]:
        """Returns what was asked for, for the manifest."""
        given = dataclasses.asdict(self)
        if self.requests:
            given["requests"] = os.path.basename(self.requests)
        return {name: value for name, value in given.items() if value}

    def wanted(self, cells: Mapping[Cell, int], image_size: int) -> List[Wanted]:
        """Returns what each map must show.

        Args:
          cells: training crops by condition and skin type.
          image_size: rows and columns, for the boxes of a CSV.

        Raises:
          ValueError: unknown conditions, skin types or axes, or bad rows.
        """
        if self.requests:
            return read_requests(self.requests, image_size, knows_types(cells))
        number = (self.num_images or 0) // self.images_per_map
        if self.balance:
            return by_balance(cells, number, self.balance)
        try:
            types = [taxonomy.parse_skin_type(text) for text in self.skin_type]
        except ValueError as error:
            raise ValueError(f"--skin_type={','.join(self.skin_type)}: {error}") from error
        return by_selection(cells, number, self.condition, types)
