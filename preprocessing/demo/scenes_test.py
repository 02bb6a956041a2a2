import numpy as np
from absl.testing import absltest, parameterized
from skimage import color

from preprocessing.demo import scenes


class ScenesTest(parameterized.TestCase):
    @parameterized.parameters(*scenes.PARTS)
    def test_axis_is_inside_and_far_is_outside(self, part):
        scene = scenes.Scene(part, 0.0, np.inf, seed=4)
        s, t = np.float32([[0.0, 0.0, 0.0]]), np.float32([[0.0, 400.0, -400.0]])
        depth = scenes.depth_inside(scene, s, t)[0]
        self.assertGreater(depth[0], 10)
        self.assertLess(depth[1:].max(), -50)

    def test_relief_falls_towards_the_outline(self):
        scene = scenes.Scene("forearm", 0.0, np.inf, seed=4)
        t = np.linspace(-35, 35, 71, dtype=np.float32)[None]
        s = np.zeros_like(t)
        height = scenes.body_height(scene, scenes.depth_inside(scene, s, t), s, t)[0]
        self.assertGreater(height[35], height[0] + 5)
        self.assertGreater(height[35], height[-1] + 5)

    def test_garment_begins_where_told(self):
        s, t = np.float32([[0.0, 100.0, -100.0]]), np.zeros((1, 3), np.float32)
        for sign in (-1, 1):
            scene = scenes.Scene("leg", 0.0, sign * 50.0, seed=1)
            under = scenes.garment(scene, s, t)[0] > 0
            np.testing.assert_array_equal(under, [False, sign > 0, sign < 0])
        bare = scenes.garment(scenes.Scene("leg", 0.0, np.inf, 1), s, t)
        self.assertLess(bare.max(), 0)

    def test_backgrounds_are_seldom_skin_coloured(self):
        y, x = np.mgrid[:40, :50].astype(np.float32) * 4
        skin_like = 0
        for seed in range(60):
            linear = scenes.background(x, y, np.random.default_rng(seed))
            self.assertEqual(linear.shape, (3, 40, 50))
            self.assertTrue(np.isfinite(linear).all() and linear.min() >= 0)
            srgb = np.clip(linear.mean((1, 2)), 0, 1) ** (1 / 2.2)
            _, a, b = color.rgb2lab(srgb[None, None])[0, 0]
            skin_like += 5 < a < 20 and 8 < b < 28
        self.assertLess(skin_like, 12)


if __name__ == "__main__":
    absltest.main()
