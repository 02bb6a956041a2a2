import numpy as np
from absl.testing import absltest

from model import images


class ImagesTest(absltest.TestCase):
    def test_conversions_are_inverse(self):
        values = np.arange(256, dtype=np.uint8)
        np.testing.assert_array_equal(images.to_uint8(images.to_float(values)), values)
        np.testing.assert_array_equal(images.to_uint8([-2.0, 2.0]), [0, 255])


if __name__ == "__main__":
    absltest.main()
