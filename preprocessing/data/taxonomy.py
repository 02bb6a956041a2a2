"""Skin conditions, their codes, and other names for them; skin types.

A condition's code is its position in the list; codes are part of semantic maps and of
records. The default, `PAPER`, is the list of Liu et al. 2019 (arXiv:1909.05382), the
source of the data in the DermGAN paper: 26 conditions and "Other", never to be
reordered. A data set may bring a list of its own, `taxonomy.csv` beside its manifest.

A process works with the data of one taxonomy: the first that it reads (`adopt`). What
comes after with another is refused, so that no code can be taken for another's.
"""

import contextlib
import csv
import dataclasses
import difflib
import functools
import pathlib
import re
import unicodedata
from typing import Dict, Iterable, Iterator, List, Mapping, Tuple, Union

from common import files

FILE_NAME = "taxonomy.csv"
MOST_CONDITIONS = 36  # that a semantic map can tell apart

CONDITIONS: Tuple[str, ...] = (
    "Acne",
    "Actinic Keratosis",
    "Allergic Contact Dermatitis",
    "Alopecia Areata",
    "Androgenetic Alopecia",
    "Basal Cell Carcinoma",
    "Cyst",
    "Eczema",
    "Folliculitis",
    "Hidradenitis",
    "Lentigo",
    "Melanocytic Nevus",
    "Melanoma",
    "Post Inflammatory Hyperpigmentation",
    "Psoriasis",
    "SCC/SCCIS",
    "SK/ISK",
    "Scar Condition",
    "Seborrheic Dermatitis",
    "Skin Tag",
    "Stasis Dermatitis",
    "Tinea",
    "Tinea Versicolor",
    "Urticaria",
    "Verruca Vulgaris",
    "Vitiligo",
    "Other",
)
OTHER = CONDITIONS[-1]
FITZPATRICK_TYPES: Tuple[int, ...] = (1, 2, 3, 4, 5, 6)
UNKNOWN_SKIN_TYPE = 0

# Spellings that clinicians and data sets use for a condition of the list.
_ALIASES: Dict[str, str] = {
    "AK": "Actinic Keratosis",
    "ACK": "Actinic Keratosis",
    "Actinic Keratoses": "Actinic Keratosis",
    "Solar Keratosis": "Actinic Keratosis",
    "Acne Vulgaris": "Acne",
    "BCC": "Basal Cell Carcinoma",
    "Epidermoid Cyst": "Cyst",
    "Epidermal Cyst": "Cyst",
    "Atopic Dermatitis": "Eczema",
    "Hidradenitis Suppurativa": "Hidradenitis",
    "Solar Lentigo": "Lentigo",
    "Nevus": "Melanocytic Nevus",
    "Naevus": "Melanocytic Nevus",
    "Mole": "Melanocytic Nevus",
    "NEV": "Melanocytic Nevus",
    "MEL": "Melanoma",
    "Malignant Melanoma": "Melanoma",
    "PIH": "Post Inflammatory Hyperpigmentation",
    "SCC": "SCC/SCCIS",
    "SCCIS": "SCC/SCCIS",
    "Squamous Cell Carcinoma": "SCC/SCCIS",
    "Bowen Disease": "SCC/SCCIS",
    "Bowen's Disease": "SCC/SCCIS",
    "SK": "SK/ISK",
    "ISK": "SK/ISK",
    "SEK": "SK/ISK",
    "Seborrheic Keratosis": "SK/ISK",
    "Irritated Seborrheic Keratosis": "SK/ISK",
    "Scar": "Scar Condition",
    "Keloid": "Scar Condition",
    "Acrochordon": "Skin Tag",
    "Dermatophytosis": "Tinea",
    "Pityriasis Versicolor": "Tinea Versicolor",
    "Hives": "Urticaria",
    "Common Wart": "Verruca Vulgaris",
    "Wart": "Verruca Vulgaris",
}

_FEW = 8  # conditions that a message names all
_LONGEST = 100
_COLUMNS = ["condition", "aliases"]


_CLOSE = 0.7  # Of `difflib`; below it, names have nothing in common.
_APOSTROPHES = re.compile("['`\u00b4\u2018\u2019\u02bc\u2032\uff07]")
_LIGATURES = str.maketrans({"\u00e6": "ae", "\u0153": "oe", "\u00f8": "o", "\u0142": "l"})


