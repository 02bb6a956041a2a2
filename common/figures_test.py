import os

import numpy as np
from absl.testing import absltest
from PIL import Image

from common import figures


def _shows(path, color):
    """Whether a picture has pixels close to a colour given as "#rrggbb"."""
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return bool((np.abs(pixels - wanted).sum(axis=-1) < 12).any())


class PlotsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.create_tempdir().full_path, "new", "figure.png")

    def test_compared_intervals(self):
        figures.compared_intervals(
            ["a", "b"], [(1, 0.1), (2, 0.2)], [(0.5, 0.1), None], "t", "l", self.path
        )
        self.assertTrue(_shows(self.path, figures.GENERATED))
        self.assertTrue(_shows(self.path, figures.REAL))
        self.assertEqual(os.listdir(os.path.dirname(self.path)), ["figure.png"])

    def test_grouped_bars(self):
        series = {"x": [(0.5, 0.1), (0.2, float("nan"))], "y": [(0.0, 0.0), (1.0, 0.2)]}
        figures.grouped_bars(["a", "b"], series, ["#00ff00", "#0000ff"], "t", "l", self.path)
        self.assertTrue(_shows(self.path, "#00ff00"))
        self.assertTrue(_shows(self.path, "#0000ff"))

    def test_over_training(self):
        figures.over_training([1, 2], [(2, 0.1), (1, 0.1)], [(0.5, 0.1)] * 2, "l", self.path)
        self.assertTrue(_shows(self.path, figures.GENERATED))
        self.assertTrue(_shows(self.path, figures.REAL))


if __name__ == "__main__":
    absltest.main()
