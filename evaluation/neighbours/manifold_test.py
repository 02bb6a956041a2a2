import numpy as np
from absl.testing import absltest

from evaluation.neighbours import manifold


class ManifoldScoresTest(absltest.TestCase):
    def test_the_same_points(self):
        points = np.random.default_rng(0).normal(size=(400, 4))
        scores = manifold.manifold_scores(points, points[::-1])
        self.assertEqual(scores["precision"], 1.0)
        self.assertEqual(scores["recall"], 1.0)
        self.assertEqual(scores["coverage"], 1.0)

    def test_far_apart(self):
        points = np.random.default_rng(0).normal(size=(2, 50, 4))
        scores = manifold.manifold_scores(points[0], points[1] + 100.0)
        self.assertEqual(set(scores.values()), {0.0})

    def test_one_mode_of_two(self):
        rng = np.random.default_rng(0)
        real = np.concatenate([rng.normal(size=(100, 3)), rng.normal(size=(100, 3)) + 50.0])
        scores = manifold.manifold_scores(real, rng.normal(size=(200, 3)))
        self.assertGreater(scores["precision"], 0.8)
        self.assertAlmostEqual(scores["recall"], 0.5, delta=0.1)
        self.assertAlmostEqual(scores["coverage"], 0.5, delta=0.1)

    def test_density_on_a_line(self):
        # Real points 0..5, one neighbour: balls of radius 1. A point at 0.5 lies in
        # the balls of 0 and 1, one at 9 in none: density (2 + 0) / 2.
        real = np.arange(6.0)[:, None]
        scores = manifold.manifold_scores(real, np.array([[0.5], [9.0]]), neighbours=1)
        self.assertEqual(scores["density"], 1.0)
        self.assertEqual(scores["precision"], 0.5)
        self.assertAlmostEqual(scores["coverage"], 2 / 6)

    def test_too_few(self):
        with self.assertRaisesRegex(ValueError, "4 compared images; at least 6"):
            manifold.manifold_scores(np.zeros((20, 3)), np.zeros((4, 3)))


if __name__ == "__main__":
    absltest.main()
