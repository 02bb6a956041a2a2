"""The folder of an exported program, as the project's own programs see it."""

import json
import os
import pathlib
from typing import Any, Optional

from preprocessing.data import records

FORMAT_VERSION = 3  # as `runner.device`
META = "program.json"
RUNNER = "run_program.py"


def read_meta(program: str) -> dict[str, Any]:
    """Returns the contents of `program.json`.

    Raises:
      ValueError: no program, or one of another format.
    """
    path = pathlib.Path(program, META)
    if not path.is_file():
        raise ValueError(f"{program}: no program; it has no {META}")
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: cut off or damaged ({error})") from error
    if meta.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"{program}: a program of format {meta.get('format_version')}, not {FORMAT_VERSION}; "
            "export it again"
        )
    return meta


def records_hint(data_dir: str, program: str) -> str:
    """Returns where the records lie as seen from a program, or "" if that would tell more.

    A program leaves the machine: it names the records only if they lie below the folder
    that it was written into itself.
    """
    relative = os.path.relpath(os.path.realpath(data_dir), os.path.realpath(program))
    up, *rest = pathlib.PurePath(relative).parts
    return relative if up == ".." and rest and rest[0] != ".." else ""


def find_records(program: str, meta: dict[str, Any], asked: Optional[str]) -> str:
    """Returns the folder of the records that a program was made of.

    Args:
      program: the folder.
      meta: its `program.json`.
      asked: as a user says; by default, where they were when the program was made.

    Raises:
      ValueError: they are not there, or are others.
    """
    dataset = meta["description"]["dataset"]
    hint = dataset["directory"]
    if not asked and not hint:
        raise ValueError(f"{program}: does not say where its records are; pass --data_dir")
    found = os.path.abspath(asked or os.path.join(program, hint))
    digest = records.read_info(found).digest
    if digest != dataset["digest"]:
        raise ValueError(
            f"{found}: other records (digest {digest[:12]}) than the program's "
            f"({dataset['digest'][:12]}); pass --data_dir"
        )
    return found
