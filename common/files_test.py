import json
import os
import pathlib

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


if __name__ == "__main__":
    absltest.main()
