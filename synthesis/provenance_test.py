import io

import numpy as np
from absl.testing import absltest
from PIL import Image

from preprocessing.data import png_encoding, records
from synthesis import provenance

_DIGEST = "0123456789abcdef" * 4
_MARK = provenance.Provenance(_DIGEST, 42)


class ProvenanceTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
        self.png = png_encoding.encode_photograph(self.pixels)

    def test_round_trip(self):
        self.assertIsNone(provenance.read(self.png))
        mixed = provenance.Provenance(_DIGEST, 12, "12/34~56@0.4")
        for mark in (_MARK, mixed):
            self.assertEqual(provenance.read(provenance.stamp(self.png, mark)), mark)

    def test_other_readers_see_pixels_and_mark(self):
        stamped = provenance.stamp(self.png, _MARK)
        image = Image.open(io.BytesIO(stamped))
        np.testing.assert_array_equal(np.asarray(image), self.pixels)
        np.testing.assert_array_equal(records.decode_png(stamped).numpy(), self.pixels)
        packet = image.getxmp() if hasattr(image, "getxmp") else {}
        described = str(packet) + image.info["XML:com.adobe.xmp"]
        self.assertIn("trainedAlgorithmicMedia", described)
        self.assertIn(_DIGEST, described)

    def test_an_ordinary_png_with_xmp_is_not_taken_for_ours(self):
        buffer = io.BytesIO()
        Image.fromarray(self.pixels).save(buffer, "PNG", xmp=b"<x:xmpmeta/>")
        self.assertIsNone(provenance.read(buffer.getvalue()))

    def test_bad_input(self):
        with self.assertRaisesRegex(ValueError, "not a PNG"):
            provenance.read(b"JFIF")
        with self.assertRaisesRegex(ValueError, "'abc' is not a sha256"):
            provenance.stamp(self.png, provenance.Provenance("abc", 1))
        with self.assertRaisesRegex(ValueError, "mixture '1\"' is not made of seeds"):
            provenance.stamp(self.png, provenance.Provenance(_DIGEST, 1, '1"'))


if __name__ == "__main__":
    absltest.main()
