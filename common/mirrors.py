"""Folders in object storage that programs work on in a copy on this machine.

TensorFlow writes checkpoints and event files to disks. So a run directory in object storage
has a copy in the user's cache, and what changes in it is written back: at each checkpoint
of a training, and at the end of every program.

    local = mirrors.local("s3://bucket/runs/a")     # copied, or what changed since

`.files.json` names what is there, since a listing may lag; a listing finds what others put
there. Whether a file has changed there is asked of itself: what the storage says of its
version is noted beside the copy, and so is, before it is sent, the digest of what we send.
"""

import concurrent.futures
import contextlib
import hashlib
import json
import pathlib
import re
import shutil
import time
from typing import Any, Dict, Iterator, List, Optional

from absl import logging

from common import addresses, files, locks, progress

INDEX = ".files.json"
_PATIENCE = locks.STALE_AFTER + 60  # seconds that another program may take to write back
_AT_ONCE = 8  # questions to the storage
_TRIES = 3  # to copy what another is changing
# Parts of paths that are no content: leases, what is half written, the index.
_STAYS = re.compile(r"\.lock$|\.lock\.now$|\.tmp$|^ckpt-.*_temp|^\.files\.json$")
_open: Dict[str, "Mirror"] = {}


class _BusyError(ValueError):
    """Another program is writing back."""


class _ChangingError(Exception):
    """A file that was there a moment ago is not."""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _stamp(path: pathlib.Path) -> Optional[List[Any]]:
    return files.stamp_of(path) if path.is_file() else None


def _travels(name: str) -> bool:
    return not any(_STAYS.search(part) for part in name.split("/"))


@contextlib.contextmanager
def _alone(folder: files.PathLike, of: str = "") -> Iterator[None]:
    """Makes this process the only writer, after waiting for one that is."""
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locks.only_writer(folder, of=of))
                break
            except ValueError as error:
                if time.monotonic() - begun > _PATIENCE:
                    raise _BusyError(str(error)) from error
                time.sleep(0.2)
        yield


class Mirror:
    """A folder in object storage and its copy.

    Attributes:
      address: of the one.
      folder: of the other.
      lease: of who trains there: this process, if it has one.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._place = pathlib.Path(files.user_cache_dir("folders"), files.digest_of(address)[:24])
        self.folder = self._place / (address.rpartition("/")[2] or "folder")
        self._note = self._place / "known.json"
        self.lease: Optional[locks.Lease] = None
        self._place.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _there(self, name: str) -> Optional[List[Any]]:
        """Returns what the storage says of a file's version; None where there is none."""
        try:
            return files.stamp_of(f"{self.address}/{name}")
        except FileNotFoundError:
            return None

    def _index(self) -> List[str]:
        path = f"{self.address}/{INDEX}"
        try:
            names = json.loads(files.read_bytes(path))["names"]
            for name in names:
                if name.startswith("/") or ".." in name.split("/"):
                    raise ValueError(f"{name!r} is outside")
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}: damaged ({error})") from error
        return names

    def _versions(self) -> Dict[str, List[Any]]:
        """Returns what is there: versions by name."""
        root = files.at(self.address)
        begin = len(root.path)  # type: ignore[attr-defined]
        listed = root.fs.find(root.path)  # type: ignore[attr-defined]
        names = {*self._index(), *(path[begin:].lstrip("/") for path in listed)}
        names = {name for name in names if name and _travels(name)}
        with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
            found = zip(names, pool.map(self._there, names))
        return {name: version for name, version in found if version is not None}

    def _known(self) -> Dict[str, Any]:
        if not self.folder.is_dir():
            shutil.rmtree(self.folder, ignore_errors=True)
            return {}  # somebody has removed the copy: all is copied anew
        return json.loads(self._note.read_text(encoding="utf-8")) if self._note.exists() else {}

    def pull(self) -> int:
        """Brings the copy to what is there; what changed in the copy alone stays.

        Returns:
          The number of files that are there.

        Raises:
          ValueError: a file changed on both sides, or the index is damaged.
          OSError: the storage does not answer.
        """
        for left in reversed(range(_TRIES)):
            with _alone(self._place):
                try:
                    return self._pull()
                except _ChangingError as error:
                    if not left:
                        raise OSError(f"{self.address}/{error}: named, but not there") from error
        raise AssertionError

    def _pull(self) -> int:
        known, there = self._known(), self._versions()
        self.folder.mkdir(exist_ok=True)
        changed = [n for n, version in there.items() if known.get(n, {}).get("there") != version]
        changed += [n for n in there if n not in changed and not (self.folder / n).is_file()]
        try:
            for name in progress.bar(changed, len(changed), f"copying {self.address}", "files"):
                known[name] = self._take(name, there[name], known.get(name, {}))
            for name in set(known) - set(there):
                was, path = known.pop(name), self.folder / name
                if _stamp(path) == was.get("here"):
                    path.unlink(missing_ok=True)
        finally:
            files.write_json(self._note, known)
        return len(there)

    def _take(self, name: str, version: List[Any], was: Dict[str, Any]) -> Dict[str, Any]:
        """Copies a file that changed there, unless it is what we sent; returns its note."""
        path = self.folder / name
        fresh = self._place / "fresh.tmp"
        fresh.unlink(missing_ok=True)
        try:
            files.fetch(f"{self.address}/{name}", fresh)
        except FileNotFoundError as error:
            raise _ChangingError(name) from error
        sent = _digest(fresh.read_bytes())
        if path.is_file():
            if sent == was.get("sent"):  # what came of a push that was not noted any more
                return {**was, "there": version}
            if _stamp(path) != was.get("here") and _digest(path.read_bytes()) != sent:
                raise ValueError(
                    f"{self.address}/{name}: changed there and in {path}; remove {self.folder} to "
                    "take what is there"
                )
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.replace(path)
        return {"there": version, "here": _stamp(path), "sent": sent}

    def push(self) -> int:
        """Writes back what changed in the copy; returns the number of files.

        Who trains removes what is gone from the copy, too.

        Raises:
          ValueError: a file changed there as well, or another trains there now.
          OSError: the storage does not take them; the copy stays, for the next time.
        """
        if self.lease:
            self.lease.check()
        with _alone(self._place):
            known = self._known()
            found = [path for path in self.folder.rglob("*") if path.is_file()]
            here = {path.relative_to(self.folder).as_posix(): path for path in found}
            # A checkpoint is one when its index is there, so that comes after its data.
            names = sorted(filter(_travels, here), key=lambda name: (name.endswith(".index"), name))
            changed = [n for n in names if known.get(n, {}).get("here") != _stamp(here[n])]
            gone = [name for name in known if name not in here] if self.lease else []
            if not changed and not gone:
                return 0
            with _alone(self.address, of="files"):
                for name in changed:
                    self._check_unchanged(name, known.get(name, {}))
                for name in changed:
                    with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                        self._send(name, here[name], known)
                listed = {*self._index(), *known} - {*gone}
                files.write_json(f"{self.address}/{INDEX}", {"names": sorted(listed)})
                for name in gone:
                    files.remove(f"{self.address}/{name}")
                    del known[name]
            files.write_json(self._note, known)
        return len(changed)

    def _check_unchanged(self, name: str, was: Dict[str, Any]) -> None:
        there = self._there(name)
        if there is None or there == was.get("there"):
            return
        if _digest(files.read_bytes(f"{self.address}/{name}")) == was.get("sent"):
            return
        raise ValueError(f"{self.address}/{name}: changed there and in {self.folder / name}")

    def _send(self, name: str, path: pathlib.Path, known: Dict[str, Any]) -> None:
        stamp, content = _stamp(path), path.read_bytes()  # it may grow meanwhile
        known[name] = {**known.get(name, {}), "sent": _digest(content)}
        files.write_json(self._note, known)
        files.write_bytes(f"{self.address}/{name}", content)
        known[name].update(there=self._there(name), here=stamp)
        files.write_json(self._note, known)


