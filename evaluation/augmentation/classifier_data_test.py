import dataclasses
import pathlib

import numpy as np
from absl.testing import absltest

from evaluation.augmentation import classifier_data
from preprocessing.data import records, taxonomy
from training import testing_data


class ClassifierDataTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        testing_data.write_dataset(self.folder)

    def _read(self, split="test", size=32, cache=None, **options):
        cache = cache or self.create_tempdir().full_path
        return classifier_data.read_images(self.folder, "full", split, size, cache, **options)

    def _rewrite(self, split, change):
        """Changes the first record of a split's first shard."""
        path = pathlib.Path(records.list_shards(self.folder, "full", split)[0])
        record = records.Record(
            testing_data.png(np.zeros((32, 32, 3), np.uint8)), b"", 32, 32, (), "Acne", 1,
            "case", "somebody", "image",
        )  # fmt: skip
        testing_data.write_records(path, [dataclasses.replace(record, **change)])

    def test_images_and_what_is_known_of_them(self):
        images = self._read()
        self.assertEqual(images.pixels.shape, (8, 32, 32, 3))
        self.assertEqual(images.pixels.dtype, np.uint8)
        order = np.argsort(images.image_ids)
        self.assertEqual(images.patient_ids[order].tolist(), [f"test{i}" for i in range(8)])
        expected = [taxonomy.code(("Acne", "Melanoma", "Vitiligo")[i % 3]) for i in range(8)]
        self.assertEqual(images.labels[order].tolist(), expected)
        self.assertEqual(images.skin_types[order].tolist(), [1, 2, 3, 4, 5, 6, 1, 2])
        # Skin of type t is 250 - 35 t, in a corner that no box reaches.
        self.assertEqual(images.pixels[order[3], 0, 0].tolist(), [110, 110, 110])
        counts = classifier_data.class_counts(images)
        self.assertEqual((counts.sum(), counts[taxonomy.code("Acne")]), (8, 3))

    def test_the_cache_holds_the_same(self):
        cache = self.create_tempdir().full_path
        first = self._read(cache=cache)
        for shard in records.list_shards(self.folder, "full", "test"):
            pathlib.Path(shard).unlink()
        second = self._read(cache=cache)
        for field in dataclasses.fields(first):
            np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name))
        with self.assertRaisesRegex(ValueError, "no test records"):
            self._read(size=16, cache=cache)
        self.assertEmpty(list(pathlib.Path(cache).glob("*.tmp")))

    def test_sizes(self):
        self.assertEqual(self._read(size=20).pixels.shape, (8, 20, 20, 3))

    def test_synthetic_images_are_apart_from_photographs(self):
        self._rewrite("train", {"synthetic": True})
        self.assertNotIn("image", self._read("train").image_ids)
        self.assertEqual(self._read("train", synthetic=True).image_ids.tolist(), ["image"])
        with self.assertRaisesRegex(ValueError, "no synthetic image in full/validation"):
            self._read("validation", synthetic=True)

    def test_synthetic_images_in_the_test_split_are_refused(self):
        self._rewrite("test", {"synthetic": True})
        with self.assertRaisesRegex(ValueError, "holds synthetic images; a test split"):
            self._read()

    def test_records_that_cannot_be_read(self):
        path = pathlib.Path(records.list_shards(self.folder, "full", "test")[0])
        path.write_bytes(path.read_bytes()[:-5])
        with self.assertRaisesRegex(ValueError, f"{path.name}: truncated or corrupt TFRecord"):
            self._read()

    def test_a_patient_on_both_sides_is_refused(self):
        classifier_data.check_separate(self._read(), [("train", self._read("train"))])
        self._rewrite("train", {"patient_id": "test4"})
        with self.assertRaisesRegex(ValueError, "test: patient 'test4' is in train too, with 1"):
            classifier_data.check_separate(self._read(), [("train", self._read("train"))])

    def test_a_photograph_on_both_sides_is_refused(self):
        self._rewrite("train", {})
        self._rewrite("test", {"patient_id": "another", "image_id": "again"})
        with self.assertRaisesRegex(ValueError, "photograph 'again' is in train too"):
            classifier_data.check_separate(self._read(), [("train", self._read("train"))])

    def test_every_split(self):
        images = classifier_data.read_every_split(self.folder, 32, self.create_tempdir().full_path)
        self.assertLen(images, 24 + 8 + 8)
        self.assertLen(set(images.image_ids), 40)


if __name__ == "__main__":
    absltest.main()
