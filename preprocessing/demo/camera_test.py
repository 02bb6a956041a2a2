import dataclasses

import numpy as np
from absl.testing import absltest

from preprocessing.demo.camera import develop, draw_camera


def _camera(seed=0):
    return draw_camera((3.0, -4.0), 80.0, np.random.default_rng(seed))


class CameraTest(absltest.TestCase):
    def test_middle_of_the_frame_is_the_centre_at_any_resolution(self):
        camera = _camera()
        for height, width in ((camera.height, camera.width), (61, 81)):
            s, t = camera.body_coordinates(height, width)
            self.assertEqual(s.shape, (height, width))
            self.assertAlmostEqual(float(s.mean()), 3.0, places=2)
            self.assertAlmostEqual(float(t.mean()), -4.0, places=2)

    def test_scale(self):
        camera = dataclasses.replace(_camera(), angle=0.0, tilt=1.0)
        s, t = camera.body_coordinates(camera.height, camera.width)
        self.assertAlmostEqual(float(s[0, 1] - s[0, 0]), 1 / camera.pixels_per_mm, places=4)
        self.assertAlmostEqual(float(t[1, 0] - t[0, 0]), 1 / camera.pixels_per_mm, places=4)

    def test_draws_mild_light(self):
        cameras = [_camera(seed) for seed in range(200)]
        gains = np.array([camera.white_balance for camera in cameras])
        self.assertLess(np.abs(gains - 1).max(), 0.06)
        self.assertLess(max(abs(camera.exposure - 1) for camera in cameras), 0.12)
        self.assertEqual({camera.orientation for camera in cameras}, {1, 3, 6, 8})
        np.testing.assert_allclose([np.linalg.norm(c.light) for c in cameras], 1, atol=1e-6)

    def test_develop_keeps_the_colour_and_adds_noise(self):
        camera = dataclasses.replace(_camera(), white_balance=(1.0, 1.0, 1.0), exposure=1.0)
        linear = np.full((3, 120, 160), 0.2140, np.float32)  # sRGB 127.5.
        image = develop(linear, camera, np.random.default_rng(0))
        self.assertEqual(image.shape, (camera.height, camera.width, 3))
        self.assertAlmostEqual(float(image.mean()), 127.5, delta=1.0)
        self.assertBetween(float(image.std()), 0.8, 8.0)

    def test_blur_softens_an_edge(self):
        linear = np.zeros((3, 120, 160), np.float32)
        linear[:, :, 80:] = 0.5
        steps = []
        for blur, motion in ((0.3, 0), (2.0, 0), (0.3, 5)):
            camera = dataclasses.replace(_camera(), blur=blur, motion=motion, noise=0.0)
            image = develop(linear, camera, np.random.default_rng(0)).astype(float)
            steps.append(np.abs(np.diff(image.mean((0, 2)))).max())
        self.assertGreater(steps[0], 1.5 * steps[1])
        self.assertGreater(steps[0], 1.5 * steps[2])


if __name__ == "__main__":
    absltest.main()
