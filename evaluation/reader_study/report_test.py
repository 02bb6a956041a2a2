import csv
import json
import pathlib

from absl.testing import absltest
from PIL import Image

from common import testing_pages
from common.report import Report
from evaluation.reader_study import report, testing
from evaluation.reader_study.answer_key import Refused


class ReportTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.key, _ = testing.small_study(readers=4)
        panel = [
            testing.answer_all(
                cls.key, reader, lambda one, n=number: not one.synthetic or one.skin_type == n
            )
            for number, reader in enumerate(cls.key.readers)
        ][:3]
        refused = [Refused("x.json", "is not JSON")]
        cls.study = report.score_study(cls.key, panel, refused, 20)

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _report(self, study, overwrite=False):
        return Report(str(self.folder), "reader_study", study.protocol, overwrite)

    def _markdown(self, study):
        report.write_report(study, self._report(study, overwrite=True))
        return (self.folder / "reader_study.md").read_text()

    def test_writes_everything(self):
        written = self._report(self.study)
        report.write_report(self.study, written)
        self.assertEqual(
            sorted(pathlib.Path(path).name for path in written.paths),
            [
                "figure_7a.png",
                "figure_7b.png",
                "reader_study.csv",
                "reader_study.json",
                "reader_study.md",
                "reader_study_answers.csv",
            ],
        )
        for name in ("figure_7a.png", "figure_7b.png"):
            with Image.open(self.folder / name) as picture:
                self.assertGreater(min(picture.size), 300)
        content = json.loads((self.folder / "reader_study.json").read_text())
        self.assertEqual(content["protocol"]["study"], self.key.study)
        self.assertEqual(content["left_out"], [{"source": "x.json", "reason": "is not JSON"}])
        rows = {
            (one["test"], one["by"], one["group"], one["measure"]): one for one in content["scores"]
        }
        self.assertEqual(rows["realism", "all", "", "tpr"]["mean"], 1.0)
        self.assertIsNone(rows["realism", "reader", "reader_01", "tpr"]["sd"])
        with open(self.folder / "reader_study.csv", newline="") as file:
            table = list(csv.DictReader(file))
        self.assertLen(table, len(rows))
        with open(self.folder / "reader_study_answers.csv", newline="") as file:
            answers = list(csv.DictReader(file))
        self.assertLen(answers, 3 * (16 + 4 + 2 * 3 + 3 * 8))

    def test_report_says_what_was_found(self):
        text = self._markdown(self.study)
        self.assertIn("3 of 4 readers", text)
        self.assertIn("Readers tell real from synthetic: TPR - FPR is 0.", text)
        self.assertIn("Synthetic images show their condition less clearly", text)
        self.assertIn("| TPR: photographs taken for real | 1.00 ± 0.00 |", text)
        self.assertIn("Self-consistency: 1.00 ± 0.00", text)
        self.assertIn("Fleiss' kappa", text)
        self.assertIn("Share correct by confidence: guess", text)
        self.assertIn("- x.json is not JSON", text)
        self.assertIn("| reader_01 | Dermatologist in training | 2 to 5 |", text)
        for condition in testing.CONDITIONS:
            self.assertIn(f"| {condition} |", text)
        testing_pages.check_text(text)

    def test_a_difference_that_may_be_none_is_not_called_likeness(self):
        panel = [
            testing.answer_all(
                self.key, reader, lambda one, n=number: (int(one.picture_id[1:]) * 7 + n) % 3 == 0
            )
            for number, reader in enumerate(self.key.readers)
        ]
        text = self._markdown(report.score_study(self.key, panel, [], 20))
        self.assertIn("Readers were not shown to tell real from synthetic: TPR - FPR is ", text)
        self.assertIn("That does not show that there is no difference.", text)

    def test_one_reader(self):
        one = self.study.panel[:1]
        text = self._markdown(report.score_study(self.key, one, [], 20))
        self.assertIn("fewer than three readers give no interval", text)
        testing_pages.check_text(text)

    def test_results_of_other_answers_stay(self):
        report.write_report(self.study, self._report(self.study))
        self._report(self.study)
        fewer = report.score_study(self.key, self.study.panel[:2], [], 20)
        with self.assertRaisesRegex(ValueError, "another protocol; .* pass --overwrite"):
            self._report(fewer)
        self._report(fewer, overwrite=True)


if __name__ == "__main__":
    absltest.main()
