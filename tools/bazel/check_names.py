"""Finds modules and folders that would be imported in place of something else.

    python tools/bazel/check_names.py    # with the Python that has the project's packages

Bazel puts the folder of a program first on sys.path. What lies in a folder with programs,
and every top-level folder, may therefore have no name of the standard library, of an
installed package or of a top-level folder: `synthesis/requests` would hide PyPI's
`requests` from every program in `synthesis/`.
"""

import importlib.metadata
import pathlib
import sys
from typing import Iterator, List

_ROOT = pathlib.Path(__file__).resolve().parents[2]


def _names(folder: pathlib.Path) -> Iterator[str]:
    """Yields what `import` would find in a folder."""
    for path in sorted(folder.iterdir()):
        if path.suffix == ".py" and not path.stem.startswith("__"):
            yield path.stem
        elif (path / "__init__.py").exists():
            yield path.name


def _has_programs(folder: pathlib.Path) -> bool:
    return any(
        '\nif __name__ == "__main__":' in path.read_text(encoding="utf-8")
        for path in folder.glob("*.py")
    )


def find_hidden(root: pathlib.Path) -> List[str]:
    """Returns a line for each name that hides another, of the checkout at `root`."""
    rooms = set(_names(root))
    packages = set(importlib.metadata.packages_distributions()) - rooms
    taken = dict.fromkeys(sys.stdlib_module_names, "the standard library")
    taken.update(dict.fromkeys(packages, "an installed package"))
    lines = [f"{room}/: hides a module of {taken[room]}" for room in rooms if room in taken]
    taken.update(dict.fromkeys(rooms, "this project"))
    for room in rooms:
        for folder in {path.parent for path in (root / room).rglob("*.py")}:
            if _has_programs(folder):
                lines += [
                    f"{(folder / name).relative_to(root)}: hides a module of {taken[name]}"
                    for name in _names(folder)
                    if name in taken
                ]
    return sorted(lines)


def main() -> int:
    """Prints what is hidden; returns the exit status."""
    lines = find_hidden(_ROOT)
    for line in lines:
        print(line)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
