import contextlib
import os
import pathlib
from unittest import mock

from absl.testing import absltest

from common import addresses, files, locks, mirrors, testing_s3


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
        self.enter_context(mock.patch.object(mirrors, "_PATIENCE", 0.5))
        self.machines = [self.create_tempdir().full_path for _ in range(3)]
        self._be(0)

    def _be(self, machine):
        """Goes on as another machine, or as this one after a kill."""
        mirrors._open.clear()
        os.environ["XDG_CACHE_HOME"] = self.machines[machine]
        self.addCleanup(os.environ.pop, "XDG_CACHE_HOME", None)

    def _change(self, folder, contents):
        for name, content in contents.items():
            path = pathlib.Path(folder, name)
            if content is None:
                path.unlink()
            else:
                files.write_text(path, content)

    def _train(self, **contents):
        """Writes files by name as a training does; None removes one."""
        with mirrors.writing(self.address) as folder:
            self._change(folder, contents)
        return pathlib.Path(folder)

    def _found(self):
        folder = pathlib.Path(mirrors.local(self.address))
        paths = [path for path in folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(folder)): path.read_text() for path in paths}

    def _there(self, name):
        return files.at(f"{self.address}/{name}").exists()

    def test_what_changes_travels(self):
        folder = self._train(**{"a": "1", "checkpoints/b": "2"})
        self.assertEqual(folder.name, "run")
        self.assertEqual(addresses.address_of(folder / "a"), f"{self.address}/a")
        self._change(
            folder, {"half.1-2.tmp/saved": "", "checkpoints/ckpt-4_temp/part": "", ".fid.lock": ""}
        )
        self.server.requests.clear()
        self._train(**{"a": "3", "c": "4", "checkpoints/b": None})
        puts = [one.rpartition("/")[2] for one in self.server.requests if one.startswith("PUT")]
        self.assertCountEqual([name for name in puts if not name.startswith(".")], ["a", "c"])
        self.assertFalse(self._there("checkpoints/b"))
        self._be(1)
        self.assertEqual(self._found(), {"a": "3", "c": "4"})

    def test_a_copy_is_brought_to_what_is_there(self):
        self._train(a="1", b="2", c="3")
        self._be(1)
        self._train(a="other", b=None)
        self._be(0)
        self.server.requests.clear()
        self.assertEqual(self._found(), {"a": "other", "c": "3"})
        gets = [one[-2:] for one in self.server.requests if one.startswith("GET")]
        self.assertEqual([name for name in gets if name in ("/a", "/c")], ["/a"])

    def test_who_measures_removes_nothing(self):
        folder = self._train(a="1")
        with mirrors.written_back():
            mirrors.local(self.address)
            self._change(folder, {"a": None, "evaluation/fid.json": "2"})
        self.assertTrue(self._there("a"))
        self._be(1)
        self.assertEqual(self._found(), {"a": "1", "evaluation/fid.json": "2"})

    def test_a_storage_that_fails(self):
        for before in ({}, {"a": "1"}):
            with self.subTest(before=before):
                self._train(**before)
                self.server.fail("PUT .*/b", 1000, status=403)
                with self.assertRaisesRegex(PermissionError, "Forbidden"):
                    self._train(a="2", b="3")
                with contextlib.suppress(KeyError), mirrors.writing(self.address) as folder:
                    mirrors.push(folder)  # told, no more
                    raise KeyError
                self.server.allow()
                self._be(0)
                self.assertEqual(self._found(), {"a": "2", "b": "3"})
                self._train(a="4")
                self._be(1)
                self.assertEqual(self._found(), {"a": "4", "b": "3"})
                self._be(0)
                self._train(a=None, b=None)

    def _mirror(self):
        mirror = mirrors.Mirror(self.address)
        mirror.pull()
        mirror.lease = mock.create_autospec(locks.Lease, instance=True)
        return mirror

    def test_a_kill_at_any_request_of_a_push(self):
        for stage in ("ckpt.data", "ckpt.index", "log", mirrors.INDEX, None):
            with self.subTest(stage=stage):
                self._be(0)
                self._train(log="1", old="1")
                mirror = self._mirror()
                changes = {"log": "12", "ckpt.index": "2", "ckpt.data": "2", "old": None}
                self._change(mirror.folder, changes)
                # Removing is a POST, of the lease too.
                self.server.fail(f"PUT .*/{stage}" if stage else "POST ", 1, status=403)
                with self.assertRaises(PermissionError):
                    mirror.push()
                self.server.allow()
                self._be(1)
                found = self._found()
                self.assertLessEqual("ckpt.index" in found, "ckpt.data" in found)
                self.assertIn("old", found)
                self._be(0)
                files.write_text(mirror.folder / "log", "123")  # it had gone on
                mirror = self._mirror()
                mirror.push()
                self._be(1)
                found = {"log": "123", "ckpt.index": "2", "ckpt.data": "2", "old": "1"}
                self.assertEqual(self._found(), found)
                self._be(0)
                self._train(**dict.fromkeys(found))

    def test_a_kill_while_copying(self):
        self._train(a="1", b="2")
        self._be(1)
        self.server.fail("GET .*/b", 1000, status=403)
        with self.assertRaisesRegex(PermissionError, "Forbidden"):
            mirrors.local(self.address)
        self.server.allow()
        self.assertEqual(self._found(), {"a": "1", "b": "2"})

    def test_changes_on_both_sides(self):
        folder = self._train(a="1", b="1")
        self._be(1)
        self._train(a="2", b="2")
        self._be(0)
        self._change(folder, {"a": "3", "b": "2"})  # b: the same change
        with self.assertRaisesRegex(ValueError, "run/a: changed there and in .*/run/a; remove"):
            mirrors.local(self.address)
        files.remove(folder)
        self.assertEqual(self._found(), {"a": "2", "b": "2"})

        self._change(folder, {"a": "4"})  # and while this one is at work
        opened = {**mirrors._open}
        self._be(1)
        self._train(a="5")
        self._be(0)
        mirrors._open.update(opened)
        with self.assertRaisesRegex(ValueError, "run/a: changed there and in .*/run/a$"):
            mirrors.push(str(folder))
        self._be(1)
        self.assertEqual(self._found()["a"], "5")

    def test_files_that_others_put_there(self):
        files.write_text(f"{self.address}/checkpoints/b", "1")
        self.assertEqual(self._found(), {"checkpoints/b": "1"})
        self._be(0)
        self._train(a="2")
        files.write_text(f"{self.address}/c", "3")
        with mock.patch.object(self.server, "lag", 3600.0):  # what is new is in no listing
            self._be(1)
            self.assertEqual(self._found(), {"a": "2", "checkpoints/b": "1"})
            files.remove(f"{self.address}/a")
            self._be(0)
            self.assertEqual(self._found(), {"checkpoints/b": "1"})
        self._be(2)
        self.assertEqual(self._found(), {"checkpoints/b": "1", "c": "3"})

    def test_one_trains_at_a_time(self):
        with mirrors.writing(self.address) as folder:
            files.write_text(f"{folder}/a", "1")
            with (
                self.assertRaisesRegex(ValueError, "another run is at work there"),
                mirrors.writing(self.address),
            ):
                pass
            mirrors.push(folder)
            self.assertTrue(self._there("a"))
        self.assertFalse(self._there(locks.FILE_NAME))
        with self.assertRaisesRegex(ValueError, "another run has taken over"):  # noqa: SIM117
            with mirrors.writing(self.address) as folder:
                files.write_text(f"{folder}/a", "2")
                files.write_json(f"{self.address}/{locks.FILE_NAME}", {"token": "another"})
        files.remove(f"{self.address}/{locks.FILE_NAME}")
        self._be(1)
        self.assertEqual(self._found(), {"a": "1"})

    def test_who_writes_back_longer_than_one_waits(self):
        with mirrors.writing(self.address) as folder:
            files.write_text(f"{folder}/a", "1")
            with locks.only_writer(self.address, of="files"):
                mirrors.push(folder)
            self.assertFalse(self._there("a"))
        self.assertTrue(self._there("a"))

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, f"{self.address}: nothing is there"):
            mirrors.local(f"{self.address}/")
        for damaged in ("{", "[]", '{"names": [3]}', '{"names": ["../a"]}', '{"names": ["/a"]}'):
            files.write_text(f"{self.address}/{mirrors.INDEX}", damaged)
            with self.assertRaisesRegex(ValueError, f"{mirrors.INDEX}: damaged"):
                mirrors.local(self.address)
        here = self.create_tempdir().full_path
        self.assertEqual(mirrors.local(here), here)
        with mirrors.writing(here) as folder:
            self.assertEqual(folder, here)


if __name__ == "__main__":
    absltest.main()
