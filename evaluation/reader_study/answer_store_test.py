import contextlib
import pathlib
import sqlite3
import subprocess
import sys
import threading
from unittest import mock

from absl.testing import absltest

from evaluation.reader_study import answer_store
from evaluation.reader_study.answer_store import AnswerStore

_KILLED = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN")
for number in range(200):
    row = ("study", f"other_{number}", "x" * 3000, 1, "", "")
    connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)", row)
os._exit(9)
"""


class AnswerStoreTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path, "answers.sqlite")

    def _open(self):
        return contextlib.closing(AnswerStore(str(self.path)))

    def test_keeps_answers_by_study_and_reader(self):
        with self._open() as store:
            self.assertEqual(store.save("one", "reader_01", '{"a": 1}', 5, "now"), "")
            self.assertEqual(store.save("two", "reader_01", '{"a": 2}', 3, ""), "")
        with self._open() as store:
            self.assertEqual(store.read("one", "reader_01"), {"a": 1})
            self.assertEqual(store.read("two", "reader_01"), {"a": 2})
            self.assertIsNone(store.read("two", "reader_02"))
        self.assertEqual(
            answer_store.read_documents(self.path),
            [("reader_01", b'{"a": 1}'), ("reader_01", b'{"a": 2}')],
        )

    def test_answers_at_once_share_a_commit(self):
        with self._open() as store:
            commits = []
            commit = store._commit
            store._commit = lambda posts: (commits.append(len(posts)), commit(posts))
            with store._lock:  # the first commit waits, and the others gather
                threads = [
                    threading.Thread(target=store.save, args=("s", f"r{n}", f'{{"n": {n}}}', 1, ""))
                    for n in range(50)
                ]
                for thread in threads:
                    thread.start()
                while store._waiting.qsize() < 50 - sum(commits):
                    pass
            for thread in threads:
                thread.join()
            self.assertLessEqual(len(commits), 3)
            self.assertEqual(sum(commits), 50)
            for number in range(50):
                self.assertEqual(store.read("s", f"r{number}"), {"n": number})

    def test_a_failed_commit_acknowledges_nothing(self):
        with self._open() as store:
            full = mock.patch.object(store, "_keep", side_effect=sqlite3.OperationalError("full"))
            with full, self.assertRaisesRegex(answer_store.UnavailableError, "full"):
                store.save("s", "r", "{}", 1, "")
            self.assertEqual(store.save("s", "r", '{"a": 1}', 1, ""), "")
            self.assertEqual(store.read("s", "r"), {"a": 1})

    def test_says_at_once_what_cannot_be_written(self):
        self.path.write_text("text " * 100)
        with self.assertRaisesRegex(ValueError, "sqlite: not a database of answers .file is not"):
            self._open()
        self.path.unlink()
        with contextlib.closing(sqlite3.connect(self.path)) as other:
            other.execute("CREATE TABLE answers (reader TEXT)")
            with self.assertRaisesRegex(ValueError, "not a database of answers .its table has"):
                self._open()
            other.execute("DROP TABLE answers")
            with self._open():
                pass
            other.execute("BEGIN IMMEDIATE")
            self.enter_context(mock.patch.object(answer_store, "_BUSY_SECONDS", 0.01))
            with self.assertRaisesRegex(ValueError, "could not be kept there .*is locked"):
                self._open()
        connect = sqlite3.connect
        # As on a disk that is mounted read-only; permissions do not bind who runs this as root.
        with (
            mock.patch.object(
                sqlite3,
                "connect",
                lambda path, *args, **kwargs: connect(f"file:{path}?mode=ro", uri=True, **kwargs),
            ),
            self.assertRaisesRegex(ValueError, "could not be kept there .*readonly"),
        ):
            self._open()

    def _kill_a_writer(self):
        with self._open() as store:
            store.save("study", "reader_01", '{"a": 1}', 1, "")
        killed = subprocess.run([sys.executable, "-c", _KILLED, str(self.path)], check=False)
        self.assertEqual(killed.returncode, 9)
        self.assertTrue(self.path.with_name("answers.sqlite-journal").exists())

    def test_reads_what_a_kill_left(self):
        self._kill_a_writer()
        kept = [("reader_01", b'{"a": 1}')]
        connect = sqlite3.connect

        def read_only(address, *args, **kwargs):
            if str(self.path.parent) in address:
                address = address.replace("=rw", "=ro")
            return connect(address, *args, **kwargs)

        with mock.patch.object(sqlite3, "connect", read_only):
            self.assertEqual(answer_store.read_documents(self.path), kept)
        self.assertTrue(self.path.with_name("answers.sqlite-journal").exists())
        self.assertEqual(answer_store.read_documents(self.path), kept)

    def test_goes_on_after_a_kill(self):
        self._kill_a_writer()
        with self._open() as store:
            self.assertEqual(store.read("study", "reader_01"), {"a": 1})
            self.assertIsNone(store.read("study", "other_0"))

    def test_says_what_cannot_be_read(self):
        self.path.write_text("text " * 100)
        with self.assertRaisesRegex(ValueError, "^is not a database of answers .file is not"):
            answer_store.read_documents(self.path)
        self.path.unlink()
        with self._open(), contextlib.closing(sqlite3.connect(self.path)) as other:
            other.execute("BEGIN EXCLUSIVE")
            self.enter_context(mock.patch.object(answer_store, "_BUSY_SECONDS", 0.01))
            with self.assertRaisesRegex(answer_store.UnavailableError, "is locked by another"):
                answer_store.read_documents(self.path)


if __name__ == "__main__":
    absltest.main()
