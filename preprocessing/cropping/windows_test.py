import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from preprocessing.cropping import windows
from preprocessing.data.manifest import Box

_SETTINGS = windows.CropSettings(image_size=64)


def _plan(boxes, size, skin=None, seed=0, **changes):
    skin = np.ones((size[1], size[0]), bool) if skin is None else skin
    settings = dataclasses.replace(_SETTINGS, **changes)
    rng = windows.generator_for(seed, "x")
    return windows.plan_crops(boxes, size, skin, skin.shape[0] / size[1], settings, rng)


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


class GroupTest(absltest.TestCase):
    def test_near_boxes_join_and_far_ones_do_not(self):
        boxes = [Box(0, 0, 20, 20), Box(200, 0, 220, 20), Box(25, 0, 45, 20), Box(50, 0, 70, 20)]
        self.assertEqual(windows.group_boxes(boxes, 0.5, 1000), [[0, 2, 3], [1]])

    def test_a_group_never_outgrows_a_window(self):
        boxes = [Box(10 * n, 0, 10 * n + 8, 8) for n in range(20)]
        groups = windows.group_boxes(boxes, 0.5, 60)
        self.assertEqual(sorted(index for group in groups for index in group), list(range(20)))
        for group in groups:
            self.assertLessEqual(boxes[group[-1]].x1 - boxes[group[0]].x0, 60)
        self.assertGreater(len(groups), 1)

    def test_overlapping_and_single(self):
        boxes = [Box(0, 0, 20, 20), Box(10, 10, 30, 30)]
        self.assertEqual(windows.group_boxes(boxes, 0.0, 100), [[0, 1]])
        self.assertEqual(windows.group_boxes(boxes[:1], 0.5, 1), [[0]])


class PlanCropsTest(parameterized.TestCase):
    def test_least_background_wins(self):
        skin = np.zeros((100, 100), bool)
        skin[:, :55] = True
        boxes = [Box(40, 40, 55, 55)]
        many = [_plan(boxes, (100, 100), skin, seed, candidates=64)[0] for seed in range(20)]
        one = [
            _plan(boxes, (100, 100), skin, seed, candidates=1, background_limit=1)[0]
            for seed in range(20)
        ]
        self.assertLess(
            np.mean([crop.background for crops in many for crop in crops]),
            0.3 * np.mean([crop.background for crops in one for crop in crops]),
        )

    def test_too_much_background_is_rejected_with_its_reason(self):
        skin = np.zeros((100, 100), bool)
        skin[45:55, 45:55] = True
        crops, reasons = _plan([Box(45, 45, 55, 55)], (100, 100), skin, crops_per_photograph=2)
        self.assertEmpty(crops)
        self.assertLen(reasons, 2)
        self.assertRegex(
            reasons[0], r"background 0\.\d\d\d of the best window is over the limit 0\.35"
        )

    def test_boxes_are_scaled_to_the_crop(self):
        crops, _ = _plan([Box(300, 200, 380, 240)], (800, 600))
        x0, y0, size = crops[0].window
        expected = np.array([300 - x0, 200 - y0, 380 - x0, 240 - y0]) * 64 / size
        np.testing.assert_allclose(crops[0].boxes, [expected], atol=0.51)
        self.assertEqual(crops[0].visible, 1.0)
        self.assertTrue(all(value == int(value) for value in crops[0].boxes[0]))

    def test_other_groups_in_the_window_are_in_the_map(self):
        boxes = [Box(40, 40, 60, 60), Box(75, 45, 80, 50)]
        crops, _ = _plan(boxes, (100, 100), min_roi_share=0.2, max_roi_share=0.2, group_gap=0.0)
        self.assertLen(crops[0].boxes, 2)

    def test_slivers_are_left_out_and_cuts_avoided(self):
        boxes = np.array([[40, 40, 60, 60], [62, 40, 82, 60]], float)
        drawn = np.array([[36, 38, 28], [30, 30, 33]])
        np.testing.assert_allclose(windows.visible_shares(boxes, drawn), [[1.0, 0.1], [1.0, 0.05]])
        cut = 0
        for seed in range(40):
            crops, _ = _plan(
                [Box(40, 40, 50, 50), Box(60, 40, 70, 50)],
                (200, 200),
                seed=seed,
                group_gap=0.0,
                candidates=32,
            )
            x0, _, size = crops[0].window
            cut += any(
                low < edge < high for low, high in ((40, 50), (60, 70)) for edge in (x0, x0 + size)
            )
        self.assertLess(cut, 8)

    def test_a_group_longer_than_the_photograph_is_high(self):
        crops, reasons = _plan([Box(5, 5, 195, 90)], (200, 100))
        self.assertEmpty(reasons)
        self.assertEqual(crops[0].window.size, 100)
        self.assertAlmostEqual(crops[0].visible, 100 / 190, delta=0.01)
        self.assertEqual(crops[0].boxes[0][0::2], (0, 64))

    def test_groups_take_turns(self):
        boxes = [Box(10, 10, 20, 20), Box(300, 300, 310, 310), Box(10, 300, 20, 310)]
        crops, _ = _plan(boxes, (400, 400), crops_per_photograph=3, max_roi_share=0.3)
        self.assertLen({(crop.window.x0 > 150, crop.window.y0 > 150) for crop in crops}, 3)

    def test_depends_on_seed_and_name_only(self):
        boxes = [Box(300, 200, 380, 240)]
        again = [_plan(boxes, (800, 600), seed=seed)[0][0].window for seed in (0, 0, 1)]
        self.assertEqual(again[0], again[1])
        self.assertNotEqual(again[0], again[2])
        # From the digest, so the same in every process and on every machine.
        self.assertEqual(windows.generator_for(0, "crop", "a").integers(1 << 30), _FIRST)


_FIRST = 80324172


class FitBoxesTest(parameterized.TestCase):
    def test_rounding_is_cut_silently(self):
        fitted = windows.fit_boxes([Box(-2, 0, 101.5, 50)], 100, 50)
        self.assertEqual(fitted, [Box(0, 0, 100, 50)])

    @parameterized.parameters(
        (Box(-3, 0, 10, 10),), (Box(0, 0, 103, 10),), (Box(100, 0, 101, 10),), (Box(-1, 0, 0, 9),)
    )
    def test_more_is_an_error(self, box):
        text = " ".join(map(str, box))
        with self.assertRaisesWithLiteralMatch(
            ValueError, f"rois: box '{text}' is outside the 100x50 photograph"
        ):
            windows.fit_boxes([box], 100, 50)


if __name__ == "__main__":
    absltest.main()
