import dataclasses
import http.client
import json
import pathlib
import re
import socket
import threading

from absl.testing import absltest, parameterized

from evaluation.reader_study import answer_key, server, testing
from evaluation.reader_study.testing import answer_all, document


def _truthful(picture):
    return not picture.synthetic


class ServerTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.key = testing.write_study(self.folder)
        self.database = str(pathlib.Path(self.folder, "answers", "answers.sqlite"))
        store = server.AnswerStore(self.database)
        self.addCleanup(store.close)
        self.server = server.StudyServer(("127.0.0.1", 0), self.key, self.folder, store)
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(self.server.shutdown)

    def _ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def _address(self, reader="reader_01"):
        return f"/r/{self.key.readers[reader].token}"

    def _document(self, reader="reader_01", looks_real=_truthful, finished="", number=5):
        answers = answer_all(self.key, reader, looks_real, finished)
        kept = dict(list(answers.answers.items())[:number])
        return document(self.key, dataclasses.replace(answers, answers=kept))

    def _post(self, content, reader="reader_01"):
        response, body = self._ask("POST", f"{self._address(reader)}/answers", json.dumps(content))
        return response.status, body.decode()

    def _stored(self, reader="reader_01"):
        return json.loads(self._ask("GET", f"{self._address(reader)}/answers")[1])

    def test_serves_a_reader_the_own_page(self):
        for reader in self.key.readers:
            response, body = self._ask("GET", self._address(reader))
            self.assertEqual(response.status, 200)
            self.assertEqual(body, answer_key.page_path(self.folder, reader).read_bytes())
        self.assertEqual(response.headers["Content-Type"], "text/html; charset=utf-8")
        response, body = self._ask("HEAD", self._address())
        self.assertEqual((response.status, body), (200, b""))

    @parameterized.parameters(
        "/",
        "/r/",
        "/r/wrong",
        "/r/{token}x",
        "/r/{token}/../../keep_secret/answer_key.json",
        "/r/{token}/answer_key.json",
        "/keep_secret/answer_key.json",
        "/hand_out/reader_01.html",
        "/../keep_secret/answer_key.json",
        "/r/%2e%2e/keep_secret/answer_key.json",
        "/answers/answers.sqlite",
        "/{token}",
    )
    def test_serves_nothing_else(self, path):
        path = path.format(token=self.key.readers["reader_01"].token)
        for method in ("GET", "HEAD", "POST"):
            response, body = self._ask(method, path, "{}" if method == "POST" else None)
            self.assertEqual(response.status, 404)
            self.assertIn(body, (b"not found", b""))
        self.assertEqual(self._ask("PUT", path)[0].status, 501)

    def test_no_answer_holds_the_key(self):
        self._post(self._document(finished="now", number=None))
        for path in (self._address(), f"{self._address()}/answers", "/"):
            _, body = self._ask("GET", path)
            for name, one in self.key.pictures.items():
                text = re.sub(rb'"images": ?\[".*?"\]', b"", body)
                self.assertNotIn(name.encode(), text)
                self.assertNotIn(one.source.encode(), text)

    def test_headers_are_strict(self):
        for path in (self._address(), "/nothing"):
            headers = self._ask("GET", path)[0].headers
            self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
            self.assertIn("frame-ancestors 'none'", headers["Content-Security-Policy"])
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(headers["Referrer-Policy"], "no-referrer")
            self.assertEqual(headers["Cache-Control"], "no-store")
            self.assertNotIn("Python", headers["Server"])

    def test_keeps_answers_and_gives_them_back(self):
        self.assertIsNone(self._stored())
        part, more = self._document(number=5), self._document(number=9)
        self.assertEqual(self._post(part), (200, "saved"))
        self.assertEqual(self._post(more), (200, "saved"))
        self.assertEqual(self._stored(), more["content"])
        # A page that was left open does not undo what was answered since.
        status, reason = self._post(part)
        self.assertEqual((status, reason[:27]), (409, "there are more answers alre"))
        self.assertEqual(self._stored(), more["content"])

    def test_finished_answers_stay(self):
        whole = self._document(finished="now", number=None)
        self.assertEqual(self._post(whole), (200, "saved"))
        self.assertEqual(self._post(whole), (200, "saved"))  # sent twice, by a bad connection
        other = self._document(looks_real=lambda one: one.synthetic, finished="now", number=None)
        status, reason = self._post(other)
        self.assertEqual(
            (status, reason), (409, "these answers were finished and cannot be changed")
        )
        self.assertEqual(self._stored(), whole["content"])
        panel, refused = answer_key.load_answers([self.database], self.key)
        self.assertEqual([one.reader for one in panel], ["reader_01"])
        self.assertEmpty(refused)

    def test_a_reader_cannot_answer_for_another(self):
        theirs = self._document("reader_02")
        self._post(theirs, "reader_02")
        for signed_by in ("reader_01", "reader_02"):
            content = self._document(signed_by, number=9)
            content["content"]["reader"] = "reader_02"
            status, reason = self._post(content, "reader_01")
            self.assertEqual(status, 400, reason)
        self.assertEqual(self._stored("reader_02"), theirs["content"])
        self.assertIsNone(self._stored("reader_01"))

    @parameterized.parameters(
        (b"", 400, b"what was sent is not JSON"),
        (b"{", 400, b"what was sent is not JSON"),
        (b"\xff", 400, b"what was sent is not JSON"),
        (b"[1]", 400, b"what was sent is not a file of answers"),
        (b'{"content": "\\ud800", "seal": 1}', 400, b"what was sent is not a file of answers"),
        (b"1" * 5000, 400, b"what was sent is not JSON"),
        (b"[" * 100000, 400, b"what was sent is not JSON"),
    )
    def test_refuses_other_bodies(self, sent, status, message):
        response, body = self._ask("POST", f"{self._address()}/answers", sent)
        self.assertEqual((response.status, body), (status, message))
        self.assertIsNone(self._stored())

    @parameterized.parameters(
        ("Content-Length: 1048577\r\n", b"413"),
        (f"Content-Length: {'9' * 5000}\r\n", b"413"),
        ("Content-Length: -1\r\n", b"411"),
        ("Content-Length: 1e3\r\n", b"411"),
        ("Transfer-Encoding: chunked\r\n", b"411"),
        ("", b"411"),
    )
    def test_reads_no_body_of_unknown_or_great_length(self, header, status):
        address = ("127.0.0.1", self.server.server_port)
        with socket.create_connection(address, timeout=10) as connection:
            request = f"POST {self._address()}/answers HTTP/1.1\r\nHost: x\r\n{header}\r\n"
            connection.sendall(request.encode())
            self.assertIn(status, connection.makefile("rb").readline())

    def test_survives_noise(self):
        address = ("127.0.0.1", self.server.server_port)
        for noise in (b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"x" * 70000):
            with socket.create_connection(address, timeout=10) as connection:
                connection.sendall(noise)
        self.assertEqual(self._ask("GET", self._address())[0].status, 200)

    def test_many_at_once(self):
        results = []

        def answer(reader):
            for number in range(1, 20):
                results.append(self._post(self._document(reader, number=number), reader)[0])

        threads = [threading.Thread(target=answer, args=(reader,)) for reader in self.key.readers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(set(results), {200})
        for reader in self.key.readers:
            self.assertLen(self._stored(reader)["answers"], 19)

    def test_needs_a_database_and_all_pages(self):
        path = self.create_tempfile("answers.sqlite", "text " * 100).full_path
        with self.assertRaisesRegex(ValueError, "not a database of answers"):
            server.AnswerStore(path)
        answer_key.page_path(self.folder, "reader_03").unlink()
        with self.assertRaisesRegex(FileNotFoundError, "reader_03.html"):
            server.StudyServer(("127.0.0.1", 0), self.key, self.folder, None)


if __name__ == "__main__":
    absltest.main()
