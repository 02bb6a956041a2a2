import pathlib

import numpy as np
from absl.testing import absltest, parameterized

from preprocessing.data.manifest import Box
from preprocessing.importers import coco_json, testing_files


def _data(images=(), annotations=(), categories=(), **more):
    return {
        "images": list(images),
        "annotations": list(annotations),
        "categories": list(categories),
        **more,
    }


class CocoJsonTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _read(self, data, name="annotations/instances_default.json"):
        testing_files.write_json(self.folder / name, data)
        return coco_json.read_exports(self.folder)[0]

    def test_cvat(self):
        image = {
            "id": 1,
            "width": 640,
            "height": 480,
            "file_name": "p1/a.jpg",
            "license": 0,
            "flickr_url": "",
            "coco_url": "",
            "date_captured": 0,
        }
        entry = {
            "id": 1,
            "image_id": 1,
            "category_id": 2,
            "segmentation": [],
            "area": 12.0,
            "bbox": [1, 2, 3, 4],
            "iscrowd": 0,
            "attributes": {
                "Skin-Type": 4.0,
                "patient id": "p1",
                "occluded": False,
                "rotation": 0.0,
                "site": "",
            },
        }
        (export,) = self._read(
            _data(
                [image],
                [entry],
                [{"id": 2, "name": "Melanoma ", "supercategory": ""}],
                licenses=[{"name": "", "id": 0, "url": ""}],
                info={"contributor": "", "date_created": ""},
            )
        )
        self.assertEqual(export.images, {"1": coco_json.Image(1, "p1/a.jpg", (640, 480), {})})
        (annotation,) = export.annotations
        self.assertEqual(annotation.category, "Melanoma")
        self.assertEqual(annotation.attributes, {"skin_type": "4", "patient_id": "p1"})
        self.assertEqual(annotation.entry, entry)
        self.assertFalse(export.label_studio)

    def test_label_studio(self):
        image = {"width": 640, "height": 480, "id": 0, "file_name": "images\\1a2b3c4d-a.jpg"}
        entry = {
            "id": 0,
            "image_id": 0,
            "category_id": 0,
            "bbox": [1.5, 2, 3, 4],
            "ignore": 0,
            "annotator": "ada@example.org",
            "completed_by": {"id": 7},
            "tags": ["a", 1.0],
        }
        (export,) = self._read(
            _data(
                [image], [entry], [{"id": 0, "name": "Acne"}], info={"contributor": "Label Studio"}
            ),
            "result.json",
        )
        self.assertEqual(export.images["0"].name, "images/1a2b3c4d-a.jpg")
        self.assertEqual(
            export.annotations[0].attributes,
            {"annotator": "ada@example.org", "completed_by": "7", "tags": "a;1"},
        )
        self.assertTrue(export.label_studio)

    @parameterized.parameters(
        ("..\\..\\media\\upload\\1\\a.jpg", "media/upload/1/a.jpg"),
        ("C:\\photos\\a b.jpg", "photos/a b.jpg"),
        ("/data/local-files/?d=p1%5Ca%20b.jpg", "p1/a b.jpg"),
        ("/data/upload/3/a%20b.jpg", "data/upload/3/a b.jpg"),
        ("/data/100%25/a#1.jpg", "data/100%25/a#1.jpg"),
        ("s3://bucket/p1/a%2B.jpg?x=1", "p1/a+.jpg"),
    )
    def test_file_names(self, given, expected):
        (export,) = self._read(_data([{"id": 1, "file_name": given}]))
        self.assertEqual(export.images["1"].name, expected)
        self.assertIsNone(export.images["1"].size)

    def test_image_attributes(self):
        image = {"id": "x", "file_name": "a.jpg", "case_id": 17, "attributes": {"fitzpatrick": "V"}}
        image.update(width=float("inf"), height=5)
        image["attributes"]["note"] = "a\0\n b "
        (export,) = self._read(_data([image]))
        self.assertIsNone(export.images["x"].size)
        self.assertEqual(
            export.images["x"].attributes, {"case_id": "17", "fitzpatrick": "V", "note": "a  b"}
        )

    def test_what_is_not_there(self):
        (export,) = self._read(
            _data(
                [{"id": 1}, {"file_name": "a.jpg"}, {"id": [1], "file_name": "a.jpg"}],
                [{"image_id": {}, "category_id": []}],
            )
        )
        self.assertEqual((export.images, export.unnamed), ({}, [1, 2, 3]))
        self.assertEqual((export.annotations[0].image_id, export.annotations[0].category), ("", ""))

    def test_every_export_below_the_folder(self):
        testing_files.write_json(self.folder / "package.json", {"name": "x"})
        testing_files.write_json(self.folder / "list.json", [1])
        self._read(_data(), "b/annotations/instances_train.json")
        exports = self._read(_data(info={}), "a/result.json")
        self.assertEqual(
            [export.name for export in exports],
            ["a/result.json", "b/annotations/instances_train.json"],
        )

    def test_broken_files(self):
        with self.assertRaisesRegex(
            ValueError, "no JSON file with images, annotations and categories"
        ):
            coco_json.read_exports(self.folder)
        for data, reason in (
            ({**_data(), "images": {}}, "'images' is not a list of objects"),
            (_data(annotations=[1]), "'annotations' is not a list of objects"),
            (
                _data([{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}]),
                "image id '1' is a.jpg and b.jpg",
            ),
        ):
            with self.assertRaisesRegex(ValueError, f"; x.json: passed over, .* read: {reason}"):
                self._read(data, "x.json")
        (self.folder / "x.json").write_text('{"images": [')
        with self.assertRaisesRegex(ValueError, "x.json: passed over, .* read: Expecting value"):
            coco_json.read_exports(self.folder)

    def test_what_is_no_export_is_passed_over(self):
        self._read(_data())
        for name in ("._a.json", "__MACOSX/a.json", ".ipynb_checkpoints/a-checkpoint.json"):
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_bytes(b"\0\5\x16\x07 \xb0")
        (self.folder / "metrics.json").write_text('{"loss": 1}\n{"loss": 2}\n')
        exports, notes = coco_json.read_exports(self.folder)
        self.assertEqual([one.name for one in exports], ["annotations/instances_default.json"])
        self.assertLen(notes, 1)
        self.assertStartsWith(notes[0], "metrics.json: passed over, cannot be read: Extra data")

    def test_ids_numbers_and_names_as_text(self):
        # VIA writes `image_id` as a text, and a category several times.
        categories = [{"id": 1, "name": "Acne"}, {"id": "2", "name": "Scar"}]
        images = [{"id": 0, "file_name": "a.jpg", "width": "640", "height": "480"}]
        entries = [{"image_id": "0", "category_id": 2.0, "bbox": ["1", "2", 3, "4.5"]}]
        (export,) = self._read(_data(images, entries, categories + categories[:1]))
        self.assertEqual(export.images["0"].size, (640, 480))
        (annotation,) = export.annotations
        self.assertEqual((annotation.image_id, annotation.category), ("0", "Scar"))
        self.assertEqual(coco_json.box_of(annotation.entry), Box(1, 2, 4, 6.5))
        categories.append({"id": "1", "name": "Wart"})
        with self.assertRaisesRegex(ValueError, "category id '1' is Acne and Wart"):
            self._read(_data(images, entries, categories))

    @parameterized.parameters(
        ("train/IMG 1_jpg.rf.0123456789abcdef0123456789abcdef.jpg", None, "IMG 1"),
        ("a_b_png.rf.Q0w3rTy1.jpg", None, "a_b"),
        ("x.rf.bb9fd77684530503f3765280b54c2413.jpg", None, "x"),
        ("anything.jpg", {"name": "IMG_7.HEIC.jpg"}, "IMG_7.HEIC"),
        ("k.jpg", None, ""),
        ("surf.rf.jpg", {"user": "x"}, ""),
    )
    def test_source_of_roboflows_copies(self, name, extra, source):
        image = {"id": 1, "file_name": name, **({"extra": extra} if extra else {})}
        (export,) = self._read(_data([image]))
        self.assertEqual(export.images["1"].source, source)
        self.assertEmpty(export.images["1"].attributes)


