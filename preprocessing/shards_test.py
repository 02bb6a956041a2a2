import dataclasses
import io
import json
import os
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized
from PIL import Image

from preprocessing import examples, plans, semantic_map, shards
from preprocessing.cases import Box, Photograph

_SETTINGS = plans.Settings(image_size=64, full_size=80, photographs_per_shard=4)
_ROW = Photograph("c", "p", "i", "a.png", "Melanoma", 3, (Box(60, 40, 90, 80),), row=2)


def _photograph(width=200, height=150, seed=0):
    rng = np.random.default_rng(seed)
    pixels = np.array([204, 158, 122]) + rng.normal(0, 4, (height, width, 3))
    pixels[40:80, 60:90] = (110, 60, 50)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


class ShardCase(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        _photograph().save(self.folder / "a.png")

    def process(self, settings=_SETTINGS, **changes):
        row = dataclasses.replace(_ROW, **changes)
        return shards.process_photograph(row, str(self.folder), settings)


class ProcessPhotographTest(ShardCase):
    def test_crop_and_map_agree(self):
        done = self.process()
        self.assertEmpty(done.rejections)
        record = done.crops[0]
        image = np.asarray(Image.open(io.BytesIO(record.image_png)))
        self.assertEqual(image.shape, (64, 64, 3))
        decoded = semantic_map.decode(np.asarray(Image.open(io.BytesIO(record.map_png))))
        self.assertEqual((decoded.skin_type, decoded.condition_code), (3, 12))
        x0, y0, x1, y1 = map(int, record.boxes[0])
        expected = np.zeros((64, 64), bool)
        expected[y0:y1, x0:x1] = True
        np.testing.assert_array_equal(decoded.roi, expected)
        # The lesion is dark: the box must lie on it.
        dark = image[..., 0] < 150
        self.assertGreater((dark & expected).sum() / (dark | expected).sum(), 0.85)

    def test_full_is_the_whole_photograph(self):
        record = self.process().full[0]
        self.assertEqual((record.width, record.height), (80, 60))
        np.testing.assert_allclose(record.boxes[0], (24, 16, 36, 32))
        self.assertEmpty(record.map_png)

    def test_several_crops_differ(self):
        done = self.process(dataclasses.replace(_SETTINGS, crops_per_photograph=3))
        self.assertLen({crop.window for crop in done.placed}, 3)

    @parameterized.named_parameters(
        ("missing", {"image": "b.png"}, 0, "photograph", "b.png: no such file"),
        ("not_image", {"image": "t.png"}, 0, "photograph", "t.png: not an image that can be read"),
        (
            "outside",
            {"rois": (Box(150, 100, 260, 140),)},
            0,
            "photograph",
            "a.png: rois: box '150 100 260 140' is outside the 200x150 photograph",
        ),
        ("no_roi", {"rois": ()}, 1, "crop", "no ROI; only the full record was made"),
        (
            "no_type",
            {"fitzpatrick": None},
            1,
            "crop",
            "unknown skin type; import with --estimate_skin_type",
        ),
    )
    def test_what_is_not_made_is_said(self, changes, fulls, stage, reason):
        (self.folder / "t.png").write_text("text")
        done = self.process(**changes)
        self.assertLen(done.full, fulls)
        self.assertEmpty(done.crops)
        self.assertLen(done.rejections, 1)
        self.assertEqual((done.rejections[0].row, done.rejections[0].stage), (2, stage))
        self.assertIn(reason, done.rejections[0].reason)

    def test_unknown_type_is_zero_in_full(self):
        self.assertEqual(self.process(fitzpatrick=None).full[0].fitzpatrick, 0)

    def test_no_metadata_reaches_the_records(self):
        exif = Image.Exif()
        exif[0x010E] = "Jane Doe"
        _photograph().save(self.folder / "m.jpg", exif=exif, comment=b"Jane Doe")
        done = self.process(image="m.jpg")
        for record in done.full + done.crops:
            self.assertNotIn(b"Jane", examples.serialize(record))
            chunks = record.image_png
            for name in (b"eXIf", b"tEXt", b"iCCP", b"tIME"):
                self.assertNotIn(name, chunks)

    def test_encode_png_is_lossless(self):
        for flat in (False, True):
            image = _photograph()
            decoded = Image.open(io.BytesIO(shards.encode_png(image, flat)))
            np.testing.assert_array_equal(np.asarray(decoded), np.asarray(image))


class WriteShardTest(ShardCase):
    def _plan(self, **changes):
        rows = [dataclasses.replace(_ROW, image_id=str(n), row=n, **changes) for n in range(3)]
        return plans.ShardPlan("train", 1, 2, str(self.folder), _SETTINGS, tuple(rows))

    def _work(self, plan):
        work = self.folder / "work"
        for name in ("plans", "crops", "full", "shards"):
            (work / name).mkdir(parents=True, exist_ok=True)
        path = work / "plans" / f"{plan.name}.json"
        path.write_text(plan.to_json())
        return str(path), work

    def test_writes_records_and_summary(self):
        plan = self._plan()
        path, work = self._work(plan)
        summary = shards.write_shard(path)
        self.assertEqual(summary.files["crops"]["counts"], {"Melanoma": {"3": 3}})
        self.assertEqual((summary.total("crops"), summary.total("full")), (3, 3))
        for kind in ("crops", "full"):
            records = list(tf.data.TFRecordDataset(str(work / kind / plan.name)))
            self.assertLen(records, 3)
        self.assertEqual(examples.parse_full(records[2])["image_id"].numpy(), b"2")
        saved = json.loads((work / "shards" / f"{plan.name}.json").read_text())
        self.assertEqual(shards.Summary(**saved), summary)
        self.assertEmpty(list(work.glob("*/*.tmp")))

    def test_a_finished_shard_is_used_again_while_nothing_changed(self):
        plan = self._plan()
        path, work = self._work(plan)
        first = shards.write_shard(path)
        record = work / "crops" / plan.name
        stamp = record.stat().st_mtime_ns
        self.assertEqual(shards.write_shard(path), first)
        self.assertEqual(record.stat().st_mtime_ns, stamp)
        record.write_bytes(record.read_bytes()[:-1])
        shards.write_shard(path)
        self.assertEqual(record.stat().st_size, first.files["crops"]["bytes"])
        _photograph(seed=1).save(self.folder / "a.png")
        self.assertNotEqual(
            shards.write_shard(path).files["crops"]["sha256"], first.files["crops"]["sha256"]
        )
        before = os.stat(record).st_mtime_ns
        self._work(self._plan(fitzpatrick=5))
        self.assertEqual(shards.write_shard(path).files["full"]["counts"], {"Melanoma": {"5": 3}})
        self.assertNotEqual(os.stat(record).st_mtime_ns, before)


if __name__ == "__main__":
    absltest.main()
