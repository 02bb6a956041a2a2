import pathlib

from absl.testing import absltest, parameterized

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
        return coco_json.read_exports(self.folder)

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
        self.assertEqual(export.images, {1: coco_json.Image(1, "p1/a.jpg", (640, 480), {})})
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
        self.assertEqual(export.images[0].name, "images/1a2b3c4d-a.jpg")
        self.assertEqual(
            export.annotations[0].attributes,
            {"annotator": "ada@example.org", "completed_by": "7", "tags": "a;1"},
        )
        self.assertTrue(export.label_studio)

    @parameterized.parameters(
        ("..\\..\\media\\upload\\1\\a.jpg", "media/upload/1/a.jpg"),
        ("C:\\photos\\a b.jpg", "C:/photos/a b.jpg"),
        ("/data/local-files/?d=p1%5Ca%20b.jpg", "p1/a b.jpg"),
        ("/data/upload/3/a%20b.jpg", "data/upload/3/a b.jpg"),
        ("/data/100%25/a#1.jpg", "data/100%25/a#1.jpg"),
        ("s3://bucket/p1/a%2B.jpg?x=1", "p1/a+.jpg"),
    )
    def test_file_names(self, given, expected):
        (export,) = self._read(_data([{"id": 1, "file_name": given}]))
        self.assertEqual(export.images[1].name, expected)
        self.assertIsNone(export.images[1].size)

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
        self.assertEqual(
            (export.annotations[0].image_id, export.annotations[0].category), (None, "")
        )

    def test_every_export_below_the_folder(self):
        testing_files.write_json(self.folder / "package.json", {"name": "x"})
        testing_files.write_json(self.folder / "list.json", [1])
        self._read(_data(), "b/annotations/instances_train.json")
        exports = self._read(_data(), "a/result.json")
        self.assertEqual(
            [export.path.name for export in exports], ["result.json", "instances_train.json"]
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
                "image id 1 is a.jpg and b.jpg",
            ),
        ):
            with self.assertRaisesRegex(ValueError, f"^/.*x.json: {reason}"):
                self._read(data, "x.json")
        (self.folder / "x.json").write_text('{"images": [')
        with self.assertRaisesRegex(ValueError, "x.json: not a JSON file: Expecting value"):
            coco_json.read_exports(self.folder)


if __name__ == "__main__":
    absltest.main()
