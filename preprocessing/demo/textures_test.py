import numpy as np
from absl.testing import absltest

from preprocessing.demo import textures


class TexturesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self._y, self._x = (axis.astype(np.float32) for axis in np.mgrid[:200, :220])

    def test_noise_depends_on_place_and_seed_only(self):
        whole = textures.noise(self._x, self._y, 15.0, 3)
        part = textures.noise(self._x[50:80, 60:90], self._y[50:80, 60:90], 15.0, 3)
        np.testing.assert_allclose(whole[50:80, 60:90], part, atol=1e-5)
        self.assertGreater(np.abs(whole - textures.noise(self._x, self._y, 15.0, 4)).mean(), 0.3)

    def test_noise_has_unit_deviation(self):
        self.assertAlmostEqual(textures.noise(self._x, self._y, 3.0, 1).std(), 1.0, delta=0.15)
        self.assertAlmostEqual(textures.fractal(self._x, self._y, 9.0, 1).std(), 1.0, delta=0.3)

    def test_tiles_wrap(self):
        for tile in (textures.smooth_tile(), textures.cell_tiles()[0], textures.strand_tile().T):
            seam = np.abs(tile[0] - tile[-1]).mean()
            self.assertLess(seam, 1.5 * np.abs(np.diff(tile, axis=0)).mean())

    def test_cells(self):
        border, centre, tone = textures.cells(self._x, self._y, 20.0, 5, kinds=(0, 1, 2))
        self.assertGreaterEqual(border.min(), 0)
        self.assertGreater(centre[border < 0.05].mean(), centre[border > 0.6].mean())
        self.assertBetween(tone.min(), 0, tone.max())
        self.assertLess(tone.max(), 1)

    def test_smoothstep(self):
        np.testing.assert_allclose(
            textures.smoothstep(np.array([-1.0, 0.0, 0.5, 1.0, 3.0])), [0, 0, 0.5, 1, 1]
        )


if __name__ == "__main__":
    absltest.main()
