import io
import json
import pathlib
import subprocess
import sys

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from PIL import Image

from preprocessing.data import records, taxonomy
from preprocessing.data.manifest import Box


def _png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


_PIXELS = np.random.default_rng(0).integers(0, 256, (4, 8, 3), np.uint8)


def _record(**changes):
    fields = {
        "image_png": _png(_PIXELS),
        "map_png": _png(np.zeros_like(_PIXELS)),
        "height": 4,
        "width": 8,
        "boxes": (Box(1, 2, 3, 4), Box(0, 0, 8, 4)),
        "condition": "Melanoma",
        "fitzpatrick": 5,
        "case_id": "c",
        "patient_id": "p",
        "image_id": "i",
    }
    return records.Record(**{**fields, **changes})


class RecordTest(absltest.TestCase):
    def test_a_crop_is_read_back(self):
        parsed = records.parse_crop(tf.constant(records.serialize(_record())))
        self.assertEqual(parsed["condition"].numpy(), b"Melanoma")
        self.assertEqual(parsed["condition/code"].numpy(), taxonomy.code("Melanoma"))
        self.assertEqual(parsed["fitzpatrick"].numpy(), 5)
        self.assertEqual(parsed["patient_id"].numpy(), b"p")
        np.testing.assert_allclose(
            parsed["boxes"], [[0.5, 0.125, 1.0, 0.375], [0.0, 0.0, 1.0, 1.0]]
        )
        np.testing.assert_array_equal(records.decode_png(parsed["image/encoded"]), _PIXELS)
        self.assertEqual(records.decode_png(parsed["map/encoded"]).shape, (4, 8, 3))

    def test_parses_in_a_graph(self):
        dataset = tf.data.Dataset.from_tensors(records.serialize(_record()))
        parsed = next(iter(dataset.map(records.parse_crop)))
        self.assertEqual(parsed["boxes"].shape, (2, 4))

    def test_a_photograph_has_no_map_and_may_lack_boxes(self):
        serialized = records.serialize(_record(map_png=b"", boxes=(), fitzpatrick=0))
        parsed = records.parse_full(tf.constant(serialized))
        self.assertEqual(parsed["boxes"].shape, (0, 4))
        self.assertNotIn("map/encoded", parsed)
        with self.assertRaisesRegex(tf.errors.InvalidArgumentError, "map/encoded"):
            records.parse_crop(tf.constant(serialized))

    def test_writing_needs_no_tensorflow(self):
        code = "import sys, preprocessing.data.records; sys.exit('tensorflow' in sys.modules)"
        subprocess.run(
            [sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)}
        )


class ShardsTest(absltest.TestCase):
    def _touch(self, *names):
        folder = pathlib.Path(self.create_tempdir().full_path)
        (folder / "crops").mkdir()
        for name in names:
            (folder / "crops" / name).touch()
        return str(folder)

    def test_lists_a_split(self):
        names = [records.shard_name("train", index, 2) for index in range(2)]
        folder = self._touch(*names, "test-00000-of-00001.tfrecord", "train-x.tfrecord")
        found = records.list_shards(folder, "crops", "train")
        self.assertEqual([pathlib.Path(path).name for path in found], names)

    def test_refuses_what_is_incomplete(self):
        one, other = "train-00001-of-00002.tfrecord", "train-00000-of-00003.tfrecord"
        with self.assertRaisesRegex(ValueError, "train shard 00000 is missing"):
            records.list_shards(self._touch(one), "crops", "train")
        with self.assertRaisesRegex(ValueError, "shards of different runs"):
            records.list_shards(self._touch(one, other), "crops", "train")
        with self.assertRaisesRegex(ValueError, "no test records; make them with"):
            records.list_shards(self._touch(one), "crops", "test")
        with self.assertRaisesRegex(ValueError, "split 'dev' is not one of"):
            records.list_shards(self._touch(one), "crops", "dev")


class DatasetInfoTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.info = records.DatasetInfo(
            image_size=64,
            full_size=96,
            taxonomy=taxonomy.CONDITIONS,
            counts={"crops": {"train": {"Acne": {"1": 2, "6": 3}}}, "full": {}},
            digest="00",
            settings={"seed": 1},
            packages={"numpy": "1"},
        )

    def _write(self, text):
        (self.folder / "dataset.json").write_text(text)

    def test_round_trip_and_counts(self):
        self._write(self.info.to_json())
        self.assertEqual(records.read_info(str(self.folder)), self.info)
        self.assertEqual(self.info.count("crops", "train"), 5)
        self.assertEqual(self.info.count("crops", "test"), 0)

    def test_bad_descriptions(self):
        with self.assertRaisesRegex(ValueError, "no such file; make a data set"):
            records.read_info(str(self.folder))
        fields = json.loads(self.info.to_json())
        for text, message in (
            ("{", "not a data set description"),
            ("[]", "not a data set description"),
            (json.dumps({"format_version": 1}), "not a data set description"),
            (json.dumps({**fields, "format_version": 9}), "format version 9, this program reads 1"),
            (
                json.dumps({**fields, "taxonomy": ["Warts", *taxonomy.CONDITIONS[1:]]}),
                r"another taxonomy: lacks \['Acne'\], adds \['Warts'\]",
            ),
            (
                json.dumps({**fields, "taxonomy": taxonomy.CONDITIONS[::-1]}),
                "another taxonomy: the same conditions in another order",
            ),
        ):
            self._write(text)
            with self.assertRaisesRegex(ValueError, message):
                records.read_info(str(self.folder))


if __name__ == "__main__":
    absltest.main()
