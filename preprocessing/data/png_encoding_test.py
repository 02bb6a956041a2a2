import io

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized
from PIL import Image

from preprocessing.data import maps, png_encoding
from preprocessing.data.manifest import Box

_ENCODERS = (png_encoding.encode_photograph, png_encoding.encode_map)


def _noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


class LosslessTest(parameterized.TestCase):
    @parameterized.product(
        encode=_ENCODERS,
        shape=((1, 1, 3), (1, 7, 3), (7, 1, 3), (2, 2, 3), (33, 65, 3), (256, 192, 3)),
    )
    def test_other_decoders_read_the_pixels_back(self, encode, shape):
        pixels = _noise(shape)
        encoded = encode(pixels)
        with Image.open(io.BytesIO(encoded)) as image:
            self.assertEqual(image.mode, "RGB")
            np.testing.assert_array_equal(np.asarray(image), pixels)
        np.testing.assert_array_equal(tf.io.decode_png(encoded).numpy(), pixels)

    @parameterized.product(encode=_ENCODERS, level=(0, 1, 127, 128, 255))
    def test_no_overflow(self, encode, level):
        pixels = np.full((9, 9, 3), level, np.uint8)
        pixels[::2, ::3] = 255 - level
        with Image.open(io.BytesIO(encode(pixels))) as image:
            np.testing.assert_array_equal(np.asarray(image), pixels)

    @parameterized.parameters(*_ENCODERS)
    def test_memory_order_does_not_matter(self, encode):
        pixels = _noise((20, 30, 3))
        turned = np.asfortranarray(pixels)
        self.assertEqual(encode(turned), encode(pixels))
        self.assertEqual(encode(turned[::-1][::-1]), encode(pixels))


class SizeTest(absltest.TestCase):
    def test_as_small_as_other_encoders(self):
        small = Image.fromarray(_noise((33, 33, 3)))
        smooth = np.asarray(small.resize((256, 256), Image.Resampling.BICUBIC)).astype(int)
        pixels = (smooth // 4 + 100 + _noise((256, 256, 3)) // 32).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
        self.assertLess(len(png_encoding.encode_photograph(pixels)), 1.05 * buffer.tell())
        boxes = [Box(20, 30, 100, 90), Box(120, 130, 180, 250)]
        drawn = maps.encode(3, 12, boxes, 256, 256)
        self.assertLess(len(png_encoding.encode_map(drawn)), 2500)

    def test_what_is_not_an_image(self):
        for pixels in (_noise((4, 4)), _noise((4, 4, 4)), np.zeros((4, 4, 3)), _noise((0, 4, 3))):
            for encode in _ENCODERS:
                with self.assertRaisesRegex(ValueError, "an image is uint8"):
                    encode(pixels)


if __name__ == "__main__":
    absltest.main()
