import numpy as np
from absl.testing import absltest

from evaluation.memorization import nearest_neighbours
from evaluation.memorization.nearest_neighbours import Views


def _views(number, seed, dimension=5):
    rng = np.random.default_rng(seed)
    plain, mirrored = rng.normal(size=(2, number, dimension)).astype(np.float32)
    return Views(plain, mirrored)


class FindNeighboursTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.training = _views(40, 1)
        self.patients = [f"p{index // 2}" for index in range(40)]

    def _find(self, queries, **kwargs):
        return nearest_neighbours.find_neighbours(queries, self.training, self.patients, **kwargs)

    def test_by_hand(self):
        training = Views(np.float32([[0], [1], [5], [7]]), np.float32([[90], [90], [6], [90]]))
        queries = Views(np.float32([[2], [50]]), np.float32([[60], [4.5]]))
        found = nearest_neighbours.find_neighbours(queries, training, ["a", "a", "b", "c"])
        self.assertEqual(found.index.tolist(), [1, 2])
        self.assertEqual(found.view.tolist(), [0, 1])
        self.assertEqual(found.distance.tolist(), [1.0, 0.5])
        # 1 is nearest to 5, as 0 is of the same patient; 5 mirrored is 6, 1 away from 7.
        self.assertEqual(found.scale.tolist(), [4.0, 1.0])
        self.assertEqual(found.ratio.tolist(), [0.25, 0.5])

    def test_blocks_do_not_matter(self):
        queries = _views(30, 2)
        first, second = self._find(queries), self._find(queries, block=7)
        np.testing.assert_array_equal(first.index, second.index)
        np.testing.assert_allclose(first.ratio, second.ratio, rtol=1e-9)

    def test_windows_lead_to_their_photograph(self):
        windows = np.random.default_rng(5).normal(size=(3, 40, 5)).astype(np.float32)
        training = Views(self.training.plain, self.training.mirrored, windows)
        queries = Views(windows[[2, 0], [11, 30]], _views(2, 3).plain)
        found = nearest_neighbours.find_neighbours(queries, training, self.patients)
        self.assertEqual(found.index.tolist(), [11, 30])
        self.assertTrue(found.identical.all())

    def test_a_photograph_of_two_patients_keeps_its_scale(self):
        plain = np.concatenate([self.training.plain, self.training.plain[:1]])
        mirrored = np.concatenate([self.training.mirrored, self.training.mirrored[:1]])
        found = nearest_neighbours.find_neighbours(
            Views(plain[:1] + 0.01, mirrored[:1]), Views(plain, mirrored), [*self.patients, "twin"]
        )
        self.assertGreater(found.scale[0], 0.1)
        self.assertLess(found.ratio[0], 0.1)

    def test_bad_input(self):
        queries = _views(3, 2)
        broken = Views(queries.plain, queries.mirrored.copy())
        broken.mirrored[1, 0] = np.nan
        with self.assertRaisesRegex(ValueError, "query features are not finite for 1 of 3"):
            self._find(broken)
        with self.assertRaisesRegex(ValueError, "0 query images; at least 1"):
            self._find(Views(queries.plain[:0], queries.mirrored[:0]))
        with self.assertRaisesRegex(ValueError, "features of 6 dimensions cannot be compared"):
            self._find(_views(3, 2, dimension=6))
        with self.assertRaisesRegex(ValueError, "of 1 patient; at least 2 are needed"):
            nearest_neighbours.find_neighbours(queries, self.training, ["a"] * 40)
        same = Views(np.ones((40, 5), np.float32), np.ones((40, 5), np.float32))
        with self.assertRaisesRegex(ValueError, "do not tell the training photographs"):
            nearest_neighbours.find_neighbours(queries, same, self.patients)


if __name__ == "__main__":
    absltest.main()