def _runs(mask):
    """Run lengths of a mask, column by column, beginning with zeros."""
    pixels = mask.T.ravel().tolist()
    counts, value = [0], 0
    for pixel in pixels:
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return {"size": list(mask.shape), "counts": counts}


class BoxOfTest(parameterized.TestCase):
    def test_bbox_is_half_open(self):
        entry = {"bbox": [10, 20.5, 30, 40], "segmentation": [[0, 0, 1, 1, 2, 0]], "iscrowd": 1}
        self.assertEqual(coco_json.box_of(entry), Box(10, 20.5, 40, 60.5))

    @parameterized.parameters(0, 0.0, 180, "x", None)
    def test_not_turned(self, rotation):
        entry = {"bbox": [10, 20, 30, 40], "attributes": {"rotation": rotation}}
        np.testing.assert_allclose(coco_json.box_of(entry), (10, 20, 40, 60))

    @parameterized.parameters(
        (90, (5, 25, 45, 55)), ("90", (5, 25, 45, 55)), (270, (5, 25, 45, 55))
    )
    def test_turned_by_a_quarter(self, rotation, expected):
        # About the centre (25, 40), 30 wide and 40 high.
        entry = {"bbox": [10, 20, 30, 40], "attributes": {"rotation": rotation}}
        np.testing.assert_allclose(coco_json.box_of(entry), expected)

    def test_turned_by_30_degrees(self):
        # Width 10 cos 30 + 20 sin 30 = 18.66, height 10 sin 30 + 20 cos 30 = 22.32.
        entry = {"bbox": [-5, -10, 10, 20], "attributes": {"rotation": 30.0}}
        np.testing.assert_allclose(
            coco_json.box_of(entry), (-9.330, -11.160, 9.330, 11.160), atol=1e-3
        )

    @parameterized.parameters(({},), ({"bbox": []},), ({"bbox": None},), ({"bbox": [0, 0, 0, 0]},))
    def test_polygons_without_bbox(self, entry):
        polygons = [[10, 20, 30, 20, 30.5, 50], [5, 25, 6, 26, 7, 25]]
        self.assertEqual(
            coco_json.box_of({**entry, "segmentation": polygons}), Box(5, 20, 30.5, 50)
        )

    def test_mask_without_bbox(self):
        mask = np.zeros((6, 9), int)
        mask[2:5, 3:8] = 1
        mask[3, 4] = 0
        self.assertEqual(coco_json.box_of({"segmentation": _runs(mask)}), Box(3, 2, 8, 5))
        mask[0, 0] = 1  # Begins with no zeros.
        self.assertEqual(coco_json.box_of({"segmentation": _runs(mask)}), Box(0, 0, 8, 5))

    @parameterized.parameters(range(5))
    def test_any_mask_without_bbox(self, seed):
        rng = np.random.default_rng(seed)
        mask = np.zeros((7, 11), int)
        top, left = rng.integers(0, 7), rng.integers(0, 11)
        mask[top:, left:] = rng.random((7 - top, 11 - left)) < 0.7
        mask[top, left] = 1
        rows, columns = np.nonzero(mask)
        expected = Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        self.assertEqual(coco_json.box_of({"segmentation": _runs(mask)}), expected)

    @parameterized.parameters(
        ([],),
        ([[1, 2, 3]],),
        ([[]],),
        ([[1, 2, 3, "x"]],),
        ([[1, 2, 3, float("nan")]],),
        ({"size": [4, 4], "counts": "PPY~0"},),
        ({"size": [4, 4], "counts": "oooooooo0"},),
        ({"size": [4, 4], "counts": [16]},),
        ({"size": [4, 4], "counts": [None, 16]},),
        ({"size": [4, 4], "counts": [10**30]},),
        ({"size": [10**400, 4], "counts": [1]},),
        ({"size": [4], "counts": [16]},),
        (None,),
    )
    def test_no_box(self, segmentation):
        with self.assertRaisesRegex(ValueError, "^no bbox, and no segmentation to take one from$"):
            coco_json.box_of({"segmentation": segmentation})

    @parameterized.parameters(([3, 5], 8), ([20, -4], 16), ("PPYo1", 2073600))
    def test_runs_of_another_mask(self, counts, pixels):
        with self.assertRaisesRegex(ValueError, f"^segmentation: runs of {pixels} pixels do not"):
            coco_json.box_of({"segmentation": {"size": [4, 4], "counts": counts}})

    def test_one_flat_polygon(self):
        entry = {"segmentation": [100, 80, 180, 80, "180", 150, 100, 150]}
        self.assertEqual(coco_json.box_of(entry), Box(100, 80, 180, 150))

    def test_a_compressed_mask(self):
        # pycocotools 2.0.11: encode of ones in rows 80..149 and columns 100..179 of 240 x 320.
        entry = {
            "segmentation": {
                "size": [240, 320],
                "counts": "``g0V2Z5" + "0" * 157 + "`gP1",
            }
        }
        self.assertEqual(coco_json.box_of(entry), Box(100, 80, 180, 150))

    @parameterized.parameters(
        ([1, 2, 3],),
        ([1, 2, 3, "x"],),
        ("1,2,3,4",),
        ([1, 2, 3, float("inf")],),
        ([1, 2, None, 3],),
    )
    def test_broken_bbox(self, bbox):
        with self.assertRaisesRegex(ValueError, r"^bbox .* is not \[x, y, width, height\]$"):
            coco_json.box_of({"bbox": bbox})

    @parameterized.parameters(([5, 5, 0, 9],), ([5, 5, 9, -1],))
    def test_empty(self, bbox):
        with self.assertRaisesRegex(ValueError, "^box '5 5 .*' is empty$"):
            coco_json.box_of({"bbox": bbox})


if __name__ == "__main__":
    absltest.main()
