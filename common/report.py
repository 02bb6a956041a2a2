"""The JSON files of results: never replaced by numbers of another protocol unasked."""

import datetime
import json
import pathlib
import platform
from importlib import metadata
from typing import Any, Mapping

from common import files

_PACKAGES = ("tensorflow", "tensorflow-gan", "tensorflow-hub", "numpy", "scipy", "scikit-image")


def check(
    path: pathlib.Path,
    protocol: Mapping[str, Any],
    overwrite: bool,
    folder_flag: str = "--output_dir",
) -> None:
    """Checks that a result may be written.

    A file of the same protocol holds the same numbers and may be replaced.

    Args:
      path: of the JSON file.
      protocol: what the numbers depend on; stored under "protocol".
      overwrite: whether a file of another protocol may be replaced.
      folder_flag: that the user chose the folder by, for the message.

    Raises:
      ValueError: it is there, of another protocol.
    """
    if overwrite or not path.exists():
        return
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))["protocol"]
    except (ValueError, KeyError, TypeError):
        stored = None
    if stored != json.loads(json.dumps(dict(protocol))):
        raise ValueError(
            f"{path}: holds a measurement by another protocol; choose another {folder_flag} or "
            "pass --overwrite"
        )


def write(path: pathlib.Path, content: Mapping[str, Any]) -> None:
    """Writes a result, with the date and the versions of the packages that made it."""
    made_by = {
        "packages": {name: metadata.version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }
    files.write_json(path, {**content, **made_by})
