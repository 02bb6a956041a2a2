import os
import pathlib
import subprocess
import sys

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from preprocessing import testing_hostile
from preprocessing.data import photographs


def _noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


class ReadPhotographTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _save(self, image, name="x.png", **options):
        path = str(self.folder / name)
        image.save(path, **options)
        return path

    def _read(self, image, name="x.png", **options):
        result = photographs.read_photograph(self._save(image, name, **options))
        self.assertEqual(result.mode, "RGB")
        return np.asarray(result)

    def test_rgb_is_unchanged(self):
        pixels = _noise((20, 30, 3))
        np.testing.assert_array_equal(self._read(Image.fromarray(pixels)), pixels)

    @parameterized.parameters(range(1, 9))
    def test_exif_orientation_is_applied(self, orientation):
        scene = _noise((20, 30, 3))
        exif = Image.Exif()
        exif[0x0112] = orientation
        read = self._read(testing_hostile.as_stored(scene, orientation), exif=exif)
        np.testing.assert_array_equal(read, scene)

    def test_metadata_is_left_behind(self):
        exif = Image.Exif()
        exif[0x010E] = "Jane Doe"
        exif[0x0112] = 6
        path = self._save(Image.fromarray(_noise((20, 30, 3))), "x.jpg", exif=exif, comment=b"Jane")
        image = photographs.read_photograph(path)
        self.assertEqual(image.size, (20, 30))
        self.assertEmpty(image.info)
        self.assertEmpty(image.getexif())
        again = self.folder / "again.png"
        image.save(again)
        self.assertNotIn(b"Jane", again.read_bytes())

    def test_grey(self):
        grey = _noise((20, 30))
        read = self._read(Image.fromarray(grey))
        np.testing.assert_array_equal(read, np.repeat(grey[..., None], 3, axis=-1))

    def test_sixteen_bits(self):
        grey = np.linspace(0, 65535, 600).reshape(20, 30).astype(np.uint16)
        np.testing.assert_array_equal(self._read(Image.fromarray(grey))[..., 0], grey >> 8)
        tiff = self._read(Image.fromarray(grey), "x.tif")
        np.testing.assert_array_equal(tiff[..., 1], grey >> 8)

    def test_black_and_white(self):
        read = self._read(Image.fromarray(_noise((20, 30))).convert("1"))
        self.assertSetEqual(set(np.unique(read).tolist()), {0, 255})

    def test_cmyk(self):
        image = Image.new("RGB", (32, 32), (200, 120, 90)).convert("CMYK")
        read = self._read(image, "x.jpg", quality=100)
        np.testing.assert_allclose(read.mean(axis=(0, 1)), (200, 120, 90), atol=3)

    def test_palette(self):
        image = Image.new("RGB", (32, 32), (200, 120, 90)).quantize(8)
        np.testing.assert_array_equal(self._read(image)[0, 0], (200, 120, 90))

    def test_transparent_parts_become_white(self):
        pixels = _noise((20, 30, 4))
        pixels[..., 3] = 255
        pixels[:5, :, 3] = 0
        read = self._read(Image.fromarray(pixels))
        np.testing.assert_array_equal(read[:5], 255)
        np.testing.assert_array_equal(read[5:], pixels[5:, :, :3])
        read = self._read(Image.fromarray(pixels[..., 2:]), "la.png")
        np.testing.assert_array_equal(read[:5], 255)

    def test_transparent_palette(self):
        image = Image.new("P", (20, 20))
        image.putpalette([10, 20, 30, 40, 50, 60])
        image.paste(1, (0, 0, 20, 10))
        read = self._read(image, transparency=0)
        np.testing.assert_array_equal(read[0, 0], (40, 50, 60))
        np.testing.assert_array_equal(read[-1, 0], (255, 255, 255))

    def test_first_frame_of_an_animation(self):
        frames = [Image.new("RGB", (20, 20), color) for color in ("red", "blue")]
        path = self.folder / "x.gif"
        frames[0].save(path, save_all=True, append_images=frames[1:])
        read = np.asarray(photographs.read_photograph(str(path)))
        np.testing.assert_array_equal(read[0, 0], (255, 0, 0))

    def test_missing_and_folder(self):
        for path, what in (("no.jpg", "no such file"), ("", "is not a regular file")):
            path = str(self.folder / path)
            with self.assertRaisesWithLiteralMatch(ValueError, f"{path}: {what}"):
                photographs.read_photograph(path)

    @parameterized.parameters(b"", b"<html>not found</html>", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
    def test_not_an_image(self, data):
        path = self.folder / "x.jpg"
        path.write_bytes(data)
        with self.assertRaisesRegex(ValueError, r"x\.jpg: (not an image|\S+)") as caught:
            photographs.read_photograph(str(path))
        self.assertNotIn("\n", str(caught.exception))

    def test_photographs_of_iphones(self):
        path = self.folder / "x.HEIC"
        path.write_bytes(b"\0\0\0\x18ftypheic")
        with self.assertRaisesRegex(ValueError, "x.HEIC: not an image .* export it as JPEG$"):
            photographs.read_photograph(str(path))

    @parameterized.parameters("x.jpg", "x.png", "x.gif", "x.tif", "x.webp")
    def test_truncated(self, name):
        path = pathlib.Path(self._save(Image.fromarray(_noise((200, 200, 3))), name))
        data = path.read_bytes()
        for share in (0.05, 0.5, 0.9):
            path.write_bytes(data[: int(share * len(data))])
            with self.assertRaisesRegex(ValueError, name) as caught:
                photographs.read_photograph(str(path))
            self.assertNotIn("\n", str(caught.exception))

    def test_damaged_anywhere(self):
        path = pathlib.Path(self._save(Image.fromarray(_noise((40, 40, 3))), "x.png"))
        data = bytearray(path.read_bytes())
        rng = np.random.default_rng(3)
        for _ in range(200):
            damaged = data.copy()
            damaged[rng.integers(len(data))] ^= 1 << rng.integers(8)
            path.write_bytes(damaged)
            try:
                photographs.read_photograph(str(path))
            except ValueError as error:
                self.assertIn("x.png", str(error))

    def test_damaged_metadata_does_no_harm(self):
        pixels = _noise((20, 30, 3))
        path = self._save(Image.fromarray(pixels), exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
        # In a process of its own, whose filters the test runner has not set.
        program = f"from preprocessing.data import photographs as p; p.read_photograph({path!r})"
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stderr=subprocess.PIPE,
            check=True,
        )
        self.assertEqual(done.stderr, b"")
        np.testing.assert_array_equal(np.asarray(photographs.read_photograph(path)), pixels)

    def test_reduced_jpeg(self):
        exif = Image.Exif()
        exif[0x0112] = 6
        smooth = Image.fromarray(_noise((5, 6, 3))).resize((96, 80), Image.Resampling.BICUBIC)
        path = self._save(smooth, "x.jpg", exif=exif, quality=95)
        whole = photographs.read_photograph(path)
        asked = []
        for most, divisor in ((0, 1), (1, 1), (3, 2), (7, 4), (100, 8)):

            def largest_divisor(size, most=most):
                asked.append(size)
                return most

            decoded = photographs.decode_photograph(path, largest_divisor=largest_divisor)
            self.assertEqual((decoded.size, decoded.divisor), ((80, 96), divisor))
            self.assertEqual(decoded.image.size, (80 // divisor, 96 // divisor))
            error = np.asarray(decoded.image, float) - np.asarray(whole.reduce(divisor), float)
            self.assertLess(np.abs(error).mean(), 2)
        self.assertEqual(set(asked), {(80, 96)})

    @parameterized.parameters(("x.jpg", (97, 80)), ("x.jpg", (96, 81)), ("x.png", (96, 80)))
    def test_not_reduced(self, name, size):
        path = self._save(Image.new("RGB", size), name)
        decoded = photographs.decode_photograph(path, largest_divisor=lambda _: 8)
        self.assertEqual((decoded.size, decoded.divisor, decoded.image.size), (size, 1, size))

    def test_decompression_bomb(self):
        path = self._save(Image.new("1", (20_000, 20_000)))
        limit = Image.MAX_IMAGE_PIXELS
        message = "20000x20000 pixels are more than the limit of 100000000"
        with self.assertRaisesRegex(ValueError, message):
            photographs.read_photograph(path)
        self.assertEqual(Image.MAX_IMAGE_PIXELS, limit)
        small = self._save(Image.new("RGB", (20, 20)), "small.png")
        with self.assertRaisesRegex(ValueError, r"small\.png: 20x20 pixels are more than .* 399"):
            photographs.read_photograph(small, max_pixels=399)

    def test_too_small_and_floating_point(self):
        with self.assertRaisesRegex(ValueError, "15x40 pixels; at least 16x16 needed"):
            photographs.read_photograph(self._save(Image.new("RGB", (15, 40))))
        path = self._save(Image.fromarray(np.ones((20, 20), np.float32)), "x.tif")
        with self.assertRaisesRegex(ValueError, "floating-point pixels"):
            photographs.read_photograph(path)


if __name__ == "__main__":
    absltest.main()
