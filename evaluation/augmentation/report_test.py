import json
import pathlib
import tempfile

import numpy as np
import pandas as pd
from absl.testing import absltest
from matplotlib import pyplot
from PIL import Image

from common import testing_pages
from common.report import Report
from evaluation.augmentation import arms, predictions, report, results, testing


class AugmentationReportTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.results = cls._results(ratios=[1.0, 4.0])

    @classmethod
    def _results(cls, **options):
        with tempfile.TemporaryDirectory() as root:
            testing.write_predictions(
                root, [0.5, 0.6, 0.5, 0.5, 0.6, 0.7], tests=("test", "extra"), **options
            )
            return [
                results.compute_results(test, predictions.read_predictions(root, test), 200)
                for test in ("test", "extra")
            ]

    def test_writes_every_form(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        written = self._write(self.results, folder)
        names = ["augmentation.md", "augmentation.csv", "augmentation.json"]
        for suffix in ("", "_extra"):
            names += [f"{name}{suffix}.png" for name in ("figure_8", "confusion", "ratios")]
        self.assertEqual([pathlib.Path(path).name for path in written.paths], names)
        for name in names[3:]:
            with Image.open(folder / name) as image:
                self.assertGreater(min(image.size), 300)
        text = (folder / "augmentation.md").read_text()
        verdict = results.verdict(self.results[0])
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
        testing_pages.check_text(text)
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

    def _write(self, all_results, folder, overwrite=False):
        protocol = report.protocol_of(all_results)
        written = Report(str(folder), "augmentation", protocol, overwrite, "--workdir")
        report.write_report(all_results, written)
        return written

    def test_other_results_are_not_replaced_unasked(self):
        folder = self.create_tempdir().full_path
        self._write(self.results, folder)
        self._write(self.results, folder)
        with self.assertRaisesRegex(ValueError, "another protocol; choose another --workdir"):
            self._write(self.results[:1], folder)
        self._write(self.results[:1], folder, overwrite=True)

    def test_screen(self):
        text = report.screen_summary(self.results[0])
        self.assertIn("real+class_weights", text)
        testing_pages.check_text(text)
        self.assertTrue(text.endswith(results.verdict(self.results[0])))


def _has(figure, color):
    """Tells whether a figure has a notable patch of a colour like "#4a6d8c"."""
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)
    wanted = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    return np.sum(np.abs(pixels - wanted).max(axis=-1) < 3) > 100


class FiguresTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with tempfile.TemporaryDirectory() as root:
            testing.write_predictions(root, [0.5, 0.6, 0.5, 0.5, 0.6], [2.0], seeds=(0,))
            found = predictions.read_predictions(root)
        cls.results = results.compute_results("test", found, 200)

    def tearDown(self):
        super().tearDown()
        pyplot.close("all")

    def test_figure_8_has_a_bar_of_every_main_arm(self):
        figure = report.draw_f1(self.results)
        for name in arms.DEFAULT:
            self.assertTrue(_has(figure, report.COLORS[name]), name)

    def test_one_arm_alone(self):
        figure = report.draw_f1(results.Results("test", self.results.arms[:1], (), 200))
        has = [_has(figure, report.COLORS[name]) for name in arms.DEFAULT]
        self.assertEqual(has, [True, False, False, False])

    def test_confusion(self):
        figure = report.draw_confusion(self.results)
        shown = [axes for axes in figure.axes if axes.get_visible()]
        self.assertEqual([axes.get_title() for axes in shown], list(arms.DEFAULT))
        texts = [int(text.get_text()) for text in shown[0].texts]
        self.assertLen(texts, 16)
        self.assertAlmostEqual(sum(texts), 400, delta=8)  # per cent of each label, rounded

    def test_ratios(self):
        figure = report.draw_ratios(self.results)
        self.assertTrue(_has(figure, report.COLORS["real"]))
        (axes,) = figure.axes
        self.assertEqual([text.get_text() for text in axes.get_xticklabels()], ["0", "2"])
        said = [text.get_text() for text in axes.get_legend().get_texts()]
        self.assertIn("macro F1, real+oversampled", said)


if __name__ == "__main__":
    absltest.main()
