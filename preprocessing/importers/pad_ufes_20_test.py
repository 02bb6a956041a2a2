from absl.testing import absltest, parameterized

from preprocessing.importers import pad_ufes_20

_CELLS = {
    "patient_id": "PAT_1",
    "lesion_id": "22",
    "fitspatrick": "3.0",
    "diagnostic": "BCC",
    "img_id": "PAT_1_22_7.png",
    "region": "NECK",
}


def _photograph(**cells):
    return pad_ufes_20._parse({**_CELLS, **cells}, pad_ufes_20.FORMAT.mapping()).photograph


class PadUfes20Test(parameterized.TestCase):
    def test_a_row(self):
        row = _photograph()
        self.assertEqual((row.case_id, row.patient_id), ("PAT_1_22", "PAT_1"))
        self.assertEqual(row.image_id, row.image)
        self.assertEqual((row.image, row.condition), ("PAT_1_22_7", "Basal Cell Carcinoma"))
        self.assertEqual((row.extra["region"], row.extra["diagnostic"]), ("NECK", "BCC"))

    @parameterized.parameters(("", None), ("1.0", 1), ("6", 6))
    def test_skin_type(self, text, expected):
        self.assertEqual(_photograph(fitspatrick=text).fitzpatrick, expected)

    def test_an_unknown_diagnosis(self):
        with self.assertRaisesRegex(ValueError, "label 'XXX' is not known .one of ACK, BCC"):
            _photograph(diagnostic="XXX")


if __name__ == "__main__":
    absltest.main()
