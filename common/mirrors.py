"""Folders in object storage that programs work on in a copy on this machine.

TensorFlow writes checkpoints and event files to disks. So a run directory in object storage
has a copy in the user's cache, and what changes in it is written back: at each checkpoint
of a training, and at the end of every program.

    local = mirrors.local("s3://bucket/runs/a")     # copied, or what changed since

What is there is told by `.files.json`, which is written after the files that it names: a
listing may lag, and a kill leaves the state before. Without one (files that somebody put
there) the folder is listed.
"""

import contextlib
import hashlib
import json
import pathlib
import time
from typing import Any, Dict, Iterator, Optional

from absl import logging

from common import files, locks, progress

INDEX = ".files.json"
_PATIENCE = 120.0  # seconds that another program may take to write back
_open: Dict[str, "Mirror"] = {}


def _stamp(path: pathlib.Path) -> Optional[Any]:
    return files.stamp_of(path) if path.is_file() else None


def _entry(content: bytes) -> Dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


class Mirror:
    """A folder in object storage and its copy.

    Attributes:
      address: of the one.
      folder: of the other.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        place = pathlib.Path(files.user_cache_dir("folders"), files.digest_of(address)[:24])
        self.folder = place / (address.rpartition("/")[2] or "folder")
        self._note = place / "known.json"  # by name, what is there and the copy's stamp
        place.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _index(self) -> Dict[str, Any]:
        try:
            return json.loads(files.read_bytes(f"{self.address}/{INDEX}"))
        except FileNotFoundError:
            pass
        except ValueError as error:
            raise ValueError(f"{self.address}/{INDEX}: damaged ({error})") from error
        root = files.at(self.address)
        found = root.fs.find(root.path, detail=True)  # type: ignore[attr-defined]
        begin = len(root.path)  # type: ignore[attr-defined]
        names = {path[begin:].lstrip("/"): one for path, one in found.items()}
        return {name: {"bytes": one["size"]} for name, one in names.items() if _travels(name)}

    def _known(self) -> Dict[str, Any]:
        return json.loads(self._note.read_text(encoding="utf-8")) if self._note.exists() else {}

    def pull(self) -> None:
        """Brings the copy to what is there; what changed in the copy alone stays.

        Raises:
          ValueError: a file changed on both sides, or the index is damaged.
          OSError: the storage does not answer.
        """
        index, known = self._index(), self._known()
        wanted = []
        for name, entry in index.items():
            was, path = known.get(name), self.folder / name
            if was and was[0] == entry and path.is_file():
                continue  # not changed there; here it may be
            if path.is_file() and _entry(path.read_bytes()) == entry:  # a kill came before the note
                known[name] = [entry, _stamp(path)]
                continue
            if path.exists() and (not was or _stamp(path) != was[1]):
                raise ValueError(
                    f"{self.address}/{name}: changed there and in {path}; remove the one that is "
                    "not wanted"
                )
            wanted.append(name)
        try:
            for name in progress.bar(wanted, len(wanted), f"copying {self.address}", "files"):
                path = self.folder / name
                path.unlink(missing_ok=True)
                files.fetch(f"{self.address}/{name}", path)
                known[name] = [index[name], _stamp(path)]
            for name in set(known) - set(index):
                if _stamp(self.folder / name) == known.pop(name)[1]:
                    (self.folder / name).unlink(missing_ok=True)
        finally:
            files.write_json(self._note, known)
        self.folder.mkdir(exist_ok=True)

    def push(self) -> int:
        """Writes back what changed in the copy; returns the number of files.

        Raises:
          OSError: the storage does not take them; the copy stays, for the next time.
        """
        known = self._known()
        here = {
            name: path
            for path in self.folder.rglob("*")
            if path.is_file() and _travels(name := path.relative_to(self.folder).as_posix())
        }
        changed = {n: path for n, path in here.items() if known.get(n, [0, 0])[1] != _stamp(path)}
        gone = [name for name in known if name not in here]
        if not changed and not gone:
            return 0
        with self._alone():
            for name, path in changed.items():
                stamp, content = _stamp(path), path.read_bytes()  # it may grow meanwhile
                files.write_bytes(f"{self.address}/{name}", content)
                known[name] = [_entry(content), stamp]
            index = {**self._index(), **{name: known[name][0] for name in changed}}
            index = {name: entry for name, entry in index.items() if name not in gone}
            files.write_json(f"{self.address}/{INDEX}", index)
            for name in gone:
                files.remove(f"{self.address}/{name}")
                del known[name]
        files.write_json(self._note, known)
        return len(changed)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps others from writing the index, after waiting for one that does."""
        begun = time.monotonic()
        with contextlib.ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(locks.only_writer(self.address, of="files"))
                    break
                except ValueError:
                    if time.monotonic() - begun > _PATIENCE:
                        raise
                    time.sleep(1)
            yield


def _travels(name: str) -> bool:
    """Tells whether a file is of the folder's content: no lease, and no half a file."""
    last = name.rpartition("/")[2]
    return last != INDEX and not last.endswith((".lock", ".tmp", ".now"))


def local(folder: str) -> str:
    """Returns a folder of this machine with the content of one of object storage.

    What changes in it is written back at the program's end, or by `push`. A folder that is
    on this machine is returned as it is.

    Raises:
      ValueError, OSError: `Mirror.pull` does.
    """
    if not files.is_remote(folder):
        return folder
    address = folder.rstrip("/")
    if address not in _open:
        mirror = Mirror(address)
        mirror.pull()
        _open[address] = mirror
    return str(_open[address].folder)


@contextlib.contextmanager
def writing(folder: str) -> Iterator[str]:
    """Makes this process the only one that trains in a folder; gives what `local` does.

    Raises:
      ValueError: another is at work there; and as `local`.
    """
    if not files.is_remote(folder):
        yield folder
        return
    with locks.only_writer(folder), written_back():
        yield local(folder)


@contextlib.contextmanager
def written_back() -> Iterator[None]:
    """Writes back, at its end, what changed in all folders that `local` gave.

    Raises:
      OSError: the storage does not take it. After another error that one is raised.
    """
    try:
        yield
    except BaseException:
        for mirror in _open.values():
            push(str(mirror.folder))
        _open.clear()
        raise
    while _open:
        mirror = _open.popitem()[1]
        if number := mirror.push():
            logging.warning("%s: %d files of %s written", mirror.address, number, mirror.folder)


def push(folder: str) -> None:
    """Writes back what changed in a folder that `local` gave; a failure is told, no more."""
    for mirror in _open.values():
        if str(mirror.folder) == folder:
            try:
                mirror.push()
            except Exception as error:
                if not files.is_outside(error):
                    raise
                logging.warning("%s: not written to yet: %s", mirror.address, error)
