import hashlib
import os
import pathlib
from unittest import mock

from absl.testing import absltest

from common import files, testing_s3
from preprocessing.data import fetching

_NAMES = [f"{split}-0000{n}-of-00002.tfrecord" for split in ("train", "validation") for n in (0, 1)]


def _line(shown, content):
    return f"{shown} {hashlib.sha256(content).hexdigest()}\n".encode()


class FetchingTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.enter_context(testing_s3.serving_s3())

    def setUp(self):
        super().setUp()
        self.cache = self.create_tempdir().full_path
        self.enter_context(mock.patch.dict(os.environ, {"XDG_CACHE_HOME": self.cache}))
        self.url = f"s3://{testing_s3.BUCKET}/{self.id()}"
        self.addCleanup(self.server.allow)

    def _write(self, kinds=("crops", "full")):
        lines = []
        for name in _NAMES:
            for kind in kinds:
                content = f"{kind} of {name}".encode()
                files.write_bytes(f"{self.url}/{kind}/{name}", content)
                lines.append(_line(f"{kind}/{name}" if len(kinds) > 1 else name, content))
        files.write_text(f"{self.url}/taxonomy.csv", "condition\nBurn\n")
        files.write_text(f"{self.url}/mine.txt", "no part of it")
        digest = hashlib.sha256(b"".join(lines)).hexdigest()
        files.write_json(f"{self.url}/dataset.json", {"digest": digest})

    def test_copies_once(self):
        self._write()
        folder = pathlib.Path(fetching.local_copy(f"{self.url}/"))
        self.assertTrue(folder.is_relative_to(self.cache))
        self.assertCountEqual(os.listdir(folder), ["crops", "full", "taxonomy.csv", "dataset.json"])
        self.assertCountEqual(os.listdir(folder / "full"), _NAMES)
        self.assertEqual((folder / "crops" / _NAMES[2]).read_text(), f"crops of {_NAMES[2]}")
        self.server.requests.clear()
        self.assertEqual(fetching.local_copy(self.url), str(folder))
        self.assertLen(self.server.requests, 1)
        self.assertEqual(fetching.local_copy(str(folder)), str(folder))

    def test_the_key_is_copied_unlisted_for_its_owner_alone(self):
        self._write()
        files.write_text(f"{self.url}/pseudonyms.key", "00\n")
        lists = fetching.files.list_folder

        def lagging(path):
            return [] if str(path) == self.url else lists(path)

        with mock.patch.object(fetching.files, "list_folder", lagging):
            folder = pathlib.Path(fetching.local_copy(self.url))
        self.assertEqual((folder / "pseudonyms.key").read_text(), "00\n")
        self.assertEqual((folder / "pseudonyms.key").stat().st_mode & 0o777, 0o600)
        self.assertEqual(folder.parent.stat().st_mode & 0o777, 0o700)

    def test_other_records_in_the_same_place(self):
        self._write()
        before = fetching.local_copy(self.url)
        files.remove(f"{self.url}/full")
        self._write(kinds=("crops",))  # as generated records are
        after = fetching.local_copy(self.url)
        self.assertNotEqual(after, before)
        self.assertEqual(files.list_folder(f"{after}/full"), [])

    def test_an_interrupted_copy_goes_on(self):
        self._write()
        self.server.fail(f"GET .*{self.id()}/full/{_NAMES[3]}", 1000, status=403)
        with self.assertRaises(PermissionError):
            fetching.local_copy(self.url)
        self.server.allow()
        self.server.requests.clear()
        folder = fetching.local_copy(self.url)
        read = [one for one in self.server.requests if one.startswith("GET") and "/crops/t" in one]
        self.assertEmpty(read)
        self.assertLen(files.list_folder(f"{folder}/full"), 4)

    def test_records_that_are_not_those_of_the_description(self):
        self._write()
        good = files.read_bytes(f"{self.url}/crops/{_NAMES[0]}")
        files.write_bytes(f"{self.url}/crops/{_NAMES[0]}", good[:-1] + b"x")
        with self.assertRaisesRegex(ValueError, f"^{self.url}: its records are not those that"):
            fetching.local_copy(self.url)
        files.write_bytes(f"{self.url}/crops/{_NAMES[0]}", good)
        fetching.local_copy(self.url)

    def test_no_data_set(self):
        with self.assertRaisesRegex(ValueError, "dataset.json: no such file; make a data set"):
            fetching.local_copy(self.url)
        files.write_text(f"{self.url}/dataset.json", "[]")
        with self.assertRaisesRegex(ValueError, "dataset.json: not a data set description"):
            fetching.local_copy(self.url)


if __name__ == "__main__":
    absltest.main()
