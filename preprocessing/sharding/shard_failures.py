"""Why a worker could not write a shard, told by the driver in one line.

What a user can mend (a full disk) is noted beside the shards' summaries; raised in a
worker, Beam would print it as pages of tracebacks.
"""

import pathlib


def _path(folder: pathlib.Path, name: str) -> pathlib.Path:
    return folder / f"{name}.failed"


def note(folder: pathlib.Path, name: str, error: Exception) -> None:
    """Notes why a shard was not written, as far as the disk takes it."""
    try:
        _path(folder, name).write_text(str(error), encoding="utf-8")
    except OSError:
        pass  # A full disk: `error_of` has words for that.


def forget(folder: pathlib.Path, name: str) -> None:
    """Removes the note about a shard that is written now."""
    _path(folder, name).unlink(missing_ok=True)


def error_of(folder: pathlib.Path, name: str) -> ValueError:
    """Returns the error that ends a run without this shard."""
    try:
        reason = _path(folder, name).read_text(encoding="utf-8")
    except OSError:
        reason = ""
    return ValueError(
        f"{folder.parent}: {name}: {reason or 'could not be written; is the disk full?'}; what is "
        "finished is kept, and the same command goes on"
    )
