import numpy as np
from absl.testing import absltest
from PIL import Image

from preprocessing.duplicates import thumbnails


class ThumbnailTest(absltest.TestCase):
    def test_is_the_grey_picture_squeezed(self):
        # Left half red (luma 0.299 * 200 = 60), right half white; 4:1.
        pixels = np.full((64, 256, 3), 255, np.uint8)
        pixels[:, :128] = (200, 0, 0)
        found = thumbnails.reduce(Image.fromarray(pixels))
        self.assertEqual((found.shape, found.dtype), ((48, 48), np.uint8))
        self.assertTrue((found[:, :23] == 60).all())
        self.assertTrue((found[:, 25:] == 255).all())

    def test_text_round_trip(self):
        thumbnail = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
        back = thumbnails.from_text(thumbnails.to_text(thumbnail))
        np.testing.assert_array_equal(back, thumbnail)


if __name__ == "__main__":
    absltest.main()
