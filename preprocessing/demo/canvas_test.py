import numpy as np
from absl.testing import absltest

from preprocessing.demo.canvas import Canvas, Element, Patch


def _canvas():
    t, s = np.mgrid[-20:20:80j, -30:30:120j].astype(np.float32)
    return Canvas.blank(s, t, 2.0, num_rois=2)


class PatchTest(absltest.TestCase):
    def test_coordinates_are_radii_along_the_lesion(self):
        canvas = _canvas()
        patch = Patch.at(canvas, Element("x", 5.0, -3.0, 4.0, np.pi / 2, 1), 0)
        self.assertAlmostEqual(patch.pixel, 1 / 8)
        row, column = np.unravel_index(np.argmin(np.hypot(patch.u - 1, patch.v)), patch.u.shape)
        inside = np.zeros(patch.u.shape, np.float32)
        inside[row, column] = 1.0
        patch.mark(inside)
        place = canvas.truth[0] > 0
        self.assertAlmostEqual(float(canvas.s[place][0]), 5.0, delta=0.5)
        self.assertAlmostEqual(float(canvas.t[place][0]), 1.0, delta=0.5)
        self.assertFalse(canvas.truth[1].any())

    def test_lesion_out_of_frame(self):
        self.assertIsNone(Patch.at(_canvas(), Element("x", 80.0, 0.0, 4.0, 0.0, 1), 0))

    def test_later_paint_covers_earlier(self):
        canvas = _canvas()
        patch = Patch.at(canvas, Element("x", 0.0, 0.0, 6.0, 0.0, 1), 0)
        everywhere = np.ones(patch.u.shape, np.float32)
        patch.paint((1.0, 0.0, 0.0), 0.5 * everywhere)
        patch.paint((0.0, 1.0, 0.0), 0.5 * everywhere)
        middle = (40, 60)
        np.testing.assert_allclose(canvas.paint[(slice(None), *middle)], (0.25, 0.5, 0.0))
        self.assertAlmostEqual(float(canvas.cover[middle]), 0.75)

    def test_outline_is_deep_in_the_middle_and_negative_outside(self):
        patch = Patch.at(_canvas(), Element("x", 0.0, 0.0, 6.0, 0.0, 3), 0)
        depth = patch.outline(irregular=0.05)
        self.assertGreater(depth[patch.r < 0.2].min(), 0.5)
        self.assertLess(depth[patch.r > 1.5].max(), 0.0)

    def test_spots_keep_their_distance(self):
        patch = Patch.at(_canvas(), Element("x", 0.0, 0.0, 6.0, 0.0, 3), 0)
        centres = np.array(patch.spots(6, 0.3))
        gaps = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
        self.assertGreater(gaps[~np.eye(len(centres), dtype=bool)].min(), 0.3)


if __name__ == "__main__":
    absltest.main()
