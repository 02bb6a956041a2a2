import tensorflow as tf
from absl.testing import absltest

from preprocessing.data import record_errors, records


class RecordErrorsTest(absltest.TestCase):
    def _read(self, content):
        path = self.create_tempfile(content=content).full_path
        with record_errors.naming(path, "crop"):
            return [records.parse_crop(one) for one in tf.data.TFRecordDataset(path)]

    def test_a_truncated_file(self):
        path = self.create_tempfile().full_path
        with tf.io.TFRecordWriter(path) as writer:
            writer.write(b"x" * 100)
        with open(path, "rb") as file:
            content = file.read()
        with self.assertRaisesRegex(ValueError, "/.+: truncated or corrupt TFRecord$"):
            self._read(content[:-7])

    def test_records_of_another_kind(self):
        path = self.create_tempfile().full_path
        with tf.io.TFRecordWriter(path) as writer:
            writer.write(b"")
        with open(path, "rb") as file:
            content = file.read()
        with self.assertRaisesRegex(ValueError, "/.+: not a crop record"):
            self._read(content)

    def test_other_errors_pass(self):
        with self.assertRaises(KeyError), record_errors.naming("x", "full"):
            raise KeyError("y")

    def test_synthetic_images_are_for_training(self):
        record_errors.check_synthetic("a.tfrecord", "train", True)
        record_errors.check_synthetic("a.tfrecord", "test", False)
        with self.assertRaisesRegex(ValueError, "a.tfrecord: holds synthetic images; a test split"):
            record_errors.check_synthetic("a.tfrecord", "test", True)


if __name__ == "__main__":
    absltest.main()
