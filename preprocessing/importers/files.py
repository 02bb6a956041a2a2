"""Finding a collection's photographs and masks on disk."""

import collections
import os
import pathlib
import re
from typing import Dict, List, Optional, Sequence, Tuple

_EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


def split_path(name: str) -> List[str]:
    """Returns the parts of a path written on any system, without "." and ".."."""
    return [part for part in re.split(r"[\\/]+", name) if part not in ("", ".", "..")]


def _split_extension(name: str) -> Tuple[str, str]:
    stem, extension = os.path.splitext(name)
    return (stem, extension) if extension.lower() in _EXTENSIONS else (name, "")


def stem(name: str) -> str:
    """Returns the last part of a path without a photograph's extension."""
    return _split_extension((split_path(name) or [""])[-1])[0]


class PhotographFiles:
    """The photographs and masks below a folder, in whatever folders they lie."""

    def __init__(self, folder: str, mask_suffix: str = ""):
        """Lists the folder.

        Args:
          folder: the collection's.
          mask_suffix: what a mask's name adds to its photograph's; empty for a
            collection without masks.
        """
        self._folder = folder
        self._photographs: Dict[str, List[pathlib.PurePath]] = collections.defaultdict(list)
        self._masks: Dict[str, str] = {}
        for parent, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                start, extension = _split_extension(name)
                if not extension or name.startswith("."):
                    continue
                path = pathlib.PurePath(os.path.relpath(os.path.join(parent, name), folder))
                if mask_suffix and start.endswith(mask_suffix):
                    self._masks.setdefault(start[: -len(mask_suffix)], path.as_posix())
                else:
                    self._photographs[start].append(path)

    def find(self, name: str, anywhere: bool = True) -> str:
        """Finds a photograph by the collection's name for it.

        Args:
          name: a file's name or path. Folders in it need not exist, and more may lie
            around the file than it says; an extension need not be the file's.
          anywhere: whether a file of that name in a quite different folder will do,
            because the collection has no other photograph of that name.

        Returns:
          Its path relative to the folder. For a name without folder and extension, the
          first of several files by path.

        Raises:
          ValueError: no such file, or several.
        """
        *parents, last = split_path(name) or [""]
        start = stem(name)
        ranked = []
        for path in self._photographs.get(start, ()):
            common = _common_end(path.parts[:-1], parents)
            fits = common == min(len(path.parts) - 1, len(parents))
            if fits or anywhere:
                ranked.append(((fits, common, path.name == last), path.as_posix()))
        if not ranked:
            raise ValueError(f"image: no file {start}.* below {self._folder}")
        best = max(rank for rank, _ in ranked)
        paths = [path for rank, path in ranked if rank == best]
        if len(paths) > 1 and (parents or last != start):
            raise ValueError(f"image: {name!r} may be {' or '.join(paths[:3])}")
        return paths[0]

    def mask_of(self, path: str) -> Optional[str]:
        """Returns the mask of a photograph, relative to the folder, if there is one."""
        return self._masks.get(stem(path))


def _common_end(one: Sequence[str], other: Sequence[str]) -> int:
    length = 0
    for a, b in zip(reversed(one), reversed(other)):
        if a != b:
            break
        length += 1
    return length
