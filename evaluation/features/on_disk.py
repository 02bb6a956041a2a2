"""Arrays that may be larger than memory: files that are mapped into it."""

import os
import pathlib
import struct
import tempfile
import zipfile
from typing import Any, Iterator, Tuple

import numpy as np

_ROWS = 4096
_IN_MEMORY = 16 << 20  # bytes that are worth no file


def empty(shape: Tuple[int, ...], dtype: Any) -> np.ndarray:
    """Returns an array in an unnamed file of `$TMPDIR`, whose room is given back with it.

    Raises:
      OSError: there is no room for it.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if not size:
        return np.empty(shape, dtype)  # no file can be mapped that is empty
    with tempfile.TemporaryFile(prefix="dermgan") as file:
        # Else a full disk would end the process where the array is written to.
        os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, dtype, "w+", shape=shape)


def stored(path: pathlib.Path, name: str) -> np.ndarray:
    """Returns an array of a file of `np.savez`, to be read only.

    Raises:
      ValueError, OSError, EOFError, KeyError, BadZipFile: there is none, or it is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(f"{name}.npy")
        begin = entry.header_offset
        if entry.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{name} is compressed")
        with archive.open(f"{name}.npy") as member:
            if np.lib.format.read_magic(member) != (1, 0):
                raise ValueError(f"{name} is of another version of NumPy's format")
            shape, _, dtype = np.lib.format.read_array_header_1_0(member)
            in_member = member.tell()
    with open(path, "rb") as file:
        file.seek(begin + 26)  # of a ZIP file's local header, which is 30 bytes and two texts
        texts = sum(struct.unpack("<HH", file.read(4)))
    if not np.prod(shape):
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", begin + 30 + texts + in_member, shape)


def take(array: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Returns chosen rows, by position, in a file where they are many."""
    shape = (len(chosen), *array.shape[1:])
    large = np.prod(shape) * array.itemsize > _IN_MEMORY
    taken = empty(shape, array.dtype) if large else np.empty(shape, array.dtype)
    for start in range(0, len(chosen), _ROWS):
        taken[start : start + _ROWS] = array[chosen[start : start + _ROWS]]
    return taken


def blocks(array: np.ndarray, rows: int = _ROWS) -> Iterator[np.ndarray]:
    """Yields an array's rows, so many at a time, as float64."""
    for start in range(0, len(array), rows):
        yield np.asarray(array[start : start + rows], np.float64)
