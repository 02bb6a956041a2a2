"""Names for patients, cases and photographs in what leaves the machine.

A pseudonym is a keyed digest of an id: the same wherever the same data set is spoken
of, and of no use to whoever does not have the key. The key lies beside the records,
for its owner's eyes only.
"""

import contextlib
import hashlib
import hmac
import os
import pathlib
import secrets
from typing import Union

from common import files

PathLike = Union[str, "os.PathLike[str]"]

FILE_NAME = "pseudonyms.key"
KINDS = ("patient", "case", "photograph")
_KEY_BYTES = 32
_DIGITS = 16  # 64 bits: among a million ids, two alike once in 40 million data sets.


class Pseudonyms:
    """Gives ids their pseudonyms by one key."""

    def __init__(self, key: bytes) -> None:
        """Keeps the key, 32 random bytes.

        Raises:
          ValueError: it is of another length.
        """
        if len(key) != _KEY_BYTES:
            raise ValueError(f"a key of pseudonyms has {_KEY_BYTES} bytes, not {len(key)}")
        self._key = key

    def name(self, kind: str, identifier: str) -> str:
        """Returns the pseudonym of an id, such as "patient_0f3a5b7c9d1e2f40".

        The digest (HMAC-SHA256) is taken of the kind too: a case and a patient of the
        same id do not show that they are.

        Args:
          kind: one of `KINDS`.
          identifier: the patient, case or photograph id.

        Raises:
          ValueError: unknown kind.
        """
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind!r}; valid: {', '.join(KINDS)}")
        message = f"{kind}\0{identifier}".encode("utf-8", "surrogatepass")
        digest = hmac.new(self._key, message, hashlib.sha256).hexdigest()
        return f"{kind}_{digest[:_DIGITS]}"


def _read(path: pathlib.Path) -> Pseudonyms:
    try:
        return Pseudonyms(bytes.fromhex(files.read_bytes(path).decode("ascii")))
    except ValueError as error:
        raise ValueError(
            f"{path}: not a key of pseudonyms ({error}); without it, names given earlier cannot "
            "be given again: restore it, or delete it to have a new one made"
        ) from error


def load_or_create(data_dir: PathLike) -> Pseudonyms:
    """Reads the key of a data set, which is made at the first call.

    Of several processes that make it at once, one wins and all use its key.

    Args:
      data_dir: folder of the records.

    Raises:
      ValueError: the key is damaged.
      OSError: it can be neither read nor made.
    """
    path = files.at(data_dir) / FILE_NAME
    if not path.exists():
        files.remove_leftovers(path.parent, spare="", of=FILE_NAME)
        with contextlib.suppress(FileExistsError):
            files.create(path, f"{secrets.token_hex(_KEY_BYTES)}\n".encode("ascii"), mode=0o600)
    return _read(path)
