import json
import pathlib
import tempfile

import pandas as pd
from absl.testing import absltest
from PIL import Image

from evaluation.augmentation import classifier_predictions, classifier_testing, report, results
from evaluation.augmentation import verdict as augmentation_verdict


class AugmentationReportTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.results = cls._results(ratios=[1.0, 4.0])

    @classmethod
    def _results(cls, **options):
        with tempfile.TemporaryDirectory() as root:
            classifier_testing.write_study(
                root, [0.5, 0.6, 0.5, 0.5, 0.6, 0.7], tests=("test", "extra"), **options
            )
            return [
                results.compute(test, classifier_predictions.read(root, test), 200)
                for test in ("test", "extra")
            ]

    def test_writes_every_form(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        paths = report.write(self.results, str(folder))
        names = ["augmentation.md", "augmentation.csv", "augmentation.json"]
        for suffix in ("", "_extra"):
            names += [f"{name}{suffix}.png" for name in ("figure_8", "confusion", "ratios")]
        self.assertEqual([pathlib.Path(path).name for path in paths], names)
        for name in names[3:]:
            with Image.open(folder / name) as image:
                self.assertGreater(min(image.size), 300)
        text = (folder / "augmentation.md").read_text()
        verdict = augmentation_verdict.verdict(self.results[0])
        self.assertIn(verdict, text)
        self.assertIn("## Photographs of another data set", text)
        self.assertIn("| real+synthetic less real | ", text)
        self.assertIn("| real+synthetic less real+oversampled | ", text)
        self.assertIn("| Melanoma | 60 | ", text)
        self.assertNotIn("| Acne |", text)
        self.assertIn("type 3, n = 48", text)
        self.assertIn("Note: without a test image, so undefined: Acne.", text)
        self.assertIn("Always naming the most common condition has a top-1 of 0.250.", text)
        self.assertIn("| precision / recall of | real |", text)
        self.assertNotIn("nan", text)
        content = json.loads((folder / "augmentation.json").read_text())
        self.assertEqual(content["verdict"]["test"], verdict)
        self.assertEqual(content["protocol"]["replicates"], 200)
        self.assertEqual(content["protocol"]["study"]["weights"], "none")
        self.assertIn("tensorflow", content["packages"])
        frame = pd.read_csv(folder / "augmentation.csv")
        self.assertLen(frame, 2 * 6 * 27)
        row = frame[(frame["arm"] == "real+synthetic") & (frame["condition"] == "Melanoma")].iloc[0]
        arm = self.results[0].arms[1]
        self.assertAlmostEqual(row["f1"], arm.summary.per_class["f1"][12].value)
        self.assertTrue(row["f1_low"] <= row["f1"] <= row["f1_high"])

    def test_other_results_are_not_replaced_unasked(self):
        folder = self.create_tempdir().full_path
        report.write(self.results, folder)
        report.write(self.results, folder)
        with self.assertRaisesRegex(ValueError, "another protocol; choose another --workdir"):
            report.write(self.results[:1], folder)
        report.write(self.results[:1], folder, overwrite=True)

    def test_screen(self):
        text = report.screen(self.results[0])
        self.assertIn("real+class_weights", text)
        self.assertTrue(text.endswith(augmentation_verdict.verdict(self.results[0])))


if __name__ == "__main__":
    absltest.main()
