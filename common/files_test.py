import contextlib
import hashlib
import json
import os
import pathlib
import subprocess
import sys

from absl.testing import absltest

from common import files


class FilesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def test_writes_and_replaces(self):
        path = self.folder / "new" / "file.json"
        for content in ({"b": 1, "a": "é"}, {"c": 2}):
            files.write_json(path, content)
            self.assertEqual(json.loads(path.read_text(encoding="utf-8")), content)
        self.assertEqual(os.listdir(path.parent), ["file.json"])

    def test_failed_write_leaves_what_was_there(self):
        path = self.folder / "file.txt"
        files.write_text(path, "before")
        with self.assertRaises(UnicodeEncodeError):
            files.write_text(path, "lone \ud800 surrogate")
        full = absltest.mock.patch.object(pathlib.Path, "replace", side_effect=OSError("full"))
        with full, self.assertRaisesRegex(OSError, "full"):
            files.write_text(path, "after")
        self.assertEqual(path.read_text(encoding="utf-8"), "before")
        self.assertEqual(os.listdir(self.folder), ["file.txt"])

    def test_one_creates_with_hard_links_or_without(self):
        none = absltest.mock.patch.object(os, "link", side_effect=PermissionError("no links"))
        for name, links in (("with", contextlib.nullcontext()), ("without", none)):
            path = self.folder / name
            with links:
                files.create(path, b"1", mode=0o600)
                with self.assertRaises(FileExistsError):
                    files.create(path, b"2")
            self.assertEqual(path.read_bytes(), b"1")
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertCountEqual(os.listdir(self.folder), ["with", "without"])

    def test_an_output_that_is_there_needs_overwrite(self):
        path = self.folder / "F.png"
        files.check_output(path, overwrite=False, suffix=".png")
        path.write_bytes(b"mine")
        with self.assertRaisesRegex(ValueError, "F.png: exists; .* another --to or pass --overw"):
            files.check_output(path, overwrite=False, flag="--to")
        files.check_output(path, overwrite=True)

    def test_outputs_that_cannot_be_written(self):
        (self.folder / "file").write_text("")
        (self.folder / "folder.png").mkdir()
        for name, message in (
            ("F.jpg", "--output is a PNG file, so its name ends in .png"),
            ("folder.png", "is a folder"),
            ("file/F.png", "file is not a writable folder"),
            ("file/deep/F.png", "file is not a writable folder"),
        ):
            with self.assertRaisesRegex(ValueError, message):
                files.check_output(self.folder / name, overwrite=True, suffix=".png")

    def test_streams_and_folders_are_replaced(self):
        file, folder = self.folder / "a" / "file.csv", self.folder / "a" / "model"
        for text in ("one", "two"):
            with files.replacing(file) as temporary, open(temporary, "w") as stream:
                stream.write(text)
                self.assertEqual(file.exists(), text == "two")
            with files.replacing(folder) as temporary:
                temporary.mkdir()
                (temporary / text).write_text(text)
        self.assertEqual(file.read_text(), "two")
        self.assertEqual(os.listdir(folder), ["two"])
        self.assertCountEqual(os.listdir(file.parent), ["file.csv", "model"])

    def test_failure_leaves_nothing_behind(self):
        for path in (self.folder / "file", self.folder / "folder"):
            for _ in range(2):
                with self.assertRaises(KeyboardInterrupt), files.replacing(path) as temporary:
                    if path.name == "folder":
                        temporary.mkdir()
                        (temporary / "part").write_text("part")
                    else:
                        temporary.write_text("part")
                    raise KeyboardInterrupt
        self.assertEqual(os.listdir(self.folder), [])

    def test_removes_what_killed_writers_left(self):
        ended = subprocess.Popen(["true"])
        ended.wait()
        dead, alive = f"{ended.pid}-00c0ffee", f"{os.getpid()}-00c0ffee"
        left = [f"a.json.{dead}.tmp", f"b/c.png.{dead}.tmp", f"b/folder.{dead}.tmp/x"]
        kept = [f"a.json.{alive}.tmp", f"run/d.{dead}.tmp", "run/.lock", "b/notes.tmp", "7.tmp"]
        for name in [*left, *kept]:
            files.write_text(pathlib.Path(self.folder, name), "")
        removed = files.remove_leftovers(self.folder, spare=".lock")
        self.assertLen(removed, 3)
        found = [path for path in pathlib.Path(self.folder).rglob("*") if path.is_file()]
        self.assertCountEqual([str(path.relative_to(self.folder)) for path in found], kept)

    def test_two_writers_do_not_meet(self):
        path = self.folder / "file"
        with files.replacing(path) as one, files.replacing(path) as other:
            one.write_text("one")
            other.write_text("other")
        self.assertEqual(path.read_text(), "one")  # the outer ends last

    def test_digests(self):
        path = self.folder / "file"
        path.write_bytes(bytes(3 << 20))
        self.assertEqual(files.sha256_of(path), hashlib.sha256(bytes(3 << 20)).hexdigest())
        self.assertEqual(files.digest_of({"a": 1, "b": [2]}), files.digest_of({"b": [2], "a": 1}))
        self.assertNotEqual(files.digest_of([1]), files.digest_of(["1"]))

    def test_program_digest_follows_sources_and_versions(self):
        module = self.folder / "some_program.py"
        module.write_text("A = 1\n")
        with absltest.mock.patch.object(sys, "path", [*sys.path, str(self.folder)]):
            names = ("some_program", "common.files")
            before = files.program_digest(names, ["1.0"])
            self.assertEqual(files.program_digest(names[::-1], ["1.0"]), before)
            self.assertNotEqual(files.program_digest(names, ["1.1"]), before)
            self.assertNotEqual(files.program_digest(names[:1], ["1.0"]), before)
            module.write_text("A = 2\n")
            self.assertNotEqual(files.program_digest(names, ["1.0"]), before)
        for name in ("common.none", "none.none"):
            with self.assertRaisesRegex(ValueError, f"no module {name}"):
                files.program_digest([name])


class MarkerTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.output = self.folder / "part.bin"
        self.output.write_bytes(b"abc")
        self.marker = self.folder / "done" / "part.json"
        self.made_from = {"input": "1", "settings": "2", "program": "3"}
        outputs = {"../part.bin": files.output_of(self.output)}
        files.commit(self.marker, self.made_from, outputs, {"count": 5})

    def _committed(self, **kwargs):
        return files.committed(self.marker, self.made_from, **kwargs)

    def test_fits(self):
        self.assertEqual(self._committed()["count"], 5)
        self.assertEqual(self._committed()["outputs"]["../part.bin"]["bytes"], 3)

    def test_made_from_something_else(self):
        for name in self.made_from:
            self.assertIsNone(files.committed(self.marker, {**self.made_from, name: "x"}), name)

    def test_outputs_changed(self):
        self.output.write_bytes(b"abd")
        self.assertIsNone(self._committed())
        self.assertIsNotNone(self._committed(read=False))
        self.output.write_bytes(b"abcd")
        self.assertIsNone(self._committed(read=False))
        self.output.unlink()
        self.assertIsNone(self._committed(read=False))

    def test_no_marker_or_no_marker_of_ours(self):
        for text in ("", "[]", "{}", '{"made_from": 1}'):
            self.marker.write_text(text)
            self.assertIsNone(self._committed(), text)
        self.marker.unlink()
        self.assertIsNone(self._committed())


if __name__ == "__main__":
    absltest.main()
