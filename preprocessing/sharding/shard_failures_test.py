import pathlib

from absl.testing import absltest

from preprocessing.sharding import shard_failures


class ShardFailuresTest(absltest.TestCase):
    def test_the_reason_is_told(self):
        folder = pathlib.Path(self.create_tempdir().full_path) / "shards"
        folder.mkdir()
        shard_failures.note(folder, "a.tfrecord", OSError(28, "No space left on device"))
        self.assertEqual(
            str(shard_failures.error_of(folder, "a.tfrecord")),
            f"{folder.parent}: a.tfrecord: [Errno 28] No space left on device; what is finished "
            "is kept, and the same command goes on",
        )
        shard_failures.forget(folder, "a.tfrecord")
        self.assertIn("is the disk full?", str(shard_failures.error_of(folder, "a.tfrecord")))

    def test_a_disk_that_takes_no_note(self):
        folder = pathlib.Path(self.create_tempdir().full_path) / "gone"
        shard_failures.note(folder, "a.tfrecord", OSError("full"))
        self.assertIn("is the disk full?", str(shard_failures.error_of(folder, "a.tfrecord")))


if __name__ == "__main__":
    absltest.main()
