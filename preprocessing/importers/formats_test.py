import pathlib

from absl.testing import absltest, parameterized

from preprocessing.data import taxonomy
from preprocessing.data.manifest import Photograph
from preprocessing.importers import formats, importing
from preprocessing.importers.formats import Entry
from preprocessing.importers.labels import LabelMapping


def _parse(cells, mapping):
    if cells["id"] == "bad":
        raise ValueError("id: bad")
    condition = mapping.condition(cells["what"])
    return Entry(Photograph("c", "p", cells["id"], cells["id"], condition, None), cells["what"])


class TablesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _table(self, text, name="a.csv", encoding="utf-8"):
        (self.folder / name).write_bytes(text.encode(encoding))
        return formats.read_table(self.folder, ["a.csv", "a.tab"], ["id", "what"], "A (licence)")

    def test_rows_by_line(self):
        text = '\ufeff,id , what,more\r\n0, 1 ,"a, b\nc",\r\n\r\n1,2\r\n2,3,x,y\r\n'
        rows, rejections = self._table(text)
        self.assertEqual(
            rows,
            [
                (2, {"id": "1", "what": "a, b\nc", "more": ""}),
                (6, {"id": "3", "what": "x", "more": "y"}),
            ],
        )
        self.assertEqual(
            [tuple(one) for one in rejections],
            [(5, "", "", "row", "2 cells where the header has 4")],
        )

    def test_tabs(self):
        rows, _ = self._table("id\twhat\n1\ta,b\n", "a.tab")
        self.assertEqual(rows, [(2, {"id": "1", "what": "a,b"})])

    def test_semicolons(self):
        rows, _ = self._table('\ufeffid;what\n1;"a;b"\n')
        self.assertEqual(rows, [(2, {"id": "1", "what": "a;b"})])

    def test_not_the_collection(self):
        with self.assertRaisesRegex(ValueError, r"no a\.csv; is this A \(licence\)\?"):
            formats.read_table(self.folder, ["a.csv"], ["id"], "A (licence)")
        with self.assertRaisesRegex(ValueError, r"a\.csv: not A \(licence\): column id missing"):
            self._table("what,x\n")
        with self.assertRaisesRegex(ValueError, "column id, what missing; found nothing"):
            self._table("")
        with self.assertRaisesRegex(ValueError, r"a\.csv:2: not UTF-8 text"):
            self._table("id,what\n1,Behçet\n", encoding="latin-1")
        with self.assertRaisesRegex(ValueError, "^/nowhere: no such folder$"):
            formats.read_table(pathlib.Path("/nowhere"), ["a.csv"], [], "A")

    def test_reader(self):
        self._table("id,what\n1,acne\nbad,acne\n3,akne\n")
        read = formats.reader(
            ["a.csv"], ["id", "what"], "id", _parse, "A", lambda rows: [str(len(rows))]
        )
        contents = read(self.folder, LabelMapping())
        self.assertEqual([entry.photograph.row for entry in contents.entries], [2])
        self.assertEqual(
            [(one.row, one.image_id, one.stage) for one in contents.rejections],
            [(3, "bad", "row"), (4, "3", "label")],
        )
        self.assertEqual(contents.notes, ("3",))


class FormatsTest(absltest.TestCase):
    def test_every_format_is_complete(self):
        self.assertCountEqual(
            importing.FORMATS,
            ["pad_ufes_20", "ham10000", "isic", "fitzpatrick17k", "ddi", "scin", "coco"],
        )
        for name, layout in importing.FORMATS.items():
            self.assertEqual(layout.name, name)
            self.assertContainsSubset(layout.conditions.values(), taxonomy.CONDITIONS)
            # Nobody should use a collection without its licence in view.
            self.assertRegex(layout.source, r"\(\S+\.org/\S+, \S.+\)$|under your own terms")

    def test_a_folder_that_does_not_hold_the_collection(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        for layout in importing.FORMATS.values():
            with self.assertRaisesRegex(ValueError, f"^{folder}: no .*(; is this |below it)"):
                layout.read(folder, layout.mapping())
            with self.assertRaisesRegex(ValueError, "^/nowhere: no such folder$"):
                layout.read(pathlib.Path("/nowhere"), layout.mapping())

    def test_overrides_reach_closed_vocabularies(self):
        mapping = importing.FORMATS["ham10000"].mapping({"nevus": "mole", "df": "Cyst"})
        self.assertEqual(mapping.condition("nevus"), "Melanocytic Nevus")
        self.assertEqual(mapping.condition("df"), "Cyst")
        with self.assertRaisesRegex(ValueError, "label 'melanoma' is not known .one of akiec, "):
            mapping.condition("melanoma")

    def test_columns_of_the_manifest_are_not_repeated(self):
        cells = {"case_id": "1", "split": "train", "image": "x", "age": "50"}
        self.assertEqual(formats.extra_columns(cells), {"age": "50"})


class ParseSkinTypeTest(parameterized.TestCase):
    @parameterized.parameters(
        ("3", 3),
        (" 6.0 ", 6),
        ("FST1", 1),
        ("IV", 4),
        ("vi", 6),
        ("Type III", 3),
        ("Fitzpatrick skin type 2", 2),
        ("", None),
        ("-1", None),
        ("NONE_IDENTIFIED", None),
        ("NONE_SELECTED", None),
        ("None identified", None),
        ("N/A", None),
        ("__undefined__", None),
    )
    def test_reads(self, text, expected):
        self.assertEqual(formats.parse_skin_type(text), expected)

    @parameterized.parameters("0", "7", "2.5", "12", "IIII", "FST", "dark", "-2", "3 4")
    def test_refuses(self, text):
        with self.assertRaisesRegex(ValueError, f"^skin type: '{text}' is not one of 1 to 6"):
            formats.parse_skin_type(text)


if __name__ == "__main__":
    absltest.main()
