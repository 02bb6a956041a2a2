"""A server of S3's protocol for tests, which fails and lags as it is told to."""

import contextlib
import os
import re
import threading
import time
from typing import Any, Callable, Dict, Iterable, Iterator, List
from unittest import mock
from xml.etree import ElementTree

from moto.moto_server import werkzeug_app
from werkzeug import serving

BUCKET = "photographs"
_XML = "{http://s3.amazonaws.com/doc/2006-03-01/}"
_App = Callable[[Dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Quiet(serving.WSGIRequestHandler):
    def log(self, *args: Any, **kwargs: Any) -> None:
        pass


class S3:
    """The server; `requests` are "PUT /bucket/key" and the like, in order.

    Attributes:
      url: where it is.
      requests: what it was asked for.
      lag: seconds for which listings do not show a new object.
    """

    def __init__(self) -> None:
        self.requests: List[str] = []
        self.lag = 0.0
        self._failures: List[List[Any]] = []
        self._written: Dict[str, float] = {}
        self._moto: _App = werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app)
        self._server = serving.make_server(
            "127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet
        )
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def fail(self, request: str, times: int, status: int = 500, after: bool = False) -> None:
        """Fails the next requests of a kind.

        Args:
          request: regular expression of "METHOD /bucket/key".
          times: how many.
          status: of HTTP.
          after: whether they are carried out and the answer alone is lost.
        """
        self._failures.append([re.compile(request), times, status, after])

    def allow(self) -> None:
        """Fails no more requests."""
        self._failures.clear()

    def _answer(self, environ: Dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        request = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        self.requests.append(request)
        for failure in self._failures:
            pattern, times, status, after = failure
            if times and pattern.search(request):
                failure[1] -= 1
                if after:
                    list(self._moto(environ, lambda *_: None))
                start(f"{status} Injected", [("Content-Length", "0")])
                return [b""]
        if request.startswith("PUT"):
            self._written[environ["PATH_INFO"].lstrip("/")] = time.monotonic()
        if "list-type=2" not in environ["QUERY_STRING"] or not self.lag:
            return self._moto(environ, start)
        return self._late(environ, start)

    def _late(self, environ: Dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answers a listing without what is new."""
        begun: List[Any] = []
        body = b"".join(self._moto(environ, lambda *args: begun.extend(args)))
        bucket = environ["PATH_INFO"].strip("/")
        listing = ElementTree.fromstring(body)
        for entry in listing.findall(f"{_XML}Contents"):
            written = self._written.get(f"{bucket}/{entry.findtext(f'{_XML}Key')}", 0.0)
            if time.monotonic() - written < self.lag:
                listing.remove(entry)
        body = ElementTree.tostring(listing)
        kept = [(name, value) for name, value in begun[1] if name.lower() != "content-length"]
        start(begun[0], [*kept, ("Content-Length", str(len(body)))])
        return [body]

    def stop(self) -> None:
        """Ends the server; its objects are gone."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def serving_s3() -> Iterator[S3]:
    """Runs a server with an empty bucket, which this process and its children find."""
    import boto3

    server = S3()
    env = {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with mock.patch.dict(os.environ, env):
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        try:
            yield server
        finally:
            server.stop()
            import fsspec

            fsspec.filesystem("s3").clear_instance_cache()
