"""From the labels of a collection to conditions of the taxonomy.

`diseases.csv` has what dermatology collections call diseases, and the condition of
each: the names of Fitzpatrick17k (114), DDI (78) and SCIN (the ones we know of its
about 210). Rules, the same for every collection:

- A subtype belongs to its disease: dyshidrotic eczema is Eczema, lentigo maligna
  Melanoma (in situ), a blue or dysplastic nevus Melanocytic Nevus (as in HAM10000's
  `nv`), keratoacanthoma SCC/SCCIS.
- A disease of its own is Other, however alike it looks: irritant contact dermatitis,
  lichen simplex, onychomycosis, urticaria pigmentosa, freckles (no lentigo), furuncles (no
  folliculitis; ICD-10-CM files them under L02 and L73).
- Milia are Cyst, being small epidermal cysts (ICD-10-CM files both under L72.0). A mucous
  cyst is Other: it has no epithelium and comes from a joint or a salivary duct. Inverted
  follicular keratosis is SK/ISK, of which it is the irritated follicular form.
- A name that leaves open which condition it is, is not guessed; `open_because` says why.

Matching forgives case and punctuation, so that `basal-cell-carcinoma` is found, then the
plural and British spelling ("naevi"), and "'s" in a name that the table has with one; then
the order of words and blanks ("ring worm", "dermatitis, atopic"). What is not known as a
whole is read without what names no disease: an abbreviation ("CD - ..."), "NOS", "photos",
a place, a degree ("severe acne", "psoriasis of the scalp").
"""

import csv
import functools
import pathlib
import re
from typing import Dict, Iterator, Mapping, Optional, Set, Tuple

from preprocessing.data import manifest, taxonomy

MAPPING_COLUMNS = ("label", "condition")
_FEW = 12  # labels, which a message can list


def _read_diseases() -> Tuple[Dict[str, str], Dict[str, str]]:
    path = pathlib.Path(__file__).with_name("diseases.csv")
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    known: Dict[str, str] = {}
    undecided: Dict[str, str] = {}
    for row in rows:
        table, value = (known, "condition") if row["condition"] else (undecided, "open_because")
        for ending in ("'s", " s", ""):  # "Bowen's disease" is "Bowen disease" too.
            table[taxonomy.normalize(row["label"].replace("'s", ending))] = row[value]
    return {**taxonomy.PAPER.spellings, **known}, undecided


# Condition of the default taxonomy by normalized name, its own spellings among them; and
# the names that leave the condition open, and why. Another taxonomy knows its own only.
CONDITIONS, UNDECIDED = _read_diseases()


_SPELLINGS = (
    (r"\bnaev", "nev"),
    (r"rrhoe", "rrhe"),
    (r"\bhaem", "hem"),
    (r"oedema", "edema"),
    (r"(?<=[lm])our(s?)\b", r"or\1"),
    (r"androgenic", "androgenetic"),
    (r"\bmoles?\b", "nevus"),
    (r"\bcell cancer", "cell carcinoma"),
    (r"\b(nev|comedon)i\b", r"\1us"),
    (r"(?<=..om)ata\b", "a"),
    (r"(lentig)ines\b", r"\1o"),
    (r"(?<=[oa])ses\b", "sis"),
    (r"(?<=[a-z]{3}a)e\b", ""),
    (r"(?<=[a-z]{2}[^siu])s\b", ""),
    (r"(?<=[a-z]{2})itides\b", "itis"),
)


@functools.lru_cache(maxsize=None)
def _plain(name: str) -> str:
    """Returns a normalized name in the singular and in American spelling, more or less."""
    for pattern, replacement in _SPELLINGS:
        name = re.sub(pattern, replacement, name)
    return name


def _keys(name: str) -> Tuple[str, str]:
    """Returns what `_plain` makes of a name without blanks, in its and in any order of words."""
    words = _plain(name).split()
    return "".join(words), "".join(sorted(words))


def _plain_names(meanings: Mapping[str, object]) -> Dict[str, str]:
    """Returns names by their `_keys`, where all of one key mean the same."""
    found: Dict[str, str] = {}
    for name, meaning in meanings.items():
        for key in _keys(name):
            other = found.setdefault(key, name)
            if not other or meanings[other] != meaning:
                found[key] = ""
    return {key: name for key, name in found.items() if name}


_PLACES = (
    "arms?|back|body|cheeks?|chest|ears?|elbows?|face|feet|foot|forehead|hands?|knees?|legs?|neck|"
    "nose|palms?|scalp|skin|soles?|trunk|wrists?"
)
# Parts of a normalized name that say nothing of the disease.
_BESIDES = tuple(
    re.compile(pattern)
    for pattern in (
        r" (nos|unspecified)$",
        r" (image|infection|lesion|patch|photo|picture|plaque|rash)(e?s)?$",
        rf" (of|on) (the )?((left|right) )?({_PLACES})$",
        r"^(acute|adult|childhood|chronic|early|mild|moderate|severe)\b ",
        rf"^({_PLACES}|facial|truncal) ",
    )
)


