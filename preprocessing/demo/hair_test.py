import numpy as np
from absl.testing import absltest

from preprocessing.demo import hair
from preprocessing.demo.camera import draw_camera
from preprocessing.demo.canvas import Canvas


class HairTest(absltest.TestCase):
    def test_more_hairiness_more_hair(self):
        camera = draw_camera((0.0, 0.0), 80.0, np.random.default_rng(0))
        covers = [
            hair.body_hair(camera, hairiness, (120, 160), 4.0, np.random.default_rng(1))
            for hairiness in (0.1, 1.0)
        ]
        self.assertEqual(covers[0].shape, (120, 160))
        self.assertBetween(max(cover.max() for cover in covers), 0.1, 1.0)
        self.assertGreater(covers[1].mean(), 3 * covers[0].mean())

    def test_cover_follows_the_density(self):
        t, s = np.mgrid[-20:20:120j, -30:30:150j].astype(np.float32)
        canvas = Canvas.blank(s, t, 3.0, num_rois=0)
        means = []
        for density in (0.0, 0.3, 1.0):
            canvas.hair[:] = density
            cover, sheen = hair.scalp_hair(7, canvas)
            means.append(cover.mean())
            self.assertTrue(np.isfinite(sheen).all())
        self.assertEqual(means[0], 0.0)
        self.assertBetween(means[1], 0.05, 0.7)
        self.assertGreater(means[2], 0.9)


if __name__ == "__main__":
    absltest.main()
