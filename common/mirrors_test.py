import os
import pathlib
from unittest import mock

from absl.testing import absltest

from common import files, locks, mirrors, testing_s3


class MirrorsTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.enter_context(testing_s3.serving_s3())

    def setUp(self):
        super().setUp()
        self.address = f"s3://{testing_s3.BUCKET}/{self.id()}/run"
        self.addCleanup(self.server.allow)
        self.addCleanup(mirrors._open.clear)
        self._move_to_another_machine()

    def _move_to_another_machine(self):
        mirrors._open.clear()
        cache = self.create_tempdir().full_path
        self.enter_context(mock.patch.dict(os.environ, {"XDG_CACHE_HOME": cache}))

    def _write(self, **contents):
        """Writes files by name, "__" for "/"; None removes one."""
        with mirrors.written_back():
            folder = pathlib.Path(mirrors.local(self.address))
            for name, content in contents.items():
                path = folder / name.replace("__", "/")
                if content is None:
                    path.unlink()
                else:
                    files.write_text(path, content)
        return folder

    def _found(self):
        folder = pathlib.Path(mirrors.local(self.address))
        paths = [path for path in folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(folder)): path.read_text() for path in paths}

    def _puts(self):
        puts = [one.rpartition("/")[2] for one in self.server.requests if one.startswith("PUT")]
        return [name for name in puts if not name.startswith(".")]

    def test_what_changes_travels(self):
        folder = self._write(a="1", checkpoints__b="2")
        self.assertEqual(folder.name, "run")
        (folder / "half.1-2.tmp").touch()
        self._move_to_another_machine()
        self.assertEqual(self._found(), {"a": "1", "checkpoints/b": "2"})
        self.server.requests.clear()
        self._write(a="3", c="4", checkpoints__b=None)
        self.assertCountEqual(self._puts(), ["a", "c"])
        self.assertFalse(files.at(f"{self.address}/checkpoints/b").exists())
        self._move_to_another_machine()
        self.assertEqual(self._found(), {"a": "3", "c": "4"})

    def test_a_copy_is_brought_to_what_is_there(self):
        first = os.environ["XDG_CACHE_HOME"]
        self._write(a="1", b="2", c="3")
        self._move_to_another_machine()
        self._write(a="other", b=None)
        mirrors._open.clear()
        with mock.patch.dict(os.environ, {"XDG_CACHE_HOME": first}):
            self.server.requests.clear()
            self.assertEqual(self._found(), {"a": "other", "c": "3"})
            fetched = [one for one in self.server.requests if one.startswith("GET")]
            self.assertLen([one for one in fetched if one.endswith(("/a", "/c"))], 1)

    def test_nothing_is_lost_where_the_storage_fails(self):
        self._write(a="1")
        self.server.fail("PUT .*/b", 1000, status=403)
        with self.assertRaisesRegex(Exception, "Forbidden"):
            self._write(a="2", b="3")
        self.server.allow()
        mirrors._open.clear()
        self.assertEqual(self._found(), {"a": "2", "b": "3"})
        with mirrors.written_back():
            pass
        self._move_to_another_machine()
        self.assertEqual(self._found(), {"a": "2", "b": "3"})

    def test_a_kill_leaves_the_state_before_or_after(self):
        self._write(a="1", old="1")
        folder = pathlib.Path(mirrors.local(self.address))
        files.write_text(folder / "a", "2")
        files.write_text(folder / "new", "2")
        (folder / "old").unlink()
        here = {**mirrors._open}
        for killed_at, seen in ((f"PUT .*{mirrors.INDEX}", {"old"}), ("DELETE .*/old", {"new"})):
            self.server.fail(killed_at, 1000, status=403)
            mirrors.push(str(folder))
            self.server.allow()
            self._move_to_another_machine()
            self.assertEqual(set(self._found()), {"a", *seen})
            mirrors._open.clear()
            mirrors._open.update(here)
        mirrors.push(str(folder))
        self.assertFalse(files.at(f"{self.address}/old").exists())

    def test_a_kill_before_the_copy_is_noted(self):
        first = os.environ["XDG_CACHE_HOME"]
        folder = self._write(a="1", b="2")
        note = folder.parent / "known.json"
        self._move_to_another_machine()
        self.server.fail("GET .*/b", 1000, status=403)
        with self.assertRaisesRegex(Exception, "Forbidden"):
            mirrors.local(self.address)
        self.server.allow()
        self.assertEqual(self._found(), {"a": "1", "b": "2"})
        mirrors._open.clear()
        with mock.patch.dict(os.environ, {"XDG_CACHE_HOME": first}):
            before = note.read_text()
            self._write(a="3")
            note.write_text(before)
            self.assertEqual(self._found(), {"a": "3", "b": "2"})

    def test_changes_on_both_sides(self):
        first = os.environ["XDG_CACHE_HOME"]
        folder = self._write(a="1")
        self._move_to_another_machine()
        self._write(a="2")
        files.write_text(folder / "a", "3")
        mirrors._open.clear()
        with mock.patch.dict(os.environ, {"XDG_CACHE_HOME": first}):
            with self.assertRaisesRegex(ValueError, "run/a: changed there and in .*/run/a; remove"):
                mirrors.local(self.address)
            (folder / "a").unlink()
            self.assertEqual(self._found(), {"a": "2"})

    def test_files_that_somebody_put_there(self):
        files.write_text(f"{self.address}/checkpoints/b", "1")
        self.assertEqual(self._found(), {"checkpoints/b": "1"})
        self._write(a="2")
        with mock.patch.object(self.server, "lag", 3600.0):  # no listing from here on
            self._move_to_another_machine()
            self.assertEqual(self._found(), {"a": "2", "checkpoints/b": "1"})

    def test_one_trains_at_a_time(self):
        with mirrors.writing(self.address) as folder:
            files.write_text(f"{folder}/a", "1")
            with (
                self.assertRaisesRegex(ValueError, "another run is at work there"),
                mirrors.writing(self.address),
            ):
                pass
            mirrors.push(folder)
            self.assertTrue(files.at(f"{self.address}/a").exists())
        self.assertFalse(files.at(f"{self.address}/{locks.FILE_NAME}").exists())

    def test_errors(self):
        files.write_text(f"{self.address}/{mirrors.INDEX}", "{")
        with self.assertRaisesRegex(ValueError, f"{mirrors.INDEX}: damaged"):
            mirrors.local(self.address)
        here = self.create_tempdir().full_path
        self.assertEqual(mirrors.local(here), here)
        with mirrors.writing(here) as folder:
            self.assertEqual(folder, here)


if __name__ == "__main__":
    absltest.main()
