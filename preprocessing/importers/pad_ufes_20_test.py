from absl.testing import absltest, parameterized

from preprocessing import taxonomy
from preprocessing.importers import pad_ufes_20

_CELLS = {
    "patient_id": "PAT_1",
    "lesion_id": "22",
    "fitspatrick": "3.0",
    "diagnostic": "BCC",
    "img_id": "PAT_1_22_7.png",
    "region": "NECK",
}


class PadUfes20Test(parameterized.TestCase):
    def test_conditions_are_in_the_taxonomy(self):
        self.assertContainsSubset(pad_ufes_20.CONDITIONS.values(), taxonomy.CONDITIONS)

    def test_a_row(self):
        row = pad_ufes_20.FORMAT.parse(_CELLS)
        self.assertEqual((row.case_id, row.patient_id), ("PAT_1_22", "PAT_1"))
        self.assertEqual(row.image_id, row.image)
        self.assertEqual((row.image, row.condition), ("PAT_1_22_7", "Basal Cell Carcinoma"))
        self.assertEqual((row.extra["region"], row.extra["diagnostic"]), ("NECK", "BCC"))

    @parameterized.parameters(("", None), ("1.0", 1), ("6", 6))
    def test_skin_type(self, text, expected):
        row = pad_ufes_20.FORMAT.parse({**_CELLS, "fitspatrick": text})
        self.assertEqual(row.fitzpatrick, expected)


if __name__ == "__main__":
    absltest.main()
