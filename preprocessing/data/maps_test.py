import numpy as np
from absl.testing import absltest, parameterized

from preprocessing.data import maps
from preprocessing.data.manifest import Box


class SemanticMapTest(parameterized.TestCase):
    def test_levels(self):
        drawn = maps.encode(3, 13, [Box(1, 2, 3, 5)], 6, 4)
        self.assertEqual(drawn.shape, (6, 4, 3))
        self.assertEqual(drawn.dtype, np.uint8)
        # Type 3: R = 126. Code 13 = 2 * 6 + 1: G = 42 * 3, B = 42 * 2.
        np.testing.assert_array_equal(drawn[2, 1], [126, 126, 84])
        np.testing.assert_array_equal(drawn[4, 2], [126, 126, 84])
        np.testing.assert_array_equal(drawn[5, 2], [126, 0, 0])
        np.testing.assert_array_equal(drawn[2, 3], [126, 0, 0])

    def test_every_type_and_condition_is_read_back(self):
        for skin_type in range(1, 7):
            for code in range(27):
                drawn = maps.encode(skin_type, code, [Box(0, 0, 2, 2)], 4, 4)
                decoded = maps.decode(drawn)
                self.assertEqual((decoded.skin_type, decoded.condition_code), (skin_type, code))
                self.assertEqual(decoded.roi.sum(), 4)

    def test_no_roi(self):
        decoded = maps.decode(maps.encode(6, 0, [], 4, 4))
        self.assertIsNone(decoded.condition_code)
        self.assertFalse(decoded.roi.any())

    def test_small_and_overlapping_boxes(self):
        drawn = maps.encode(1, 0, [Box(1.4, 1.4, 1.45, 1.45), Box(-3, -3, 1, 1)], 4, 4)
        self.assertEqual(maps.decode(drawn).roi.sum(), 2)

    @parameterized.parameters(
        (0, 0, Box(0, 0, 1, 1), r"skin type 0 is not in 1\.\.6"),
        (1, 27, Box(0, 0, 1, 1), r"condition code 27 is not in 0\.\.26"),
        (1, 0, Box(8, 8, 9, 9), "is outside the 4x4 map"),
    )
    def test_bad_values(self, skin_type, code, box, message):
        with self.assertRaisesRegex(ValueError, message):
            maps.encode(skin_type, code, [box], 4, 4)

    def test_decode_refuses_what_is_no_map(self):
        good = maps.encode(2, 8, [Box(0, 0, 2, 2)], 4, 4)
        blurred = good.copy()
        blurred[0, 0, 1] = 60
        two_tones = good.copy()
        two_tones[3, 3, 0] = 42
        half = good.copy()
        half[3, 3, 1] = 42
        over = good.copy()
        over[:2, :2, 1] = 252
        over[:2, :2, 2] = 252
        for wrong, message in (
            (good.astype(np.float32), "is uint8"),
            (good[..., 0], "is uint8"),
            (blurred, "multiples of 42"),
            (two_tones, "R of a semantic map"),
            (half, "non-zero in the same pixels"),
            (over, "condition code 35"),
        ):
            with self.assertRaisesRegex(ValueError, message):
                maps.decode(wrong)


if __name__ == "__main__":
    absltest.main()
