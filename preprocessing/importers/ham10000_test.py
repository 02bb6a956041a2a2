from absl.testing import absltest

from preprocessing.importers import ham10000

_CELLS = {"lesion_id": "HAM_1", "image_id": "ISIC_2", "dx": "MEL", "age": "50"}


class Ham10000Test(absltest.TestCase):
    def test_the_lesion_stands_in_for_the_patient(self):
        entry = ham10000._parse(_CELLS, ham10000.FORMAT.mapping())
        row = entry.photograph
        self.assertEqual((row.case_id, row.patient_id, row.image), ("HAM_1", "HAM_1", "ISIC_2"))
        self.assertEqual((row.condition, row.fitzpatrick, row.rois), ("Melanoma", None, ()))
        self.assertEqual(row.extra, {"lesion_id": "HAM_1", "dx": "MEL", "age": "50"})
        self.assertEqual(entry.label, "MEL")


if __name__ == "__main__":
    absltest.main()
