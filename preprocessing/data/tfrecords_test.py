import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from preprocessing.data import tfrecords


def _tensorflow_example(features):
    kinds = {}
    for name, value in features.items():
        if isinstance(value, bytes):
            kinds[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        elif isinstance(value, int):
            kinds[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        else:
            kinds[name] = tf.train.Feature(float_list=tf.train.FloatList(value=value))
    example = tf.train.Example(features=tf.train.Features(feature=kinds))
    return example.SerializeToString(deterministic=True)


class TfrecordsTest(absltest.TestCase):
    def test_the_bytes_are_tensorflows(self):
        features = {
            "b/long": np.random.default_rng(0).bytes(70_000),
            "a": b"",
            "int": 0,
            "big": 2**40 + 5,
            "negative": -3,
            "floats": [0.1, 0.5, 1e-9],
            "none": [],
            "true": True,
            "ümlaut": "ü".encode(),
        }
        expected = _tensorflow_example({**features, "one": [2.5]})
        features["ümlaut"] = "ü"
        self.assertEqual(tfrecords.encode_example({**features, "one": 2.5}), expected)

    def test_tensorflow_reads_the_frames(self):
        path = pathlib.Path(self.create_tempdir().full_path) / "x.tfrecord"
        records = [b"", b"one", np.random.default_rng(1).bytes(100_000)]
        path.write_bytes(b"".join(map(tfrecords.frame, records)))
        read = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
        self.assertEqual(read, records)


if __name__ == "__main__":
    absltest.main()
