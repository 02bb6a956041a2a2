from absl.testing import absltest

from preprocessing import taxonomy
from preprocessing.importers import ham10000

_CELLS = {"lesion_id": "HAM_1", "image_id": "ISIC_2", "dx": "MEL", "age": "50"}


class Ham10000Test(absltest.TestCase):
    def test_conditions_are_in_the_taxonomy(self):
        self.assertContainsSubset(ham10000.CONDITIONS.values(), taxonomy.CONDITIONS)

    def test_the_lesion_stands_in_for_the_patient(self):
        row = ham10000.FORMAT.parse(_CELLS)
        self.assertEqual((row.case_id, row.patient_id, row.image), ("HAM_1", "HAM_1", "ISIC_2"))
        self.assertEqual((row.condition, row.fitzpatrick, row.rois), ("Melanoma", None, ()))
        self.assertEqual(row.extra, {"lesion_id": "HAM_1", "dx": "MEL", "age": "50"})


if __name__ == "__main__":
    absltest.main()