def _readings(label: str) -> Iterator[str]:
    """Yields normalized names that a label may be, with less and less of it."""
    name = taxonomy.normalize(label)
    yield name
    yield " ".join(re.sub("[^a-z0-9 ]", "", name).split())  # A name in two scripts.
    label = re.sub(r"^\s*[A-Z][A-Z/]{0,5} - ", "", label)  # SCIN's abbreviations.
    name = taxonomy.normalize(re.sub(r"\(e?s\)", "", label))
    yield name
    left = [name]
    for pattern in _BESIDES:
        for shorter in [pattern.sub("", one) for one in left]:
            if shorter not in left:
                left.append(shorter)
                yield shorter


class UnmappedLabelError(ValueError):
    """A label that does not say which condition it is; the message tells why."""


class LabelMapping:
    """Which condition each label of a collection becomes.

    Labels are compared without case and punctuation.
    """

    def __init__(
        self,
        conditions: Mapping[str, str] = CONDITIONS,
        undecided: Mapping[str, str] = UNDECIDED,
        overrides: Optional[Mapping[str, str]] = None,
    ):
        """Takes the names that are known.

        Args:
          conditions: condition by label.
          undecided: labels that leave the condition open, and why.
          overrides: the user's own, condition by label; they win.
        """
        if taxonomy.current() != taxonomy.PAPER:
            conditions, undecided = taxonomy.spellings(), {}
        self._conditions = {
            taxonomy.normalize(label): (label, taxonomy.canonical(condition))
            for label, condition in conditions.items()
        }
        self._undecided = {taxonomy.normalize(label): why for label, why in undecided.items()}
        self._overrides = {
            taxonomy.normalize(label): (label, taxonomy.canonical(condition))
            for label, condition in (overrides or {}).items()
        }
        self._plain = {
            **_plain_names(self._undecided),
            **_plain_names({name: one[1] for name, one in self._conditions.items()}),
            **_plain_names({name: one[1] for name, one in self._overrides.items()}),
        }
        self._used: Set[str] = set()
        self._unknown: Dict[str, str] = {}

    def condition(self, label: str) -> str:
        """Returns the condition of a label.

        Raises:
          UnmappedLabelError: the label is not known (the message names the closest), or
            leaves the condition open.
        """
        name = self._known_name(label)
        if name in self._overrides:
            self._used.add(name)
            return self._overrides[name][1]
        if name in self._conditions:
            return self._conditions[name][1]
        if not label.strip():
            raise UnmappedLabelError("label: the cell is empty")
        if name in self._undecided:
            raise UnmappedLabelError(
                f"label {label!r} leaves the condition open: {self._undecided[name]}"
            )
        if name not in self._unknown:  # Thousands of rows may share one; the search is slow.
            close = taxonomy.closest(name, self._conditions)
            hint = "; a row of --mapping can say what it is"
            if len(self._conditions) <= _FEW:
                hint = (
                    f" (one of {', '.join(label for label, _ in self._conditions.values())})" + hint
                )
            elif close:
                known, condition = self._conditions[close]
                hint = f"; closest is {known!r} ({condition})"
            self._unknown[name] = f"is not known{hint}"
        raise UnmappedLabelError(f"label {label!r} {self._unknown[name]}")

    def _known_name(self, label: str) -> str:
        """Returns the name in the tables that a label stands for, or itself, normalized."""
        tables = (self._overrides, self._conditions, self._undecided)
        for name in filter(None, _readings(label)):
            if any(name in known for known in tables):
                return name
            for key in _keys(name):
                if key in self._plain:
                    return self._plain[key]
        return taxonomy.normalize(label)

    def unused_overrides(self) -> Tuple[str, ...]:
        """Returns the user's labels that nobody has asked for so far."""
        return tuple(
            label for name, (label, _) in self._overrides.items() if name not in self._used
        )


def read_overrides(path: str) -> Dict[str, str]:
    """Reads a user's mapping: a CSV with the columns label and condition.

    Returns:
      Condition, in the taxonomy's spelling, by label.

    Raises:
      ValueError: no such file, other columns, a row without label, an unknown
        condition, a label with two conditions, or no row.
    """
    if not pathlib.Path(path).is_file():
        raise ValueError(f"{path}: no such file")
    rows = manifest.csv_rows(pathlib.Path(path), manifest.delimiter_of(pathlib.Path(path)))
    header = [name.strip().lower() for name in next(rows, (1, []))[1]]
    if header != list(MAPPING_COLUMNS):
        raise ValueError(
            f"{path}: needs the columns {','.join(MAPPING_COLUMNS)}; "
            f"found {','.join(header) or 'nothing'}"
        )
    overrides: Dict[str, Tuple[str, str]] = {}
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        try:
            if len(cells) != 2:
                raise ValueError(f"{len(cells)} cells where the header has 2")
            label, condition = cells[0].strip(), taxonomy.canonical(cells[1])
            name = taxonomy.normalize(label)
            if not name:
                raise ValueError(f"label: {label!r} is no name")
            earlier = overrides.setdefault(name, (label, condition))[1]
            if earlier != condition:
                raise ValueError(f"{label!r} is {earlier} further up and {condition} here")
        except ValueError as error:
            raise ValueError(f"{path}: row {line}: {error}") from error
    if not overrides:
        raise ValueError(f"{path}: no row")
    return dict(overrides.values())
