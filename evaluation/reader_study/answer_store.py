"""The answers that a server of a study keeps: one row per study and reader, in SQLite.

An answer that was acknowledged is on the disk: it survives a kill, and a power cut as
far as the disk keeps what it says it has. Answers that come at once share one commit.
"""

import contextlib
import dataclasses
import datetime
import json
import pathlib
import queue
import shutil
import sqlite3
import tempfile
import threading
from concurrent import futures
from typing import Any, Dict, List, Optional, Tuple, Union

_TABLE = (
    "CREATE TABLE IF NOT EXISTS answers (study TEXT NOT NULL, reader TEXT NOT NULL, "
    "document TEXT NOT NULL, answered INTEGER NOT NULL, finished TEXT NOT NULL, "
    "saved TEXT NOT NULL, PRIMARY KEY (study, reader)) WITHOUT ROWID"
)
_COLUMNS = ["study", "reader", "document", "answered", "finished", "saved"]
_APPLICATION = 0x6465726D  # "derm", in the file's header
_BUSY_SECONDS = 2.0  # that another program may hold a lock before an answer is refused
_LOCKED = ("locked", "busy")


class UnavailableError(Exception):
    """The database cannot be used now, and perhaps can later; the message says why."""


@dataclasses.dataclass
class _Post:
    """Answers that wait for the next commit."""

    study: str
    reader: str
    document: str
    answered: int
    finished: str
    reason: "futures.Future[str]" = dataclasses.field(default_factory=futures.Future)


class AnswerStore:
    """The answers of all readers, in a file that this process alone writes to."""

    def __init__(self, path: str) -> None:
        """Opens or makes the file, and makes sure that it can be written.

        Raises:
          ValueError: it is something else, locked, or cannot be written.
        """
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._answered: Dict[str, Tuple[int, bool]] = {}
        self._waiting: "queue.SimpleQueue[Optional[_Post]]" = queue.SimpleQueue()
        try:
            self._connection = sqlite3.connect(
                path, _BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                self._connection.execute(_TABLE)
                columns = self._connection.execute("PRAGMA table_info(answers)").fetchall()
                if [column[1] for column in columns] != _COLUMNS:
                    raise sqlite3.DatabaseError("its table has other columns")
                self._connection.execute(f"PRAGMA application_id = {_APPLICATION}")  # writes
            except BaseException:
                self._connection.close()
                raise
        except sqlite3.OperationalError as error:
            raise ValueError(f"{path}: answers could not be kept there ({error})") from error
        except sqlite3.Error as error:
            raise ValueError(f"{path}: not a database of answers ({error})") from error
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Closes the file, when what waits is written."""
        self._waiting.put(None)
        self._thread.join()
        self._connection.close()

    def read(self, study: str, reader: str) -> Optional[Dict[str, Any]]:
        """Returns what a reader saved last, as parsed JSON.

        Raises:
          UnavailableError: not now.
        """
        try:
            with self._lock:
                row = self._row(study, reader)
        except sqlite3.Error as error:
            raise UnavailableError(str(error)) from error
        return json.loads(row[0]) if row else None

    def answered(self, study: str) -> Dict[str, Tuple[int, bool]]:
        """Returns how many answers each reader has given, and whether they are finished.

        While the database cannot be read, what was so before.
        """
        query = "SELECT reader, answered, finished FROM answers WHERE study = ?"
        with contextlib.suppress(sqlite3.Error), self._lock:
            rows = self._connection.execute(query, (study,)).fetchall()
            self._answered = {reader: (number, bool(end)) for reader, number, end in rows}
        return self._answered

    def save(self, study: str, reader: str, document: str, answered: int, finished: str) -> str:
        """Keeps a reader's answers in place of earlier ones.

        Args:
          study: id.
          reader: name.
          document: JSON of the answers, checked.
          answered: how many there are.
          finished: when, or "".

        Returns:
          Why not; "" if they are kept. Finished answers stay as they are, and fewer
          answers do not replace more: they come from a page that was left open.

        Raises:
          UnavailableError: not now.
        """
        post = _Post(study, reader, document, answered, finished)
        self._waiting.put(post)
        return post.reason.result()

    def _row(self, study: str, reader: str) -> Any:
        query = "SELECT document, answered, finished FROM answers WHERE study = ? AND reader = ?"
        return self._connection.execute(query, (study, reader)).fetchone()

    def _write(self) -> None:
        """Commits what waits, all of it at once, until the store is closed."""
        while True:
            posts = [self._waiting.get()]
            while not self._waiting.empty():
                posts.append(self._waiting.get())
            self._commit([post for post in posts if post is not None])
            if None in posts:
                return

    def _commit(self, posts: List[_Post]) -> None:
        try:
            with self._lock:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    reasons = [self._keep(post) for post in posts]
                    self._connection.execute("COMMIT")
                except BaseException:
                    with contextlib.suppress(sqlite3.Error):  # a full disk has rolled back
                        self._connection.execute("ROLLBACK")
                    raise
        except Exception as error:
            unavailable = UnavailableError(str(error))
            for post in posts:
                post.reason.set_exception(unavailable)
        else:
            for post, reason in zip(posts, reasons):
                post.reason.set_result(reason)

    def _keep(self, post: _Post) -> str:
        row = self._row(post.study, post.reader)
        if row and row[2]:
            same = json.loads(row[0]) == json.loads(post.document)
            return "" if same else "these answers were finished and cannot be changed"
        if row and row[1] > post.answered:
            return "there are more answers already; load the page again"
        saved = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        self._connection.execute(
            "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)",
            (post.study, post.reader, post.document, post.answered, post.finished, saved),
        )
        return ""


def _select(path: pathlib.Path) -> List[Tuple[str, bytes]]:
    # Not read-only: what a kill left half done (a hot journal) is undone by who reads.
    uri = f"{path.resolve().as_uri()}?mode=rw"
    with contextlib.closing(sqlite3.connect(uri, _BUSY_SECONDS, uri=True)) as connection:
        connection.text_factory = bytes  # whatever is in there
        rows = connection.execute("SELECT reader, document FROM answers ORDER BY study, reader")
        return [(_text(reader), _bytes(document)) for reader, document in rows]


def _text(value: Union[bytes, Any]) -> str:
    return _bytes(value).decode("utf-8", "backslashreplace")


def _bytes(value: Union[bytes, Any]) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def read_documents(path: pathlib.Path) -> List[Tuple[str, bytes]]:
    """Reads a database whose server may have been killed, or be at work.

    Args:
      path: a regular file.

    Returns:
      Reader and JSON of all rows.

    Raises:
      ValueError: not such a database; the message is the rest of a sentence about it.
      UnavailableError: locked by another program.
    """
    try:
        try:
            return _select(path)
        except sqlite3.OperationalError as error:
            if any(word in str(error) for word in _LOCKED):
                raise UnavailableError(f"is locked by another program ({error})") from error
            # What a kill left cannot be undone where nothing may be written.
            with tempfile.TemporaryDirectory() as folder:
                for end in ("", "-journal", "-wal"):
                    one = path.with_name(path.name + end)
                    if one.is_file():
                        shutil.copyfile(one, pathlib.Path(folder, one.name))
                return _select(pathlib.Path(folder, path.name))
    except sqlite3.Error as error:
        raise ValueError(f"is not a database of answers ({error})") from error
