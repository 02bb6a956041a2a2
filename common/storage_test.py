"""Files, leases and pseudonyms in object storage, on a server of S3's protocol."""

import json
import os
from unittest import mock

from absl.testing import absltest, parameterized

from common import files, locks, pseudonyms, testing_s3

_ROOT = f"s3://{testing_s3.BUCKET}"


class StorageTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.enter_context(testing_s3.serving_s3())

    def setUp(self):
        super().setUp()
        self.folder = f"{_ROOT}/{self.id()}"
        self.server.requests.clear()

    def _names(self, folder=""):
        return sorted(path.name for path in files.list_folder(f"{self.folder}/{folder}"))

    def test_writes_reads_lists_and_removes(self):
        path = f"{self.folder}/a b/ä#1.json"
        for content in ({"b": 1, "a": "é"}, {"c": 2}):
            files.write_json(path, content)
            self.assertEqual(json.loads(files.read_text(path)), content)
        self.assertEqual(self._names("a b"), ["ä#1.json"])
        self.assertEqual(str(files.at(path)), path)
        with files.replacing(f"{self.folder}/big.bin") as temporary:
            temporary.write_bytes(bytes(6 << 20))  # in two parts
            self.assertEqual(self._names(), ["a b"])
        output = files.output_of(f"{self.folder}/big.bin")
        self.assertEqual(output["bytes"], 6 << 20)
        self.assertNotEqual(files.stamp_of(path), files.stamp_of(f"{self.folder}/big.bin"))
        files.remove(self.folder)
        self.assertEqual(self._names(), [])
        files.remove(self.folder)
        with self.assertRaisesRegex(FileNotFoundError, f"no such object: '{path}'"):
            files.read_bytes(path)
        with self.assertRaisesRegex(ValueError, "s3://nowhere/x/.lock: there is no such bucket"):
            locks.Lease(files.at("s3://nowhere/x/.lock"), "x")

    def test_an_error_while_writing_leaves_what_was_there(self):
        path = f"{self.folder}/file"
        files.write_text(path, "before")
        with self.assertRaises(KeyboardInterrupt), files.replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt
        self.assertEqual(files.read_text(path), "before")

    def test_moves(self):
        for name in ("x/1", "x/2", "y"):
            files.write_text(f"{self.folder}/a/{name}", name)
        with mock.patch.object(files, "_AT_ONCE", 2):
            files.move(["x/1", "x/2", "y"], f"{self.folder}/a", f"{self.folder}/b")
        self.assertEqual(self._names(), ["b"])
        for name in ("x/1", "x/2", "y"):
            self.assertEqual(files.read_text(f"{self.folder}/b/{name}"), name)

    def test_markers(self):
        output = f"{self.folder}/crops/s"
        files.write_bytes(output, b"abc")
        marker = f"{self.folder}/.job/done/s.json"
        files.commit(marker, {"input": "1"}, {"../../crops/s": files.output_of(output)})
        self.assertIsNotNone(files.committed(marker, {"input": "1"}))
        self.assertIsNone(files.committed(marker, {"input": "2"}))
        files.write_bytes(output, b"abd")
        self.assertIsNone(files.committed(marker, None))
        files.at(output).unlink()
        self.assertIsNone(files.committed(marker, None, read=False))

    def test_one_of_several_creates(self):
        path = f"{self.folder}/key"
        files.create(path, b"1")
        with self.assertRaises(FileExistsError):
            files.create(path, b"2")
        self.assertEqual(files.read_bytes(path), b"1")
        name = pseudonyms.load_or_create(self.folder).name("patient", "p")
        self.assertEqual(pseudonyms.load_or_create(self.folder).name("patient", "p"), name)

    def test_one_writer(self):
        with locks.only_writer(self.folder) as lease:
            lease.check()
            with (
                self.assertRaisesRegex(ValueError, f"{self.folder}: another run is at work"),
                locks.only_writer(self.folder),
            ):
                self.fail("two writers")
        self.assertEqual(self._names(), [])

    def test_a_lease_whose_answer_was_lost(self):
        self.server.fail(f"PUT .*{self.id()}/.lock$", 1, after=True)
        with locks.only_writer(self.folder) as lease:
            lease.check()

    @parameterized.parameters(
        ({"identity": "some-boot/1"}, 300, "which has ended"),
        ({"host": "elsewhere"}, -1, "has shown no sign of life"),
    )
    def test_a_lease_that_is_taken_over(self, changes, stale_after, end):
        own = {**locks._host(), "process": os.getpid(), "program": "train", "token": "t"}
        files.write_json(f"{self.folder}/.lock", {**own, **changes})
        with (
            mock.patch.object(locks, "STALE_AFTER", stale_after),
            mock.patch.object(locks, "_SETTLES", 0.0),
            self.assertLogs("absl", "WARNING") as logs,
            locks.only_writer(self.folder) as lease,
        ):
            lease.check()
        self.assertIn(end, logs.output[0])
        self.assertEqual(self._names(), [])

    def test_the_clock_leaves_one_name_at_most(self):
        folder = files.at(self.folder)
        self.addCleanup(self.server.allow)
        self.server.fail(f"POST /{testing_s3.BUCKET}", 1, status=403)  # what removes
        with self.assertRaises(PermissionError):
            locks._now(folder)
        self.assertEqual(self._names(), [".lock.now"])
        locks._now(folder)
        self.assertEqual(self._names(), [])

    def test_a_lease_that_cannot_be_given_back_hides_no_error(self):
        self.addCleanup(self.server.allow)
        with (
            self.assertLogs("absl", "WARNING") as logs,
            self.assertRaises(KeyboardInterrupt),
            locks.only_writer(self.folder),
        ):
            self.server.fail(f"{self.id()}/.lock$", 1000, status=403)
            raise KeyboardInterrupt
        self.assertIn(f"{self.folder}/.lock: ", logs.output[0])

    def test_of_two_that_take_over_one_stays(self):
        lock = f"{self.folder}/.lock"
        files.write_json(lock, {**locks._host(), "process": os.getpid(), "identity": "gone"})

        def other(seconds):
            files.write_json(lock, {"host": "elsewhere", "program": "x", "token": "other"})

        with (
            mock.patch.object(locks, "time", mock.Mock(sleep=other)),
            self.assertRaisesRegex(ValueError, "at work there: x, process"),
            locks.only_writer(self.folder),
        ):
            self.fail("two writers")

    def test_a_failing_request_is_made_again(self):
        self.server.fail(f"PUT .*{self.id()}", 2, status=503)
        files.write_text(f"{self.folder}/file", "text")
        self.assertEqual(files.read_text(f"{self.folder}/file"), "text")

    def test_a_listing_that_lags(self):
        files.write_text(f"{self.folder}/file", "text")
        with mock.patch.object(self.server, "lag", 60.0):
            self.assertEqual(self._names(), [])
            self.assertTrue(files.at(f"{self.folder}/file").is_file())
            files.remove(f"{self.folder}/file")
        self.assertEqual(self._names(), [])


class PathsTest(absltest.TestCase):
    def test_other_storage_is_refused(self):
        for path, reason in (
            ("ftp://host/x", "paths are folders of this machine, s3:// or gs://"),
            ("hdfs://host/x", "paths are folders"),
            ("s3://", "names no bucket"),
            ("s3:///x", "names no bucket"),
        ):
            with self.assertRaisesRegex(ValueError, f"^{path}: {reason}"):
                files.at(path)
        self.assertFalse(files.is_remote("/data/s3://x"))
        self.assertEqual(files.absolute("gs://b/x"), "gs://b/x")

    def test_google_storage_is_known(self):
        place = files.at("gs://bucket/folder") / "file"
        self.assertEqual(
            (str(place), place.path), ("gs://bucket/folder/file", "bucket/folder/file")
        )


if __name__ == "__main__":
    absltest.main()
