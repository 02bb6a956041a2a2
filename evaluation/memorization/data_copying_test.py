import math

import numpy as np
from absl.testing import absltest

from evaluation.memorization import data_copying
from evaluation.memorization.nearest_neighbours import Neighbours


def _neighbours(index, distance):
    distance = np.asarray(distance, float)
    ones = np.ones_like(distance)
    return Neighbours(np.asarray(index), distance, ones.astype(int), ones, 0.0)


class DataCopyingTest(absltest.TestCase):
    def test_like_photographs_are_in_one_cell(self):
        rng = np.random.default_rng(0)
        middles = np.repeat([[0.0, 0.0], [9.0, 0.0]], 20, axis=0)
        cells = data_copying.make_cells(middles + rng.normal(size=(40, 2)) / 10)
        self.assertEmpty(set(cells[:20]) & set(cells[20:]))
        self.assertEqual(set(data_copying.make_cells(middles[:5])), {0})

    def test_by_hand(self):
        # Cell 0: 20 photographs at 1 to 20, 10 images at 0.5, each nearer than all of them:
        # U = 0, z = -100 / sqrt(200 * 31 / 12). Cell 1: all alike, z = 0, half as many.
        cells = np.array([0, 0, 1])
        real = _neighbours([0] * 10 + [1] * 10 + [2] * 10, [*range(1, 21), *[3.0] * 10])
        made = _neighbours([0] * 10 + [2] * 10, [0.5] * 10 + [3.0] * 10)
        found = data_copying.compare_distances(cells, made, real)
        self.assertEqual(found.cells, 2)
        z = -100 / math.sqrt(10 * 20 * 31 / 12)
        self.assertAlmostEqual(found.statistic, (20 * z + 10 * 0.0) / 30)

    def test_verdicts(self):
        cells = np.zeros(1, int)
        real = _neighbours([0] * 60, np.arange(60))
        for shift, said in ((-50, "it copies"), (0, "as near"), (50, "farther")):
            made = _neighbours([0] * 60, np.arange(60) + shift)
            found = data_copying.compare_distances(cells, made, real)
            self.assertIn(said, found.verdict)
        few = data_copying.compare_distances(cells, _neighbours([0] * 5, np.ones(5)), real)
        self.assertEqual((few.as_dict()["c_t"], few.verdict), (None, "too few images to tell"))


if __name__ == "__main__":
    absltest.main()
