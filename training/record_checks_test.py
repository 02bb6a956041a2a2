import os
import pathlib

import tensorflow as tf
from absl.testing import absltest

from preprocessing.data import records
from training import record_checks, testing_data

_SIZE = 32


class BadRecordsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        testing_data.write_dataset(self.folder, _SIZE)
        self.shard = pathlib.Path(records.list_shards(self.folder, "crops", "train")[1])

    def _check(self, size=_SIZE):
        record_checks.check_records(self.folder, "train", size)

    def test_good_records_pass(self):
        self._check()
        with (
            self.assertRaisesRegex(ValueError, f"{self.folder}: of no shard"),
            record_checks.corrupt_shard_named(self.folder),
        ):
            raise tf.errors.DataLossError(None, None, "of no shard")

    def test_not_a_tfrecord(self):
        self.shard.write_bytes(b"no record at all, but long enough for a header")
        with self.assertRaisesRegex(
            ValueError, f"{self.shard.name}: truncated or corrupt TFRecord"
        ):
            self._check()

    def test_truncated_in_the_middle(self):
        data = self.shard.read_bytes()
        self.shard.write_bytes(data[: len(data) // 2])
        message = rf"{self.shard.name}: truncated or corrupt TFRecord after \d+ good records"
        with (
            self.assertRaisesRegex(ValueError, message),
            record_checks.corrupt_shard_named(self.folder),
        ):
            for _ in records.stream([str(self.shard)]):
                pass

    def test_other_schema(self):
        with tf.io.TFRecordWriter(str(self.shard)) as writer:
            writer.write(tf.train.Example().SerializeToString())
        with self.assertRaisesRegex(ValueError, "not a crop record: .*could not be found"):
            self._check()

    def test_other_size(self):
        with self.assertRaisesRegex(ValueError, "crops of 32x32 where the model takes 64x64"):
            self._check(64)

    def test_missing_shard(self):
        os.remove(self.shard)
        with self.assertRaisesRegex(ValueError, "train shard 00001 is missing"):
            self._check()


if __name__ == "__main__":
    absltest.main()
