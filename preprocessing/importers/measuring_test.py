import pathlib

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from preprocessing.data.manifest import Box, Photograph
from preprocessing.importers import measuring, testing_files
from preprocessing.importers.formats import Entry


class BoxesFromMaskTest(absltest.TestCase):
    def test_components_without_specks(self):
        mask = np.zeros((100, 120), bool)
        mask[10:30, 20:60] = True
        mask[50:60, 5:15] = True
        mask[90, 90] = True
        self.assertEqual(measuring.boxes_from_mask(mask), (Box(20, 10, 60, 30), Box(5, 50, 15, 60)))

    def test_diagonal_pixels_touch_and_empty_is_empty(self):
        self.assertLen(measuring.boxes_from_mask(np.eye(20, dtype=bool)), 1)
        self.assertEmpty(measuring.boxes_from_mask(np.zeros((5, 5), bool)))


class FitBoxesTest(parameterized.TestCase):
    def test_as_they_are(self):
        boxes = (Box(1.5, 2, 3, 4),)
        self.assertEqual(measuring.fit_boxes(boxes, None, (10, 20)), (boxes, ()))
        self.assertEqual(measuring.fit_boxes(boxes, (10, 20), (10, 20)), (boxes, ()))

    def test_cut_off_at_the_frame(self):
        found, _ = measuring.fit_boxes([Box(-3, 5, 12, 25)], (10, 20), (10, 20))
        self.assertEqual(found, (Box(0, 5, 10, 20),))

    def test_scaled_since(self):
        # 4000x3000 to 1001x750: sides rounded to whole pixels.
        (found,), _ = measuring.fit_boxes([Box(400, 300, 800, 1500)], (4000, 3000), (1001, 750))
        np.testing.assert_allclose(found, (100.1, 75, 200.2, 375))

    @parameterized.parameters(((3000, 4000),), ((4000, 2900),))
    def test_another_shape(self, size):
        with self.assertRaisesRegex(ValueError, r"drawn on 4000x3000 pixels, .* has \d+x\d+ after"):
            measuring.fit_boxes([Box(0, 0, 9, 9)], (4000, 3000), size)

    def test_a_frame_before_exif_orientation(self):
        boxes = (Box(1, 2, 3, 18),)
        found, _ = measuring.fit_boxes(boxes, (20, 10), (10, 20), turned_frame=True)
        self.assertEqual(found, boxes)
        with self.assertRaisesRegex(ValueError, "drawn on 20x10 pixels"):
            measuring.fit_boxes(boxes, (20, 10), (5, 10), turned_frame=True)

    @parameterized.parameters(((10, 0, 12, 5),), ((-5, 0, 0, 5),), ((0, 20, 5, 30),))
    def test_outside(self, corners):
        with self.assertRaisesRegex(ValueError, r"box '.*' is outside the 10x20 photograph"):
            measuring.fit_boxes([Box(*corners)], None, (10, 20))

    def test_boxes_that_will_not_do_are_left_out(self):
        good, stray, tiny = Box(1, 2, 5, 6), Box(11, 0, 12, 5), Box(1, 1, 1.8, 9)
        found, reasons = measuring.fit_boxes([stray, good, tiny], (20, 40), (10, 20))
        self.assertEqual(found, (Box(5.5, 0, 6, 2.5), Box(0.5, 1, 2.5, 3)))
        self.assertEqual(
            reasons, ("box '1 1 1.8 9' is smaller than half a pixel of the photograph",)
        )
        with self.assertRaisesRegex(ValueError, "is outside the 10x20 photograph, and so are 1 "):
            measuring.fit_boxes([stray, stray], None, (10, 20))
        with self.assertRaisesRegex(ValueError, "501 boxes are more than the limit of 500"):
            measuring.fit_boxes([good] * 501, None, (10, 20))


class MeasureTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        testing_files.write_photograph(self.folder / "x.png")
        testing_files.write_mask(self.folder / "m.png")

    def _measure(self, image, mask=None, rois=(), frame=None, turned=False, estimate=True):
        photograph = Photograph("c", "p", "i", image, "Acne", None, rois)
        entry = Entry(photograph, "acne", frame=frame, turned_frame=turned)
        return measuring.measure(entry, image, mask, str(self.folder), estimate)

    def test_boxes_before_the_mask_before_the_skin(self):
        drawn = (Box(1, 2, 30, 40),)
        self.assertEqual(self._measure("x.png", "m.png", drawn)[:2], (drawn, "boxes"))
        self.assertEqual(self._measure("x.png", "m.png")[:2], ((testing_files.LESION,), "mask"))
        (roi,), source, (skin_type, degrees), _ = self._measure("x.png")
        self.assertEqual((source, skin_type), ("skin", 3))
        self.assertAlmostEqual(degrees, 35, delta=6)
        self.assertGreater((roi.x1 - roi.x0) * (roi.y1 - roi.y0), 0.9 * 120 * 90)
        self.assertIsNone(self._measure("x.png", estimate=False).estimate)

    def test_a_phone_photograph_stored_on_its_side(self):
        # 120x90 pixels in the file, 90x120 as people and annotation tools see it.
        exif = Image.Exif()
        exif[0x0112] = 6
        with Image.open(self.folder / "x.png") as image:
            image.save(self.folder / "phone.jpg", exif=exif)
        drawn = (Box(40, 40, 60, 110),)
        found = self._measure("phone.jpg", None, drawn, (120, 90), True)
        self.assertEqual(found[:2], (drawn, "boxes"))
        self.assertRegex(
            self._measure("phone.jpg", None, drawn, (120, 90), False),
            "drawn on 120x90 pixels, the photograph has 90x120 after EXIF orientation",
        )

    def test_reasons(self):
        Image.new("L", (120, 90)).save(self.folder / "empty.png")
        (self.folder / "broken.png").write_bytes(b"")
        self.assertEqual(
            self._measure("x.png", "empty.png"), f"{self.folder}/empty.png: the mask is empty"
        )
        self.assertRegex(self._measure("broken.png"), "broken.png: not an image that can be read")
        self.assertRegex(self._measure("x.png", "broken.png"), "broken.png: not an image")
        self.assertRegex(
            self._measure("x.png", None, (Box(500, 0, 600, 9),)), "is outside the 120x90"
        )

    def test_a_mask_of_another_size(self):
        testing_files.write_mask(self.folder / "large.png", (240, 180))
        (roi,) = self._measure("x.png", "large.png").rois
        np.testing.assert_allclose(roi, testing_files.LESION, atol=1)


if __name__ == "__main__":
    absltest.main()
