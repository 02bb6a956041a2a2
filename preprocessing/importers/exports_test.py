"""Folders as people have them, with several exports in them."""

import pathlib

from absl.testing import absltest, parameterized

from preprocessing.importers import coco, exports, testing_files

_BOX = [100, 80, 80, 70]


def _data(names, box=_BOX, category="Melanoma", **image):
    images = [{"id": n, "file_name": name, **image} for n, name in enumerate(names)]
    entries = [{"image_id": n, "category_id": 1, "bbox": box} for n in range(len(names))]
    return {
        "images": images,
        "annotations": entries,
        "categories": [{"id": 1, "name": category}],
    }


class ExportsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _write(self, name, *args, **kwargs):
        testing_files.write_json(self.folder / name, _data(*args, **kwargs))

    def _pictures(self, *paths, content=None):
        for path in paths:
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(content or path)

    def _read(self):
        return coco.FORMAT.read(self.folder, coco.FORMAT.mapping())

    def _rows(self, contents):
        return {
            one.photograph.image: (one.photograph.condition, one.photograph.rois[0][:2])
            for one in contents.entries
        }

    def _reasons(self, contents):
        return [one.reason for one in contents.rejections]

    @parameterized.parameters(
        (("anna/annotations/instances_default.json", "ben/annotations/instances_default.json"),),
        (("anna/anna.json", "ben.json"),),
        (("annotations/anna.json", "annotations/ben.json"),),
    )
    def test_two_annotators_of_the_same_photographs(self, files):
        self._pictures("images/p1.jpg", "images/p2.jpg")
        for name, x in zip(files, (100, 104)):
            self._write(name, ["p1.jpg", "p2.jpg"], [x, 80, 80, 70])
        contents = self._read()
        self.assertEmpty(contents.rejections)
        self.assertEqual(
            self._rows(contents), {f"images/p{n}.jpg": ("Melanoma", (102, 80)) for n in (1, 2)}
        )
        self.assertEqual(contents.entries[0].photograph.extra["annotators"], ";".join(files))
        self.assertStartsWith(contents.notes[0], "condition: 2 cases with several annotators, 100%")
        self.assertIn("Cohen's kappa", contents.notes[0])

    @parameterized.parameters("copy of coco.json", "old/coco.json", "z/annotations/coco.json")
    def test_a_copy_of_an_export_is_not_a_second_annotator(self, name):
        self._pictures("images/p1.jpg")
        for path in ("coco.json", name):
            self._write(path, ["images/p1.jpg"])
        contents = self._read()
        self.assertEqual(self._rows(contents), {"images/p1.jpg": ("Melanoma", (100, 80))})
        self.assertEmpty(contents.rejections)
        self.assertIn(f"{max('coco.json', name)}: passed over, a copy of", contents.notes[-1])
        self.assertNotIn("annotators", str(contents.notes))

    def test_the_same_said_of_other_photographs_is_no_copy(self):
        self._pictures("fold1/images/0001.jpg", "fold2/images/0001.jpg")
        for fold in ("fold1", "fold2"):
            self._write(f"{fold}/coco.json", ["images/0001.jpg"])
        self.assertEqual(
            set(self._rows(self._read())), {"fold1/images/0001.jpg", "fold2/images/0001.jpg"}
        )

    def test_each_annotator_has_a_copy_of_the_photographs(self):
        self._pictures("anna/p1.jpg", "ben/images/p1.jpg", content="the same bytes")
        self._write("anna/result.json", ["p1.jpg"])
        self._write("ben/result.json", ["p1.jpg"], [104, 80, 80, 70])
        contents = self._read()
        self.assertEqual(self._rows(contents), {"anna/p1.jpg": ("Melanoma", (102, 80))})

    @parameterized.parameters(
        ("task_a/annotations/instances_default.json", "task_a/images/", "IMG_0001.jpg"),
        ("task_a/result.json", "task_a/images/", "images\\IMG_0001.jpg"),
        ("task_a/result.json", "task_a/", "IMG_0001.jpg"),
        ("annotations/instances_task_a.json", "images/task_a/", "IMG_0001.jpg"),
        ("task_a.json", "task_a/", "task_a/IMG_0001.jpg"),
        # CVAT's subsets.
        ("annotations/instances_task_a.json", "images/task_a/", "task_a/IMG_0001.jpg"),
    )
    def test_other_photographs_of_the_same_name(self, file, pictures, name):
        def other(text):
            return text.replace("task_a", "task_b")

        paths = [f"{pictures}IMG_0001.jpg", f"{other(pictures)}IMG_0001.jpg"]
        self._pictures(*paths)
        self._write(file, [name])
        self._write(other(file), [other(name)], [20, 20, 60, 60], "Psoriasis")
        contents = self._read()
        self.assertEmpty(contents.rejections)
        self.assertEqual(
            self._rows(contents),
            {paths[0]: ("Melanoma", (100, 80)), paths[1]: ("Psoriasis", (20, 20))},
        )
        ids = {one.photograph.patient_id for one in contents.entries}
        self.assertEqual(ids, {path[: -len(".jpg")] for path in paths})

    def test_another_exports_photograph_is_not_taken(self):
        self._pictures("task_b/images/IMG_0001.jpg")
        for task, x in (("task_a", 100), ("task_b", 108)):
            self._write(
                f"{task}/annotations/instances_default.json", ["IMG_0001.jpg"], [x, 80, 9, 9]
            )
        contents = self._read()
        self.assertEqual(
            self._rows(contents), {"task_b/images/IMG_0001.jpg": ("Melanoma", (108, 80))}
        )
        self.assertEqual(
            self._reasons(contents),
            [
                "task_a/annotations/instances_default.json: image 1: ambiguous: the only "
                "IMG_0001.* is task_b/images/IMG_0001.jpg, which "
                "task_b/annotations/instances_default.json names and lies nearer to"
            ],
        )

    def test_several_files_that_a_name_may_mean(self):
        self._pictures("x/a.jpg", "y/a.jpg")
        self._write("result.json", ["a.jpg"])
        self.assertEqual(
            self._reasons(self._read()),
            ["result.json: image 1: image: 'a.jpg' may be x/a.jpg or y/a.jpg"],
        )

    @parameterized.parameters(("480 px",), (-480,), ([480],))
    def test_a_size_that_cannot_be_read_is_not_guessed(self, height):
        self._pictures("a.jpg")
        self._write("coco.json", ["a.jpg"], width="640", height=height)
        self.assertEqual(
            self._reasons(self._read()),
            [f"coco.json: image 1: its size cannot be read: width '640', height {height!r}"],
        )

    def test_an_image_listed_twice_is_one_photograph(self):
        self._pictures("a.jpg")
        data = _data(["a.jpg"])
        data["images"].append({**data["images"][0], "id": 9})
        testing_files.write_json(self.folder / "coco.json", data)
        contents = self._read()
        self.assertEqual(self._rows(contents), {"a.jpg": ("Melanoma", (100, 80))})
        self.assertLen(contents.notes, 1)  # None about annotators.

    @parameterized.parameters(
        "C:\\Users\\someone\\data\\valid\\",
        "\\\\server\\someone\\",
        "/home/someone/",
        "~/someone/",
        "file:///C:/Users/someone/",
        "file:///home/someone/",
        "D:",
    )
    def test_ids_do_not_hold_the_folders_of_somebodys_computer(self, home):
        self._pictures("valid/k.jpg")
        self._write("coco.json", [home + "k.jpg", home + "gone.jpg"])
        contents = self._read()
        (entry,) = contents.entries
        row = entry.photograph
        self.assertEqual({row.image_id, row.patient_id, row.case_id}, {"valid/k"})
        self.assertEqual(
            contents.rejections[0][1:3], ("gone", "gone.jpg"), "the account's name is left out"
        )
        self.assertNotIn("someone", str(contents.rejections))


class SplitsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _read(self, **folders):
        for folder, names in folders.items():
            path = self.folder / folder
            path.mkdir(parents=True, exist_ok=True)
            for name in names:
                (path / name).write_text(f"{folder}/{name}")
            testing_files.write_json(path / "_annotations.coco.json", _data(names))
        return coco.FORMAT.read(self.folder, coco.FORMAT.mapping())

    def _splits(self, contents):
        return {one.photograph.image: one.photograph.split for one in contents.entries}

    def test_copies_of_one_photograph_are_one_patient_of_one_split(self):
        def copy(name, digit):
            return f"{name}_jpg.rf.{digit * 32}.jpg"

        contents = self._read(
            train=[copy("a", "1"), copy("a", "2"), copy("b", "3")],
            valid=[copy("b", "4"), copy("c", "5")],
            test=[copy("d", "6")],
        )
        rows = [one.photograph for one in contents.entries]
        self.assertEqual(
            sorted((row.patient_id, row.split) for row in rows),
            [("a", "train")] * 2 + [("b", "validation")] * 2 + [("c", "validation"), ("d", "test")],
        )
        self.assertLen({row.image_id for row in rows}, 6)
        self.assertIn(
            "6 photographs are Roboflow's: copies of one count as one patient's", contents.notes
        )
        self.assertEqual(
            contents.notes[-2:],
            (
                "splits are those of the folders or files: 3 train, 2 validation, 1 test",
                "patients with photographs in several splits: 1; all of a patient's are put into "
                "the last of train, validation, test",
            ),
        )

    def test_folders_fill_splits(self):
        contents = self._read(Train=["a.jpg"], val2017=["b.jpg"], Testing=["c.jpg"], more=["d.jpg"])
        self.assertEqual(
            self._splits(contents),
            {
                "Train/a.jpg": "train",
                "val2017/b.jpg": "validation",
                "Testing/c.jpg": "test",
                "more/d.jpg": None,
            },
        )

    def test_subsets_of_cvat(self):
        for subset in ("Train", "Validation"):
            (self.folder / "images" / subset).mkdir(parents=True)
            (self.folder / "images" / subset / "0001.jpg").write_text(subset)
            path = self.folder / "annotations" / f"instances_{subset}.json"
            testing_files.write_json(path, _data(["0001.jpg"]))
        contents = self._read()
        self.assertEmpty(contents.rejections)
        self.assertEqual(
            self._splits(contents),
            {"images/Train/0001.jpg": "train", "images/Validation/0001.jpg": "validation"},
        )

    def test_one_folder_is_no_split(self):
        contents = self._read(train=["a.jpg", "b.jpg"])
        self.assertEqual(set(self._splits(contents).values()), {None})
        self.assertEqual(
            contents.notes[-1],
            "all photographs lie in one folder for train: splits are drawn by patient",
        )

    def test_names_of_files_fill_splits(self):
        for split, name in (("train", "a.jpg"), ("val", "b.jpg")):
            testing_files.write_json(self.folder / f"instances_{split}2017.json", _data([name]))
            (self.folder / name).write_text(name)
        contents = self._read()
        self.assertEqual(self._splits(contents), {"a.jpg": "train", "b.jpg": "validation"})

    @parameterized.parameters(
        ("p/train/x_jpg.rf.1.jpg", "x", "p/x"), ("test/x.jpg", "y", "y"), ("x.jpg", "", "")
    )
    def test_source_is_the_same_in_every_split(self, path, source, expected):
        self.assertEqual(exports.source_of(path, source), expected)


if __name__ == "__main__":
    absltest.main()
