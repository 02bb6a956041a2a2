import dataclasses
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from preprocessing.data import records
from studio import nearest
from training import testing_data


class NearestTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.data_dir = folder.name
        testing_data.write_dataset(cls.data_dir)
        # Every photograph is noise of its own, so that all are far from each other.
        for number, shard in enumerate(records.list_shards(cls.data_dir, "crops", "train")):
            rng = np.random.default_rng(number)
            made = [
                dataclasses.replace(
                    one,
                    image_png=testing_data.png(
                        np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((4, 4, 1))).astype(
                            np.uint8
                        )
                    ),
                )
                for one in records.read_file(shard, "crops")
            ]
            testing_data.write_records(pathlib.Path(shard), made)
        cls.crops = list(records.read(cls.data_dir, "crops", "train"))
        cls.photographs = nearest.TrainingPhotographs(
            cls.data_dir, {one.condition for one in cls.crops}
        )

    def _pixels(self, number):
        return records.decode_png(tf.constant(self.crops[number].image_png)).numpy()

    def test_the_photograph_itself_also_mirrored_and_turned(self):
        for number, change in (
            (3, lambda pixels: pixels),
            (5, lambda pixels: pixels[:, ::-1]),
            (7, np.rot90),
        ):
            query = np.ascontiguousarray(change(self._pixels(number)))
            found = self.photographs.nearest(query)
            self.assertEqual(found.condition, self.crops[number].condition)
            self.assertEqual(found.skin_type, self.crops[number].fitzpatrick)
            # Shown as the query shows it.
            np.testing.assert_array_equal(records.decode_png(tf.constant(found.png)), query)
            self.assertLess(found.ratio, 1e-6)
            self.assertIn("the same photograph", found.words)

    def test_words(self):
        half = 0.7 * self._pixels(2) + 0.3 * self._pixels(4)
        found = self.photographs.nearest(half.astype(np.uint8))
        self.assertEqual(found.condition, self.crops[2].condition)
        self.assertBetween(found.ratio, 0.2, 0.5)
        self.assertIn("a copy?", found.words)
        stranger = np.random.default_rng(99).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        found = self.photographs.nearest(stranger)
        self.assertEqual(found.words, nearest.in_words(found.ratio, False))
        self.assertNotEqual(nearest.in_words(0.9, False), nearest.in_words(1.1, False))

    def test_other_conditions_are_not_looked_at(self):
        only = nearest.TrainingPhotographs(self.data_dir, ["Melanoma"])
        (number, *_) = [i for i, one in enumerate(self.crops) if one.condition == "Acne"]
        self.assertEqual(only.nearest(self._pixels(number)).condition, "Melanoma")


if __name__ == "__main__":
    absltest.main()
