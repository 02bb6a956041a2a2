import numpy as np
from absl.testing import absltest, parameterized

from preprocessing.duplicates import landmarks
from preprocessing.duplicates.thumbnails import SIDE


def _pictures(count, seed=0):
    rng = np.random.default_rng(seed)
    values = landmarks.smooth(
        rng.normal(0, 1, (count, SIDE, SIDE)).astype(np.float32), landmarks.gaussian(1.5)
    )
    return (128 + 180 * values).clip(30, 255).astype(np.uint8)


def _place(found, number):
    """Places of the landmarks of a photograph, each once."""
    return found.place[(found.photograph == number) & found.first]


class LandmarksTest(parameterized.TestCase):
    def test_a_spot_is_found_where_it_is_and_how_large(self):
        line = np.arange(SIDE)
        for sigma in (2.0, 2.8):
            spot = np.exp(-((line - 12) ** 2 + (line[:, None] - 18) ** 2) / (2 * sigma**2))
            found = landmarks.find((200 - 90 * spot).astype(np.uint8)[None])
            places = _place(found, 0)
            x, y, scale = min(places, key=lambda place: np.hypot(place[0] - 12, place[1] - 18))
            np.testing.assert_allclose((x, y), (12, 18), atol=0.5)
            # The extremum of a difference of Gaussians of s and 1.26 s on one of sigma.
            self.assertBetween(scale, 0.6 * sigma, 1.3 * sigma)

    @parameterized.parameters(range(8))
    def test_turned_and_mirrored_pictures_have_the_same_descriptions(self, position):
        picture = _pictures(1)[0]
        copy = np.rot90(picture, position % 4)
        copy = copy[:, ::-1] if position >= 4 else copy
        one, other = landmarks.find(picture[None]), landmarks.find(copy[None])
        likeness = one.description[one.first].astype(float) @ other.description.T.astype(float)
        self.assertGreater((likeness.max(axis=1) > 0.9).mean(), 0.8)

    def test_a_blank_picture_has_none_but_itself(self):
        found = landmarks.find(np.full((2, SIDE, SIDE), 180, np.uint8), 7)
        self.assertEqual(set(found.photograph), {7, 8})
        self.assertEqual(found.first.sum(), 2)

    def test_rims(self):
        line = np.arange(SIDE) - (SIDE - 1) / 2
        outside = np.hypot(line, line[:, None]) > 25
        pictures = np.full((3, SIDE, SIDE), 120, np.uint8)
        pictures[0][outside] = 5
        pictures[1, 10:14, 10:14] = 5  # Black, but no rim.
        pictures[2, :37] = 5  # More than half of it.
        found = landmarks.rims(pictures)
        self.assertTrue(found[0][outside].all())
        self.assertFalse(found[0][np.hypot(line, line[:, None]) < 17].any())
        self.assertFalse(found[1:].any())

    def test_proposes_copies_of_other_groups(self):
        pictures = _pictures(60)
        pictures = np.concatenate([pictures, np.rot90(pictures[:20], axes=(1, 2))])
        found = landmarks.find(pictures)
        groups = np.arange(80)
        groups[60] = groups[0]
        near = landmarks.propose(found, groups)
        pairs = set(zip(near.first.tolist(), near.second.tolist()))
        self.assertContainsSubset({(n, 60 + n) for n in range(1, 20)}, pairs)
        self.assertNotIn((0, 60), pairs)
        self.assertTrue((near.first < near.second).all())
        self.assertTrue((found.photograph[near.one] == near.first).all())
        self.assertTrue((found.photograph[near.other] == near.second).all())


if __name__ == "__main__":
    absltest.main()
