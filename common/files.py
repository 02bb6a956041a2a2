"""Files that appear under their names only when complete."""

import json
import os
import pathlib
from typing import Any, Mapping, Union

PathLike = Union[str, "os.PathLike[str]"]


def write_bytes(path: PathLike, content: bytes) -> None:
    """Writes a file, and its folder where there is none.

    A reader finds the whole file, or what was there before: the content goes to a
    temporary name beside it, which is renamed.
    """
    target = pathlib.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: PathLike, text: str) -> None:
    """Writes a text file in UTF-8, as `write_bytes` does."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: PathLike, content: Mapping[str, Any]) -> None:
    """Writes a JSON file with sorted keys, as `write_bytes` does."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")
