import subprocess
import sys

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from preprocessing.data import maps
from preprocessing.data.manifest import Box


def _as_floats(drawn):
    return drawn.astype(np.float32) / 127.5 - 1.0


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

    def test_an_unknown_skin_type_is_a_value(self):
        drawn = maps.encode(0, 35, [Box(0, 0, 1, 1)], 2, 2)
        np.testing.assert_array_equal(drawn[0, 0], [0, 252, 252])
        np.testing.assert_array_equal(drawn[1, 1], [0, 0, 0])

    def test_no_roi(self):
        decoded = maps.decode(maps.encode(6, 0, [], 4, 4))
        self.assertIsNone(decoded.condition_code)
        self.assertFalse(decoded.roi.any())

    def test_small_and_overlapping_boxes(self):
        drawn = maps.encode(1, 0, [Box(1.4, 1.4, 1.45, 1.45), Box(-3, -3, 1, 1)], 4, 4)
        self.assertEqual(maps.decode(drawn).roi.sum(), 2)

    @parameterized.parameters(
        (-1, 0, Box(0, 0, 1, 1), r"skin type -1 is not in 0\.\.6"),
        (7, 0, Box(0, 0, 1, 1), r"skin type 7 is not in 0\.\.6"),
        (1, 36, Box(0, 0, 1, 1), r"condition code 36 is not in 0\.\.35"),
        (1, -1, Box(0, 0, 1, 1), r"condition code -1 is not in 0\.\.35"),
        (1, 0, Box(8, 8, 9, 9), "is outside the 4x4 map"),
        (1, 0, Box(-2, 1, 0, 2), "is outside the 4x4 map"),
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
        for wrong, message in (
            (good.astype(np.int32), "is uint8 or float"),
            (good[..., 0], "is uint8 or float"),
            (blurred, "multiples of 42"),
            (_as_floats(blurred), "multiples of 42"),
            (two_tones, "R of a semantic map"),
            (half, "non-zero in the same pixels"),
        ):
            with self.assertRaisesRegex(ValueError, message):
                maps.decode(wrong)

    def test_needs_no_tensorflow(self):
        code = (
            "import sys; from preprocessing.data import maps; "
            "maps.decode(maps.encode(1, 2, [], 4, 4)); sys.exit('tensorflow' in sys.modules)"
        )
        subprocess.run(
            [sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)}
        )


class BatchTest(parameterized.TestCase):
    """All skin types and conditions, with other boxes each, in both forms."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        rng = np.random.default_rng(0)
        cls.codes = [(t, c) for t in range(7) for c in range(36)]
        cls.boxes = []
        for index in range(len(cls.codes)):
            # Some reach over the rim of the 16x24 map, some are less than a pixel.
            low = rng.uniform((-4, -4), (23, 15), (index % 4, 2))
            high = np.maximum(low + rng.uniform(0.2, 12, low.shape), 0.01)
            cls.boxes.append([Box(*box) for box in np.concatenate([low, high], axis=1)])
        cls.maps = np.stack(
            [maps.encode(*code, boxes, 16, 24) for code, boxes in zip(cls.codes, cls.boxes)]
        )

    def _draw(self, jit):
        padded = np.zeros((len(self.codes), 3, 4), np.float32)
        for row, boxes in zip(padded, self.boxes):
            row[: len(boxes)] = np.reshape(boxes, (-1, 4))
        skin_types, codes = tf.constant(self.codes, tf.int64)[:, 0], np.array(self.codes)[:, 1]
        draw = tf.function(maps.encode_batch, jit_compile=jit)
        return draw(skin_types, tf.constant(codes, tf.int64), padded, 16, 24)

    @parameterized.parameters(False, True)
    def test_drawn_alike(self, jit):
        np.testing.assert_array_equal(self._draw(jit), self.maps)

    @parameterized.parameters(tf.uint8, tf.float32, tf.bfloat16, tf.float16)
    def test_read_alike(self, dtype):
        given = self.maps if dtype == tf.uint8 else tf.cast(_as_floats(self.maps), dtype)
        skin_types, codes, roi = maps.decode_batch(tf.constant(given))
        for index, (skin_type, code) in enumerate(self.codes):
            one = self.maps[index]
            decoded = maps.decode(one if dtype == tf.uint8 else _as_floats(one))
            self.assertEqual(decoded.skin_type, skin_type)
            self.assertEqual(decoded.condition_code, code if self.boxes[index] else None)
            self.assertEqual(skin_types[index], skin_type)
            self.assertEqual(codes[index], code if self.boxes[index] else -1)
            np.testing.assert_array_equal(roi[index], decoded.roi)
        self.assertEqual(roi.dtype, tf.bool)
        self.assertEqual(np.any(roi, axis=(1, 2)).sum(), len(self.codes) * 3 // 4)

    def test_a_sliver_at_the_edge_is_one_pixel(self):
        boxes = [Box(0.2 * 64, 63.9, 0.4 * 64, 64), Box(63.95, 0.1 * 64, 64, 0.2 * 64)]
        drawn = maps.encode_batch(tf.constant([1]), tf.constant([3]), [boxes], 64, 64).numpy()[0]
        np.testing.assert_array_equal(drawn, maps.encode(1, 3, boxes, 64, 64))
        inside = drawn[..., 1] > 0
        self.assertEqual(inside[63].sum(), 13)  # columns 13 to 25
        self.assertEqual(inside[:, 63].sum(), 7)  # rows 6 to 12
        self.assertEqual(inside.sum(), 13 + 7)

    def test_no_box(self):
        drawn = maps.encode_batch(
            tf.constant([1, 6]), tf.constant([3, 4]), tf.zeros([2, 0, 4]), 32, 32
        )
        self.assertEqual(drawn.shape, (2, 32, 32, 3))
        self.assertEqual(int(tf.reduce_max(drawn[..., 1:])), 0)


if __name__ == "__main__":
    absltest.main()
