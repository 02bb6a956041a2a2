import io

import numpy as np
from absl.testing import absltest
from PIL import Image

from evaluation.reader_study import encoding


class EncodeAlikeTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        noise = rng.integers(0, 256, (40, 40, 3), np.uint8)
        flat = np.full((40, 40, 3), 120, np.uint8)
        self.pictures = [noise, flat, np.flipud(noise)]

    def test_files_differ_in_image_data_alone(self):
        lengths = {len(encoding.encode(one, 64)) for one in self.pictures}
        self.assertGreater(max(lengths), 5 * min(lengths))  # which would tell them apart
        files = encoding.encode_alike(self.pictures, 64)
        self.assertEqual({len(one) for one in files}, {max(lengths)})
        headers = {encoding.header(one) for one in files}
        self.assertLen(headers, 1)
        header = headers.pop()
        # Markers of a plain JFIF file: no comment, no EXIF, ICC or XMP, two tables of each.
        self.assertTrue(header.startswith(b"\xff\xd8\xff\xe0\x00\x10JFIF"))
        for marker in (b"\xff\xfe", b"\xff\xe1", b"\xff\xe2", b"\xff\xed"):
            self.assertNotIn(marker, header)

    def test_pixels_survive(self):
        files = encoding.encode_alike(self.pictures, 80)
        for picture, file in zip(self.pictures, files):
            image = Image.open(io.BytesIO(file))
            self.assertEqual((image.format, image.size, image.mode), ("JPEG", (80, 80), "RGB"))
            wanted = Image.fromarray(picture).resize((80, 80), Image.Resampling.LANCZOS)
            error = np.abs(np.asarray(image, float) - np.asarray(wanted, float)).mean()
            self.assertLess(error, 3)  # of 255, for noise

    def test_refuses_pictures_of_several_sizes(self):
        with self.assertRaisesRegex(ValueError, r"sizes would tell them apart: \[\(20, 20, 3\), "):
            encoding.encode_alike([*self.pictures, self.pictures[0][::2, ::2]], 64)

    def test_nothing_to_encode(self):
        self.assertEqual(encoding.encode_alike([], 64), [])


if __name__ == "__main__":
    absltest.main()
