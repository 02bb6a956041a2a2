"""Serves pages of ours to browsers, to this machine unless told otherwise.

A Flask application behind waitress, with what every server of ours has in common: it
answers requests that name this machine, refuses what a page of another site sends,
reads no body above its limit, and says nothing of itself. Request lines are never
logged: they can hold secrets.

    app = server.new_app("study", policy="default-src 'none'")

    @app.get("/")
    def index():
        return "hello"

    with server.Server(app, port=0) as running:
        print(running.url)
        running.serve_forever()
"""

import errno
import ipaddress
import logging
import socket
import threading
import urllib.parse
from typing import Any, Dict, Iterable, Set

import flask
import waitress
from waitress import wasyncore
from werkzeug import exceptions

THREADS = 64  # mostly waiting for a disk
CONNECTIONS = 1000
BACKLOG = 1024  # that have not been accepted yet
IDLE_SECONDS = 30  # after which a connection that says nothing is closed
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",  # addresses can be secret
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def new_app(name: str, policy: str, largest_body: int = 1 << 20) -> flask.Flask:
    """Returns an application without routes.

    Args:
      name: of it.
      policy: Content-Security-Policy of all that it sends; that nobody may frame it is
        added.
      largest_body: bytes of a request; more is answered with 413.
    """
    app = flask.Flask(name, static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = largest_body
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    headers = {**_HEADERS, "Content-Security-Policy": f"{policy}; frame-ancestors 'none'"}

    @app.after_request
    def add_headers(response: flask.Response) -> flask.Response:
        for key, value in headers.items():
            response.headers.setdefault(key, value)
        return response

    @app.errorhandler(exceptions.HTTPException)
    def say_status(error: exceptions.HTTPException) -> flask.Response:
        status = error.code or 500
        return text_response(exceptions.default_exceptions[status]().name.lower(), status)

    return app


def text_response(text: str, status: int = 200, **headers: str) -> flask.Response:
    """Returns a reply of plain text.

    Args:
      text: to say.
      status: of HTTP.
      **headers: further ones, `Retry_After` for Retry-After.
    """
    kind = "text/plain; charset=utf-8"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return flask.Response(text, status, named, content_type=kind)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name_of(netloc: str) -> str:
    """Returns the host in HOST:PORT, lower case, without the brackets of IPv6; "" if none."""
    try:
        return urllib.parse.urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


class Server:
    """Serves an application at one address until it is told to stop.

    A page of another site can have a browser send requests here, and by a name of its
    own that leads here (DNS rebinding) even read the replies. So requests must be
    addressed to one of our names or to a number, which no foreign page has, and come
    from a page of the same address where a browser says from which.

    Attributes:
      port: that is listened at.
      url: where a browser on this machine, or of the network, finds it.
    """

    def __init__(
        self,
        app: flask.Flask,
        host: str = "127.0.0.1",
        port: int = 8000,
        names: Iterable[str] = (),
        flag: str = "--port",
    ) -> None:
        """Binds the address.

        Args:
          app: from `new_app`.
          host: address or name to listen at; 0.0.0.0 is every one of this machine.
          port: 0 takes a free one.
          names: further host names that requests may be addressed to, such as that of a
            proxy in front.
          flag: that gives the port, for messages.

        Raises:
          ValueError: the address is in use, or none of this machine.
        """
        self._socket = _bind(host, port, flag)
        self.port: int = self._socket.getsockname()[1]
        everywhere = host in ("0.0.0.0", "::")
        shown = socket.gethostname() if everywhere else host
        self.url = f"http://{f'[{shown}]' if ':' in shown else shown}:{self.port}"
        own = {"localhost", shown, host, *names}
        if everywhere:
            own.add(socket.getfqdn())
        self._names: Set[str] = {name.lower() for name in own}
        app.before_request(self._refuse_others)
        mended: Any = app
        mended.log_exception = _log_exception
        logging.getLogger("waitress").setLevel(logging.CRITICAL)
        self._connections: Dict[int, Any] = {}
        self._stopped = threading.Event()
        self._server = waitress.create_server(
            app,
            map=self._connections,
            sockets=[self._socket],
            threads=THREADS,
            connection_limit=CONNECTIONS,
            backlog=BACKLOG,
            channel_timeout=IDLE_SECONDS,
            cleanup_interval=IDLE_SECONDS // 3,
            max_request_body_size=app.config["MAX_CONTENT_LENGTH"] + 1,  # refused from there
            asyncore_use_poll=True,  # select() knows 1,024 files at most
            clear_untrusted_proxy_headers=True,
            ident=None,
        )

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _refuse_others(self) -> None:
        request = flask.request
        host = request.headers.get("Host", "")
        name = _name_of(host)
        if name not in self._names and not _is_address(name):
            flask.abort(text_response("this address is not served here", 421))
        origin = request.headers.get("Origin")
        if origin is not None and urllib.parse.urlsplit(origin).netloc.lower() != host.lower():
            flask.abort(text_response("pages of other sites are refused", 403))

    def serve_forever(self) -> None:
        """Serves until `stop` is called in another thread, or an exception such as Ctrl-C."""
        while not self._stopped.is_set():
            wasyncore.loop(timeout=1.0, use_poll=True, map=self._connections, count=1)

    def stop(self) -> None:
        """Ends `serve_forever`."""
        self._stopped.set()
        self._server.pull_trigger()

    def close(self) -> None:
        """Closes all connections; requests that are being answered have a second to end."""
        self._server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._connections)
        self._socket.close()


def _bind(host: str, port: int, flag: str) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:
        raise ValueError(f"{host}: not an address to listen at ({error})") from error
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise ValueError(
                f"port {port} of {host} is in use; choose another {flag}, or 0 for a free one"
            ) from error
        raise ValueError(f"cannot listen at port {port} of {host}: {error.strerror}") from error
    return bound


def _log_exception(exc_info: Any) -> None:
    """Says what failed without the request line, which Flask's own message holds."""
    logging.getLogger("server").error("a request failed", exc_info=exc_info)
