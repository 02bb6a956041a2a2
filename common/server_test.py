import http.client
import json
import logging
import socket
import threading
from concurrent import futures

import flask
from absl.testing import absltest, parameterized

from common import server

_LIMIT = 1000


class ServerTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        app = server.new_app("test", "default-src 'none'", largest_body=_LIMIT)
        self.received = []

        @app.get("/hello")
        def hello():
            return "hello"

        @app.post("/take")
        def take():
            self.received.append(flask.request.get_data())
            return server.text_response("taken")

        @app.get("/secret/<token>")
        def fail(token):
            raise KeyError("broken")

        self.server = self._start(app, names=["Study.example.org"])

    def _start(self, app, **kwargs):
        running = server.Server(app, port=0, **kwargs)
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        self.addCleanup(running.close)
        self.addCleanup(thread.join)
        self.addCleanup(running.stop)
        return running

    def _ask(self, method="GET", path="/hello", body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def _say(self, *lines, body=b""):
        """Returns the status line of the reply to a request that is sent as it is."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            return connection.makefile("rb").readline().decode()

    def test_answers_with_strict_headers(self):
        response, body = self._ask()
        self.assertEqual((response.status, body), (200, b"hello"))
        self.assertEqual(
            response.headers["Content-Security-Policy"],
            "default-src 'none'; frame-ancestors 'none'",
        )
        self.assertEqual(response.headers["Cross-Origin-Resource-Policy"], "same-origin")
        self.assertIsNone(response.headers["Server"])
        self.assertEqual(self.server.url, f"http://127.0.0.1:{self.server.port}")

    @parameterized.parameters(
        "localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:80", "study.example.org", "192.0.2.7"
    )
    def test_answers_to_its_names_and_to_numbers(self, host):
        self.assertEqual(self._ask(Host=host)[0].status, 200)

    @parameterized.parameters(
        "evil.example.org",
        "localhost.evil.org",
        "",
        "127.0.0.1.nip.io",
        "[",
        "a@evil.org",
    )
    def test_answers_to_no_other_name(self, host):
        response, body = self._ask(Host=host)
        self.assertIn(response.status, (400, 421))
        self.assertNotIn(b"hello", body)

    @parameterized.parameters(
        ("http://127.0.0.1:{port}", 200),
        ("https://127.0.0.1:{port}", 200),  # behind a proxy with TLS
        ("http://127.0.0.1:1", 403),
        ("http://evil.example.org", 403),
        ("null", 403),
        ("", 403),
    )
    def test_takes_posts_of_its_own_pages_alone(self, origin, status):
        origin = origin.format(port=self.server.port)
        response, _ = self._ask("POST", "/take", "x", Origin=origin)
        self.assertEqual(response.status, status)
        self.assertLen(self.received, status == 200)

    @parameterized.parameters(
        ("GET", "/nothing", 404, b"not found"),
        ("GET", "/../hello", 404, b"not found"),
        ("POST", "/hello", 405, b"method not allowed"),
        ("OPTIONS", "/hello", 405, b"method not allowed"),
        ("TRACE", "/hello", 405, b"method not allowed"),
        ("HEAD", "/hello", 200, b""),
    )
    def test_serves_nothing_else(self, method, path, status, text):
        response, body = self._ask(method, path)
        self.assertEqual((response.status, body), (status, text))

    def test_reads_no_body_above_the_limit(self):
        self.assertEqual(self._ask("POST", "/take", "x" * _LIMIT)[0].status, 200)
        for length in (_LIMIT + 1, "9" * 50, "9" * 5000, "-1", "1e3"):
            line = self._say("POST /take HTTP/1.1", "Host: localhost", f"Content-Length: {length}")
            self.assertRegex(line, r"^(HTTP/1.1 (413|400|431) .*\r\n)?$")  # or it hangs up
        chunk = f"{_LIMIT + 1:x}\r\n".encode() + b"x" * (_LIMIT + 1) + b"\r\n0\r\n\r\n"
        line = self._say(
            "POST /take HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked", body=chunk
        )
        self.assertStartsWith(line, "HTTP/1.1 413 ")
        for noise in (
            b"\x00\xff\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"x" * 300000,
        ):
            with socket.create_connection(
                ("127.0.0.1", self.server.port), timeout=10
            ) as connection:
                connection.sendall(noise)
        self.assertEqual(self._ask()[0].status, 200)
        self.assertLen(self.received, 1)

    def test_an_error_shows_and_logs_no_address(self):
        with self.assertLogs("server", logging.ERROR) as logged:
            response, body = self._ask(path="/secret/t0ken")
        self.assertEqual((response.status, body), (500, b"internal server error"))
        self.assertIn("KeyError: 'broken'", logged.output[0])
        self.assertNotIn("t0ken", json.dumps(logged.output))

    def test_answers_many_among_connections_that_say_nothing(self):
        address = ("127.0.0.1", self.server.port)
        idle = [socket.create_connection(address, timeout=10) for _ in range(100)]
        for connection in idle:
            self.addCleanup(connection.close)
            connection.sendall(b"POST /take HTTP/1.1\r\nHost: x")
        with futures.ThreadPoolExecutor(50) as pool:
            replies = list(pool.map(lambda _: self._ask()[1], range(200)))
        self.assertEqual(replies, [b"hello"] * 200)

    def test_a_port_in_use_is_one_line(self):
        app = server.new_app("second", "default-src 'none'")
        with self.assertRaisesRegex(
            ValueError, f"^port {self.server.port} of 127.0.0.1 is in use; choose another --port, "
        ):
            server.Server(app, port=self.server.port)
        with self.assertRaisesRegex(ValueError, "^nowhere.invalid: not an address to listen at"):
            server.Server(app, host="nowhere.invalid", port=0)
        with self.assertRaisesRegex(ValueError, "^cannot listen at port 0 of 192.0.2.1: "):
            server.Server(app, host="192.0.2.1", port=0)


if __name__ == "__main__":
    absltest.main()
