import imagehash
import numpy as np
from absl.testing import absltest
from PIL import Image

from preprocessing.duplicates import hash_table


class HashTest(absltest.TestCase):
    def test_distance_counts_bits(self):
        first = np.array([0, 0, 2**64 - 1], np.uint64)
        second = np.array([0, 0b1011 << 40, 0], np.uint64)
        self.assertEqual(hash_table.distance(first, second).tolist(), [0, 3, 64])

    def test_table_finds_what_comparing_all_finds(self):
        rng = np.random.default_rng(0)
        hashes = rng.integers(0, 2**64, 400, np.uint64)
        for n in range(200):  # Seven bits are found for certain.
            flipped = sum(1 << int(bit) for bit in rng.choice(64, n % 8, replace=False))
            hashes[200 + n] = hashes[n] ^ np.uint64(flipped)
        everyone = np.arange(400)
        query, hit = hash_table.HashTable(hashes).near(hashes, everyone)
        self.assertEqual(list(zip(query, hit)), [(n, 200 + n) for n in range(200)])

    def test_hashes_are_those_of_imagehash(self):
        thumbnails = np.random.default_rng(0).integers(0, 256, (3, 32, 32), np.uint8)
        for found, picture in zip(hash_table.hashes_of(thumbnails), thumbnails):
            expected = imagehash.phash(Image.fromarray(picture))
            self.assertEqual(found.tobytes().hex(), str(expected))


if __name__ == "__main__":
    absltest.main()
