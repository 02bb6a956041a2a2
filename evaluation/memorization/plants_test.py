import os

import numpy as np
from absl.testing import absltest

from evaluation.features import image_sets
from evaluation.memorization import plants, testing


class PlantsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = os.path.join(self.create_tempdir().full_path, "data")
        self.pixels = testing.write_records(folder, (12, 4, 4))["train"]
        self.training = image_sets.real_images(folder, "train")

    def test_pick(self):
        picked = plants.pick(self.training, [7, 2, 7])
        np.testing.assert_array_equal(picked, self.pixels[[7, 2, 7]])

    def test_every_image_is_followed_by_its_mirror_image(self):
        both = plants.with_mirrored(self.training)
        self.assertLen(both, 24)
        pixels = both.pixels()
        np.testing.assert_array_equal(pixels[::2], self.pixels)
        np.testing.assert_array_equal(pixels[1::2], self.pixels[:, :, ::-1])
        self.assertEqual(both.patients[::2], self.training.patients)
        self.assertNotEqual(both.digest, self.training.digest)

    def test_kinds_are_of_the_same_photographs(self):
        planted = {kind: plants.plant(self.training, 5, kind, seed=1) for kind in plants.KINDS}
        exact = planted["exact"].pixels()
        np.testing.assert_array_equal(planted["mirrored"].pixels(), exact[:, :, ::-1])
        self.assertEqual(planted["jittered"].image_ids, planted["exact"].image_ids)
        jittered = planted["jittered"].pixels()
        self.assertEqual((jittered.shape, jittered.dtype), (exact.shape, np.uint8))
        change = np.minimum(
            np.abs(jittered.astype(int) - exact).mean(axis=(1, 2, 3)),
            np.abs(jittered.astype(int) - exact[:, :, ::-1]).mean(axis=(1, 2, 3)),
        )
        self.assertTrue(((change > 1) & (change < 50)).all(), change)

    def test_bad_input(self):
        with self.assertRaisesRegex(ValueError, "kind 'blurred' is not one of exact, mirrored"):
            plants.plant(self.training, 2, "blurred")
        self.assertLen(plants.plant(self.training, 99, "exact"), 12)


if __name__ == "__main__":
    absltest.main()
