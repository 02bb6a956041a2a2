import dataclasses
import io
import json
import pathlib
import subprocess
import sys

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized
from PIL import Image, PngImagePlugin

from preprocessing.data import records, taxonomy, tfrecords
from preprocessing.data.manifest import Box


def _png(array, **options):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG", **options)
    return buffer.getvalue()


_PIXELS = np.random.default_rng(0).integers(0, 256, (4, 8, 3), np.uint8)
_GENERATED = {
    "synthetic": True,
    "seed": -5,
    "generator_digest": "ab" * 32,
    "fitzpatrick_source": "requested",
    "code_source": records.DRAWN_CODE,
}


def _record(**changes):
    fields = {
        "image_png": _png(_PIXELS),
        "map_png": _png(255 - _PIXELS),
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


class _FilesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _write(self, *written, name="train-00000-of-00001.tfrecord", kind="crops"):
        path = self.folder / kind / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"".join(tfrecords.frame(records.serialize(one)) for one in written))
        return str(path)

    def _read(self, kind="crops", split="train", **options):
        return list(records.read(str(self.folder), kind, split, **options))


class ReadTest(_FilesTest):
    @parameterized.named_parameters(
        ("crop", {}),
        ("without_boxes", {"boxes": ()}),
        ("neutral", {"ita": 0.0, "monk": 1}),
        ("measured", {"ita": -31.5, "monk": 10, "fitzpatrick_source": "pair_estimated"}),
        ("unknown_skin_type", {"fitzpatrick": 0, "fitzpatrick_source": "unknown"}),
        ("generated", _GENERATED),
    )
    def test_round_trip(self, changes):
        # More than are parsed at once, with other numbers of boxes beside it.
        written = [_record(image_id=str(n), boxes=(Box(0, 0, n % 8 + 1, 4),)) for n in range(130)]
        written[70] = _record(**changes)
        self._write(*written)
        self.assertEqual(self._read(), written)
        without = [dataclasses.replace(one, image_png=b"") for one in written]
        self.assertEqual(self._read(images=False), without)

    def test_a_photograph_has_no_map(self):
        written = _record(map_png=b"")
        path = self._write(written, kind="full")
        self.assertEqual(self._read("full"), [written])
        with self.assertRaisesRegex(
            ValueError, f"^{path}: not a crop record: .*map/encoded.* could not be found.*$"
        ):
            list(records.read_file(path, "crops"))

    def test_pictures(self):
        np.testing.assert_array_equal(_record().image(), _PIXELS)
        np.testing.assert_array_equal(_record().semantic_map(), 255 - _PIXELS)

    def test_conditions_are_chosen(self):
        written = [_record(condition=("Acne", "Melanoma")[n % 2], case_id=str(n)) for n in range(6)]
        self._write(*written)
        self.assertEqual(self._read(conditions=["Acne"]), written[::2])
        with self.assertRaisesRegex(ValueError, "no train crop of the wanted conditions"):
            self._read(conditions=["Cyst"])

    def test_files_are_read_in_their_order(self):
        for number in (1, 0):
            name = records.shard_name("test", number, 2)
            self._write(_record(image_id=str(number)), _record(image_id="x"), name=name)
        self.assertEqual([one.image_id for one in self._read(split="test")], ["0", "x", "1", "x"])

    def test_synthetic_images_are_for_training(self):
        written = _record(**_GENERATED)
        self._write(written)
        self._write(written, name="test-00000-of-00001.tfrecord")
        self.assertEqual(self._read(), [written])
        with self.assertRaisesRegex(ValueError, "test-00000.*: holds synthetic images; a test"):
            self._read(split="test")

    def test_the_mark_in_an_image_counts_too(self):
        mark = PngImagePlugin.PngInfo()
        said = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
        mark.add_itxt("XML:com.adobe.xmp", f'<x Iptc4xmpExt:DigitalSourceType="{said}"/>')
        written = _record(image_png=_png(_PIXELS, pnginfo=mark))
        self._write(_record(), written)
        self.assertEqual([one.synthetic for one in self._read()], [False, True])
        self.assertEqual([one.synthetic for one in self._read(images=False)], [False, False])
        self._write(written, name="test-00000-of-00001.tfrecord")
        with self.assertRaisesRegex(ValueError, "test-00000.*: holds synthetic images; a test"):
            self._read(split="test")

    def test_a_corrupt_file_is_named(self):
        path = pathlib.Path(self._write(_record(), _record()))
        content = path.read_bytes()
        changed = content[:20] + b"x" + content[21:]
        for wrong, good in ((content[:-9], 1), (changed, 0), (b"no record at all", 0)):
            path.write_bytes(wrong)
            message = f"^{path}: truncated or corrupt TFRecord after {good} good records$"
            with self.assertRaisesRegex(ValueError, message):
                self._read()

    def test_records_of_another_schema_are_named(self):
        path = pathlib.Path(self._write())
        path.write_bytes(tfrecords.frame(tfrecords.encode_example({"condition/code": 3})))
        with self.assertRaisesRegex(ValueError, f"^{path}: not a crop record: [^\n]*not be found"):
            self._read()

    def test_other_errors_pass(self):
        with self.assertRaises(KeyError), records.naming("x", "full"):
            raise KeyError("y")

    def test_writing_needs_no_tensorflow(self):
        code = "import sys, preprocessing.data.records; sys.exit('tensorflow' in sys.modules)"
        subprocess.run(
            [sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)}
        )


