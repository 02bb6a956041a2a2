import pathlib

from absl.testing import absltest

from preprocessing.data import taxonomy
from preprocessing.importers import formats, importing


class FormatsTest(absltest.TestCase):
    def test_every_format_is_complete(self):
        self.assertCountEqual(
            importing.FORMATS,
            ["pad_ufes_20", "ham10000", "fitzpatrick17k", "ddi", "scin", "coco"],
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
        with self.assertRaisesRegex(ValueError, "label 'melanoma' is not known; closest is 'mel' "):
            mapping.condition("melanoma")

    def test_columns_of_the_manifest_are_not_repeated(self):
        cells = {"case_id": "1", "split": "train", "image": "x", "age": "50"}
        self.assertEqual(formats.extra_columns(cells), {"age": "50"})


if __name__ == "__main__":
    absltest.main()