def normalize(name: str) -> str:
    """Returns a name without case, punctuation and Latin accents, for comparing spellings.

    Letters and marks of all scripts stay: "Beh\u00e7et's disease" becomes "behcets disease", and
    a name in Chinese or Hindi itself.
    """
    folded = _APOSTROPHES.sub("", unicodedata.normalize("NFC", name)).casefold()
    split = unicodedata.normalize("NFKD", folded.translate(_LIGATURES))
    bare = unicodedata.normalize("NFC", re.sub("(?<=[a-z])[\u0300-\u036f]+", "", split))
    words = (letter if unicodedata.category(letter)[0] in "LMN" else " " for letter in bare)
    return " ".join("".join(words).split())


def closest(normalized: str, names: Iterable[str]) -> str:
    """Returns the one of `names` that is most like a name, or "" where none is."""
    return next(iter(difflib.get_close_matches(normalized, names, n=1, cutoff=_CLOSE)), "")


@dataclasses.dataclass(frozen=True)
class Taxonomy:
    """A list of conditions.

    Attributes:
      conditions: by code, at most 36.
      aliases: condition by other spellings.
    """

    conditions: Tuple[str, ...]
    aliases: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.conditions) <= MOST_CONDITIONS:
            raise ValueError(
                f"a taxonomy has 1 to {MOST_CONDITIONS} conditions, not {len(self.conditions)}"
            )
        names: Dict[str, str] = {}
        own = ((name, name) for name in self.conditions)
        for spelling, name in (*own, *self.aliases.items()):
            normalized = normalize(spelling)
            if not normalized or len(normalized) > _LONGEST:
                raise ValueError(f"{spelling!r} is no name of a condition")
            if name not in self.conditions:
                raise ValueError(f"{spelling!r} is a name of {name!r}, which is not listed")
            if normalized in names and (names[normalized] != name or spelling == name):
                raise ValueError(f"{spelling!r} is a name of {names[normalized]!r} already")
            names[normalized] = name

    @functools.cached_property
    def spellings(self) -> Dict[str, str]:
        """Every accepted spelling, as `normalize` leaves it, with its condition."""
        aliases = {normalize(alias): name for alias, name in self.aliases.items()}
        return {**aliases, **{normalize(name): name for name in self.conditions}}

    def differences(self, other: "Taxonomy") -> str:
        """Returns how another list differs, in words."""
        ours, theirs = set(self.conditions), set(other.conditions)
        if ours == theirs:
            return "the same conditions in another order"
        return f"lacks {sorted(ours - theirs)}, adds {sorted(theirs - ours)}"


PAPER = Taxonomy(CONDITIONS, _ALIASES)
_adopted: List[Tuple[Taxonomy, str]] = []


def current() -> Taxonomy:
    """Returns the taxonomy of the data that this process works with."""
    return _adopted[0][0] if _adopted else PAPER


