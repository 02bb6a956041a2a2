"""The 26 skin conditions and "Other", their codes, and other names for them.

The list is that of Liu et al. 2019 (arXiv:1909.05382), the source of the data
in the DermGAN paper. A condition's code is its position in `CONDITIONS`; codes
are part of the semantic map and of the records and must never be reordered.
"""

import difflib
import re
import unicodedata
from typing import Dict, Iterable, Tuple

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


_LONGEST = 100


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


_CODES = {name: code for code, name in enumerate(CONDITIONS)}
_LOOKUP = {normalize(name): name for name in CONDITIONS}
_LOOKUP.update({normalize(alias): name for alias, name in _ALIASES.items()})


def spellings() -> Dict[str, str]:
    """Returns every accepted spelling, as `normalize` leaves it, with its condition."""
    return dict(_LOOKUP)


def canonical(name: str) -> str:
    """Returns the taxonomy's own spelling of a condition.

    Case, punctuation and the aliases above are forgiven.

    Args:
      name: a condition, e.g. "melanoma", "seborrheic keratosis" or "BCC".

    Returns:
      An entry of `CONDITIONS`.

    Raises:
      ValueError: the name is not known; the message names the closest one.
    """
    normalized = normalize(name)
    if normalized in _LOOKUP:
        return _LOOKUP[normalized]
    if len(normalized) > _LONGEST:
        raise ValueError(f"unknown condition of {len(name)} letters")
    close = closest(normalized, _LOOKUP)
    hint = f"; closest is {_LOOKUP[close]!r}" if close else ""
    raise ValueError(f"unknown condition {name!r}{hint}")


def code(name: str) -> int:
    """Returns the code, 0..26, of a condition given by any accepted spelling."""
    return _CODES[canonical(name)]


def name_of(condition_code: int) -> str:
    """Returns the condition of a code.

    Raises:
      ValueError: the code is not in 0..26.
    """
    if not 0 <= condition_code < len(CONDITIONS):
        raise ValueError(f"condition code {condition_code} is not in 0..{len(CONDITIONS) - 1}")
    return CONDITIONS[condition_code]


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
