import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from preprocessing.cropping import windows
from preprocessing.data.manifest import Box

_SETTINGS = windows.CropSettings(image_size=64)


class BackgroundTest(absltest.TestCase):
    def test_integral_equals_counting(self):
        rng = np.random.default_rng(0)
        skin = rng.random((40, 60)) < 0.7
        integral = windows.background_integral(skin)
        drawn = np.stack(
            [rng.integers(0, 30, 50), rng.integers(0, 20, 50), rng.integers(1, 20, 50)], axis=-1
        )
        shares = windows.background_share(integral, drawn, 1.0)
        for (x0, y0, size), share in zip(drawn, shares):
            self.assertAlmostEqual(share, (~skin[y0 : y0 + size, x0 : x0 + size]).mean())

    def test_scale(self):
        skin = np.ones((10, 10), bool)
        skin[:, 5:] = False
        integral = windows.background_integral(skin)
        drawn = np.array([[0, 0, 50], [50, 0, 50], [25, 25, 50], [99, 99, 1]])
        np.testing.assert_allclose(
            windows.background_share(integral, drawn, 0.1), [0, 1, 0.5, 1], atol=0.11
        )


class WindowTest(parameterized.TestCase):
    def test_windows_contain_the_group_and_vary(self):
        rng = np.random.default_rng(0)
        settings = dataclasses.replace(_SETTINGS, candidates=2000)
        hull = Box(300.5, 200, 380, 250.2)
        drawn = windows.draw_windows(hull, 600, 800, settings, rng)
        x0, y0, size = drawn.T
        self.assertTrue((x0 >= 0).all() and (y0 >= 0).all())
        self.assertTrue((x0 + size <= 800).all() and (y0 + size <= 600).all())
        self.assertTrue((x0 <= 300).all() and (x0 + size >= 380).all())
        self.assertTrue((y0 <= 200).all() and (y0 + size >= 251).all())
        share = 80 / size
        self.assertBetween(share.min(), 0.295, 0.32)
        self.assertBetween(share.max(), 0.82, 0.86)
        offset = (300 - x0) / np.maximum(size - 80, 1)
        self.assertAlmostEqual(offset.mean(), 0.5, delta=0.03)
        self.assertGreater(offset.std(), 0.25)

    @parameterized.parameters(
        (Box(0, 0, 10, 10), 100, 120),
        (Box(110, 90, 120, 100), 100, 120),
        (Box(0, 0, 120, 100), 100, 120),
        (Box(20, 0, 118, 100), 100, 120),
        (Box(0, 40, 120, 41), 100, 120),
    )
    def test_windows_stay_inside_at_corners_and_for_large_groups(self, hull, height, width):
        drawn = windows.draw_windows(
            hull,
            height,
            width,
            dataclasses.replace(_SETTINGS, candidates=300),
            np.random.default_rng(1),
        )
        self.assertGreaterEqual(drawn.min(), 0)
        self.assertLessEqual((drawn[:, 0] + drawn[:, 2]).max(), width)
        self.assertLessEqual((drawn[:, 1] + drawn[:, 2]).max(), height)
        visible = windows.visible_shares(np.array([hull], float), drawn)
        self.assertGreater(visible.min(), 0.8)

    def test_small_photographs_are_enlarged_at_most_so_far(self):
        drawn = windows.draw_windows(
            Box(50, 50, 52, 52), 100, 100, _SETTINGS, np.random.default_rng(0)
        )
        self.assertGreaterEqual(drawn[:, 2].min(), 32)

    def test_no_window_is_smaller_than_said(self):
        rng = np.random.default_rng(0)
        settings = dataclasses.replace(_SETTINGS, candidates=500)
        for hull in (Box(50, 50, 52, 52), Box(10, 10, 90, 60), Box(0, 0, 200, 100)):
            drawn = windows.draw_windows(hull, 100, 200, settings, rng)
            boxes = [hull, Box(0, 0, 200, 100)]
            smallest = windows.smallest_window(boxes, 100, settings)
            self.assertBetween(drawn[:, 2].min(), smallest, smallest + 3)


if __name__ == "__main__":
    absltest.main()