def adopt(taxonomy: Taxonomy, source: str) -> None:
    """Works with the data of a taxonomy from now on.

    Args:
      taxonomy: of the data that are read.
      source: where it says so, for the message.

    Raises:
      ValueError: data of another one were read before.
    """
    if not _adopted:
        _adopted.append((PAPER if taxonomy == PAPER else taxonomy, source))
    elif taxonomy != current():
        raise ValueError(
            f"{source}: another taxonomy than that of {_adopted[0][1]}: "
            f"{current().differences(taxonomy)}; data of two taxonomies cannot be mixed"
        )


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Forgets within what was adopted, and afterwards what was adopted within; for tests."""
    before = _adopted[:]
    _adopted.clear()
    try:
        yield
    finally:
        _adopted[:] = before


def read(path: Union[str, pathlib.Path]) -> Taxonomy:
    """Reads `taxonomy.csv`: the columns condition and aliases, rows in the order of codes.

    Aliases are joined with ";"; the column may lack.

    Raises:
      ValueError: no such file, other columns, or a bad row.
    """
    try:
        with files.at(path).open(newline="", encoding="utf-8-sig") as file:
            rows = [(row, cells) for row, cells in enumerate(csv.reader(file), 1) if any(cells)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from error
    header = [cell.strip().lower() for cell in rows[0][1]] if rows else []
    if header not in (_COLUMNS, _COLUMNS[:1]):
        found = ",".join(header) or "nothing"
        raise ValueError(f"{path}: needs the columns condition,aliases; found {found}")
    conditions: List[str] = []
    aliases: Dict[str, str] = {}
    for row, cells in rows[1:]:
        name = cells[0].strip()
        conditions.append(name)
        if len(cells) > len(header):
            raise ValueError(f"{path}: row {row}: {len(cells)} cells under {len(header)} columns")
        others = ";".join(cells[1:]).split(";")
        aliases.update({alias.strip(): name for alias in others if alias.strip()})
        try:
            Taxonomy(tuple(conditions), aliases)
        except ValueError as error:
            raise ValueError(f"{path}: row {row}: {error}") from error
    if not conditions:
        raise ValueError(f"{path}: no condition")
    return Taxonomy(tuple(conditions), aliases)


def write(path: Union[str, pathlib.Path], taxonomy: Taxonomy) -> None:
    """Writes a file that `read` reads back."""
    with (
        files.replacing(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for name in taxonomy.conditions:
            others = [alias for alias, condition in taxonomy.aliases.items() if condition == name]
            writer.writerow([name, ";".join(others)])


def adopt_beside(path: Union[str, pathlib.Path]) -> None:
    """Adopts the `taxonomy.csv` that lies beside a file, or the default."""
    beside = files.at(path).parent / FILE_NAME
    if beside.is_file():
        adopt(read(beside), str(beside))
    else:
        adopt(PAPER, str(path))


def conditions() -> Tuple[str, ...]:
    """Returns the conditions of `current`, by code."""
    return current().conditions


def spellings() -> Dict[str, str]:
    """Returns every accepted spelling, as `normalize` leaves it, with its condition."""
    return dict(current().spellings)


def canonical(name: str) -> str:
    """Returns the taxonomy's own spelling of a condition.

    Case, punctuation and aliases are forgiven.

    Args:
      name: a condition, e.g. "melanoma", "seborrheic keratosis" or "BCC".

    Returns:
      A name of `conditions`.

    Raises:
      ValueError: the name is not known; the message names the closest one.
    """
    known, normalized = current().spellings, normalize(name)
    if normalized in known:
        return known[normalized]
    if len(normalized) > _LONGEST:
        raise ValueError(f"unknown condition of {len(name)} letters")
    close = closest(normalized, known)
    hint = f"; closest is {known[close]!r}" if close else ""
    if not close and len(conditions()) <= _FEW:
        hint = f"; known are {', '.join(conditions())}"
    raise ValueError(f"unknown condition {name!r}{hint}")


def code(name: str) -> int:
    """Returns the code, 0..35, of a condition given by any accepted spelling."""
    return conditions().index(canonical(name))


def name_of(condition_code: int) -> str:
    """Returns the condition of a code.

    Raises:
      ValueError: there is no such code.
    """
    if not 0 <= condition_code < len(conditions()):
        raise ValueError(f"condition code {condition_code} is not in 0..{len(conditions()) - 1}")
    return conditions()[condition_code]


def check_fitzpatrick(skin_type: int, unknown: bool = False) -> int:
    """Returns a Fitzpatrick skin type unchanged.

    Args:
      skin_type: to check.
      unknown: whether `UNKNOWN_SKIN_TYPE` will do.

    Raises:
      ValueError: the type is not in 1..6.
    """
    if skin_type not in FITZPATRICK_TYPES and not (unknown and skin_type == UNKNOWN_SKIN_TYPE):
        raise ValueError(f"Fitzpatrick skin type {skin_type!r} is not in 1..6")
    return skin_type


def parse_skin_type(text: str) -> int:
    """Parses what a person asks for: 1..6, or "unknown", which is `UNKNOWN_SKIN_TYPE`.

    Raises:
      ValueError: anything else.
    """
    text = text.strip().lower()
    if text == "unknown":
        return UNKNOWN_SKIN_TYPE
    if text not in map(str, FITZPATRICK_TYPES):
        raise ValueError(f"skin type {text!r} is not 1..6 or unknown")
    return int(text)


def type_name(skin_type: int) -> str:
    """Returns "type 3" or "type unknown"."""
    return f"type {skin_type or 'unknown'}"
