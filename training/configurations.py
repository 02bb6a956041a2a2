"""Finds configurations by name."""

import pathlib
from typing import List

from preprocessing import command_line

# bazel: deps = //training/configs:*
_FOLDER = pathlib.Path(__file__).parent / "configs"


def names() -> List[str]:
    """Returns the names of the configurations that come with DermGAN."""
    return sorted(path.stem for path in _FOLDER.glob("*.py") if path.stem != "__init__")


def path_of(value: str) -> str:
    """Returns the file of a configuration.

    Args:
      value: a name, e.g. "paper", or the path of a Python file with
        `get_config()`, optionally followed by ":" and its argument.

    Raises:
      ValueError: neither.
    """
    if value in names():
        return str(_FOLDER / f"{value}.py")
    path, colon, argument = value.partition(":")
    resolved = command_line.user_path(path)
    if not resolved.endswith(".py") or not pathlib.Path(resolved).is_file():
        raise ValueError(f"config {value!r} is neither a file nor one of {', '.join(names())}")
    return f"{resolved}{colon}{argument}"


def expand_names(argv: List[str]) -> None:
    """Replaces the value of `--config` in a command line by its file, in place."""
    for index, word in enumerate(argv):
        flag, equals, value = word.partition("=")
        if flag not in ("--config", "-config"):
            continue
        if equals:
            argv[index] = f"{flag}={path_of(value)}"
        elif index + 1 < len(argv):
            argv[index + 1] = path_of(argv[index + 1])
