import pathlib

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from preprocessing.data import manifest
from preprocessing.data.manifest import Box
from preprocessing.importers import importing, testing_files


def _ham10000(folder):
    rows = []
    for n, diagnosis in enumerate(("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")):
        name = f"ISIC_{n:07d}"
        testing_files.write_photograph(folder / f"HAM10000_images_part_{1 + n % 2}" / f"{name}.jpg")
        testing_files.write_mask(folder / "HAM10000_segmentations" / f"{name}_segmentation.png")
        rows.append({"lesion_id": f"HAM_{n // 2}", "image_id": name, "dx": diagnosis, "age": "50"})
    testing_files.write_table(folder / "HAM10000_metadata.csv", rows)


def _pad(folder):
    rows = []
    types = ("2.0", "", "", "6.0", "9", "1.0")
    for n, diagnosis in enumerate(("BCC", "ACK", "NEV", "SEK", "SCC", "XXX")):
        name = f"PAT_{n}_{n}_7.png"
        testing_files.write_photograph(folder / "imgs_part_1" / name)
        rows.append(
            {
                "patient_id": f"PAT_{n}",
                "lesion_id": str(n),
                "fitspatrick": types[n],
                "diagnostic": diagnosis,
                "img_id": name,
            }
        )
    testing_files.write_mask(folder / "masks" / "PAT_0_0_7_mask.png")
    rows.append({**rows[0], "img_id": "PAT_9_9_9.png"})
    testing_files.write_table(folder / "metadata.csv", rows)


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
        self.assertEqual(first.fitzpatrick_source, "estimated")
        self.assertEqual(first.extra["roi_source"], "mask")
        self.assertEqual((first.extra["age"], first.extra["dx"]), ("50", "akiec"))
        self.assertAlmostEqual(first.ita, 35, delta=6)

    def test_pad_ufes_20(self):
        _pad(self.folder)
        report = self._import("pad_ufes_20")
        by_id = {photograph.image_id: photograph for photograph in report.photographs}
        self.assertCountEqual(by_id, ["PAT_0_0_7", "PAT_1_1_7", "PAT_2_2_7", "PAT_3_3_7"])
        self.assertEqual(by_id["PAT_0_0_7"].fitzpatrick, 2)
        self.assertEqual(by_id["PAT_0_0_7"].fitzpatrick_source, "annotated")
        self.assertIsNone(by_id["PAT_1_1_7"].fitzpatrick)
        self.assertEqual(by_id["PAT_1_1_7"].fitzpatrick_source, "")
        self.assertEqual(by_id["PAT_1_1_7"].extra["roi_source"], "skin")
        x0, y0, x1, y1 = by_id["PAT_1_1_7"].rois[0]
        self.assertGreater((x1 - x0) * (y1 - y0), 0.9 * 120 * 90)
        reasons = " | ".join(rejection.reason for rejection in report.rejections)
        self.assertIn("fitzpatrick: '9' is not 1..6 or empty", reasons)
        self.assertIn("label 'XXX' is not known (one of ACK, ", reasons)
        self.assertIn(f"image: no file PAT_9_9_9.* below {self.folder}", reasons)
        self.assertEqual(dict(report.roi_sources), {"mask": (1, 1), "skin": (3, 3)})

    def test_annotated_types_are_kept_and_compared(self):
        _pad(self.folder)
        report = self._import("pad_ufes_20", estimate_skin_type=True)
        self.assertEqual([row.fitzpatrick for row in report.photographs], [2, 3, 3, 6])
        self.assertEqual(report.agreement, (2, 0, 1))

    def test_fitzpatrick17k_with_photographs_that_are_gone(self):
        rows = [
            {
                "md5hash": f"{number:032x}",
                "fitzpatrick_scale": scale,
                "fitzpatrick_centaur": "-1",
                "label": label,
                "nine_partition_label": "x",
                "three_partition_label": "x",
                "qc": "",
                "url": "https://example.org",
                "url_alphanum": "x",
            }
            for number, (scale, label) in enumerate(
                [
                    ("2", "acne"),
                    ("-1", "acne vulgaris"),
                    ("5", "milia"),
                    ("4", "akne"),
                    ("3", "acne"),
                ]
            )
        ]
        rows.append(rows[0])
        testing_files.write_table(self.folder / "fitzpatrick17k.csv", rows)
        for number in (0, 1, 2):
            name = f"images/{number:032x}.jpg"
            testing_files.write_photograph(self.folder / name)
        report = self._import("fitzpatrick17k", estimate_skin_type=True)
        self.assertEqual([row.fitzpatrick for row in report.photographs], [2, 3, 5])
        self.assertEqual(report.photographs[0].image, f"images/{0:032x}.jpg")
        self.assertEqual(
            dict(report.labels),
            {("acne", "Acne"): 1, ("acne vulgaris", "Acne"): 1, ("milia", "Cyst"): 1},
        )
        self.assertEqual(report.conditions, {"Acne": 2, "Cyst": 1})
        self.assertEqual(
            dict(report.unmapped), {"label 'akne' is not known; closest is 'acne' (Acne)": 1}
        )
        self.assertEqual(
            [(one.row, one.stage, one.reason) for one in report.rejections[1:]],
            [
                (6, "file", f"image: no file {4:032x}.* below {self.folder}"),
                (7, "file", f"image_id: '{0:032x}' is already on row 2"),
            ],
        )

    def test_ddi_makes_one_type_of_a_pair(self):
        tones = (("12", "TONE"), ("34", "TONE"), ("56", "TONE"), ("12", "DARK_TONE"), ("", "TONE"))
        lines = [",DDI_ID,DDI_file,skin_tone,malignant,disease"]
        for number, (tone, color) in enumerate(tones):
            name = f"{number:06d}.png"
            testing_files.write_photograph(self.folder / name, getattr(testing_files, color))
            lines.append(f"{number},{number + 1},{name},{tone},False,lipoma")
        (self.folder / "ddi_metadata.csv").write_text("\n".join(lines))
        rows = self._import("ddi").photographs
        self.assertEqual([row.fitzpatrick for row in rows], [2, 4, 6, 2, None])
        sources = [row.fitzpatrick_source for row in rows]
        self.assertEqual(sources, ["pair"] * 4 + [""])
        report = self._import("ddi", estimate_skin_type=True)
        # The estimate is 3; the nearest type of each pair.
        self.assertEqual([row.fitzpatrick for row in report.photographs], [2, 3, 5, 2, 3])
        self.assertEqual(dict(report.skin_type_sources), {"pair_estimated": 4, "estimated": 1})
        self.assertEqual(report.agreement, (0, 0, 0))

    def test_coco_boxes_of_a_scaled_photograph(self):
        images = [
            {"id": n, "file_name": f"p{n}\\x.jpg", "width": 240, "height": height}
            for n, height in ((1, 180), (2, 180), (3, 240))
        ]
        entries = [
            {"image_id": n, "category_id": 1, "bbox": [80, 60, 500, 40], "skin_type": "FST3"}
            for n in (1, 2, 3)
        ]
        data = {
            "images": images,
            "annotations": entries,
            "categories": [{"id": 1, "name": "verruca vulgaris"}],
        }
        # p4/y.jpg is missing; the unusable p5/y.jpg must not be taken for it.
        images += [{"id": n, "file_name": f"p{n}/y.jpg"} for n in (4, 5)]
        entries.append({"image_id": 4, "category_id": 1, "bbox": [80, 60, 500, 40]})
        testing_files.write_photograph(self.folder / "p5" / "y.jpg")
        for name in ("p1", "p3"):
            testing_files.write_photograph(self.folder / name / "x.jpg")
        testing_files.write_json(self.folder / "result.json", data)
        report = self._import("coco", overrides={"verruca-vulgaris": "Other", "foo": "Acne"})
        (row,) = report.photographs
        self.assertEqual((row.image, row.condition), ("p1/x.jpg", "Other"))
        self.assertEqual((row.rois, row.extra["roi_source"]), ((Box(40, 30, 120, 50),), "boxes"))
        self.assertEqual(report.unused_overrides, ("foo",))
        # Another patient's x.jpg is not taken for the one that is missing.
        self.assertEqual(
            [(one.image_id, one.stage) for one in report.rejections],
            [("p2/x", "file"), ("p4/y", "file"), ("p5/y", "row"), ("p3/x", "photograph")],
        )
        self.assertIn("drawn on 240x240 pixels", report.rejections[-1].reason)

    def test_what_import_calls_usable_a_manifest_may_hold(self):
        boxes = {"a.jpg": [[1, 1, 9, 9]] * 501, "b.jpg": [[10, 10, 20, 20], [5, 5, 0.3, 0.2]]}
        boxes.update({" c.jpg": [[1, 1, 9, 9]], "d.jpg": [[10, 10, 20, 20], [130, 5, 9, 9]]})
        for name in (*boxes, "e.jpg"):
            testing_files.write_photograph(self.folder / name)
        data = {
            "images": [{"id": name, "file_name": name} for name in boxes],
            "annotations": [
                {"image_id": name, "category_id": 1, "bbox": box}
                for name, drawn in boxes.items()
                for box in drawn
            ],
            "categories": [{"id": 1, "name": "Acne"}],
        }
        testing_files.write_json(self.folder / "result.json", data)
        report = self._import("coco")
        manifest.write_cases(str(self.folder / "cases.csv"), report.photographs)
        read, rejections = manifest.read_cases(str(self.folder / "cases.csv"))
        self.assertEmpty(rejections)
        self.assertEqual([row.rois for row in read], [(Box(10, 10, 30, 30),)] * 2)
        self.assertEqual(
            [(one.image_id, one.stage, one.reason) for one in report.rejections],
            [
                ("c", "file", "result.json: image 3: image: no file c.* below " + str(self.folder)),
                ("a", "photograph", "501 boxes are more than the limit of 500"),
                (
                    "b",
                    "annotation",
                    "box '5 5 5.3 5.2' is smaller than half a pixel of the photograph",
                ),
                ("d", "annotation", "box '130 5 139 14' is outside the 120x90 photograph"),
            ],
        )
        self.assertEqual(report.notes[-1], "pictures without a row: 2,  c.jpg the first")

    def test_masks_of_another_size_and_broken_files(self):
        _ham10000(self.folder)
        testing_files.write_mask(
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
        with self.assertRaisesRegex(ValueError, "format 'isic2' is not one of coco, ddi, fitzpat"):
            self._import("isic2")
        with self.assertRaisesRegex(ValueError, r"no metadata\.csv; is this PAD-UFES-20"):
            self._import("pad_ufes_20")
        (self.folder / "metadata.csv").write_text("a,b\n")
        with self.assertRaisesRegex(ValueError, "not PAD-UFES-20: column patient_id, lesion_id"):
            self._import("pad_ufes_20")
        with self.assertRaisesRegex(ValueError, "/nowhere: no such folder"):
            importing.import_photographs("ham10000", "/nowhere")
        testing_files.write_table(
            self.folder / "HAM10000_metadata.csv",
            [{"lesion_id": "x", "image_id": "y", "dx": "mel"}],
        )
        with self.assertRaisesRegex(
            ValueError, "no usable row; HAM10000_metadata.csv row 2: image: no file y"
        ):
            self._import("ham10000")


if __name__ == "__main__":
    absltest.main()
