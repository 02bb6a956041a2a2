import math
import os

import numpy as np
from absl.testing import absltest
from PIL import Image

from common import figures


class FiguresTest(absltest.TestCase):
    def _assert_shows(self, figure, *colors):
        """Checks that the saved picture has pixels close to colours given as "#rrggbb"."""
        path = os.path.join(self.create_tempdir().full_path, "new", "figure.png")
        self.assertEqual(figures.save(figure, path), path)
        self.assertEqual(os.listdir(os.path.dirname(path)), ["figure.png"])
        self.assertFalse(figures.pyplot.fignum_exists(figure.number))
        pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
        for color in colors:
            wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
            self.assertTrue((np.abs(pixels - wanted).sum(axis=-1) < 12).any(), color)

    def test_compared_intervals(self):
        generated, floor = [(1, 0.9, 1.1), (2, 1.8, 2.2)], [(0.5, 0.4, 0.6), None]
        figure = figures.compared_intervals(["a", "b"], generated, floor, "t", "l")
        self._assert_shows(figure, figures.GENERATED, figures.REAL)

    def test_grouped_bars(self):
        series = {
            "x": [(0.5, 0.4, 0.6), (0.2, math.nan, math.nan)],
            "y": [(0.0, 0.0, 0.0), (1.0, 0.8, 1.2)],
        }
        colors = ["#00ff00", "#0000ff"]
        figure = figures.grouped_bars(["a", "b"], series, colors, "t", "l", guessing=0.5)
        (axes,) = figure.axes
        ends = np.concatenate([line.get_xdata() for line in axes.lines])
        self.assertBetween(np.nanmax(ends), 0.999, 1.0)  # 1.2 is cut off at the edge
        self.assertIn("guessing", axes.get_legend_handles_labels()[1])
        self._assert_shows(figure, *colors)

    def test_over_training(self):
        points = [(2, 1.9, 2.1), (1, 0.9, 1.1)]
        figure = figures.over_training([1, 2], points, [(0.5, 0.4, 0.6)] * 2, "l")
        places = [line.get_xdata()[0] for line in figure.axes[0].lines]
        self.assertLen(set(places), 2)  # intervals of the two stand beside each other
        self._assert_shows(figure, figures.GENERATED, figures.REAL)

    def test_whiskers(self):
        points = [(2.0, 1.5, 3.0), (1.0, math.nan, math.nan), (1.0, 1.5, 2.0)]
        np.testing.assert_allclose(figures.whiskers(points), [[0.5, np.nan, 0], [1, np.nan, 1]])
        self.assertEqual(figures.whiskers([]).shape, (2, 0))


if __name__ == "__main__":
    absltest.main()
