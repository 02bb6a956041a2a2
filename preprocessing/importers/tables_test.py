import pathlib

from absl.testing import absltest

from preprocessing.data.manifest import Photograph
from preprocessing.importers import tables
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
        return tables.read_table(self.folder, ["a.csv", "a.tab"], ["id", "what"], "A (licence)")

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

    def test_not_the_collection(self):
        with self.assertRaisesRegex(ValueError, r"no a\.csv; is this A \(licence\)\?"):
            tables.read_table(self.folder, ["a.csv"], ["id"], "A (licence)")
        with self.assertRaisesRegex(ValueError, r"a\.csv: not A \(licence\): column id missing"):
            self._table("what,x\n")
        with self.assertRaisesRegex(ValueError, "column id, what missing"):
            self._table("")
        with self.assertRaisesRegex(ValueError, r"a\.csv:2: not UTF-8 text"):
            self._table("id,what\n1,Behçet\n", encoding="latin-1")
        with self.assertRaisesRegex(ValueError, "^/nowhere: no such folder$"):
            tables.read_table(pathlib.Path("/nowhere"), ["a.csv"], [], "A")

    def test_reader(self):
        self._table("id,what\n1,acne\nbad,acne\n3,akne\n")
        read = tables.reader(
            ["a.csv"], ["id", "what"], "id", _parse, "A", lambda rows: [str(len(rows))]
        )
        contents = read(self.folder, LabelMapping())
        self.assertEqual([entry.photograph.row for entry in contents.entries], [2])
        self.assertEqual(
            [(one.row, one.image_id, one.stage) for one in contents.rejections],
            [(3, "bad", "row"), (4, "3", "label")],
        )
        self.assertEqual(contents.notes, ("3",))


if __name__ == "__main__":
    absltest.main()
