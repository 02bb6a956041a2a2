import numpy as np
from absl.testing import absltest, parameterized

from evaluation.neighbours import nearest


class FindNearestTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.queries, self.references = rng.normal(size=(37, 4)), rng.normal(size=(53, 4))
        difference = self.queries[:, None] - self.references[None]
        self.distances = np.linalg.norm(difference, axis=-1)

    def test_squared_distances(self):
        squared = nearest.squared_distances(self.queries, self.references.astype(np.float32))
        np.testing.assert_allclose(np.sqrt(squared), self.distances, rtol=1e-6)

    @parameterized.parameters(1, 7, 37, 53, 1000)
    def test_is_exact_whatever_the_block(self, block):
        index, distance = nearest.find_nearest(self.queries, self.references, block=block)
        np.testing.assert_array_equal(index, self.distances.argmin(axis=1))
        np.testing.assert_allclose(distance, self.distances.min(axis=1), rtol=1e-12)

    @parameterized.parameters(5, 1000)
    def test_own_group_and_doubles_do_not_count(self, block):
        groups = np.arange(37) % 3, np.arange(53) % 3
        masked = np.where(groups[0][:, None] == groups[1][None], np.inf, self.distances)
        masked[masked <= 1.0] = np.inf
        index, distance = nearest.find_nearest(
            self.queries, self.references, groups, least=1.0, block=block
        )
        np.testing.assert_array_equal(index, masked.argmin(axis=1))
        np.testing.assert_allclose(distance, masked.min(axis=1))

    def test_nothing_counts(self):
        groups = np.zeros(37), np.zeros(53)
        _, distance = nearest.find_nearest(self.queries, self.references, groups)
        self.assertTrue(np.isinf(distance).all())

    def test_a_copy_far_from_the_origin_has_distance_0(self):
        features = np.float32(1e4) + self.references.astype(np.float32)
        _, distance = nearest.find_nearest(features, features)
        np.testing.assert_array_equal(distance, 0.0)


class CheckFeaturesTest(absltest.TestCase):
    def test_bad_features(self):
        broken = np.zeros((10, 4))
        broken[6, 2] = np.nan
        with self.assertRaisesRegex(ValueError, "are not finite for 1 of 10 images.* image 6"):
            nearest.check_features(broken, "some")
        with self.assertRaisesRegex(ValueError, "1 some images; at least 2"):
            nearest.check_features(broken[:1], "some")
        with self.assertRaisesRegex(ValueError, r"some features have shape \(10,\)"):
            nearest.check_features(broken[:, 0], "some")


if __name__ == "__main__":
    absltest.main()
