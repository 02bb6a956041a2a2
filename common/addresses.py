"""What people are told of a path: never where this machine keeps a copy, nor who works there."""

import os
from typing import Dict

from common import files

_addresses: Dict[str, str] = {}  # in object storage, by the folder of this machine


def call_copy(folder: files.PathLike, address: str) -> None:
    """Notes that a folder of this machine is a copy, so that people are told the address."""
    _addresses[os.path.abspath(folder)] = address


def address_of(path: files.PathLike) -> str:
    """Returns the address of what a copy is of, as users gave it; of other paths themselves."""
    for folder, address in _addresses.items():
        if (
            not files.is_remote(path)
            and (inside := os.path.relpath(path, folder)).split(os.sep)[0] != ".."
        ):
            return address if inside == "." else f"{address}/{inside}"
    return str(path)


def told(path: files.PathLike) -> str:
    """Returns a path for what leaves the machine: from the user's folder on, or its last part.

    Where else it lies says nothing to others, and may say who works there.
    """
    path = address_of(path)
    if files.is_remote(path):
        return path
    here = os.environ.get("BUILD_WORKING_DIRECTORY") or os.getcwd()
    relative = os.path.relpath(path, here)
    if relative.split(os.sep)[0] == os.pardir:
        return os.path.join("...", os.path.basename(os.path.normpath(path)))
    return relative
