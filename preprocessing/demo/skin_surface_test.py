import numpy as np
from absl.testing import absltest
from skimage import color

from preprocessing.data import skin
from preprocessing.data.taxonomy import FITZPATRICK_TYPES
from preprocessing.demo import skin_surface


class ToneTest(absltest.TestCase):
    def test_ita(self):
        self.assertAlmostEqual(skin_surface.ita(70.0, 20.0), 45.0)
        self.assertAlmostEqual(skin_surface.ita(30.0, 20.0), -45.0)

    def test_tones_fall_in_the_range_of_their_type(self):
        rng = np.random.default_rng(0)
        for skin_type in FITZPATRICK_TYPES:
            for _ in range(200):
                lightness, _, b = skin_surface.draw_tone(skin_type, rng)
                angle = skin_surface.ita(lightness, b)
                for near in (angle - 1, angle, angle + 1):
                    self.assertEqual(skin.fitzpatrick_from_ita(near), skin_type)

    def test_unknown_type(self):
        with self.assertRaisesRegex(ValueError, "7"):
            skin_surface.draw_tone(7, np.random.default_rng(0))

    def test_lab_agrees_with_scikit_image(self):
        for skin_type in FITZPATRICK_TYPES:
            lab = skin_surface.draw_tone(skin_type, np.random.default_rng(skin_type))
            rgb = color.lab2rgb(np.array(lab)[None, None])[0, 0]
            linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
            np.testing.assert_allclose(skin_surface.lab_to_linear(lab), linear, atol=2e-3)

    def test_melanin_darkens_and_blood_reddens(self):
        lab = skin_surface.draw_tone(2, np.random.default_rng(1))
        zero, one = np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32)
        base = skin_surface.reflectance(lab, zero, zero, zero)[:, 0, 0]
        np.testing.assert_allclose(base, skin_surface.lab_to_linear(lab), rtol=1e-6)
        brown = skin_surface.reflectance(lab, one, zero, zero)[:, 0, 0]
        red = skin_surface.reflectance(lab, zero, one, zero)[:, 0, 0]
        self.assertTrue((brown < base).all())
        self.assertGreater(red[0] / red[1], 2 * base[0] / base[1])


if __name__ == "__main__":
    absltest.main()
