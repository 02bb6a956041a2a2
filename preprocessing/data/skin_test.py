import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image
from skimage import color

from preprocessing.data import skin
from preprocessing.data.manifest import Box

# sRGB of skin from light to dark, spread over the types (after Chardon's volume).
_TONES = {
    1: (247, 222, 207),
    2: (225, 184, 153),
    3: (204, 158, 122),
    4: (186, 138, 102),
    5: (128, 86, 60),
    6: (66, 42, 31),
}


def _skin(tone, height=96, width=96, noise=4.0, seed=0):
    """Skin in uneven light, with a darker red lesion in the box 36..60."""
    rng = np.random.default_rng(seed)
    light = np.linspace(0.85, 1.05, width)[None, :, None]
    image = np.array(tone) * light + rng.normal(0, noise, (height, width, 3))
    image[36:60, 36:60] *= (0.7, 0.45, 0.45)
    return image.clip(0, 255).astype(np.uint8)


_LESION = (Box(36, 36, 60, 60),)


class LabTest(absltest.TestCase):
    def test_agrees_with_scikit_image(self):
        pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
        pixels[0, :2] = ((0, 0, 0), (255, 255, 255))
        np.testing.assert_allclose(skin.lab(pixels), color.rgb2lab(pixels), atol=0.02)


class SkinMaskTest(parameterized.TestCase):
    @parameterized.parameters(*_TONES)
    def test_skin_of_every_type_and_no_wall(self, skin_type):
        for boxes in (_LESION, ()):
            image = _skin(_TONES[skin_type])
            image[:, 76:] = (70, 110, 160) if skin_type != 6 else (180, 190, 200)
            mask = skin.skin_mask(image, boxes)
            self.assertGreater(mask[:30, :70].mean(), 0.97)
            self.assertLess(mask[:, 78:].mean(), 0.02)

    @parameterized.parameters(*_TONES)
    def test_black_rim_of_a_dermatoscope_is_background(self, skin_type):
        image = _skin(_TONES[skin_type])
        y, x = np.mgrid[:96, :96]
        rim = np.hypot(y - 48, x - 48) > 47
        image[rim] = 3
        mask = skin.skin_mask(image, _LESION)
        self.assertLess(mask[rim].mean(), 0.02)
        self.assertGreater(mask[~rim].mean(), 0.95)

    def test_bluish_dermoscopy_is_skin(self):
        image = _skin((205, 190, 220))
        self.assertGreater(skin.skin_mask(image, _LESION).mean(), 0.97)

    def test_lesions_are_skin_whatever_their_color(self):
        image = _skin(_TONES[2])
        image[36:60, 36:60] = (10, 10, 60)
        self.assertTrue(skin.skin_mask(image, _LESION)[36:60, 36:60].all())

    def test_boxes_are_in_pixels_of_the_photograph(self):
        image = _skin(_TONES[2])
        image[36:60, 36:60] = (10, 10, 60)
        boxes = [Box(*(10 * value for value in _LESION[0]))]
        self.assertTrue(skin.skin_mask(image, boxes, scale=0.1)[36:60, 36:60].all())

    def test_odd_images_do_no_harm(self):
        for shape in ((1, 1, 3), (2, 96, 3)):
            for value in (0, 255):
                mask = skin.skin_mask(np.full(shape, value, np.uint8))
                self.assertEqual(mask.shape, shape[:2])


class ItaTest(parameterized.TestCase):
    @parameterized.parameters(*_TONES)
    def test_types_of_known_tones(self, skin_type):
        image = Image.fromarray(_skin(_TONES[skin_type], noise=2.0))
        estimate, degrees = skin.estimate_fitzpatrick(image, _LESION)
        self.assertEqual(estimate, skin_type)
        lightness, _, yellow = color.rgb2lab(np.array(_TONES[skin_type]) * 0.95 / 255)
        expected = np.degrees(np.arctan2(lightness - 50, yellow))
        self.assertAlmostEqual(degrees, expected, delta=3.0)

    @parameterized.parameters(
        (90.0, 1), (55.1, 1), (55.0, 2), (41.0, 3), (28.0, 4), (10.0, 5), (-30.0, 6), (-90.0, 6)
    )
    def test_thresholds(self, degrees, skin_type):
        self.assertEqual(skin.fitzpatrick_from_ita(degrees), skin_type)

    def test_lesion_and_hair_do_not_count(self):
        clean = Image.fromarray(_skin(_TONES[3]))
        hairy = _skin(_TONES[3])
        hairy[:, ::8] = 20
        plain = skin.estimate_fitzpatrick(clean, _LESION)[1]
        self.assertAlmostEqual(
            skin.estimate_fitzpatrick(Image.fromarray(hairy), _LESION)[1], plain, delta=2.0
        )

    @parameterized.parameters((40, 80, 200), (128, 128, 128), (20, 20, 20), (250, 250, 250))
    def test_unknown_where_nothing_is_coloured_like_skin(self, *color):
        image = np.full((96, 96, 3), color, np.uint8)
        image[36:60, 36:60] = (150, 60, 60)
        self.assertIsNone(skin.estimate_fitzpatrick(Image.fromarray(image), _LESION))

    def test_unknown_where_patches_disagree(self):
        image = _skin(_TONES[4])
        image[:, 48:] = _skin(_TONES[6])[:, 48:]
        image[36:60, 36:60] = (90, 40, 40)
        tone = skin.measure_tone(Image.fromarray(image), _LESION)
        apart = tone._replace(patches=np.array([[0.3, -0.5], [0.3, -0.5], [0.5, -4], [0.5, -4]]))
        self.assertIsNone(apart.fitzpatrick)

    @parameterized.parameters((110, 80, 60), (60, 45, 35))
    def test_a_floor_apart_from_the_skin_does_not_count(self, *floor):
        image = _skin(_TONES[2], noise=2.0)
        alone = skin.estimate_fitzpatrick(Image.fromarray(image[:, :70]), _LESION)
        image[:, 70:76] = (235, 240, 245)
        image[:, 76:] = floor
        self.assertEqual(skin.estimate_fitzpatrick(Image.fromarray(image), _LESION), alone)

    def test_a_mask_shows_skin_where_the_box_fills_the_photograph(self):
        image = _skin(_TONES[3])
        lesion = np.zeros((96, 96), np.uint8)
        lesion[36:60, 36:60] = 255
        full = (Box(0, 0, 96, 96),)
        self.assertIsNone(skin.estimate_fitzpatrick(Image.fromarray(image), full))
        estimate = skin.estimate_fitzpatrick(Image.fromarray(image), full, Image.fromarray(lesion))
        self.assertEqual(estimate[0], 3)


class SkinBoxTest(absltest.TestCase):
    def test_bounds_the_skin(self):
        image = np.full((192, 192, 3), (70, 110, 160), np.uint8)
        image[40:160, 20:120] = _TONES[3]
        box = skin.skin_box(Image.fromarray(image))
        np.testing.assert_allclose(box, (20, 40, 120, 160), atol=5)

    def test_reduce_reports_its_scale(self):
        small, scale = skin.reduce(Image.new("RGB", (384, 192)))
        self.assertEqual((small.shape, scale), ((48, 96, 3), 0.25))
        small, scale = skin.reduce(Image.new("RGB", (40, 20)))
        self.assertEqual((small.shape, scale), ((20, 40, 3), 1.0))


if __name__ == "__main__":
    absltest.main()