def _opened(address: str, may_be_new: bool) -> Mirror:
    if address not in _open:
        mirror = Mirror(address)
        if not mirror.pull() and not may_be_new:
            raise ValueError(f"{address}: nothing is there")
        addresses.call_copy(mirror.folder, address)
        _open[address] = mirror
    return _open[address]


def local(folder: str) -> str:
    """Returns a folder of this machine with the content of one of object storage.

    What changes in it is written back at the program's end. A folder that is on this
    machine is returned as it is.

    Raises:
      ValueError: there is nothing; and as `Mirror.pull`.
      OSError: `Mirror.pull` does.
    """
    return str(_opened(folder.rstrip("/"), False).folder) if files.is_remote(folder) else folder


@contextlib.contextmanager
def writing(folder: str) -> Iterator[str]:
    """Makes this process the only one that trains in a folder; gives what `local` does.

    There may be nothing yet.

    Raises:
      ValueError: another is at work there; and as `Mirror.pull`, `Mirror.push`.
      OSError: the storage fails.
    """
    if not files.is_remote(folder):
        yield folder
        return
    with locks.only_writer(folder) as lease:
        mirror = _opened(folder.rstrip("/"), True)
        mirror.lease = lease
        try:
            with _pushed_at_last([mirror]):
                yield str(mirror.folder)
        finally:
            mirror.lease = None


@contextlib.contextmanager
def written_back() -> Iterator[None]:
    """Writes back, at its end, what changed in all folders that `local` gave.

    Raises:
      ValueError, OSError: `Mirror.push` does. After another error that one is raised.
    """
    with _pushed_at_last(_open.values()):
        yield
    _open.clear()


@contextlib.contextmanager
def _pushed_at_last(mirrors: "Any") -> Iterator[None]:
    try:
        yield
    except BaseException:
        for mirror in mirrors:
            try:
                _push_or_tell(mirror)
            except ValueError as error:
                logging.warning("%s", error)
        raise
    for mirror in mirrors:
        if number := mirror.push():
            logging.warning("%s: %d files of %s written", mirror.address, number, mirror.folder)


def _push_or_tell(mirror: Mirror) -> None:
    try:
        mirror.push()
    except Exception as error:
        if not files.is_outside(error) and not isinstance(error, _BusyError):
            raise
        logging.warning("%s: not written to yet: %s", mirror.address, error)


def push(folder: str) -> None:
    """Writes back what changed in a folder that `local` gave.

    A storage that fails is told of, no more: the next time it may be there.

    Raises:
      ValueError: a file changed on both sides, or another trains there now.
    """
    for mirror in _open.values():
        if str(mirror.folder) == folder:
            _push_or_tell(mirror)
