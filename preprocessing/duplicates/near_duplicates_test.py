import io

import imagehash
import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image, ImageEnhance

from preprocessing.duplicates import near_duplicates, thumbnails


def _photograph(seed):
    """Skin with shade, texture and a few dark spots, 240 x 180."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.normal(150, 25, (12, 16)).clip(0, 255).astype(np.uint8))
    values = np.asarray(coarse.resize((240, 180), Image.Resampling.BICUBIC), np.float64)
    ys, xs = np.mgrid[:180, :240]
    for _ in range(4):
        x, y, size = rng.uniform(20, 220), rng.uniform(20, 160), rng.uniform(6, 25)
        values -= 60 * np.exp(-(((xs - x) ** 2 + (ys - y) ** 2) / size**2))
    values = values[..., None] * (1.0, 0.8, 0.65) + rng.normal(0, 4, (180, 240, 1))
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def _jpeg(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def _cropped(image, share):
    width, height = image.size
    left, top = share * width * 0.3, share * height * 0.8
    return image.crop(
        (int(left), int(top), int(left + (1 - share) * width), int(top + (1 - share) * height))
    )


_COPIES = {
    "scaled": lambda image: image.resize((100, 75), Image.Resampling.BICUBIC),
    "encoded": lambda image: _jpeg(image, 40),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.2),
    "mirrored": lambda image: _jpeg(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 70),
    "cropped": lambda image: _cropped(image, 0.02),
}


def _find(images, groups=None):
    stacked = np.stack([thumbnails.reduce(image) for image in images])
    return near_duplicates.find_pairs(stacked, groups or [str(n) for n in range(len(images))])


class HashTest(absltest.TestCase):
    def test_distance_counts_bits(self):
        first = np.array([0, 0, 2**64 - 1], np.uint64)
        second = np.array([0, 0b1011 << 40, 0], np.uint64)
        self.assertEqual(near_duplicates.distance(first, second).tolist(), [0, 3, 64])

    def test_table_finds_what_comparing_all_finds(self):
        rng = np.random.default_rng(0)
        hashes = rng.integers(0, 2**64, 400, np.uint64)
        for n in range(200):  # Seven bits are found for certain.
            flipped = sum(1 << int(bit) for bit in rng.choice(64, n % 8, replace=False))
            hashes[200 + n] = hashes[n] ^ np.uint64(flipped)
        everyone = np.arange(400)
        query, hit = near_duplicates.HashTable(hashes).near(hashes, everyone)
        self.assertEqual(list(zip(query, hit)), [(n, 200 + n) for n in range(200)])

    def test_hashes_are_those_of_imagehash(self):
        thumbnails = np.random.default_rng(0).integers(0, 256, (3, 32, 32), np.uint8)
        for found, picture in zip(near_duplicates.hashes_of(thumbnails), thumbnails):
            expected = imagehash.phash(Image.fromarray(picture))
            self.assertEqual(found.tobytes().hex(), str(expected))


class FindPairsTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.originals = [_photograph(seed) for seed in range(60)]

    @parameterized.parameters(*_COPIES)
    def test_finds_copies_and_nothing_else(self, kind):
        copies = [_COPIES[kind](image) for image in self.originals[:20]]
        pairs = _find(self.originals + copies)
        found = {(pair.first, pair.second) for pair in pairs}
        planted = {(n, 60 + n) for n in range(20)}
        self.assertEmpty(found - planted)
        self.assertGreaterEqual(len(found), 19)
        self.assertEqual({pair.mirrored for pair in pairs}, {kind == "mirrored"})
        for pair in pairs:
            self.assertLessEqual(pair.distance, near_duplicates.MAX_DISTANCE)
            self.assertBetween(pair.correlation, near_duplicates.MIN_CORRELATION, 1.0001)

    def test_one_spot_on_even_skin_is_not_the_same_spot(self):
        images = []
        for seed in range(30):
            rng = np.random.default_rng(seed)
            texture = Image.fromarray(rng.normal(0, 4, (45, 60)).astype(np.float32))
            values = 190 + np.asarray(texture.resize((240, 180), Image.Resampling.BICUBIC))
            ys, xs = np.mgrid[:180, :240]
            wide, high = rng.uniform(36, 44, 2)
            inside = ((xs - 120) / wide) ** 2 + ((ys - 90) / high) ** 2 < 1
            values[inside] -= 90
            images.append(Image.fromarray(values.clip(0, 255).astype(np.uint8)).convert("RGB"))
        hashes = near_duplicates.hashes_of(np.stack([thumbnails.reduce(image) for image in images]))
        near, _ = near_duplicates.HashTable(hashes).near(hashes, np.arange(30))
        self.assertGreater(len(near), 20)  # The hash alone would call them duplicates.
        self.assertEmpty(_find(images))

    def test_the_same_black_rim_is_not_the_same_photograph(self):
        ys, xs = np.mgrid[:180, :240]
        rim = ((xs - 120) / 118) ** 2 + ((ys - 90) / 118) ** 2 > 1
        images = []
        for image in [*self.originals[:20], _COPIES["mirrored"](self.originals[3])]:
            pixels = np.asarray(image).copy()
            pixels[rim] = 4
            images.append(Image.fromarray(pixels))
        images.append(ImageEnhance.Brightness(images[5]).enhance(1.3))
        self.assertEqual([pair[:2] for pair in _find(images)], [(3, 20), (5, 21)])

    def test_photographs_of_one_group_are_no_pair(self):
        image = self.originals[0]
        self.assertEmpty(_find([image, image], ["p", "p"]))
        self.assertLen(_find([image, image, image], ["p", "p", "q"]), 2)

    def test_blank_pictures_are_no_ones_duplicates(self):
        blank = Image.new("RGB", (64, 64), (200, 180, 170))
        self.assertEmpty(_find([blank, blank, self.originals[0]]))

    def test_little_or_nothing_to_compare(self):
        empty = np.zeros((0, thumbnails.SIDE, thumbnails.SIDE), np.uint8)
        self.assertEmpty(near_duplicates.find_pairs(empty, []))
        self.assertEmpty(_find(self.originals[:1]))

    def test_a_crowd_of_copies_is_connected(self):
        pairs = _find([self.originals[0]] * 80)
        reached = {0}
        for pair in pairs:  # Sorted, so that each is reached from an earlier one.
            if pair.first in reached:
                reached.add(pair.second)
        self.assertLen(reached, 80)
        self.assertLessEqual(len(pairs), 80 * near_duplicates._NEAREST)


class AlignedCorrelationTest(absltest.TestCase):
    def test_undoes_shift_and_scale(self):
        image = _photograph(3).resize((640, 480), Image.Resampling.BICUBIC)
        cut = image.crop((20, 15, 600, 460))
        stacked = np.stack([thumbnails.reduce(picture) for picture in (image, cut)])
        structure, usable = near_duplicates.fine_structure(stacked)
        self.assertTrue(usable.all())
        still = near_duplicates.aligned_correlation(structure[:1], structure[1:], 0)[0]
        aligned = near_duplicates.aligned_correlation(structure[:1], structure[1:], 6)[0]
        self.assertLess(still, 0.7)
        self.assertGreater(aligned, 0.85)


if __name__ == "__main__":
    absltest.main()
