"""Which photographs train, validate and test: one split for all of a patient."""

import hashlib
from typing import Sequence

from preprocessing.data import manifest

DEFAULT_FRACTIONS = (0.8, 0.1, 0.1)  # train, validation and test


def stable_fraction(text: str) -> float:
    """Maps a text to [0, 1), the same on every machine and in every process."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def check_fractions(fractions: Sequence[float]) -> None:
    """Checks the shares of train, validation and test.

    Raises:
      ValueError: they are not three shares of 1.
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"split fractions must be three shares that sum to 1, not {fractions}")


def split_of(
    photograph: manifest.Photograph, fractions: Sequence[float] = DEFAULT_FRACTIONS, seed: int = 0
) -> str:
    """Returns the split of a photograph: the manifest's, else by patient digest.

    A synthetic image is in the training split, always.

    Args:
      photograph: the row.
      fractions: shares of train, validation and test; they sum to 1.
      seed: another seed gives another split.

    Raises:
      ValueError: fractions that are not three shares of 1.
    """
    check_fractions(fractions)
    if photograph.synthetic:
        return manifest.SPLITS[0]
    if photograph.split:
        return photograph.split
    return split_of_patient(photograph.patient_id, fractions, seed)


def split_of_patient(patient_id: str, fractions: Sequence[float], seed: int) -> str:
    """Returns the split of a patient that the manifest leaves open; see `split_of`."""
    position = stable_fraction(f"{seed}/{patient_id}")
    if position < fractions[0]:
        return manifest.SPLITS[0]
    return manifest.SPLITS[1] if position < fractions[0] + fractions[1] else manifest.SPLITS[2]