class StreamTest(_FilesTest):
    def test_parses_batches_and_single_records_in_a_graph(self):
        written = [_record(monk=n or None, condition="Acne") for n in range(3)]
        stream = records.stream([self._write(*written)])
        names = ["condition/code", "monk", "image/encoded", "ita", "case_id"]
        (batch,) = stream.batch(3).map(lambda one: records.parse(one, names))
        self.assertEqual(batch["monk"].numpy().tolist(), [0, 1, 2])
        self.assertEqual(batch["case_id"].numpy().tolist(), [b"c"] * 3)
        self.assertTrue(np.isnan(batch["ita"]).all())
        for single in stream.map(lambda one: records.parse(one, names)):
            self.assertEqual(single["condition/code"], taxonomy.code("Acne"))
            np.testing.assert_array_equal(records.decode_png(single["image/encoded"]), _PIXELS)

    def test_chooses_conditions_and_takes_files_in_turn(self):
        names = ["Acne", "Cyst", "Acne"]
        paths = [
            self._write(
                *(_record(condition=name, image_id=f"{file}{n}") for n, name in enumerate(names)),
                name=records.shard_name("train", file, 2),
            )
            for file in range(2)
        ]
        codes = [taxonomy.code("Acne")]
        for files_at_once, expected in ((1, "00 02 10 12"), (2, "00 10 02 12")):
            stream = records.stream(tf.constant(paths), codes, files_at_once)
            read = [records.parse(one, ["image_id"])["image_id"].numpy().decode() for one in stream]
            self.assertEqual(" ".join(read), expected)


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

    def test_keys_of_later_programs_are_ignored(self):
        self._write(json.dumps({**json.loads(self.info.to_json()), "licence": "CC BY 4.0"}))
        self.assertEqual(records.read_info(str(self.folder)), self.info)

    def test_bad_descriptions(self):
        with self.assertRaisesRegex(ValueError, "no such file; make a data set"):
            records.read_info(str(self.folder))
        fields = json.loads(self.info.to_json())
        for text, message in (
            ("{", "not a data set description"),
            ("[]", "not a data set description"),
            ("{}", "not a data set description"),
            (json.dumps({"format_version": 2}), "not a data set description"),
            (
                json.dumps({**fields, "format_version": 1}),
                "dataset.json: format version 1, this program reads 2; run preprocess again$",
            ),
            (json.dumps({**fields, "format_version": 9}), "version 9, this program reads 2$"),
            (
                json.dumps({**fields, "taxonomy": ["Warts", *taxonomy.CONDITIONS[1:]]}),
                r"another taxonomy than that of others: lacks \['Acne'\], adds \['Warts'\]",
            ),
            (
                json.dumps({**fields, "taxonomy": taxonomy.CONDITIONS[::-1]}),
                "another taxonomy than that of others: the same conditions in another order",
            ),
        ):
            self._write(text)
            with self.assertRaisesRegex(ValueError, message), taxonomy.apart():
                taxonomy.adopt(taxonomy.PAPER, "others")
                records.read_info(str(self.folder))

    def test_the_taxonomy_is_adopted(self):
        fields = {**json.loads(self.info.to_json()), "taxonomy": ["Burn", "Foot Ulcer"]}
        self._write(json.dumps({**fields, "aliases": {"DFU": "Foot Ulcer"}}))
        with taxonomy.apart():
            records.read_info(str(self.folder))
            self.assertEqual(taxonomy.code("dfu"), 1)


if __name__ == "__main__":
    absltest.main()
