import pathlib

from absl.testing import absltest, parameterized

from preprocessing.data.manifest import Box
from preprocessing.importers import coco, testing_files

_FIRST = "annotations/instances_default.json: image 1: "
_CATEGORIES = ("Melanoma", "melanocytic-nevi", "lesion", "ruler")


def _image(number, name="a.jpg", **more):
    return {"id": number, "width": 120, "height": 90, "file_name": name, **more}


def _annotation(image, category, bbox=(10, 20, 30, 40), *, top=None, **attributes):
    return {
        "image_id": image,
        "category_id": _CATEGORIES.index(category) + 1 if category in _CATEGORIES else 99,
        "bbox": list(bbox),
        "segmentation": [],
        "area": 1,
        "iscrowd": 0,
        "attributes": {"occluded": False, **attributes},
        **(top or {}),
    }


class CocoTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _write(self, images, annotations, name="instances_default.json", **more):
        data = {
            "images": images,
            "annotations": [{"id": n, **one} for n, one in enumerate(annotations, 1)],
            "categories": [{"id": n, "name": one} for n, one in enumerate(_CATEGORIES, 1)],
            **more,
        }
        testing_files.write_json(self.folder / "annotations" / name, data)
        for image in images:
            path = self.folder.joinpath(*image.get("file_name", "none.jpg").split("\\"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def _read(self, *written, overrides=None, **more):
        if written:
            self._write(*written, **more)
        return coco.FORMAT.read(self.folder, coco.FORMAT.mapping(overrides))

    def _reasons(self, contents):
        return [(one.stage, one.image_id, one.reason) for one in contents.rejections]

    def test_boxes_and_attributes(self):
        contents = self._read(
            [_image(7, "p1/a.jpg", case_id="c1")],
            [
                _annotation(7, "melanocytic-nevi", skin_type="IV", patient_id="p1", site="arm"),
                _annotation(7, "melanocytic-nevi", (0, 0, 5.5, 6), skin_type="IV", site="leg"),
            ],
        )
        self.assertEmpty(contents.rejections)
        (entry,) = contents.entries
        row = entry.photograph
        self.assertEqual((row.case_id, row.patient_id), ("c1", "p1"))
        self.assertEqual((row.image_id, row.image, row.row), ("p1/a", "p1/a.jpg", 1))
        self.assertEqual((row.condition, row.fitzpatrick), ("Melanocytic Nevus", 4))
        self.assertEqual(row.rois, (Box(10, 20, 40, 60), Box(0, 0, 5.5, 6)))
        self.assertEqual((entry.label, entry.frame), ("melanocytic-nevi", (120, 90)))
        self.assertEqual(row.extra["site"], "arm;leg")
        self.assertEqual(row.extra["skin_type"], "IV")
        self.assertNotIn("case_id", row.extra)
        self.assertEmpty(contents.notes)

    def test_regions_take_the_condition_from_an_attribute(self):
        contents = self._read(
            [_image(1, condition="psoriasis"), _image(2, "b.jpg"), _image(3, "c.jpg")],
            [
                _annotation(1, "lesion"),
                _annotation(2, "lesion", Diagnosis="BCC"),
                _annotation(3, "lesion"),
            ],
        )
        self.assertEqual(
            [entry.photograph.condition for entry in contents.entries],
            ["Psoriasis", "Basal Cell Carcinoma"],
        )
        self.assertEqual(
            self._reasons(contents)[0],
            ("label", "c", "label 'lesion' leaves the condition open: a finding, not a disease"),
        )

    def test_other_things_in_the_picture_are_left_out_by_name(self):
        written = [_image(1)], [_annotation(1, "Melanoma"), _annotation(1, "ruler", (0, 0, 9, 9))]
        contents = self._read(*written)
        self.assertLen(contents.entries[0].photograph.rois, 1)
        ((stage, _, reason),) = self._reasons(contents)
        self.assertEqual(stage, "label")
        self.assertStartsWith(reason, "label 'ruler' is not known; ")
        contents = self._read(overrides={"ruler": "Melanoma"})
        self.assertLen(contents.entries[0].photograph.rois, 2)

    def test_groups(self):
        contents = self._read(
            [
                _image(1, "a.jpg"),
                _image(2, "b.jpg", attributes={"patient": 5}),
                _image(3, "c.jpg", attributes={"case": "k"}),
            ],
            [_annotation(number, "Melanoma") for number in (1, 2, 3)],
        )
        self.assertEqual(
            [(one.photograph.case_id, one.photograph.patient_id) for one in contents.entries],
            [("a", "a"), ("5", "5"), ("k", "k")],
        )
        self.assertEqual(
            contents.notes,
            (
                "1 of 3 photographs name no patient and no case: those of one person may be in "
                "different splits",
            ),
        )

    def test_without_boxes(self):
        contents = self._read(
            [_image(1), _image(2, "b.jpg", condition="Acne"), _image(3, "c.jpg"), {"id": 4}],
            [_annotation(3, "Melanoma", (0, 0, 0, 0)), _annotation(3, "none")],
        )
        (entry,) = contents.entries
        self.assertEqual((entry.photograph.condition, entry.photograph.rois), ("Acne", ()))
        self.assertEqual(
            self._reasons(contents),
            [
                (
                    "row",
                    "",
                    "annotations/instances_default.json: image 4 has no id or no file_name",
                ),
                (
                    "annotation",
                    "c",
                    "annotations/instances_default.json: annotation 1: no bbox, and no "
                    "segmentation to take one from",
                ),
                (
                    "annotation",
                    "c",
                    "annotations/instances_default.json: annotation 2: its category is not in the "
                    "file's categories",
                ),
                ("row", "a", "annotations/instances_default.json: image 1: it has no annotation"),
                (
                    "row",
                    "c",
                    "annotations/instances_default.json: image 3: none of its 2 annotations can "
                    "be used",
                ),
            ],
        )

    def test_annotations_of_nothing(self):
        contents = self._read([_image(1)], [_annotation(1, "Melanoma"), _annotation(2, "Melanoma")])
        self.assertLen(contents.entries, 1)
        self.assertEqual(
            self._reasons(contents),
            [
                (
                    "annotation",
                    "",
                    "annotations/instances_default.json: annotation 2: image '2' is not in the "
                    "file's images",
                )
            ],
        )

    @parameterized.parameters(
        (
            [_annotation(1, "Melanoma"), _annotation(1, "melanocytic-nevi")],
            "several conditions, Melanocytic Nevus and Melanoma, marked by",
        ),
        (
            [_annotation(1, "Melanoma", patient="x"), _annotation(1, "Melanoma", patient="y")],
            "patient_id: it is 'x' and 'y'",
        ),
        ([_annotation(1, "Melanoma", skin_type="9")], "skin type: '9' is not one of"),
        (
            [
                _annotation(1, "Melanoma", annotator="a"),
                _annotation(1, "melanocytic-nevi", annotator="b"),
            ],
            "its annotators disagree: Melanocytic Nevus or Melanoma",
        ),
        (
            [
                _annotation(1, "Melanoma", (0, 0, 9, 9), annotator="a"),
                _annotation(1, "Melanoma", (50, 50, 9, 9), annotator="b"),
            ],
            "no box that 2 of its 2 annotators drew",
        ),
    )
    def test_photographs_that_cannot_be_used(self, annotations, reason):
        contents = self._read([_image(1)], annotations)
        self.assertEmpty(contents.entries)
        self.assertRegex(contents.rejections[-1].reason, reason)

    def test_condition_of_the_image_against_its_boxes(self):
        contents = self._read([_image(1, condition="Acne")], [_annotation(1, "Melanoma")])
        self.assertEqual(
            contents.rejections[0].reason,
            _FIRST + "the image's condition is Acne, its annotations' Melanoma",
        )

    def test_confidence(self):
        contents = self._read([_image(1)], [_annotation(1, "Melanoma", confidence="0")])
        self.assertRegex(contents.rejections[0].reason, "confidence: '0' is not a number above 0")

    def test_confidence_weighs_the_vote(self):
        contents = self._read(
            [_image(1)],
            [
                _annotation(1, "Melanoma", (10, 20, 30, 40), annotator="a", skin_type="2"),
                _annotation(1, "Melanoma", (50, 50, 9, 9), annotator="a", skin_type="2"),
                _annotation(1, "Melanoma", (12, 20, 30, 40), annotator="b", skin_type="3"),
                _annotation(1, "melanocytic-nevi", (20, 20, 30, 40), annotator="c", confidence=2),
                _annotation(1, "melanocytic-nevi", (48, 50, 9, 9), annotator="c", confidence=2),
            ],
        )
        # Confidence 2 ties with the two others of 1 for the condition; it is not more.
        self.assertEqual(
            contents.rejections[0].reason,
            _FIRST + "its annotators disagree: Melanocytic Nevus or Melanoma",
        )
        self.assertEqual(
            contents.notes[0],
            "condition: 1 cases with several annotators, 33% of pairs equal, Fleiss' kappa -0.50",
        )

    def test_consensus_of_three(self):
        contents = self._read(
            [_image(1)],
            [
                _annotation(1, "Melanoma", (10, 20, 30, 40), annotator="a", skin_type="2"),
                _annotation(1, "Melanoma", (50, 50, 10, 10), annotator="a", skin_type="2"),
                _annotation(1, "Melanoma", (13, 20, 30, 40), annotator="b", skin_type="3"),
                _annotation(1, "melanocytic-nevi", (52, 50, 10, 10), annotator="c"),
                _annotation(1, "melanocytic-nevi", (90, 0, 10, 10), annotator="c"),
            ],
        )
        row = contents.entries[0].photograph
        self.assertEqual((row.condition, row.fitzpatrick), ("Melanoma", 3))
        self.assertEqual(row.rois, (Box(11.5, 20, 41.5, 60), Box(51, 50, 61, 60)))
        self.assertEqual(row.extra["annotators"], "a;b;c")
        self.assertEqual(
            self._reasons(contents),
            [("annotation", "a", "box '90 0 100 10' was drawn by 1 of 3 annotators")],
        )
        # Pairs: a-b (27/33 + 0) / 2, a-c (8/12 + 0) / 2, b-c 0; their mean is 0.25.
        self.assertEqual(
            contents.notes,
            (
                "condition: 1 cases with several annotators, 33% of pairs equal, Fleiss' kappa "
                "-0.50",
                "skin type: 1 cases with several annotators, 0% of pairs equal, 100% at most one "
                "apart, Cohen's kappa (quadratic weights) 0.00",
                "boxes: 1 photographs with several annotators, mean pairwise IoU 0.25",
                "1 of 1 photographs name no patient and no case: those of one person may be in "
                "different splits",
            ),
        )

    def test_tasks_of_label_studio(self):
        # The same photograph as a task of each annotator; the third drew nothing.
        images = [_image(n, "images\\1-a.jpg", width=90, height=120) for n in (0, 1, 2)]
        contents = self._read(
            images,
            [_annotation(0, "Melanoma"), _annotation(1, "Melanoma", (10, 20, 30, 30))],
            info={"contributor": "Label Studio"},
        )
        (entry,) = contents.entries
        self.assertEqual(entry.photograph.rois, (Box(10, 20, 40, 55),))
        self.assertEqual((entry.frame, entry.turned_frame), ((90, 120), True))
        contents = self._read(
            images,
            [_annotation(0, "Melanoma"), _annotation(1, "Melanoma", (60, 20, 30, 30))],
            info={"contributor": "Label Studio"},
        )
        self.assertEqual(
            contents.rejections[0].reason, _FIRST + "no box that 2 of its 3 annotators drew"
        )

    def test_outlines_of_label_studio_are_drawn_to_the_size_it_says(self):
        outline = {"segmentation": [[10, 20, 40, 20, 40, 60]]}
        contents = self._read(
            [_image(0)],
            [_annotation(0, "Melanoma"), _annotation(0, "Melanoma", top=outline)],
            info={"contributor": "Label Studio"},
        )
        self.assertFalse(contents.entries[0].turned_frame)

    def test_completed_by(self):
        ada, bob = ({"completed_by": {"id": n, "email": f"{n}@x.org"}} for n in (1, 2))
        contents = self._read(
            [_image(1)],
            [_annotation(1, "Melanoma", top=ada), _annotation(1, "Melanoma", top=bob)],
        )
        row = contents.entries[0].photograph
        self.assertEqual(row.rois, (Box(10, 20, 40, 60),))
        self.assertEqual(row.extra["annotators"], "1@x.org;2@x.org")

    def test_a_file_of_each_annotator(self):
        self._write([_image(1)], [_annotation(1, "Melanoma")], "ada.json")
        self._write([_image(9)], [_annotation(9, "Melanoma", (10, 20, 30, 30))], "bob.json")
        contents = self._read()
        self.assertEqual(contents.entries[0].photograph.rois, (Box(10, 20, 40, 55),))
        self._write([_image(9, width=60, height=45)], [_annotation(9, "Melanoma")], "bob.json")
        self.assertRegex(
            self._read().rejections[0].reason, r"annotated at different sizes: \(60, 45\) and"
        )


if __name__ == "__main__":
    absltest.main()
