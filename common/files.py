"""Files that appear under their names only when complete, and markers of finished work.

A part of a job is done when its marker is there and fits (`commit`, `committed`): a
small JSON, written last, with digests of what the part was made from and of what it
wrote.

Every path here may be one of this machine or, where `REMOTE` begins it, of object storage
(`at`). An object appears whole at the end of its upload, as a file does by its renaming.
Nothing that must be right depends on a listing, which may lag behind: what must be there
is asked for by its name.
"""

import contextlib
import errno
import hashlib
import importlib.util
import json
import os
import pathlib
import re
import secrets
import shutil
import tempfile
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Union

PathLike = Union[str, "os.PathLike[str]"]

REMOTE = ("s3://", "gs://")
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*://")
# Whose errors say what is wrong with a connection, a name or a right to read.
_CLIENTS = ("aiobotocore.", "aiohttp.", "botocore.", "gcsfs.", "google.api_core.", "google.auth.")
_AT_ONCE = 500  # objects


def is_remote(path: PathLike) -> bool:
    """Tells whether a path is one of object storage, or of what else has a scheme."""
    return bool(_SCHEME.match(str(path)))


def at(path: PathLike) -> pathlib.Path:
    """Returns a path with pathlib's methods, on this machine or in object storage.

    Of the latter it is a `upath.UPath`, which reads, tells what is there, and removes as
    a `pathlib.Path` does; writing is `replacing`'s and those below it. Whoever may open
    the storage, and where it is, is told by AWS's and Google's own variables and files
    (AWS_PROFILE, AWS_ENDPOINT_URL, GOOGLE_APPLICATION_CREDENTIALS, ...).

    Raises:
      ValueError: storage of another kind, or no bucket.
    """
    if not is_remote(path):
        return pathlib.Path(path)
    if not str(path).startswith(REMOTE):
        raise ValueError(f"{path}: paths are folders of this machine, {' or '.join(REMOTE)}")
    if not str(path).partition("://")[2].partition("/")[0]:
        raise ValueError(f"{path}: names no bucket")
    import upath  # what works on this machine alone does without its packages

    # What others write is seen.
    return upath.UPath(path, use_listings_cache=False)


def is_outside(error: BaseException) -> bool:
    """Tells whether an error is about a disk or storage: what a user can mend, no bug."""
    return isinstance(error, OSError) or type(error).__module__.startswith(_CLIENTS)


def absolute(path: PathLike) -> str:
    """Returns a path that does not depend on the working directory."""
    return str(path) if is_remote(path) else os.path.abspath(path)


def make_folder(path: PathLike) -> None:
    """Makes a folder where there is none; object storage needs none."""
    if not is_remote(path):
        pathlib.Path(path).mkdir(parents=True, exist_ok=True)


def list_folder(path: PathLike) -> List[pathlib.Path]:
    """Returns what lies in a folder; nothing where there is none."""
    try:
        return list(at(path).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def read_bytes(path: PathLike) -> bytes:
    """Reads a whole file: of object storage in one request.

    Raises:
      OSError: it cannot be read.
    """
    place = at(path)
    if not is_remote(path):
        return place.read_bytes()
    try:
        return place.fs.cat_file(place.path)  # type: ignore[attr-defined]
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "no such object", str(path)) from error


def read_text(path: PathLike) -> str:
    """Reads a whole text file in UTF-8, as `read_bytes` does."""
    return read_bytes(path).decode("utf-8")


def stamp_of(path: PathLike) -> List[Any]:
    """Returns what changes when a file does: its size and time, of an object its version.

    Raises:
      OSError: there is no such file.
    """
    place = at(path)
    if is_remote(path):
        return [place.fs.ukey(place.path)]  # type: ignore[attr-defined]
    status = place.stat()
    return [status.st_size, status.st_mtime_ns]


def _create_in_place(path: pathlib.Path, content: bytes, mode: int) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            path.unlink()
            raise


def create(path: PathLike, content: bytes, mode: int = 0o666) -> None:
    """Writes a file that nobody else has: of several writers at once one succeeds.

    Args:
      path: of the file.
      content: what all but that one never see half of, where there are hard links.
      mode: its permissions, less the umask; object storage has its own.

    Raises:
      FileExistsError: there is one.
      ValueError: there is no such bucket.
    """
    target = at(path)
    if is_remote(path):
        try:
            target.fs.pipe_file(target.path, content, mode="create")  # type: ignore[attr-defined]
        except FileNotFoundError as error:
            raise ValueError(f"{path}: there is no such bucket") from error
        return
    make_folder(target.parent)
    temporary = _temporary(target)
    try:
        _create_in_place(temporary, content, mode)
        try:
            os.link(temporary, target)  # unlike a rename, never replaces another's
        except (FileExistsError, FileNotFoundError):
            raise
        except OSError:  # no hard links: exFAT, SMB, FUSE
            _create_in_place(target, content, mode)
    finally:
        temporary.unlink(missing_ok=True)


