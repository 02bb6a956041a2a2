import pathlib

from absl.testing import absltest, parameterized

from preprocessing.importers import isic

_CODES_2018 = "MEL,NV,BCC,AKIEC,BKL,DF,VASC"
_CODES_2019 = "MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK"


def _one_hot(first, place, count):
    return ",".join([first, *("1.0" if n == place else "0.0" for n in range(count))])


class IsicTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _write(self, name, *lines):
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text("\n".join(lines) + "\n")

    def _read(self):
        return isic.FORMAT.read(self.folder, isic.FORMAT.mapping())

    def _rows(self, contents):
        return [
            (row.image_id, row.patient_id, row.condition)
            for row in (entry.photograph for entry in contents.entries)
        ]

    def test_2018(self):
        lines = [_one_hot(f"ISIC_{n}", n, 7) for n in range(7)]
        self._write("ISIC2018_Task3_Training_GroundTruth.csv", f"image,{_CODES_2018}", *lines)
        self._write(
            "ISIC2018_Task3_Training_LesionGroupings.csv",
            "image,lesion_id,diagnosis_confirm_type",
            *(f"ISIC_{n},HAM_{n // 2},histopathology" for n in range(7)),
        )
        contents = self._read()
        self.assertEmpty(contents.rejections)
        conditions = ("Melanoma", "Melanocytic Nevus", "Basal Cell Carcinoma", "Actinic Keratosis")
        conditions += ("SK/ISK", "Other", "Other")
        self.assertEqual(
            self._rows(contents),
            [(f"ISIC_{n}", f"HAM_{n // 2}", condition) for n, condition in enumerate(conditions)],
        )
        row = contents.entries[0].photograph
        self.assertEqual((row.row, row.split), (2, None))
        expected = {"lesion_id": "HAM_0", "diagnosis_confirm_type": "histopathology"}
        self.assertEqual(row.extra, expected)
        self.assertEqual(contents.table, "ISIC2018_Task3_Training_GroundTruth.csv")
        self.assertEmpty(contents.notes)

    def test_2019(self):
        self._write(
            "ISIC_2019_Training_GroundTruth.csv",
            f"image,{_CODES_2019}",
            _one_hot("a.jpg", 7, 9),
            _one_hot("b_downsampled", 8, 9),
            "c,1.0,1.0,0,0,0,0,0,0,0",
            "d,0.6,0.4,0,0,0,0,0,0,0",
            _one_hot("e", 3, 9),
        )
        contents = self._read()
        self.assertEqual(
            self._rows(contents), [("a", "a", "SCC/SCCIS"), ("e", "e", "Actinic Keratosis")]
        )
        self.assertEqual(
            [(one.row, one.image_id, one.stage) for one in contents.rejections],
            [(3, "b_downsampled", "label"), (4, "c", "row"), (5, "d", "row")],
        )
        self.assertIn("UNK' leaves the condition open: no diagnosis", contents.rejections[0].reason)
        self.assertEqual(
            contents.rejections[2].reason,
            "ISIC_2019_Training_GroundTruth.csv row 5: MEL, NV, BCC, AK, BKL, DF, VASC, SCC, UNK: "
            "0.6 0.4 0 0 0 0 0 0 0 is not a single 1",
        )
        self.assertStartsWith(contents.notes[0], "2 of 2 photographs name no patient and no lesion")

    def test_2020(self):
        self._write(
            "train.csv",
            "image_name,patient_id,sex,age_approx,diagnosis,benign_malignant,target",
            "ISIC_1,IP_1,male,45,unknown,benign,0",
            "ISIC_2,IP_1,male,45,nevus,benign,0",
            "ISIC_3,IP_2,male,45,unknown,malignant,1",
            "ISIC_4,IP_2,male,45,seborrheic keratosis,benign,0",
            "ISIC_5,IP_2,male,45,lentigo NOS,benign,0",
            "ISIC_6,IP_2,male,45,atypical melanocytic proliferation,benign,0",
        )
        contents = self._read()
        self.assertEqual(
            self._rows(contents),
            [
                ("ISIC_2", "IP_1", "Melanocytic Nevus"),
                ("ISIC_3", "IP_2", "Melanoma"),
                ("ISIC_4", "IP_2", "SK/ISK"),
                ("ISIC_5", "IP_2", "Lentigo"),
            ],
        )
        self.assertEqual(
            [one.reason for one in contents.rejections],
            [
                "label 'benign' leaves the condition open: it may be any benign condition",
                "label 'atypical melanocytic proliferation' leaves the condition open: it may be "
                "Melanocytic Nevus or Melanoma",
            ],
        )

    def test_tables_of_several_splits(self):
        for split, code in (("Training", 0), ("Validation", 1), ("Test", 2)):
            name = f"{split}/ISIC2018_Task3_{split}_GroundTruth.csv"
            self._write(name, f"image,{_CODES_2018}", _one_hot(f"ISIC_{split}", code, 7))
        splits = {one.photograph.image_id: one.photograph.split for one in self._read().entries}
        self.assertEqual(
            splits,
            {"ISIC_Training": "train", "ISIC_Validation": "validation", "ISIC_Test": "test"},
        )

    def test_no_ground_truth(self):
        self._write("ISIC_2019_Training_Metadata.csv", "image,age_approx", "a,5")
        self._write("._train.csv", "image_name,diagnosis", "a,nevus")
        with self.assertRaisesRegex(ValueError, "no table with a column image or .*is this ISIC"):
            self._read()


if __name__ == "__main__":
    absltest.main()
