import numpy as np
import tensorflow as tf
from absl.testing import absltest

from model import images
from preprocessing.data import maps
from preprocessing.data.manifest import Box


class ImagesTest(absltest.TestCase):
    def test_conversions_are_inverse(self):
        values = np.arange(256, dtype=np.uint8)
        np.testing.assert_array_equal(images.to_uint8(images.to_float(values)), values)
        np.testing.assert_array_equal(images.to_uint8([-2.0, 2.0]), [0, 255])

    def test_roi_of_map(self):
        drawn = maps.encode(1, 0, [Box(2, 3, 5, 7)], 8, 8)[None]
        expected = np.zeros((1, 8, 8), bool)
        expected[0, 3:7, 2:5] = True
        np.testing.assert_array_equal(images.roi_of_map(tf.constant(drawn)), expected)
        np.testing.assert_array_equal(images.roi_of_map(images.to_float(drawn)), expected)


if __name__ == "__main__":
    absltest.main()
