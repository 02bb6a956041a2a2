import dataclasses
import io
import pathlib

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image, PngImagePlugin

from preprocessing.data import maps, records
from preprocessing.data.manifest import Box, Photograph
from preprocessing.duplicates import thumbnails
from preprocessing.sharding import photograph_records, plans

_SETTINGS = plans.Settings(image_size=64, full_size=80, photographs_per_shard=4)
_ROW = Photograph("c", "p", "i", "a.png", "Melanoma", 3, (Box(60, 40, 90, 80),), row=2)


def _photograph(width=200, height=150, seed=0):
    rng = np.random.default_rng(seed)
    pixels = np.array([204, 158, 122]) + rng.normal(0, 4, (height, width, 3))
    pixels[40:80, 60:90] = (110, 60, 50)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


class ProcessPhotographTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        _photograph().save(self.folder / "a.png")

    def process(self, settings=_SETTINGS, **changes):
        row = dataclasses.replace(_ROW, **changes)
        return photograph_records.process_photograph(row, str(self.folder), settings)

    def test_crop_and_map_agree(self):
        done = self.process()
        self.assertEmpty(done.rejections)
        record = done.crops[0]
        image = np.asarray(Image.open(io.BytesIO(record.image_png)))
        self.assertEqual(image.shape, (64, 64, 3))
        decoded = maps.decode(np.asarray(Image.open(io.BytesIO(record.map_png))))
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

    def test_what_says_it_is_generated_needs_a_synthetic_row(self):
        info = PngImagePlugin.PngInfo()
        mark = '<x Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/.../trainedAlgorithmicMedia"/>'
        info.add_itxt("XML:com.adobe.xmp", mark)
        _photograph().save(self.folder / "a.png", pnginfo=info)
        done = self.process()
        self.assertEmpty(done.full)
        self.assertIn("a program made it", done.rejections[0].reason)
        done = self.process(synthetic=True)
        self.assertEqual([record.synthetic for record in done.crops + done.full], [True, True])
        _photograph().save(self.folder / "a.jpg", xmp=mark.encode())
        self.assertIn("a program made it", self.process(image="a.jpg").rejections[0].reason)

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
    )
    def test_what_is_not_made_is_said(self, changes, fulls, stage, reason):
        (self.folder / "t.png").write_text("text")
        done = self.process(**changes)
        self.assertLen(done.full, fulls)
        self.assertEmpty(done.crops)
        self.assertLen(done.rejections, 1)
        self.assertEqual((done.rejections[0].row, done.rejections[0].stage), (2, stage))
        self.assertIn(reason, done.rejections[0].reason)

    def test_unknown_type_is_kept_as_zero(self):
        done = self.process(fitzpatrick=None)
        self.assertEmpty(done.rejections)
        for record in (*done.full, *done.crops):
            self.assertEqual((record.fitzpatrick, record.fitzpatrick_source), (0, "unknown"))
        self.assertEqual(maps.decode(done.crops[0].semantic_map()).skin_type, 0)

    def test_records_say_where_the_skin_type_is_from(self):
        done = self.process()
        for record in done.full + done.crops:
            self.assertEqual(record.fitzpatrick_source, "annotated")
            self.assertEqual((record.ita, record.monk), (None, None))
        done = self.process(fitzpatrick_source="pair", ita=12.5, monk=4)
        for record in done.full + done.crops:
            self.assertEqual(record.fitzpatrick_source, "pair")
            self.assertEqual((record.ita, record.monk), (12.5, 4))

    def test_no_metadata_reaches_the_records(self):
        exif = Image.Exif()
        exif[0x010E] = "Jane Doe"
        _photograph().save(self.folder / "m.jpg", exif=exif, comment=b"Jane Doe")
        done = self.process(image="m.jpg")
        for record in done.full + done.crops:
            self.assertNotIn(b"Jane", records.serialize(record))
            chunks = record.image_png
            for name in (b"eXIf", b"tEXt", b"iCCP", b"tIME"):
                self.assertNotIn(name, chunks)

    def test_a_large_jpeg_is_reduced_while_decoding_and_looks_the_same(self):
        large = _photograph().resize((1600, 1200), Image.Resampling.BICUBIC)
        large.save(self.folder / "l.jpg", quality=95)
        large.save(self.folder / "l.png")
        rois = (Box(480, 320, 720, 640),)
        made = [self.process(image=name, rois=rois) for name in ("l.jpg", "l.png")]
        self.assertEqual(made[0].placed, made[1].placed)
        for kind in ("full", "crops"):
            reduced, whole = (getattr(done, kind)[0] for done in made)
            self.assertEqual(reduced.boxes, whole.boxes)
            pixels = [
                np.asarray(Image.open(io.BytesIO(record.image_png)), float)
                for record in (reduced, whole)
            ]
            self.assertLess(np.abs(pixels[0] - pixels[1]).mean(), 2)

    def test_the_thumbnail_of_a_reduced_jpeg_is_that_of_the_whole(self):
        large = _photograph().resize((1600, 1200), Image.Resampling.BICUBIC)
        large.save(self.folder / "a.png", "JPEG", quality=95)
        found = photograph_records.thumbnail_of(_ROW, str(self.folder), _SETTINGS)
        expected = thumbnails.reduce(large)
        self.assertLess(np.abs(found.astype(float) - expected).mean(), 1)

    @parameterized.parameters(
        {"image": "b.png"}, {"rois": (Box(150, 100, 260, 140),)}, {"image": "t.png"}
    )
    def test_no_thumbnail_of_what_cannot_be_used(self, **changes):
        (self.folder / "t.png").write_text("text")
        row = dataclasses.replace(_ROW, **changes)
        self.assertIsNone(photograph_records.thumbnail_of(row, str(self.folder), _SETTINGS))
        self.assertEmpty(self.process(**changes).full)


class ScaleTest(parameterized.TestCase):
    @parameterized.parameters(1.0, 1.7, 2.0, 2.6, 3.0, 4.3, 0.6)
    def test_close_to_the_filter_alone(self, factor):
        rng = np.random.default_rng(0)
        noise = [rng.integers(0, 256, (side, side, 3), np.uint8) for side in (12, 600)]
        layers = [
            Image.fromarray(pixels).resize((600, 600), Image.Resampling.BICUBIC) for pixels in noise
        ]
        image = Image.blend(*layers, 0.1)
        side = round(100 * factor)
        box = (7, 5, 7 + side, 5 + side)
        scaled = photograph_records._scaled(image, (100, 100), box)
        expected = image.resize((100, 100), Image.Resampling.LANCZOS, box=box)
        error = np.asarray(scaled, float) - np.asarray(expected, float)
        self.assertLess(np.sqrt(np.square(error).mean()), 3)


class LargestDivisorTest(parameterized.TestCase):
    @parameterized.parameters(
        ((1600, 1200), 480, 8, "480 / 0.85 / 64 = 8.8"),
        ((1600, 1200), 240, 4, "240 / 0.85 / 64 = 4.4"),
        ((640, 640), 480, 8, "640 / 80 = 8 for the whole"),
        ((200, 150), 20, 0, "windows of 32 pixels are enlarged already"),
    )
    def test_nothing_is_enlarged_for_it(self, size, length, expected, why):
        divisor = photograph_records.largest_divisor([Box(0, 0, length, 5)], size, _SETTINGS)
        self.assertEqual(divisor, expected, why)

    def test_without_roi_only_the_whole_counts(self):
        self.assertEqual(photograph_records.largest_divisor((), (1600, 1200), _SETTINGS), 20)


if __name__ == "__main__":
    absltest.main()
