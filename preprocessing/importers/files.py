"""Finding a collection's photographs and masks on disk."""

import collections
import functools
import hashlib
import os
import pathlib
import re
import unicodedata
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

# Of what `photographs` reads; and HEIC, so that it can say that it does not.
_EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".jp2"}
    | {".avif", ".heic", ".heif"}
)


def split_path(name: str) -> List[str]:
    """Returns the parts of a path written on any system, without "." and ".."."""
    return [part for part in re.split(r"[\\/]+", name) if part not in ("", ".", "..")]


_SYSTEMS_OWN = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN"})


def is_hidden(parts: Iterable[str]) -> bool:
    """Whether a path is no person's work: hidden, or what systems put beside the files."""
    return any(part.startswith(".") or part in _SYSTEMS_OWN for part in parts)


def _split_extension(name: str) -> Tuple[str, str]:
    stem, extension = os.path.splitext(name)
    return (stem, extension) if extension.lower() in _EXTENSIONS else (name, "")


def stem(name: str) -> str:
    """Returns the last part of a path without a photograph's extension."""
    return _split_extension((split_path(name) or [""])[-1])[0]


def _same(text: str) -> str:
    """Returns a name as all systems spell it: macOS parts letters from their accents."""
    return unicodedata.normalize("NFC", text).casefold()


class Candidate(NamedTuple):
    """A file that a name may mean; of several the largest is the likeliest.

    Attributes:
      fits: whether it lies in the folders that the name says, as far as both say any.
      common: number of the folders that both say.
      exact: whether the name is spelt as the file's, with its extension.
      path: relative to the collection's folder.
    """

    fits: bool
    common: int
    exact: bool
    path: str

    @property
    def folders(self) -> Tuple[str, ...]:
        """The folders of the path."""
        return pathlib.PurePosixPath(self.path).parts[:-1]


class PhotographFiles:
    """The photographs and masks below a folder, in whatever folders they lie."""

    def __init__(self, folder: str, mask_suffix: str = ""):
        """Lists the folder; hidden files and folders do not count.

        Args:
          folder: the collection's.
          mask_suffix: what a mask's name adds to its photograph's; empty for a
            collection without masks.
        """
        self._folder = folder
        self._photographs: Dict[str, List[pathlib.PurePath]] = collections.defaultdict(list)
        self._masks: Dict[str, str] = {}
        for parent, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if not is_hidden([name]))
            for name in sorted(names):
                start, extension = _split_extension(name)
                if not extension or is_hidden([name]):
                    continue
                path = pathlib.PurePath(os.path.relpath(os.path.join(parent, name), folder))
                if mask_suffix and start.endswith(mask_suffix):
                    self._masks.setdefault(start[: -len(mask_suffix)], path.as_posix())
                else:
                    self._photographs[_same(start)].append(path)

    def candidates(self, name: str) -> List[Candidate]:
        """Returns the files of the same name, in whatever folders and with what extension."""
        *parents, last = map(_same, split_path(name) or [""])
        found = []
        for path in self._photographs.get(_same(stem(name)), ()):
            own = [_same(part) for part in path.parts]
            common = _common_end(own[:-1], parents)
            fits = common == min(len(own) - 1, len(parents))
            found.append(Candidate(fits, common, own[-1] == last, path.as_posix()))
        return found

    def find(self, name: str, anywhere: bool = True) -> str:
        """Finds a photograph by the collection's name for it.

        Args:
          name: a file's name or path. Folders in it need not exist, and more may lie
            around the file than it says; an extension need not be the file's.
          anywhere: whether a file of that name in a quite different folder will do,
            because the collection has no other photograph of that name.

        Returns:
          Its path relative to the folder. For a name without folder and extension, and for
          files of the same bytes, the first of several by path.

        Raises:
          ValueError: no such file, or several.
        """
        found = [one for one in self.candidates(name) if one.fits or anywhere]
        if not found:
            raise self.missing(name)
        if name in (one.path for one in found):
            return name
        best = max(one[:3] for one in found)
        paths = [one.path for one in found if one[:3] == best]
        if split_path(name) == [stem(name)]:
            return paths[0]
        return self.only(name, paths)

    def only(self, name: str, paths: Sequence[str]) -> str:
        """Returns the one path, or the first if all are copies of one file.

        Raises:
          ValueError: they are different photographs.
        """
        if len({self.digest(path) for path in paths} if len(paths) > 1 else paths) > 1:
            raise ValueError(f"image: {name!r} may be {' or '.join(paths[:3])}")
        return paths[0]

    def missing(self, name: str) -> ValueError:
        """Returns what to raise where there is no such file."""
        return ValueError(f"image: no file {stem(name)}.* below {self._folder}")

    @functools.lru_cache(maxsize=None)  # noqa: B019 (the listing lives as long as an import)
    def digest(self, path: str) -> str:
        """Returns a digest of a file's bytes; of one that cannot be read, its path."""
        try:
            with open(os.path.join(self._folder, path), "rb") as file:
                return hashlib.sha256(file.read()).hexdigest()
        except OSError:
            return path

    def unnamed(self, paths: Iterable[str]) -> List[str]:
        """Returns the photographs that are not among `paths`, nor copies of one that is."""
        named = set(paths)
        stems: Dict[str, Set[str]] = collections.defaultdict(set)
        for path in named:
            stems[_same(stem(path))].add(path)
        return [
            path.as_posix()
            for start, files in self._photographs.items()
            for path in files
            if path.as_posix() not in named
            and self.digest(path.as_posix()) not in map(self.digest, stems[start])
        ]

    def mask_of(self, path: str) -> Optional[str]:
        """Returns the mask of a photograph, relative to the folder, if there is one."""
        return self._masks.get(stem(path))


def _common_end(one: Sequence[str], other: Sequence[str]) -> int:
    return common_start(one[::-1], other[::-1])


def common_start(one: Sequence[str], other: Sequence[str]) -> int:
    """Returns how many parts two sequences have in common at their start."""
    length = 0
    for a, b in zip(one, other):
        if a != b:
            break
        length += 1
    return length
