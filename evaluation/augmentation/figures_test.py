import os
import tempfile

import numpy as np
from absl.testing import absltest
from PIL import Image

from evaluation.augmentation import classifier_predictions, classifier_testing, figures, results
from evaluation.uncertainty.cluster_bootstrap import Estimate


def _has(path, color):
    """Tells whether a picture has a notable patch of a colour like "#4a6d8c"."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    wanted = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    return np.sum(np.abs(pixels - wanted).max(axis=-1) < 3) > 100


class AugmentationFiguresTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with tempfile.TemporaryDirectory() as root:
            classifier_testing.write_study(root, [0.5, 0.6, 0.5, 0.5, 0.6], [2.0], seeds=(0,))
            arms = classifier_predictions.read(root)
        cls.results = results.compute("test", arms, 200)

    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.create_tempdir().full_path, "figure.png")

    def test_figure_8_has_a_bar_of_every_main_arm(self):
        figures.draw_f1(self.results, self.path)
        for color in figures.COLORS.values():
            self.assertTrue(_has(self.path, color), color)

    def test_one_arm_alone(self):
        alone = results.Results("test", self.results.arms[:1], (), 200)
        figures.draw_f1(alone, self.path)
        colors = list(figures.COLORS.values())
        self.assertEqual([_has(self.path, color) for color in colors], [True, False, False, False])

    def test_numbers_without_interval_have_no_whiskers(self):
        known, unknown = Estimate(0.5, 0.4, 0.7), Estimate(0.5)
        np.testing.assert_allclose(
            figures.whiskers([known, unknown]), [[0.1, np.nan], [0.2, np.nan]]
        )
        # A value outside its interval has nothing on that side.
        np.testing.assert_allclose(figures.whiskers([Estimate(0.5, 0.6, 0.7)]), [[0.0], [0.2]])

    def test_confusion(self):
        figures.draw_confusion(self.results, self.path)
        self.assertGreater(min(Image.open(self.path).size), 300)

    def test_ratios(self):
        figures.draw_ratios(self.results, self.path)
        self.assertTrue(_has(self.path, figures.COLORS["real"]))


if __name__ == "__main__":
    absltest.main()
