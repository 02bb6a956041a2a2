import csv
import pathlib

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from preprocessing.cases import Box
from preprocessing.importers import importing


def _write_photograph(path, tone=(204, 158, 122), size=(120, 90)):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    pixels = np.array(tone) + rng.normal(0, 3, (size[1], size[0], 3))
    pixels[30:50, 40:70] *= 0.5
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)


def _write_mask(path, size=(120, 90)):
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros((size[1], size[0]), np.uint8)
    mask[size[1] // 3 : size[1] * 5 // 9, size[0] // 3 : size[0] * 7 // 12] = 255
    mask[1, 1] = 255  # A speck.
    Image.fromarray(mask).save(path)


def _write_table(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _ham10000(folder):
    rows = []
    for n, diagnosis in enumerate(("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")):
        name = f"ISIC_{n:07d}"
        _write_photograph(folder / f"HAM10000_images_part_{1 + n % 2}" / f"{name}.jpg")
        _write_mask(folder / "HAM10000_segmentations" / f"{name}_segmentation.png")
        rows.append({"lesion_id": f"HAM_{n // 2}", "image_id": name, "dx": diagnosis, "age": "50"})
    _write_table(folder / "HAM10000_metadata.csv", rows)


def _pad(folder):
    rows = []
    types = ("2.0", "", "", "6.0", "9", "1.0")
    for n, diagnosis in enumerate(("BCC", "ACK", "NEV", "SEK", "SCC", "XXX")):
        name = f"PAT_{n}_{n}_7.png"
        _write_photograph(folder / "imgs_part_1" / name)
        rows.append(
            {
                "patient_id": f"PAT_{n}",
                "lesion_id": str(n),
                "fitspatrick": types[n],
                "diagnostic": diagnosis,
                "img_id": name,
            }
        )
    _write_mask(folder / "masks" / "PAT_0_0_7_mask.png")
    rows.append({**rows[0], "img_id": "PAT_9_9_9.png"})
    _write_table(folder / "metadata.csv", rows)


class BoxesFromMaskTest(absltest.TestCase):
    def test_components_without_specks(self):
        mask = np.zeros((100, 120), bool)
        mask[10:30, 20:60] = True
        mask[50:60, 5:15] = True
        mask[90, 90] = True
        self.assertEqual(importing.boxes_from_mask(mask), (Box(20, 10, 60, 30), Box(5, 50, 15, 60)))

    def test_diagonal_pixels_touch_and_empty_is_empty(self):
        self.assertLen(importing.boxes_from_mask(np.eye(20, dtype=bool)), 1)
        self.assertEmpty(importing.boxes_from_mask(np.zeros((5, 5), bool)))


class ImportTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _import(self, name, **options):
        return importing.import_photographs(name, str(self.folder), workers=1, **options)

    def test_ham10000(self):
        _ham10000(self.folder)
        report = self._import("ham10000", estimate_skin_type=True)
        self.assertEmpty(report.rejections)
        self.assertEqual(
            [photograph.condition for photograph in report.photographs],
            [
                "Actinic Keratosis",
                "Basal Cell Carcinoma",
                "SK/ISK",
                "Other",
                "Melanoma",
                "Melanocytic Nevus",
                "Other",
            ],
        )
        first, second = report.photographs[:2]
        self.assertEqual((first.patient_id, second.patient_id), ("HAM_0", "HAM_0"))
        self.assertEqual(first.image, "HAM10000_images_part_1/ISIC_0000000.jpg")
        self.assertEqual(first.rois, (Box(40, 30, 70, 50),))
        self.assertEqual(first.fitzpatrick, 3)
        self.assertEqual(first.extra["fitzpatrick_source"], "estimated")
        self.assertEqual(first.extra["roi_source"], "mask")
        self.assertEqual((first.extra["age"], first.extra["dx"]), ("50", "akiec"))
        self.assertAlmostEqual(float(first.extra["ita"]), 35, delta=6)

    def test_pad_ufes_20(self):
        _pad(self.folder)
        report = self._import("pad_ufes_20")
        by_id = {photograph.image_id: photograph for photograph in report.photographs}
        self.assertCountEqual(by_id, ["PAT_0_0_7", "PAT_1_1_7", "PAT_2_2_7", "PAT_3_3_7"])
        self.assertEqual(by_id["PAT_0_0_7"].fitzpatrick, 2)
        self.assertEqual(by_id["PAT_0_0_7"].extra["fitzpatrick_source"], "annotated")
        self.assertIsNone(by_id["PAT_1_1_7"].fitzpatrick)
        self.assertEqual(by_id["PAT_1_1_7"].extra["fitzpatrick_source"], "")
        self.assertEqual(by_id["PAT_1_1_7"].extra["roi_source"], "skin")
        x0, y0, x1, y1 = by_id["PAT_1_1_7"].rois[0]
        self.assertGreater((x1 - x0) * (y1 - y0), 0.9 * 120 * 90)
        reasons = " | ".join(rejection.reason for rejection in report.rejections)
        self.assertIn("fitzpatrick: '9' is not 1..6 or empty", reasons)
        self.assertIn("diagnostic: 'XXX' is not one of ACK, BCC, MEL, NEV, SCC, SEK", reasons)
        self.assertIn(f"image: no file PAT_9_9_9.* below {self.folder}", reasons)
        self.assertEqual(dict(report.roi_sources), {"mask": 1, "skin": 3})

    def test_annotated_types_are_kept_and_compared(self):
        _pad(self.folder)
        report = self._import("pad_ufes_20", estimate_skin_type=True)
        self.assertEqual([row.fitzpatrick for row in report.photographs], [2, 3, 3, 6])
        self.assertEqual(report.agreement, (2, 0, 1))

    def test_masks_of_another_size_and_broken_files(self):
        _ham10000(self.folder)
        _write_mask(
            self.folder / "HAM10000_segmentations/ISIC_0000000_segmentation.png", (240, 180)
        )
        empty = self.folder / "HAM10000_segmentations/ISIC_0000001_segmentation.png"
        Image.new("L", (120, 90)).save(empty)
        (self.folder / "HAM10000_images_part_1/ISIC_0000002.jpg").write_bytes(b"")
        report = self._import("ham10000")
        np.testing.assert_allclose(report.photographs[0].rois[0], (40, 30, 70, 50), atol=1)
        reasons = [rejection.reason for rejection in report.rejections]
        self.assertEqual(reasons[0], f"{empty}: the mask is empty")
        self.assertRegex(reasons[1], r"ISIC_0000002\.jpg: not an image that can be read")

    def test_wrong_folder_or_format(self):
        with self.assertRaisesRegex(ValueError, "format 'coco' is not one of ham10000, pad_ufes"):
            self._import("coco")
        with self.assertRaisesRegex(ValueError, r"no metadata\.csv; is this PAD-UFES-20"):
            self._import("pad_ufes_20")
        (self.folder / "metadata.csv").write_text("a,b\n")
        with self.assertRaisesRegex(ValueError, "not pad_ufes_20: column patient_id, lesion_id"):
            self._import("pad_ufes_20")
        with self.assertRaisesRegex(ValueError, "/nowhere: no such folder"):
            importing.import_photographs("ham10000", "/nowhere")
        _write_table(
            self.folder / "HAM10000_metadata.csv",
            [{"lesion_id": "x", "image_id": "y", "dx": "mel"}],
        )
        with self.assertRaisesRegex(ValueError, "no usable row; row 2: image: no file y"):
            self._import("ham10000")


if __name__ == "__main__":
    absltest.main()