def fetch(path: PathLike, target: PathLike) -> None:
    """Copies an object to a file of this machine, unless one of its size is there.

    The copy is for its owner's eyes only: the object may be.
    """
    place, local = at(path), pathlib.Path(target)
    if local.exists() and local.stat().st_size == place.stat().st_size:
        return
    with replacing(local) as temporary:
        temporary.touch(mode=0o600)
        place.fs.get_file(place.path, str(temporary))  # type: ignore[attr-defined]


def remove(path: PathLike) -> None:
    """Removes a file, or a folder with all that is in it, where there is one."""
    place = at(path)
    if is_remote(path):
        for recursive in (False, True):
            with contextlib.suppress(FileNotFoundError):
                place.fs.rm(place.path, recursive=recursive)  # type: ignore[attr-defined]
    elif place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def move(names: Sequence[str], source: PathLike, target: PathLike) -> None:
    """Moves files from one folder to another of the same storage, replacing what is there.

    Interrupted, each is at one of the two, or whole at both.

    Args:
      names: paths relative to the folders.
      source: the one folder.
      target: the other.
    """
    there, here = at(source), at(target)
    if not is_remote(source):
        for name in names:
            (here / name).parent.mkdir(parents=True, exist_ok=True)
            (there / name).replace(here / name)
        return
    storage = there.fs  # type: ignore[attr-defined]
    for begin in range(0, len(names), _AT_ONCE):
        some = names[begin : begin + _AT_ONCE]
        sources = [(there / name).path for name in some]  # type: ignore[attr-defined]
        targets = [(here / name).path for name in some]  # type: ignore[attr-defined]
        storage.copy(sources, targets, on_error="raise")
        storage.rm(sources)


