"""Offers the pages of a study over a network.

Each reader has one secret address, http://HOST:PORT/r/TOKEN. There is nothing else:
GET of the address is the page, TOKEN/images/FIRST-END are its images, one after
another, GET and POST of TOKEN/answers are that reader's own answers. What is served are
the pages named by the key, read once at the start; no path of a request ever reaches
the file system, so the answer key cannot be asked for.
"""

import bisect
import dataclasses
import hmac
import io
import json
from typing import IO, Dict, List, Mapping, Optional, Sequence, Tuple, cast

import flask
from werkzeug import wsgi

from common import server
from evaluation.reader_study import answer_key, page
from evaluation.reader_study.answer_key import Key
from evaluation.reader_study.answer_store import AnswerStore, UnavailableError

RETRY_SECONDS = 5


@dataclasses.dataclass(frozen=True)
class ServedPage:
    """A reader's page in two parts, so that the first is seen at once.

    Attributes:
      html: without images.
      images: files, as the page numbers them.
    """

    html: bytes
    images: Sequence[bytes]


class Joined(io.RawIOBase):
    """Files one after another, as one that is read where they are, without a copy."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        super().__init__()
        self._parts = parts
        self._ends: List[int] = []
        for part in parts:
            self._ends.append(len(part) + (self._ends[-1] if self._ends else 0))
        self._at = 0

    def seekable(self) -> bool:
        """Returns that it can start anywhere."""
        return True

    def readable(self) -> bool:
        """Returns that it can be read."""
        return True

    def tell(self) -> int:
        """Returns the place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to another place, as in `io`; returns it."""
        size = self._ends[-1] if self._ends else 0
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Returns at most `size` bytes, perhaps fewer; b"" at the end."""
        place = bisect.bisect_right(self._ends, self._at)
        if place == len(self._parts):
            return b""
        part = self._parts[place]
        start = self._at - (self._ends[place] - len(part))
        found = part[start:] if size < 0 else part[start : start + size]
        self._at += len(found)
        return found


class Study:
    """What a server of a study does, whatever serves it.

    Attributes:
      key: of the study.
      pages: by reader.
    """

    def __init__(self, key: Key, folder: str, store: AnswerStore) -> None:
        """Reads the pages.

        Args:
          key: of the study.
          folder: of the study.
          store: for the answers.

        Raises:
          OSError: a page is missing.
          ValueError: a page is not one of a study.
        """
        self.key = key
        self._store = store
        self.pages: Dict[str, ServedPage] = {}
        shared: Dict[bytes, bytes] = {}  # all readers see the same images, each in an order
        for name in key.readers:
            path = answer_key.page_path(folder, name)
            try:
                html, images = page.part_page(path.read_text(encoding="utf-8"))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path}: not the page of a reader ({error})") from error
            self.pages[name] = ServedPage(html, [shared.setdefault(one, one) for one in images])

    def reader_of(self, token: str) -> Optional[str]:
        """Returns whose token this is; takes as long whichever it is."""
        found = None
        for name, reader in self.key.readers.items():
            if hmac.compare_digest(reader.token.encode(), token.encode("utf-8", "replace")):
                found = name
        return found

    def stored(self, reader: str) -> bytes:
        """Returns the answers so far, as JSON; errors of `AnswerStore.read`."""
        document = self._store.read(self.key.study, reader) or {"content": None}
        return json.dumps(document["content"]).encode()

    def answer(self, reader: str, body: bytes) -> Tuple[int, str]:
        """Keeps a reader's answers.

        Args:
          reader: name.
          body: what was sent.

        Returns:
          Status of HTTP and what to say.
        """
        try:
            answers = answer_key.parse_answers(body, self.key)
            if answers.reader != reader:
                raise ValueError("is of another reader")
        except ValueError as error:
            return 400, f"what was sent {error}"
        try:
            document = body.decode("utf-8-sig")
            number = len(answers.answers)
            reason = self._store.save(self.key.study, reader, document, number, answers.finished)
        except UnavailableError as error:
            return 503, f"the answers could not be stored now ({error})"
        return (409, reason) if reason else (200, "saved")


def make_app(study: Study) -> flask.Flask:
    """Returns the application that serves a study."""
    app = server.new_app(
        "reader_study", page.content_security_policy(), largest_body=answer_key.LARGEST_FILE
    )

    def reader_of(token: str) -> str:
        return study.reader_of(token) or flask.abort(404)

    @app.get("/r/<token>")
    @app.get("/r/<token>/")
    def send_page(token: str) -> flask.Response:
        return flask.Response(study.pages[reader_of(token)].html)

    @app.get("/r/<token>/images/<int:first>-<int:end>")
    def send_images(token: str, first: int, end: int) -> flask.Response:
        images = study.pages[reader_of(token)].images[first:end]
        if not images:
            flask.abort(404)
        # Given as a file, waitress sends it piece by piece, as the browser takes it, and
        # no thread or memory waits for that.
        content = wsgi.wrap_file(flask.request.environ, cast(IO[bytes], Joined(images)), 1 << 16)
        headers: Mapping[str, str] = {"Content-Length": str(sum(map(len, images)))}
        return flask.Response(
            content, headers=headers, mimetype="application/octet-stream", direct_passthrough=True
        )

    @app.get("/r/<token>/answers")
    def send_answers(token: str) -> flask.Response:
        try:
            return flask.Response(study.stored(reader_of(token)), mimetype="application/json")
        except UnavailableError as error:
            return _later(f"the answers could not be read now ({error})")

    @app.post("/r/<token>/answers")
    def keep_answers(token: str) -> flask.Response:
        status, text = study.answer(reader_of(token), flask.request.get_data())
        return _later(text) if status == 503 else server.text_response(text, status)

    return app


def _later(text: str) -> flask.Response:
    return server.text_response(text, 503, Retry_After=str(RETRY_SECONDS))
