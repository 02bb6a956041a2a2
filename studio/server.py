"""Serves the studio's page, and paints for it.

Everything lies under one secret address, http://HOST:PORT/TOKEN/, since the page shows
photographs of patients and other users of this machine can reach the port: the page
itself, POST of `paint` and `nearest`, GET of `data` (counts and examples) and
`photographs/N.png`.
"""

import collections
import hmac
import json
import struct
import threading
from typing import Any, List, Optional, Sequence, Tuple

import flask

from common import server
from studio import page, painter
from studio.painter import StudioPainter
from studio.training_data import TrainingData

LARGEST_BODY = 1 << 18
_PAGES = 256  # open at once, of which is known what they asked for last


class Turns:
    """Tells which requests of a page have been overtaken by a newer one of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest: "collections.OrderedDict[Tuple[str, str], int]" = collections.OrderedDict()

    def take(self, page_id: str, lane: str, number: int) -> None:
        """Notes a request that has come."""
        with self._lock:
            newest = max(number, self._newest.pop((page_id, lane), 0))
            self._newest[page_id, lane] = newest
            if len(self._newest) > _PAGES:
                self._newest.popitem(last=False)

    def overtaken(self, page_id: str, lane: str, number: int) -> bool:
        """Returns whether a newer request of the page's lane has come."""
        with self._lock:
            return self._newest.get((page_id, lane), 0) > number


def packed(files: Sequence[bytes]) -> bytes:
    """Returns files one after another, each behind its length, uint32 little-endian."""
    return b"".join(struct.pack("<I", len(one)) + one for one in files)


def _request_of(body: Any, runs: int) -> Tuple[int, str, str, int, List[Any]]:
    """Returns run, page, lane, number and pictures of a request to paint.

    Raises:
      ValueError: it is none.
    """
    if not isinstance(body, dict):
        raise ValueError("not a request to paint")
    run, number, asked = (body.get(name) for name in ("run", "number", "pictures"))
    page_id, lane = (body.get(name) for name in ("page", "lane"))
    if type(run) is not int or not 0 <= run < runs:
        raise ValueError(f"run {str(run)[:80]} is not in 0..{runs - 1}")
    if not (isinstance(page_id, str) and isinstance(lane, str) and type(number) is int):
        raise ValueError("page, lane and number say whose request it is")
    if len(page_id) + len(lane) > 80:
        raise ValueError(f"page and lane have {len(page_id) + len(lane)} letters, above 80")
    if not isinstance(asked, list) or not 1 <= len(asked) <= painter.MOST_AT_ONCE:
        raise ValueError(f"1 to {painter.MOST_AT_ONCE} pictures are painted at once")
    return run, page_id, lane, number, asked


def make_app(
    painters: Sequence[StudioPainter], data: Optional[TrainingData], reason: str, token: str
) -> flask.Flask:
    """Returns the application.

    Args:
      painters: of the runs, one or two.
      data: what the first was trained on, if it is at hand.
      reason: why it is not.
      token: secret part of the address.
    """
    app = server.new_app("studio", page.policy(), LARGEST_BODY)
    first = painters[0].generator.conditions[0], 0
    html = page.render(painters, *(data.commonest if data is not None else first))
    turns, brush = Turns(), threading.Lock()

    def check(given: str) -> None:
        if not hmac.compare_digest(given.encode("utf-8", "replace"), token.encode()):
            flask.abort(404)

    @app.get("/<given>/")
    def send_page(given: str) -> flask.Response:
        check(given)
        return flask.Response(html)

    @app.post("/<given>/paint")
    def paint(given: str) -> flask.Response:
        check(given)
        try:
            body = json.loads(flask.request.get_data())
            run, page_id, lane, number, asked = _request_of(body, len(painters))
            pictures = [painters[run].picture(one) for one in asked]
        except (ValueError, RecursionError) as error:
            return server.text_response(str(error), 400)
        turns.take(page_id, lane, number)
        with brush:
            if turns.overtaken(page_id, lane, number):
                return flask.Response(status=204)
            files = painters[run].png_files(pictures)
        return flask.Response(packed(files), mimetype="application/octet-stream")

    @app.post("/<given>/nearest")
    def find_nearest(given: str) -> flask.Response:
        check(given)
        if data is None:
            return server.text_response(reason, 404)
        try:
            picture = painters[0].picture(json.loads(flask.request.get_data()))
        except (ValueError, RecursionError) as error:
            return server.text_response(str(error), 400)
        with brush:
            (pixels,) = painters[0].paint([picture])
        try:
            found = data.photographs.nearest(pixels)
        except ValueError as error:  # of the records
            return server.text_response(str(error), 500)
        known = {name: value for name, value in vars(found).items() if name != "png"}
        return flask.Response(
            packed([json.dumps(known).encode(), found.png]), mimetype="application/octet-stream"
        )

    @app.get("/<given>/data")
    def send_data(given: str) -> flask.Response:
        check(given)
        known: dict[str, Any] = {"reason": reason, "counts": None, "examples": []}
        if data is not None:
            counts, examples = data.known()
            known["counts"], known["patients_unnamed"] = counts, data.patients_unnamed
            known["examples"] = [[one.condition, one.skin_type, one.boxes] for one in examples]
        return flask.Response(json.dumps(known), mimetype="application/json")

    @app.get("/<given>/photographs/<int:number>.png")
    def send_photograph(given: str, number: int) -> flask.Response:
        check(given)
        try:
            content = data.photograph(number) if data is not None else flask.abort(404)
        except IndexError:
            flask.abort(404)
        return flask.Response(content, mimetype="image/png")

    return app