def check_output(path: PathLike, overwrite: bool, flag: str = "--output", suffix: str = "") -> None:
    """Makes sure that a file can be written and that nothing gets lost.

    Args:
      path: of the file.
      overwrite: whether a file that is there may be replaced; a folder never.
      flag: that gives the path, for messages.
      suffix: that its name must have, ".png" say.

    Raises:
      ValueError: another suffix, a folder, an existing file without `overwrite`, or a
        place where nothing can be written.
    """
    target = pathlib.Path(path)
    if suffix and target.suffix.lower() != suffix:
        kind = suffix[1:].upper()
        raise ValueError(f"{target}: {flag} is a {kind} file, so its name ends in {suffix}")
    if target.is_dir():
        raise ValueError(f"{target}: is a folder; {flag} is a file")
    if target.exists() and not overwrite:
        raise ValueError(f"{target}: exists; choose another {flag} or pass --overwrite")
    folder = next(parent for parent in target.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ValueError(f"{target}: cannot be written; {folder} is not a writable folder")


def _temporary(target: pathlib.Path) -> pathlib.Path:
    return target.with_name(f"{target.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


@contextlib.contextmanager
def replacing(path: PathLike) -> Iterator[pathlib.Path]:
    """Gives a temporary path beside `path`, which takes its place at the end.

    The caller writes a file or a folder there. A reader of `path` finds the whole new
    one or what was there before; after an error nothing is left behind. Two writers at
    once do not meet. The temporary name ends in `.tmp`: name the format to libraries
    that guess it.

      with files.replacing("figure.png") as temporary:
          figure.savefig(temporary, format="png")

    Of an object, not of a folder of objects, the temporary one is on this machine.
    """
    if is_remote(path):
        with tempfile.TemporaryDirectory(prefix="dermgan_") as folder:
            yield (temporary := pathlib.Path(folder, "object.tmp"))
            place = at(path)
            place.fs.put_file(str(temporary), place.path)  # type: ignore[attr-defined]
        return
    target = pathlib.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(target)
    try:
        yield temporary
        if not target.is_dir():
            temporary.replace(target)
            return
        # A folder is never half removed under its name.
        aside = temporary.with_name(f"{temporary.name[: -len('.tmp')]}.old.tmp")
        target.replace(aside)
        temporary.replace(target)
        shutil.rmtree(aside)
    except BaseException:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)
        raise


_LEFT = re.compile(r"\.(\d+)(-[0-9a-f]{8})?(\.old)?\.tmp$")  # names of `replacing`


def _is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        pass
    return False


def remove_leftovers(folder: PathLike, spare: str, of: str = "") -> List[str]:
    """Removes what killed writers left half written, in a folder and below.

    Args:
      folder: which; only its writer may call this.
      spare: name of the file by which a folder below says that it has a writer of its own.
      of: where others write there, too: the name, before a "." or "_", of the caller's own
        files, which are in the folder itself.

    Returns:
      The paths removed.
    """
    removed: List[str] = []
    if is_remote(folder):
        return removed  # an object that is not whole is not there
    for place, folders, names in os.walk(folder):
        if place != os.fspath(folder) and (spare in names or of):
            folders.clear()
            continue
        for name in [*folders, *names]:
            left = _LEFT.search(name)
            own = name.startswith((f"{of}.", f"{of}_")) if of else True
            if not left or not own or not _is_gone(int(left[1])):
                continue
            path = pathlib.Path(place, name)
            if path.is_dir():
                folders.remove(name)
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
            removed.append(str(path))
    return removed


def write_bytes(path: PathLike, content: bytes) -> None:
    """Writes a file, and its folder where there is none; see `replacing`."""
    if is_remote(path):
        place = at(path)
        place.fs.pipe_file(place.path, content)  # type: ignore[attr-defined]
        return
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: PathLike, text: str) -> None:
    """Writes a text file in UTF-8, as `write_bytes` does."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: PathLike, content: Mapping[str, Any]) -> None:
    """Writes a JSON file with sorted keys, as `write_bytes` does."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def user_cache_dir(name: str) -> str:
    """Returns the user's folder for what can be made or fetched again; `name` says what."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(tempfile.gettempdir(), "dermgan_cache")
    if not os.environ.get("XDG_CACHE_HOME") and os.environ.get("HOME"):
        base = os.path.join(os.environ["HOME"], ".cache")
    return os.path.join(base, "dermgan", name)


def sha256_of(path: PathLike) -> str:
    """Returns the digest of a file's content, as hex."""
    digest = hashlib.sha256()
    with at(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def digest_of(content: Any) -> str:
    """Returns the sha256, as hex, of anything that JSON holds, whatever the order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("utf-8")).hexdigest()


def program_digest(modules: Iterable[str], versions: Iterable[Any] = ()) -> str:
    """Identifies a program that makes bytes.

    Args:
      modules: dotted names of the modules whose source matters.
      versions: of formats and packages that matter.

    Raises:
      ValueError: a module that is not there.
    """
    sources = {}
    for name in modules:
        try:
            spec = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            spec = None
        if spec is None or spec.origin is None:
            raise ValueError(f"there is no module {name}")
        sources[name] = sha256_of(spec.origin)
    return digest_of([sources, [str(version) for version in versions]])


def commit(
    marker: PathLike,
    made_from: Mapping[str, str],
    outputs: Mapping[str, Mapping[str, Any]],
    content: Optional[Mapping[str, Any]] = None,
) -> None:
    """Marks a part as done: to be called when everything else is written.

    Args:
      marker: the JSON to write.
      made_from: digests by what they are of: input, settings, program.
      outputs: `output_of` each file, by path relative to the marker's folder.
      content: what the marker shall say to its readers besides.
    """
    write_json(marker, {**(content or {}), "made_from": made_from, "outputs": outputs})


def output_of(path: PathLike) -> Dict[str, Any]:
    """Returns what `commit` notes of a file: `bytes` and `sha256`."""
    return {"bytes": at(path).stat().st_size, "sha256": sha256_of(path)}


def committed(
    marker: PathLike, made_from: Optional[Mapping[str, str]], read: bool = True
) -> Optional[Dict[str, Any]]:
    """Returns the marker of a part that is done, if there is one and it fits.

    Args:
      marker: the JSON that `commit` wrote.
      made_from: what the part would be made from today; None where that does not matter.
      read: whether the outputs are read and compared by digest; else their sizes only.
    """
    marker = at(marker)
    try:
        found = json.loads(read_text(marker))
        if made_from is not None and found["made_from"] != dict(made_from):
            return None
        for name, output in found["outputs"].items():
            path = marker.parent / name
            if is_remote(path):
                path = path.resolve()  # keys know no ".."
            if path.stat().st_size != output["bytes"]:
                return None
            if read and sha256_of(path) != output["sha256"]:
                return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return found
