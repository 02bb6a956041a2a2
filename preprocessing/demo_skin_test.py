"""Tests for `demo_skin`."""

import numpy as np
from absl.testing import absltest
from skimage import color

from preprocessing import demo_skin
from preprocessing.taxonomy import FITZPATRICK_TYPES


class ToneTest(absltest.TestCase):
    def test_ita(self):
        self.assertAlmostEqual(demo_skin.ita(70.0, 20.0), 45.0)
        self.assertAlmostEqual(demo_skin.ita(30.0, 20.0), -45.0)

    def test_tones_fall_in_the_range_of_their_type(self):
        rng = np.random.default_rng(0)
        for skin_type in FITZPATRICK_TYPES:
            low, high = demo_skin.ITA_RANGES[skin_type]
            for _ in range(200):
                lightness, _, b = demo_skin.draw_tone(skin_type, rng)
                self.assertBetween(demo_skin.ita(lightness, b), low + 1, high - 1)

    def test_unknown_type(self):
        with self.assertRaisesRegex(ValueError, "7"):
            demo_skin.draw_tone(7, np.random.default_rng(0))

    def test_lab_agrees_with_scikit_image(self):
        for skin_type in FITZPATRICK_TYPES:
            lab = demo_skin.draw_tone(skin_type, np.random.default_rng(skin_type))
            rgb = color.lab2rgb(np.array(lab)[None, None])[0, 0]
            linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
            np.testing.assert_allclose(demo_skin.lab_to_linear(lab), linear, atol=2e-3)

    def test_melanin_darkens_and_blood_reddens(self):
        lab = demo_skin.draw_tone(2, np.random.default_rng(1))
        zero, one = np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32)
        base = demo_skin.reflectance(lab, zero, zero, zero)[:, 0, 0]
        np.testing.assert_allclose(base, demo_skin.lab_to_linear(lab), rtol=1e-6)
        brown = demo_skin.reflectance(lab, one, zero, zero)[:, 0, 0]
        red = demo_skin.reflectance(lab, zero, one, zero)[:, 0, 0]
        self.assertTrue((brown < base).all())
        self.assertGreater(red[0] / red[1], 2 * base[0] / base[1])


if __name__ == "__main__":
    absltest.main()
