from absl.testing import absltest

from preprocessing.data import splits
from preprocessing.data.manifest import Photograph


class SplitTest(absltest.TestCase):
    def test_known_digest(self):
        # `printf 0/p | sha256sum` starts with b58f6c00...: 0xb58f6c00 / 2**32. It must never move.
        self.assertAlmostEqual(splits.stable_fraction("0/p"), 0.7092197, places=6)

    def test_patients_stay_together_and_shares_hold(self):
        rows = [Photograph("c", f"p{n // 2}", str(n), "", "Acne", 1) for n in range(8000)]
        found = [splits.split_of(row) for row in rows]
        self.assertEqual(found[::2], found[1::2])
        self.assertAlmostEqual(found.count("train") / 8000, 0.8, delta=0.02)
        self.assertAlmostEqual(found.count("test") / 8000, 0.1, delta=0.02)
        self.assertNotEqual(found, [splits.split_of(row, seed=1) for row in rows])

    def test_the_manifests_split_wins(self):
        row = Photograph("c", "p", "i", "", "Acne", 1, split="test")
        self.assertEqual(splits.split_of(row, (1.0, 0.0, 0.0)), "test")

    def test_bad_fractions(self):
        row = Photograph("c", "p", "i", "", "Acne", 1)
        for fractions in ((0.5, 0.5), (0.5, 0.6, 0.1), (1.2, -0.1, -0.1)):
            with self.assertRaisesRegex(ValueError, "three shares that sum to 1"):
                splits.split_of(row, fractions)


if __name__ == "__main__":
    absltest.main()
