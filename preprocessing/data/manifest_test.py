import dataclasses
import pathlib
import re

from absl.testing import absltest, parameterized

from preprocessing.data import manifest, splits
from preprocessing.data.manifest import Box, Photograph

HEADER = "case_id,patient_id,image_id,image,condition,fitzpatrick,rois,split"
GOOD = "c0,p0,i0,i0.jpg,Melanoma,3,1 2 30 40,"


class ReadCasesTest(parameterized.TestCase):
    def _write(self, *rows, header=HEADER):
        folder = pathlib.Path(self.create_tempdir().full_path)
        path = folder / "cases.csv"
        path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
        return str(path)

    def test_reads_a_row(self):
        photographs, rejections = manifest.read_cases(self._write(GOOD))
        self.assertEmpty(rejections)
        self.assertEqual(
            photographs,
            [Photograph("c0", "p0", "i0", "i0.jpg", "Melanoma", 3, (Box(1, 2, 30, 40),), row=2)],
        )

    @parameterized.named_parameters(
        ("condition", "c,p,i,a.jpg,melanomma,3,,", "unknown condition 'melanomma'; closest is"),
        ("skin_type", "c,p,i,a.jpg,Acne,7,,", "fitzpatrick: '7' is not 1..6 or empty"),
        ("skin_type_word", "c,p,i,a.jpg,Acne,III,,", "fitzpatrick: 'III' is not 1..6 or empty"),
        ("box_words", "c,p,i,a.jpg,Acne,3,1 2 x 4,", "rois: '1 2 x 4' is not 'x0 y0 x1 y1'"),
        ("box_three", "c,p,i,a.jpg,Acne,3,1 2 3,", "rois: '1 2 3' is not 'x0 y0 x1 y1'"),
        ("box_nan", "c,p,i,a.jpg,Acne,3,1 2 nan 4,", "rois: '1 2 nan 4' is not"),
        ("box_empty", "c,p,i,a.jpg,Acne,3,5 2 5 9,", "rois: box '5 2 5 9' is empty or inverted"),
        ("box_inverted", "c,p,i,a.jpg,Acne,3,9 2 5 9,", "rois: box '9 2 5 9' is empty or inverted"),
        ("parent", "c,p,i,../a.jpg,Acne,3,,", "image: '../a.jpg' leaves the folder"),
        ("absolute", "c,p,i,/etc/passwd,Acne,3,,", "image: '/etc/passwd' leaves the folder"),
        ("no_image", "c,p,i,,Acne,3,,", "image: the path is empty"),
        ("no_patient", "c,,i,a.jpg,Acne,3,,", "patient_id: the cell is empty"),
        ("split", "c,p,i,a.jpg,Acne,3,,dev", "split: 'dev' is not one of train, validation, test"),
        ("duplicate", "c,p,i0,a.jpg,Acne,3,,", "image_id: 'i0' is already on row 2"),
        ("cells", "c,p,i,a.jpg,Acne,3", "6 cells where the header has 8"),
        (
            "two_splits",
            "c,p0,i,a.jpg,Acne,3,,test",
            "split: patient 'p0' is in 'test' here and in 'none' on row 2",
        ),
    )
    def test_bad_row_is_rejected_with_its_reason(self, row, reason):
        photographs, rejections = manifest.read_cases(self._write(GOOD, row))
        self.assertLen(photographs, 1)
        self.assertLen(rejections, 1)
        self.assertEqual((rejections[0].row, rejections[0].stage), (3, "row"))
        self.assertIn(reason, rejections[0].reason)
        self.assertNotIn("\n", rejections[0].reason)

    def test_synthetic_rows_are_for_training_only(self):
        header = f"{HEADER},synthetic"
        path = self._write(
            GOOD + ",",
            "c,p1,i1,a.jpg,Acne,3,,train,1",
            "c,p2,i2,a.jpg,Acne,3,,,true",
            "c,p3,i3,a.jpg,Acne,3,,test,1",
            "c,p4,i4,a.jpg,Acne,3,,,maybe",
            header=header,
        )
        photographs, rejections = manifest.read_cases(path)
        self.assertEqual([one.synthetic for one in photographs], [False, True, True])
        self.assertEqual(
            [rejection.reason for rejection in rejections],
            [
                "split: a synthetic image may be in 'train' only, not in 'test'",
                "synthetic: 'maybe' is not 1, 0 or empty",
            ],
        )
        self.assertEqual(splits.split_of(photographs[2], (0.0, 0.0, 1.0)), "train")
        manifest.write_cases(path, photographs)
        self.assertEqual(
            [one.synthetic for one in manifest.read_cases(path)[0]], [False, True, True]
        )

    def test_what_is_said_of_the_skin(self):
        path = self._write(
            GOOD + ",estimated,35.25,",
            "c,p1,i1,a.jpg,Acne,,,,,,7",
            "c,p2,i2,a.jpg,Acne,2,,,,-180,10.0",
            "c,p3,i3,a.jpg,Acne,2,,,guessed,,",
            "c,p4,i4,a.jpg,Acne,2,,,,steep,",
            "c,p5,i5,a.jpg,Acne,2,,,,,2.5",
            "c,p6,i6,a.jpg,Acne,2,,,,,11",
            header=f"{HEADER},fitzpatrick_source,ita,monk",
        )
        photographs, rejections = manifest.read_cases(path)
        self.assertEqual(
            [(one.skin_type_source, one.ita, one.monk) for one in photographs],
            [("estimated", 35.25, None), ("unknown", None, 7), ("annotated", -180.0, 10)],
        )
        reasons = [rejection.reason.split(" is not ") for rejection in rejections]
        self.assertEqual(
            [(rejection.row, what) for rejection, (what, _) in zip(rejections, reasons)],
            [
                (5, "fitzpatrick_source: 'guessed'"),
                (6, "ita: 'steep'"),
                (7, "monk: '2.5'"),
                (8, "monk: '11'"),
            ],
        )
        self.assertEqual(reasons[1][1], "-180..180 or empty")
        manifest.write_cases(path, photographs)
        again, _ = manifest.read_cases(path)
        self.assertEqual(
            [dataclasses.replace(one, row=0) for one in again],
            [dataclasses.replace(one, row=0) for one in photographs],
        )

    def test_a_generated_image_has_the_skin_type_that_was_asked_for(self):
        row = Photograph("c", "p", "i", "a.png", "Acne", 2, synthetic=True)
        self.assertEqual(row.skin_type_source, "requested")

    def test_symlink_out_of_the_folder(self):
        path = pathlib.Path(self._write(GOOD, "c,p,i,away/a.jpg,Acne,3,,"))
        (path.parent / "away").symlink_to(self.create_tempdir().full_path)
        _, rejections = manifest.read_cases(str(path))
        self.assertIn("image: 'away/a.jpg' leaves the folder", rejections[0].reason)
        (path.parent / "a.jpg").symlink_to("/etc/hostname")
        (path.parent / "b.jpg").symlink_to("c.jpg")
        rows = (f"c,p,{name},{name}.jpg,Acne,3,," for name in "abx")
        path.write_text("\n".join((HEADER, *rows)))
        read, (rejection,) = manifest.read_cases(str(path))
        self.assertEqual([row.image for row in read], ["b.jpg", "x.jpg"])
        self.assertIn("image: 'a.jpg' leaves the folder", rejection.reason)

    def test_image_dir_replaces_the_manifests_folder(self):
        images = pathlib.Path(self.create_tempdir().full_path)
        (images / "away").symlink_to("/")
        _, rejections = manifest.read_cases(
            self._write(GOOD, "c,p,i,away/a.jpg,Acne,3,,"), str(images)
        )
        self.assertIn(f"'away/a.jpg' leaves the folder {images}", rejections[0].reason)
        with self.assertRaisesRegex(ValueError, "/nowhere: no such folder"):
            manifest.read_cases(self._write(GOOD), "/nowhere")

    def test_no_usable_row(self):
        with self.assertRaisesRegex(
            ValueError, r"cases\.csv: no usable row; row 2: unknown condition 'Akne'"
        ):
            manifest.read_cases(self._write("c,p,i,a.jpg,Akne,3,,"))

    def test_no_file_no_column_double_column(self):
        with self.assertRaisesRegex(ValueError, "/nowhere.csv: no such file"):
            manifest.read_cases("/nowhere.csv")
        with self.assertRaisesRegex(ValueError, "missing column rois; found case_id"):
            manifest.read_cases(self._write(header=HEADER.replace(",rois", "")))
        with self.assertRaisesRegex(ValueError, "column split appears more than once"):
            manifest.read_cases(self._write(header=HEADER + ",split"))
        with self.assertRaisesRegex(ValueError, "missing column .* found nothing"):
            manifest.read_cases(self._write(header=""))
        for separator in (";", "\t"):
            path = self._write(header=HEADER.replace(",", separator))
            with self.assertRaisesRegex(
                ValueError, re.escape(f"separated by {separator!r}, a manifest's by")
            ):
                manifest.read_cases(path)

    def test_not_text(self):
        path = pathlib.Path(self._write(GOOD))
        good = path.read_bytes()
        path.write_bytes(good + b"c,p,i\xe9,a.jpg,Acne,3,,\nc,p,j,\xff\xfe.jpg,Acne,3,,\n")
        photographs, rejections = manifest.read_cases(str(path))
        self.assertLen(photographs, 1)
        self.assertEqual([rejection.row for rejection in rejections], [3, 4])
        self.assertIn("image_id: 'i\\udce9' is not UTF-8 text", rejections[0].reason)
        for encoding in ("utf-16", "utf-16-le", "utf-32"):
            path.write_bytes(good.decode().encode(encoding))
            with self.assertRaisesRegex(ValueError, r"cases\.csv: not UTF-8 text; save it as UTF"):
                manifest.read_cases(str(path))

    def test_byte_order_mark_blank_lines_and_quotes(self):
        path = pathlib.Path(self._write("", GOOD, ",,,,,,,", '"c\n1",p1,i1,b.jpg,BCC,2.0,,train'))
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        photographs, rejections = manifest.read_cases(str(path))
        self.assertEmpty(rejections)
        self.assertEqual([photograph.row for photograph in photographs], [3, 5])
        self.assertEqual(photographs[1].condition, "Basal Cell Carcinoma")
        self.assertEqual(photographs[1].fitzpatrick, 2)

    def test_round_trip_carries_other_columns(self):
        rows = [
            Photograph("c", "p", "i", "a.jpg", "Acne", None, (Box(0.5, 1, 1234567.25, 3),)),
            Photograph("c", "p", "j", "b.jpg", "Tinea", 6, split="test", extra={"age": "9, 10"}),
        ]
        rows[0] = dataclasses.replace(rows[0], split="test", extra={"age": ""})
        path = str(pathlib.Path(self.create_tempdir().full_path) / "cases.csv")
        manifest.write_cases(path, rows)
        read, rejections = manifest.read_cases(path)
        self.assertEmpty(rejections)
        self.assertEqual([dataclasses.replace(row, row=0) for row in read], rows)
        self.assertFalse(pathlib.Path(path + ".tmp").exists())


class SeveralManifestsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        self.paths = []
        header = HEADER + ",synthetic"
        for name, rows in (
            ("clinic", (f"{GOOD},", "c1,p1,i1,a/i1.jpg,Acne,,,test,")),
            ("made", ("g0,g0,g0,images/g0.png,Acne,2,,train,1", "g0,p1,i1,x.png,Acne,2,,test,")),
        ):
            (self.root / name).mkdir()
            path = self.root / name / "cases.csv"
            path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
            self.paths.append(str(path))

    def test_are_read_as_one(self):
        rows, rejections, folder = manifest.read_several(self.paths)
        self.assertEqual(folder, str(self.root))
        images = [row.image for row in rows]
        self.assertEqual(images, ["clinic/i0.jpg", "clinic/a/i1.jpg", "made/images/g0.png"])
        self.assertEqual([row.synthetic for row in rows], [False, False, True])
        ((row, image_id, _, stage, reason),) = rejections
        self.assertEqual((row, image_id, stage), (3, "i1", "row"))
        # Long paths are shortened in the middle.
        self.assertStartsWith(reason, "image_id: 'i1' is already on row 3 of ")
        self.assertEndsWith(reason, "made/cases.csv")

    def test_folders_of_images(self):
        other = self.root / "elsewhere" / "images"
        other.mkdir(parents=True)
        rows, _, folder = manifest.read_several(self.paths, [str(other), str(self.root / "made")])
        self.assertEqual(folder, str(self.root))
        self.assertEqual(rows[0].image, "elsewhere/images/i0.jpg")
        with self.assertRaisesRegex(ValueError, "--image_dir: 1 folders for 2 manifests"):
            manifest.read_several(self.paths, [str(other)])

    def test_one_is_as_it_is(self):
        rows, rejections, folder = manifest.read_several(self.paths[:1])
        self.assertEqual((list(rows), rejections), manifest.read_cases(self.paths[0]))
        self.assertEqual(folder, str(self.root / "clinic"))


class RowsTest(absltest.TestCase):
    def test_come_back_as_they_were(self):
        box = manifest.Box(0.1, 2, 1e9, 4.25)
        first = manifest.Photograph("c", "p", "i", "ä/i.png", "Acne", None, (box, box), row=7)
        other = dataclasses.replace(
            first, split="test", synthetic=True, ita=-1.5, monk=3, extra={"age": "40"}, rois=()
        )
        rows = manifest.Rows([first, other])
        rows.append(first)
        self.assertEqual(list(rows), [first, other, first])
        self.assertEqual(rows[-2], other)
        self.assertEqual(rows[1:9], [other, first])
        self.assertIsInstance(rows[0].rois[1], manifest.Box)
        with self.assertRaises(IndexError):
            _ = rows[3]


if __name__ == "__main__":
    absltest.main()
