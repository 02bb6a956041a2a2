import csv
import os
import pathlib
import subprocess
import sys

from absl.testing import absltest

from preprocessing.data import manifest
from preprocessing.importers import testing_files


class ImportCasesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.there = pathlib.Path(self.create_tempdir().full_path)

    def _run(self, *args):
        environment = {
            **os.environ,
            "BUILD_WORKING_DIRECTORY": str(self.there),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        return subprocess.run(
            [sys.executable, "-m", "preprocessing.import_cases", f"--input_dir={self.folder}"]
            + ["--output=out/cases.csv", *args],
            env=environment,
            capture_output=True,
            text=True,
        )

    def test_end_to_end(self):
        lines = ["lesion_id,image_id,dx"]
        for n, diagnosis in enumerate(("mel", "df", "nevus")):
            testing_files.write_photograph(self.folder / f"ISIC_{n}.jpg")
            testing_files.write_mask(self.folder / f"ISIC_{n}_segmentation.png")
            lines.append(f"HAM_{n},ISIC_{n},{diagnosis}")
        lines += [f"HAM_{n},ISIC_{n},nv" for n in range(10, 16)]
        (self.folder / "HAM10000_metadata.csv").write_text("\n".join(lines) + "\n")
        result = self._run("--format=ham10000", "--estimate_skin_type")
        self.assertEqual(result.returncode, 0, result.stderr)
        for line in (
            "HAM10000 (doi.org/10.7910/DVN/DBW86T, CC BY-NC 4.0)",
            "       1  mel -> Melanoma",
            "       1  df -> Other",
            "Other is one condition to a generator: --taxonomy takes conditions of your own, ",
            "       1  not used: label 'nevus' is not known (one of akiec, bcc, bkl, df, mel, nv, ",
            "conditions: 1 Melanoma, 1 Other",
            "ROIs: 2 in 2 photographs, around masks",
            "skin type: 2 estimated",
            "not used: HAM10000_metadata.csv row 5, ISIC_10: image: no file ISIC_10.* below "
            f"{self.folder}",
            "not used: 1 more for their file",
            f"not used: 7 rows or annotations, see {self.there}/out/cases.rejected.csv",
            f"{self.there}/out/cases.csv: 2 photographs",
            f"next: bazel run //preprocessing:inspect -- --cases={self.there}/out/cases.csv "
            f"--image_dir={self.folder} --image_size=64\n      bazel run "
            "//preprocessing:preprocess -- ",
            f"--image_dir={self.folder} --image_size=64 --output_dir=records\n",
        ):
            self.assertIn(line, result.stdout)
        photographs, rejections = manifest.read_cases(
            str(self.there / "out/cases.csv"), str(self.folder)
        )
        self.assertEmpty(rejections)
        self.assertEqual(
            [(row.condition, row.fitzpatrick, row.rois) for row in photographs],
            [(name, 3, (testing_files.LESION,)) for name in ("Melanoma", "Other")],
        )
        with open(self.there / "out/cases.rejected.csv", newline="") as file:
            rejected = [(row["row"], row["image_id"], row["stage"]) for row in csv.DictReader(file)]
        self.assertEqual(rejected[:2], [("4", "ISIC_2", "label"), ("5", "ISIC_10", "file")])
        self.assertLen(rejected, 7)
        again = self._run("--format=ham10000")
        self.assertRegex(again.stderr.strip(), r"^error: .*/cases\.csv: exists; .*--overwrite$")
        (self.there / "out/cases.csv").unlink()
        again = self._run("--format=ham10000")
        self.assertRegex(again.stderr.strip(), r"^error: .*/cases\.rejected\.csv: exists")
        odd = self._run("--format=ham10000", "--overwrite", "x")
        self.assertRegex(odd.stderr.strip(), "^error: unexpected argument 'x'")

    def test_several_annotators_and_a_mapping(self):
        self._write_scin()
        mapping = self.there / "mapping.csv"
        mapping.write_text("label,condition\nacute dermatitis nos,Eczema\nfoo,Acne\n")
        result = self._run("--format=scin", "--mapping=mapping.csv")
        self.assertEqual(result.returncode, 0, result.stderr)
        for line in (
            "       2  Acute dermatitis, NOS -> Eczema",
            "       1  Tinea -> Tinea",
            "--mapping: label 'foo' does not occur",
            "conditions: 2 Eczema, 1 Tinea",
            "ROIs: 3 in 3 photographs, the whole skin",
            "skin type: 2 annotated, 1 self_reported",
            "skin type, dermatologists: 1 cases with several annotators, 0% of pairs equal",
            "not used: nothing",
            "cases.csv: 3 photographs",
        ):
            self.assertIn(line, result.stdout)
        self.assertNotIn("--taxonomy", result.stdout)
        photographs, rejections = manifest.read_cases(
            str(self.there / "out/cases.csv"), str(self.folder)
        )
        self.assertEmpty(rejections)
        self.assertEqual(
            [(row.case_id, row.image, row.condition, row.fitzpatrick) for row in photographs],
            [
                ("-9007199254740993", "images/1.png", "Eczema", 3),
                ("-9007199254740993", "images/2.png", "Eczema", 3),
                ("-9007199254740992", "images/3.png", "Tinea", 5),
            ],
        )
        mapping.write_text("label,condition\nfoo,Akne\n")
        wrong = self._run("--format=scin", "--mapping=mapping.csv", "--overwrite")
        self.assertRegex(
            wrong.stderr.strip(),
            r"^error: .*/mapping\.csv: row 2: unknown condition 'Akne'; closest is 'Acne'$",
        )

    def _write_scin(self):
        for name in "123":
            testing_files.write_photograph(self.folder / f"images/{name}.png")
        ids = ("-9007199254740993", "-9007199254740992")  # Equal as doubles.
        shots = {"image_1_path": "", "image_2_path": "", "image_3_path": ""}
        testing_files.write_table(
            self.folder / "scin_cases.csv",
            [
                {"case_id": ids[0], "fitzpatrick_skin_type": "FST6", **shots}
                | {f"image_{n}_path": f"dataset/images/{n}.png" for n in (1, 2)},
                {"case_id": ids[1], "fitzpatrick_skin_type": "FST5", **shots}
                | {"image_1_path": "dataset/images/3.png"},
            ],
        )
        graded = [f"dermatologist_gradable_for_skin_condition_{n}" for n in (1, 2, 3)]
        types = [f"dermatologist_fitzpatrick_skin_type_label_{n}" for n in (1, 2, 3)]
        yes = "DEFAULT_YES_IMAGE_QUALITY_SUFFICIENT"
        testing_files.write_table(
            self.folder / "scin_labels.csv",
            [
                {
                    "case_id": case,
                    "dermatologist_skin_condition_on_label_name": f"['{label}', 'Milia']",
                    "dermatologist_skin_condition_confidence": "[4, 2]",
                    "weighted_skin_condition_label": f"{{'{label}': 0.67, 'Milia': 0.33}}",
                    **dict(zip(graded, (yes, "", ""))),
                    **dict(zip(types, judged)),
                }
                for case, label, judged in (
                    (ids[1], "Tinea", ("", "", "")),
                    (ids[0], "Acute dermatitis, NOS", ("FST2", "FST3", "")),
                )
            ],
        )


if __name__ == "__main__":
    absltest.main()
