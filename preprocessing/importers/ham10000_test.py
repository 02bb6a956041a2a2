import pathlib

from absl.testing import absltest, parameterized

from preprocessing.importers import ham10000, importing, testing_files

_CELLS = {"lesion_id": "HAM_1", "image_id": "ISIC_2", "dx": "MEL", "age": "50"}


class Ham10000Test(parameterized.TestCase):
    def test_the_lesion_stands_in_for_the_patient(self):
        entry = ham10000._parse(_CELLS, ham10000.FORMAT.mapping())
        row = entry.photograph
        self.assertEqual((row.case_id, row.patient_id, row.image), ("HAM_1", "HAM_1", "ISIC_2"))
        self.assertEqual((row.condition, row.fitzpatrick, row.rois), ("Melanoma", None, ()))
        self.assertEqual(row.extra, {"lesion_id": "HAM_1", "dx": "MEL", "age": "50"})
        self.assertEqual(entry.label, "MEL")

    @parameterized.parameters(("", ","), (".jpg", ";"), ("", "\t"))
    def test_folders_of_kaggle(self, extension, separator):
        # Every image lies in two folders, whose names differ in case alone.
        folder = pathlib.Path(self.create_tempdir().full_path)
        for part, name in (("1", "ISIC_1"), ("2", "ISIC_2")):
            for parent in ("HAM10000_images_part_", "ham10000_images_part_"):
                testing_files.write_photograph(folder / f"{parent}{part}" / f"{name}.jpg")
        header = "lesion_id", "image_id", "dx"
        rows = [("HAM_1", f"ISIC_1{extension}", "mel"), ("HAM_1", f"ISIC_2{extension}", "mel")]
        lines = [separator.join(cells) for cells in (header, *rows)]
        (folder / "HAM10000_metadata.csv").write_text("\n".join(lines))
        report = importing.import_photographs("ham10000", str(folder), workers=1)
        self.assertEmpty(report.rejections)
        self.assertEqual([row.image_id for row in report.photographs], ["ISIC_1", "ISIC_2"])
        self.assertEmpty(report.notes)  # No picture is without a row.


if __name__ == "__main__":
    absltest.main()
