"""The ways in which collections and annotation tools write a Fitzpatrick skin type."""

import re
from typing import Optional

_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6}
# -1 is Fitzpatrick17k's, NONE_... SCIN's, __undefined__ CVAT's.
_UNKNOWN = frozenset(
    {"", "-1", "nan", "na", "n/a", "none", "null", "unknown", "undefined", "__undefined__"}
    | {"none_identified", "none_selected"}
)


def parse_skin_type(text: str) -> Optional[int]:
    """Parses "3", "3.0", "III", "FST3", "Type III" or a word for unknown.

    Returns:
      1..6, or None for unknown.

    Raises:
      ValueError: anything else.
    """
    word = text.strip().lower()
    if re.sub(r"[ -]+", "_", word) in _UNKNOWN or word in _UNKNOWN:
        return None
    word = re.sub(r"^((fitzpatrick|skin|type|fst)[ _:-]*)+", "", word)
    word = re.sub(r"\.0+$", "", word)
    if word in _ROMAN:
        return _ROMAN[word]
    if re.fullmatch("[1-6]", word):
        return int(word)
    raise ValueError(f"skin type: {text!r} is not one of 1 to 6, I to VI, FST1 to FST6 or unknown")
