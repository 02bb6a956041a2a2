"""Files that appear under their names only when complete, and markers of finished work.

A part of a job is done when its marker is there and fits (`commit`, `committed`): a
small JSON, written last, with digests of what the part was made from and of what it
wrote. No folder is renamed, so the same holds on object storage.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import pathlib
import re
import secrets
import shutil
import tempfile
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Union

PathLike = Union[str, "os.PathLike[str]"]


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


@contextlib.contextmanager
def replacing(path: PathLike) -> Iterator[pathlib.Path]:
    """Gives a temporary path beside `path`, which takes its place at the end.

    The caller writes a file or a folder there. A reader of `path` finds the whole new
    one or what was there before; after an error nothing is left behind. Two writers at
    once do not meet. The temporary name ends in `.tmp`: name the format to libraries
    that guess it.

      with files.replacing("figure.png") as temporary:
          figure.savefig(temporary, format="png")
    """
    target = pathlib.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{target.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
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
    for at, folders, names in os.walk(folder):
        if at != os.fspath(folder) and (spare in names or of):
            folders.clear()
            continue
        for name in [*folders, *names]:
            left = _LEFT.search(name)
            own = name.startswith((f"{of}.", f"{of}_")) if of else True
            if not left or not own or not _is_gone(int(left[1])):
                continue
            path = pathlib.Path(at, name)
            if path.is_dir():
                folders.remove(name)
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
            removed.append(str(path))
    return removed


def write_bytes(path: PathLike, content: bytes) -> None:
    """Writes a file, and its folder where there is none; see `replacing`."""
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
    with open(path, "rb") as file:
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
    return {"bytes": os.path.getsize(path), "sha256": sha256_of(path)}


def committed(
    marker: PathLike, made_from: Optional[Mapping[str, str]], read: bool = True
) -> Optional[Dict[str, Any]]:
    """Returns the marker of a part that is done, if there is one and it fits.

    Args:
      marker: the JSON that `commit` wrote.
      made_from: what the part would be made from today; None where that does not matter.
      read: whether the outputs are read and compared by digest; else their sizes only.
    """
    marker = pathlib.Path(marker)
    try:
        found = json.loads(marker.read_text(encoding="utf-8"))
        if made_from is not None and found["made_from"] != dict(made_from):
            return None
        for name, output in found["outputs"].items():
            path = marker.parent / name
            if path.stat().st_size != output["bytes"]:
                return None
            if read and sha256_of(path) != output["sha256"]:
                return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return found
