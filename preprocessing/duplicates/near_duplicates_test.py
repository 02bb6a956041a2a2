import io

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


_TURN = Image.Transpose
_COPIES = {
    "scaled": lambda image: image.resize((100, 75), Image.Resampling.BICUBIC),
    "encoded": lambda image: _jpeg(image, 40),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.2),
    "mirrored": lambda image: _jpeg(image.transpose(_TURN.FLIP_LEFT_RIGHT), 70),
    "turned": lambda image: _jpeg(image.transpose(_TURN.ROTATE_90), 70),
    "upside down": lambda image: image.transpose(_TURN.ROTATE_180),
    "transposed": lambda image: image.transpose(_TURN.TRANSPOSE),
    "cropped by 6 %": lambda image: _cropped(image, 0.06),
    "cropped by 15 %": lambda image: _cropped(image, 0.15),
    "cropped by 25 %": lambda image: _cropped(image, 0.25),
    "sheared": lambda image: image.transform(
        image.size, Image.Transform.AFFINE, (1, 0.09, -8, 0, 1, 0), Image.Resampling.BICUBIC
    ),
    "cropped and turned": lambda image: _cropped(image, 0.12).transpose(_TURN.ROTATE_270),
}
# (turned, mirrored)
_POSITIONS = {
    "mirrored": (0, True),
    "turned": (90, False),
    "upside down": (180, False),
    "transposed": (90, True),
    "cropped and turned": (270, False),
}


def _find(images, groups=None):
    stacked = np.stack([thumbnails.reduce(image) for image in images])
    return near_duplicates.find_pairs(stacked, groups or [str(n) for n in range(len(images))])


class FindPairsTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.originals = [_photograph(seed) for seed in range(56)]

    def test_finds_copies_and_nothing_else(self):
        # One photograph is copied in one way; they are looked for all at once.
        kinds = list(_COPIES) * 4
        copies = [_COPIES[kind](image) for kind, image in zip(kinds, self.originals)]
        count = len(self.originals)
        found = {pair[:2]: pair for pair in _find(self.originals + copies)}
        planted = {(n, count + n): kind for n, kind in enumerate(kinds)}
        self.assertEmpty(set(found) - set(planted))
        self.assertGreaterEqual(len(found), len(planted) - 2)
        for place, pair in found.items():
            expected = _POSITIONS.get(planted[place], (0, False))
            self.assertEqual((pair.turned, pair.mirrored), expected, planted[place])
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

    def test_much_black_at_the_border_hides_no_copy(self):
        images = []
        for image in [*self.originals[:10], _jpeg(self.originals[3], 60)]:
            pixels = np.asarray(image).copy()
            pixels[118:] = pixels[:, :6] = 4
            images.append(Image.fromarray(pixels))
        self.assertEqual([pair[:2] for pair in _find(images)], [(3, 10)])

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
        self.assertLess(len(pairs), 80 * 40)


class AlignedCorrelationTest(absltest.TestCase):
    def test_undoes_shift_and_scale(self):
        image = _photograph(3).resize((640, 480), Image.Resampling.BICUBIC)
        cut = image.crop((64, 48, 608, 456))  # 15 %
        stacked = np.stack([thumbnails.reduce(picture) for picture in (image, cut)])
        whole, part = stacked.astype(np.float32)[:, None]
        # From the part to the whole: 0.85 as large, its middle 16 and 12 pixels of 640 x 480 on.
        right = np.array([[[0.85, 0, 0.05], [0, 0.85, 0.05]]])
        near = np.array([[[0.9, 0.02, 0], [0, 0.9, 0]]])
        for warp in (right, near):
            found = near_duplicates.aligned_correlation(part, whole, warp)[0]
            self.assertGreater(found, 0.85)
        far = np.array([[[-0.85, 0, 0], [0, 0.85, 0]]])
        self.assertLess(near_duplicates.aligned_correlation(part, whole, far)[0], 0.5)


if __name__ == "__main__":
    absltest.main()
