"""Offers the pages of a study over a network and keeps the answers in SQLite.

Each reader has one secret address, http://HOST:PORT/r/TOKEN. There is nothing else:
GET of the address is the page, GET and POST of TOKEN/answers are that reader's own
answers. What is served are the pages named by the key, read once at the start; no
path of a request ever reaches the file system, so the answer key cannot be asked for.
"""

import datetime
import hmac
import http.server
import json
import pathlib
import sqlite3
import sys
import threading
from typing import Any, Dict, Optional, Tuple

from evaluation.reader_study import answer_key, page
from evaluation.reader_study.answer_key import Answers, Key

_TIMEOUT_SECONDS = 30
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",  # addresses are secret
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class AnswerStore:
    """The answers of all readers, one row each, in a SQLite file."""

    def __init__(self, path: str) -> None:
        """Opens or makes the file.

        Raises:
          ValueError: it is something else.
        """
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(path, check_same_thread=False)
            with self._lock, self._connection:
                self._connection.execute(
                    "CREATE TABLE IF NOT EXISTS answers (reader TEXT PRIMARY KEY, "
                    "document TEXT NOT NULL, answered INTEGER NOT NULL, "
                    "finished TEXT NOT NULL, saved TEXT NOT NULL) WITHOUT ROWID"
                )
        except sqlite3.Error as error:
            raise ValueError(f"{path}: not a database of answers ({error})") from error

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._connection.close()

    def read(self, reader: str) -> Optional[Dict[str, Any]]:
        """Returns what a reader saved last, as parsed JSON."""
        with self._lock:
            row = self._connection.execute(
                "SELECT document FROM answers WHERE reader = ?", (reader,)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def answered(self) -> Dict[str, Tuple[int, bool]]:
        """Returns how many answers each reader has given, and whether they are finished."""
        with self._lock:
            rows = self._connection.execute("SELECT reader, answered, finished FROM answers")
            return {reader: (number, bool(finished)) for reader, number, finished in rows}

    def save(self, answers: Answers, document: Dict[str, Any]) -> str:
        """Keeps a reader's answers in place of earlier ones.

        Args:
          answers: the document, checked.
          document: as it came.

        Returns:
          Why not; "" if they are kept. Finished answers stay as they are, and fewer
          answers do not replace more: they come from a page that was left open.
        """
        saved = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        with self._lock, self._connection:
            row = self._connection.execute(
                "SELECT document, answered, finished FROM answers WHERE reader = ?",
                (answers.reader,),
            ).fetchone()
            if row and row[2]:
                same = json.loads(row[0]) == document
                return "" if same else "these answers were finished and cannot be changed"
            if row and row[1] > len(answers.answers):
                return "there are more answers already; load the page again"
            self._connection.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)",
                (
                    answers.reader,
                    json.dumps(document),
                    len(answers.answers),
                    answers.finished,
                    saved,
                ),
            )
        return ""


class StudyServer(http.server.ThreadingHTTPServer):
    """Serves one study."""

    daemon_threads = True

    def __init__(self, address: Tuple[str, int], key: Key, folder: str, store: AnswerStore) -> None:
        """Reads the pages.

        Args:
          address: host and port.
          key: of the study.
          folder: of the study.
          store: for the answers.

        Raises:
          OSError: a page is missing, or the address is in use.
        """
        self.key = key
        self.store = store
        self.pages = {name: answer_key.page_path(folder, name).read_bytes() for name in key.readers}
        policy = page.content_security_policy()
        self.response_headers = {
            **_HEADERS,
            "Content-Security-Policy": f"{policy}; frame-ancestors 'none'",
        }
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of readers who went away."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def reader_of(self, token: str) -> Optional[str]:
        """Returns whose token this is; takes as long whichever it is."""
        found = None
        for name, reader in self.key.readers.items():
            if hmac.compare_digest(reader.token.encode(), token.encode("utf-8", "replace")):
                found = name
        return found


class _Handler(http.server.BaseHTTPRequestHandler):
    server: StudyServer
    timeout = _TIMEOUT_SECONDS
    server_version = "reader-study"
    sys_version = ""

    def log_message(self, *_: Any) -> None:
        """Writes nothing: request lines hold the readers' tokens."""

    def _reply(self, status: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        for name, value in self.server.response_headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status >= 400:
            # What is left of the request's body is not to be read as the next request.
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(
        self, code: int, message: Optional[str] = None, explain: Optional[str] = None
    ) -> None:
        """Replies to what `http.server` itself refuses, with our headers."""
        self._reply(code, (message or http.HTTPStatus(code).phrase).encode())

    def _route(self) -> Tuple[Optional[str], str]:
        """Returns whose address is asked for, and what of it: "", "answers" or else."""
        parts = self.path.split("?", 1)[0].split("/")
        if len(parts) not in (3, 4) or parts[:2] != ["", "r"]:
            return None, ""
        return self.server.reader_of(parts[2]), "/".join(parts[3:])

    def do_GET(self) -> None:
        """Sends a reader's page, or the answers so far."""
        reader, what = self._route()
        if reader is not None and what == "":
            self._reply(200, self.server.pages[reader], "text/html; charset=utf-8")
        elif reader is not None and what == "answers":
            document = self.server.store.read(reader) or {"content": None}
            self._reply(200, json.dumps(document["content"]).encode(), "application/json")
        else:
            self._reply(404, b"not found")

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        """Keeps a reader's answers."""
        reader, what = self._route()
        if reader is None or what != "answers":
            self._reply(404, b"not found")
            return
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self._reply(411, b"the length is missing")
            return
        if len(length) > 9 or int(length) > answer_key.LARGEST_FILE:
            self._reply(413, b"too large")
            return
        body = self.rfile.read(int(length))
        try:
            answers = answer_key.parse_answers(body, self.server.key)
            if answers.reader != reader:
                raise ValueError("is of another reader")
        except ValueError as error:
            self._reply(400, f"what was sent {error}".encode())
            return
        try:
            reason = self.server.store.save(answers, json.loads(body))
        except sqlite3.Error as error:
            self._reply(500, f"the answers could not be stored ({error})".encode())
            return
        self._reply(409 if reason else 200, (reason or "saved").encode())
