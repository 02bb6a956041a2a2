from absl.testing import absltest

from preprocessing.importers import importing


class FormatsTest(absltest.TestCase):
    def test_every_format_is_complete(self):
        for name, layout in importing.FORMATS.items():
            self.assertEqual(layout.name, name)
            self.assertNotEmpty(layout.metadata_names)
            self.assertNotEmpty(layout.columns)
            self.assertRegex(layout.mask_suffix, "^_")
            # Nobody should use a data set without its licence in view.
            self.assertRegex(layout.source, r"\(doi\.org/\S+, CC BY")

    def test_an_unknown_diagnosis_is_a_value_error(self):
        for layout in importing.FORMATS.values():
            with self.assertRaisesRegex(ValueError, "'x' is not one of"):
                layout.parse(dict.fromkeys(layout.columns, "x"))


if __name__ == "__main__":
    absltest.main()
