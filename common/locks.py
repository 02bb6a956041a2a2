"""One writer at a time in a folder, by a lease file: on shared file systems, in object storage.

The lease is created exclusively, says who writes (host, process, program) and is written
again every few seconds. Whoever finds one takes over where its writer has ended: its
process is gone on this host, or another host's has shown no sign of life for minutes.
"""

import contextlib
import json
import os
import pathlib
import secrets
import socket
import sys
import tempfile
import threading
import time
from typing import Any, Dict, Iterator, Optional

from absl import logging

from common import files

FILE_NAME = ".lock"
HEARTBEAT = 20.0  # seconds
STALE_AFTER = 300.0  # seconds
_SETTLES = 1.0  # seconds, longer than from reading a lease to removing it


def _identity(process: int) -> Optional[str]:
    """What tells a process from a later one of the same number; "" where nothing does.

    Returns:
      None where there is no such process (any longer).
    """
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except (PermissionError, OverflowError):
        pass
    try:
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        status = pathlib.Path(f"/proc/{process}/stat").read_text()
    except OSError:  # no Linux
        return ""
    fields = status.rpartition(")")[2].split()  # a program's name may hold blanks
    return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"


def _host() -> Dict[str, str]:
    """This host; containers may share its name, but not the numbers of processes."""
    try:
        numbers = os.readlink("/proc/self/ns/pid")
    except OSError:
        numbers = ""
    return {"host": socket.gethostname(), "process_numbers": numbers}


def _read(path: pathlib.Path) -> Dict[str, Any]:
    """Returns a lease, or what stands for one that is being written.

    Raises:
      FileNotFoundError: there is none.
    """
    try:
        lease = json.loads(files.read_text(path))
        return lease if isinstance(lease, dict) else {}
    except ValueError:
        return {}


def _now(folder: pathlib.Path) -> float:
    """The time by the clock of what the folder is on: those of two hosts may differ.

    Raises:
      FileNotFoundError: another has asked at the same time.
    """
    if not files.is_remote(folder):
        with tempfile.TemporaryFile(dir=folder) as probe:
            return os.fstat(probe.fileno()).st_mtime
    place = folder / f"{FILE_NAME}.now"  # left by a kill, the next one's
    files.write_bytes(place, b"")
    try:
        return place.stat().st_mtime
    finally:
        place.unlink(missing_ok=True)


def _end(path: pathlib.Path, lease: Dict[str, Any]) -> Optional[str]:
    """Says why the writer of a lease is at work no longer; None where it may be."""
    here = _host()
    process = lease.get("process")
    if isinstance(process, int) and {name: lease.get(name) for name in here} == here:
        same = _identity(process) == lease.get("identity")
        return None if same else "which has ended"
    silence = _now(path.parent) - path.stat().st_mtime
    if silence < STALE_AFTER:
        return None
    return f"which has shown no sign of life for {silence / 60:.0f} minutes"


def _writer(lease: Dict[str, Any]) -> str:
    program, process, host = (lease.get(key, "?") for key in ("program", "process", "host"))
    return f"{program}, process {process} on {host}"


def _create(path: pathlib.Path, lease: Dict[str, Any]) -> None:
    """Creates the lease, in place of one whose writer has ended.

    Raises:
      ValueError: somebody else is at work.
    """
    removed = False
    while True:
        try:
            files.make_folder(path.parent)
            files.create(path, json.dumps(lease).encode("utf-8"))
            if not removed:
                return
            time.sleep(_SETTLES)  # another may have found the same old lease, and remove ours
        except (FileExistsError, FileNotFoundError):  # held, or its empty folder just removed
            pass
        try:
            found = _read(path)
            if found.get("token") == lease["token"]:
                return
            end = _end(path, found)
            if end is None:
                raise ValueError(
                    f"{path.parent}: another run is at work there: {_writer(found)}; wait for "
                    "it, or stop it"
                )
            if _remove(path, found):
                removed = files.is_remote(path)
                logging.warning("%s: taking over from %s, %s", path.parent, _writer(found), end)
        except FileNotFoundError:
            pass  # given back in between


def _remove(path: pathlib.Path, found: Dict[str, Any]) -> bool:
    """Removes a lease whose writer has ended; tells whether it was still there.

    Raises:
      FileNotFoundError: there is none any longer.
    """
    if files.is_remote(path):
        same = _read(path).get("token") == found.get("token")
        if same:
            path.unlink()
        return same
    # Aside first: somebody else may have taken over since, whose lease this is then.
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    path.rename(aside)
    same = _read(aside).get("token") == found.get("token")
    if not same:
        with contextlib.suppress(FileExistsError):
            files.create(path, aside.read_bytes())
    aside.unlink()
    return same


@contextlib.contextmanager
def _warning_only(path: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not files.is_outside(error):
            raise
        logging.warning("%s: %s", path, error)


class Lease:
    """What `only_writer` gives: the right to write, as long as nobody has taken over."""

    def __init__(self, path: pathlib.Path, program: str):
        self._path = path
        self._lease = {
            **_host(),
            "process": os.getpid(),
            "identity": _identity(os.getpid()),
            "program": program,
            "token": secrets.token_hex(8),
        }
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._made_folder = not files.is_remote(path) and not path.parent.exists()
        _create(path, self._lease)
        self._thread.start()

    def _held(self) -> bool:
        try:
            return _read(self._path).get("token") == self._lease["token"]
        except FileNotFoundError:
            return False

    def _keep(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            with _warning_only(self._path):  # a full disk: the time of the file stays as it is
                if not self._held():
                    return
                files.write_json(self._path, self._lease)

    def check(self) -> None:
        """Makes sure that this process may still write.

        Raises:
          ValueError: another run has taken over, as after a day's sleep of this host.
        """
        if not self._held():
            raise ValueError(f"{self._path.parent}: another run has taken over there")

    def release(self) -> None:
        """Gives the lease back, unless somebody has taken over; leaves no empty folder.

        Where the storage fails the lease stays, of a writer which has ended.
        """
        self._stop.set()
        self._thread.join()
        with _warning_only(self._path):  # no error of the caller's is lost
            if self._held():
                self._path.unlink()
                if self._made_folder:
                    with contextlib.suppress(OSError):  # somebody wrote there
                        self._path.parent.rmdir()


@contextlib.contextmanager
def only_writer(
    folder: files.PathLike, program: Optional[str] = None, of: str = ""
) -> Iterator[Lease]:
    """Makes this process the only writer of a folder, which is made where there is none.

    What a killed one left half written there is removed.

      with locks.only_writer(workdir):
          ...  # read what is there, write

    Args:
      folder: which; the lease is its file `.lock`.
      program: what to tell others; by default the name of this program.
      of: where several write to one folder, each to files of its own: the name that these
        begin with, before a "." or "_". The lease is the file `.NAME.lock` then.

    Raises:
      ValueError: another process, or another part of this one, is at work there.
    """
    own = program or pathlib.Path(sys.argv[0]).stem or "python"
    lease = Lease(files.at(folder) / (f".{of}.lock" if of else FILE_NAME), own)
    try:
        for path in files.remove_leftovers(folder, spare=FILE_NAME, of=of):
            logging.warning("%s: removed, left half written by a run that was killed", path)
        yield lease
    finally:
        lease.release()
