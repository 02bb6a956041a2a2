import math

import numpy as np
from absl.testing import absltest, parameterized

from evaluation.fidelity import localization, testing
from evaluation.fidelity.localization import box_mask
from preprocessing.data.manifest import Box

_TONES = testing.TONES


def _iou(image, boxes):
    size = image.shape[0]
    found = localization.find_region(image)
    return localization.iou(box_mask(found.boxes, size), box_mask(boxes, size))


class LocalizationTest(parameterized.TestCase):
    @parameterized.product(skin_type=[1, 2, 3, 4, 5, 6], size=[32, 64, 256])
    def test_disc(self, skin_type, size):
        for seed, box in enumerate(testing.boxes_at(size, 3)):
            skin = testing.skin_image(_TONES[skin_type], size, seed=seed)
            image = testing.add_discs(skin, [box])
            self.assertGreater(_iou(image, [box]), 0.75)  # the blur adds a pixel

    @parameterized.parameters(1, 2, 3, 4, 5, 6)
    def test_plain_skin(self, skin_type):
        for seed in range(3):
            image = testing.skin_image(_TONES[skin_type], seed=seed)
            region = localization.find_region(image)
            self.assertEqual(region.boxes, ())
            self.assertFalse(region.mask.any())

    def test_large_lesion_at_the_border(self):
        box = Box(0, 6, 46, 54)
        image = testing.add_discs(testing.skin_image(40.0), [box])
        self.assertGreater(_iou(image, [box]), 0.8)

    def test_two_lesions(self):
        boxes = [Box(4, 6, 22, 24), Box(38, 36, 58, 60)]
        image = testing.add_discs(testing.skin_image(-40.0), boxes)
        self.assertLen(localization.find_region(image).boxes, 2)
        self.assertGreater(_iou(image, boxes), 0.8)

    def test_spots_are_one_region(self):
        spots = [Box(x, y, x + 4, y + 4) for x in (20, 27, 34) for y in (20, 27, 34)]
        image = testing.add_discs(testing.skin_image(30.0), spots)
        self.assertLen(localization.find_region(image).boxes, 1)
        self.assertGreater(_iou(image, [Box(20, 20, 38, 38)]), 0.8)

    def test_a_sheet_is_no_lesion(self):
        box = Box(30, 28, 50, 46)
        image = testing.add_discs(testing.skin_image(40.0), [box])
        image[:, :8] = (225, 228, 235)
        image[:14] = (225, 228, 235)
        self.assertGreater(_iou(image, [box]), 0.8)

    def test_box_mask(self):
        mask = box_mask([Box(1, 2, 3, 5), Box(-4, 7, 2, 99)], 8)
        expected = np.zeros((8, 8), bool)
        expected[2:5, 1:3] = expected[7:, :2] = True
        np.testing.assert_array_equal(mask, expected)
        grown = box_mask([Box(3, 3, 5, 5)], 8, grow=0.5)  # one pixel: half of two
        self.assertEqual(grown.sum(), 16)

    def test_scores(self):
        first, second = box_mask([Box(0, 0, 4, 4)], 8), box_mask([Box(2, 0, 6, 4)], 8)
        self.assertAlmostEqual(localization.iou(first, second), 8 / 24)
        self.assertAlmostEqual(localization.center_error(first, second), 2 / 8)
        nothing = np.zeros((8, 8), bool)
        self.assertEqual(localization.iou(first, nothing), 0.0)
        self.assertEqual(localization.iou(nothing, nothing), 0.0)
        self.assertTrue(math.isnan(localization.center_error(first, nothing)))


if __name__ == "__main__":
    absltest.main()
