import contextlib
import dataclasses
import http.client
import io
import json
import pathlib
import re
import sqlite3
import threading
from unittest import mock

from absl.testing import absltest, parameterized

from evaluation.reader_study import answer_key, answer_store, page, server, testing
from evaluation.reader_study.testing import answer_all, document

_NOT_A_METHOD = (405, b"method not allowed")


def _truthful(picture):
    return not picture.synthetic


class ServerTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.key = testing.write_study(self.folder)
        self.database = str(pathlib.Path(self.folder, "answers", "answers.sqlite"))
        self.server, self.store = self.enter_context(
            testing.serving(self.key, self.folder, self.database)
        )

    def _ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
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
            html = answer_key.page_path(self.folder, reader).read_text()
            self.assertEqual(body, page.part_page(html)[0])
        self.assertEqual(response.headers["Content-Type"], "text/html; charset=utf-8")
        response, body = self._ask("HEAD", self._address())
        self.assertEqual((response.status, body), (200, b""))

    def test_sends_the_images_after_the_page_from_any_on(self):
        html = answer_key.page_path(self.folder, "reader_01").read_text()
        first, images = page.part_page(html)
        self.assertLess(len(first), 50_000)
        self.assertGreater(len(html), 100_000)
        data = json.loads(first.partition(b'id="study">')[2].partition(b"</script>")[0])
        count, size = data["images"]["count"], data["images"]["bytes"]
        for start in (0, 3, count - 1):
            response, body = self._ask("GET", f"{self._address()}/images/{start}-{count}")
            self.assertEqual(response.status, 200)
            self.assertEqual(response.headers["Cache-Control"], "no-store")
            self.assertEqual(body, b"".join(images[start:]))
            self.assertEqual(body[:size], images[start])
        for wrong in (f"{count}-{count + 1}", "2-1", "-1-2", "0", "a-b"):
            self.assertEqual(self._ask("GET", f"{self._address()}/images/{wrong}")[0].status, 404)

    def test_a_page_whose_script_browsers_would_not_run_is_named(self):
        path = answer_key.page_path(self.folder, "reader_02")
        html = path.read_text()
        other = html.replace("script-src &#39;sha256-", "script-src &#39;sha256-A")
        self.assertNotEqual(other, html)
        path.write_text(other)
        with self.assertRaisesRegex(ValueError, "reader_02.html: .*another version"):
            server.Study(self.key, self.folder, self.store)

    def test_a_page_that_is_none_is_named(self):
        path = answer_key.page_path(self.folder, "reader_02")
        path.write_text("<html></html>")
        with self.assertRaisesRegex(ValueError, "reader_02.html: not the page of a reader"):
            server.Study(self.key, self.folder, self.store)

    @parameterized.parameters(
        "/",
        "/r/",
        "/r/wrong",
        "/r/{token}x",
        "/r/{token}/images/0-3/",
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
            self.assertIn((response.status, body), ((404, b"not found"), (404, b""), _NOT_A_METHOD))
        self.assertIn(self._ask("PUT", path)[0].status, (404, 405))

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
            self.assertIsNone(headers["Server"])

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
        (
            b'{"content": "\\ud800", "seal": 1}',
            400,
            b"what was sent holds what is no text in Unicode",
        ),
        (b"1" * 5000, 400, b"what was sent is not JSON"),
        (b"[" * 100000, 400, b"what was sent is not JSON"),
    )
    def test_refuses_other_bodies(self, sent, status, message):
        response, body = self._ask("POST", f"{self._address()}/answers", sent)
        self.assertEqual((response.status, body), (status, message))
        self.assertIsNone(self._stored())

    def test_a_locked_database_is_to_be_asked_again(self):
        with contextlib.closing(sqlite3.connect(self.database)) as other:
            other.execute("BEGIN EXCLUSIVE")
            self.enter_context(mock.patch.object(answer_store, "_BUSY_SECONDS", 0.0))
            address = f"{self._address()}/answers"
            self.store._connection.execute("PRAGMA busy_timeout = 10")
            response, body = self._ask("POST", address, json.dumps(self._document()))
            self.assertEqual((response.status, response.headers["Retry-After"]), (503, "5"))
            self.assertEqual(body, b"the answers could not be stored now (database is locked)")
            self.assertEqual(self._ask("GET", address)[0].status, 503)
        self.assertEqual(self._post(self._document()), (200, "saved"))

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

    def test_needs_all_pages(self):
        answer_key.page_path(self.folder, "reader_03").unlink()
        with self.assertRaisesRegex(FileNotFoundError, "reader_03.html"):
            server.Study(self.key, self.folder, self.store)


class JoinedTest(absltest.TestCase):
    def test_reads_as_one_file(self):
        parts = [b"abc", b"", b"defg", b"h"]
        joined = server.Joined(parts)
        self.assertEqual(joined.seek(0, io.SEEK_END), 8)
        self.assertEqual(joined.read(1), b"")
        for start in range(9):
            joined.seek(start)
            found = b""
            while piece := joined.read(2):
                self.assertLessEqual(len(piece), 2)
                found += piece
            self.assertEqual(found, b"abcdefgh"[start:])
        self.assertEqual(server.Joined([]).read(5), b"")


if __name__ == "__main__":
    absltest.main()
