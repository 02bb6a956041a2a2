"""How long readers wait who answer at once, against the server of the standard library.

  bazel run //benchmarks:reader_study_benchmark [-- --readers=200 --turns=5]

A study is written, of as many readers and of images as large as the paper's, and served
by `evaluation/reader_study` (waitress) and by `http.server`, in turns. The same code
checks and keeps the answers behind both. A process of its own plays the readers: all
connect at once, each sends half of the answers and waits for "saved". Then all open
their pages at once. A reader whose connection is reset or refused is counted as lost.
"""

from common import command_line  # isort: skip  (sets the log level first)

import asyncio
import contextlib
import dataclasses
import http.server
import json
import multiprocessing
import pathlib
import tempfile
import threading
import time
from typing import Any, Iterator, List, Sequence, Tuple

import numpy as np
from absl import flags

from common.server import Server
from evaluation.reader_study import answer_key, build, design, server, testing
from evaluation.reader_study.answer_store import AnswerStore
from evaluation.reader_study.build import StudyRequest
from evaluation.reader_study.design import Design
from evaluation.reader_study.page import PageText
from evaluation.reader_study.server import Study

_READERS = flags.DEFINE_integer("readers", 200, "Who answer at once.", 1, 900)
_TURNS = flags.DEFINE_integer("turns", 5, "Of each server.", 1)
_PIXELS = flags.DEFINE_integer("image_pixels", 96, "Rows and columns of the images.", 16)

Request = Tuple[bytes, int]  # what is sent, and how much of the reply is read: -1 for all


def _write_study(folder: str) -> answer_key.Key:
    """Writes a study of the default size, of noise, which no JPEG makes small."""
    stock = testing.photographs(per_condition=200)
    material = design.choose_material(Design(), stock, seed=0)
    pictures = {
        name: dataclasses.replace(one, source=f"map {name}") if one.synthetic else one
        for name, one in material.pictures.items()
    }
    size = _PIXELS.value
    request = StudyRequest(dataclasses.asdict(Design()), _READERS.value)
    key = build.make_key(request, Design(), 0, material, pictures, {})
    rng = np.random.default_rng(0)
    smooth = {name: rng.integers(90, 160, (size // 4, size // 4, 3), np.uint8) for name in pictures}
    build.write_study(folder, key, smooth, size, PageText())
    return key


@contextlib.contextmanager
def _by_standard_library(study: Study) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def _reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            reader = study.reader_of(self.path.split("/")[2])
            served = study.pages[reader or ""]
            self._reply(200, served.html + b"".join(served.images))  # one page, as it was

        def do_POST(self) -> None:
            reader = study.reader_of(self.path.split("/")[2])
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, text = study.answer(reader or "", body)
            self._reply(status, text.encode())

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            pass

    with Quiet(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield running.server_port
        finally:
            running.shutdown()
            thread.join()


@contextlib.contextmanager
def _by_waitress(study: Study) -> Iterator[int]:
    with Server(server.make_app(study), port=0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield running.port
        finally:
            running.stop()
            thread.join()


async def _one(port: int, request: bytes) -> float:
    """Returns seconds until the whole reply is there; infinite if it never is."""
    started = time.perf_counter()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        reply = await asyncio.wait_for(reader.read(-1), 120)
        writer.close()
    except (OSError, asyncio.TimeoutError):
        return float("inf")
    return time.perf_counter() - started if b" 200 " in reply[:15] else float("inf")


async def _all(port: int, requests: Sequence[bytes]) -> List[float]:
    return list(await asyncio.gather(*(_one(port, request) for request in requests)))


def _play(connection: Any) -> None:
    """What the readers' process does: asks what it is told, and says how long it took."""
    while True:
        port, requests = connection.recv()
        connection.send(asyncio.run(_all(port, requests)))


def _request(method: str, path: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _answers(key: answer_key.Key, reader: str) -> bytes:
    answers = testing.answer_all(key, reader, lambda one: True, finished="")
    kept = dict(list(answers.answers.items())[: len(answers.answers) // 2])
    document = testing.document(key, dataclasses.replace(answers, answers=kept))
    return json.dumps(document).encode()


def _row(name: str, seconds: Sequence[float]) -> str:
    arrived = np.sort([one for one in seconds if np.isfinite(one)])
    lost = len(seconds) - len(arrived)
    if not len(arrived):
        return f"  {name:34}{'-':>9}{'-':>9}{'-':>9}{lost:7}"
    p50, p95 = np.quantile(arrived, (0.5, 0.95))
    return f"  {name:34}{p50:9.3f}{p95:9.3f}{arrived[-1]:9.3f}{lost:7}"


def main(_: Sequence[str]) -> None:
    """Measures and prints."""
    ours, theirs = multiprocessing.Pipe()
    readers = multiprocessing.get_context("spawn").Process(
        target=_play, args=(theirs,), daemon=True
    )
    readers.start()
    measured: dict = {}
    with tempfile.TemporaryDirectory() as folder:
        key = _write_study(folder)
        posts = [
            _request("POST", f"/r/{one.token}/answers", _answers(key, name))
            for name, one in key.readers.items()
        ]
        pages = [_request("GET", f"/r/{one.token}") for one in key.readers.values()]
        for turn in range(_TURNS.value):
            for name, serving in (
                ("http.server", _by_standard_library),
                ("waitress", _by_waitress),
            ):
                path = str(pathlib.Path(folder, f"{name}_{turn}.sqlite"))
                with contextlib.closing(AnswerStore(path)) as store:
                    study = Study(key, folder, store)
                    with serving(study) as port:
                        for what, requests in (("saved answer", posts), ("page seen", pages)):
                            ours.send((port, requests))
                            measured.setdefault((what, name), []).extend(ours.recv())
        size = len(study.pages["reader_" + "1".zfill(len(str(len(key.readers))))].html)
        whole = answer_key.page_path(folder, next(iter(key.readers))).stat().st_size
    readers.kill()
    print(f"{_READERS.value} readers at once, {_TURNS.value} turns; seconds of who was served")
    print(f"  a page of {whole / 1e6:.1f} MB; seen after {size / 1e6:.3f} MB by waitress")
    print(f"  {'':34}{'p50':>9}{'p95':>9}{'max':>9}{'lost':>7}")
    for (what, name), seconds in sorted(measured.items(), reverse=True):
        print(_row(f"{what}, {name}", seconds))


if __name__ == "__main__":
    command_line.run(main)
