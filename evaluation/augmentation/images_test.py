import dataclasses
import json
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest

from evaluation.augmentation import images
from preprocessing.data import records, taxonomy
from synthesis import provenance, trained_generator
from training import testing_data


class ImagesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        testing_data.write_dataset(self.folder)

    def _read(self, split="test", size=32, cache=None, **options):
        cache = cache or self.create_tempdir().full_path
        return images.read_images(self.folder, "full", split, size, cache, **options)

    def _rewrite(self, split, change):
        """Changes the first record of a split's first shard."""
        path = pathlib.Path(records.list_shards(self.folder, "full", split)[0])
        record = records.Record(
            testing_data.png(np.zeros((32, 32, 3), np.uint8)), b"", 32, 32, (), "Acne", 1,
            "case", "somebody", "image",
        )  # fmt: skip
        testing_data.write_records(path, [dataclasses.replace(record, **change)])

    def test_images_and_what_is_known_of_them(self):
        read = self._read()
        self.assertEqual(read.pixels.shape, (8, 32, 32, 3))
        self.assertEqual(read.pixels.dtype, np.uint8)
        order = np.argsort(read.image_ids)
        self.assertEqual(read.patient_ids[order].tolist(), [f"test{i}" for i in range(8)])
        expected = [taxonomy.code(("Acne", "Melanoma", "Vitiligo")[i % 3]) for i in range(8)]
        self.assertEqual(read.labels[order].tolist(), expected)
        self.assertEqual(read.skin_types[order].tolist(), [1, 2, 3, 4, 5, 6, 1, 2])
        # Skin of type t is 250 - 35 t, in a corner that no box reaches.
        self.assertEqual(read.pixels[order[3], 0, 0].tolist(), [110, 110, 110])
        counts = images.counts_by_condition(read)
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

    def test_a_damaged_cache_is_made_again(self):
        cache = pathlib.Path(self.create_tempdir().full_path)
        first = self._read(cache=cache)
        for suffix, damage in (
            (".npz", lambda content: content[:-100]),
            (".npz", lambda content: b""),
            (".uint8", lambda content: content[:-100]),
            (".uint8", lambda content: content[:-1] + bytes([content[-1] ^ 1])),
        ):
            (path,) = cache.glob(f"*{suffix}")
            content = damage(path.read_bytes())
            path.unlink()  # `first` looks at it still
            path.write_bytes(content)
            with self.assertLogs(level="WARNING") as logged:
                again = self._read(cache=cache)
            self.assertRegex(logged.output[0], "npz: damaged .*; the images are decoded again")
            np.testing.assert_array_equal(first.pixels, again.pixels)
            np.testing.assert_array_equal(first.digests, again.digests)

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

    def test_the_mark_in_an_image_counts_without_the_field(self):
        marked = provenance.stamp(
            testing_data.png(np.zeros((32, 32, 3), np.uint8)), provenance.Provenance("0" * 64, 1)
        )
        self._rewrite("train", {"image_png": marked})
        self.assertEqual(self._read("train", synthetic=True).image_ids.tolist(), ["image"])
        self._rewrite("test", {"image_png": marked})
        with self.assertRaisesRegex(ValueError, "holds synthetic images; a test split"):
            self._read()
        with self.assertRaisesRegex(ValueError, "holds synthetic images; a test split"):
            list(records.read(self.folder, "full", "test"))

    def test_records_that_cannot_be_read(self):
        path = pathlib.Path(records.list_shards(self.folder, "full", "test")[0])
        path.write_bytes(path.read_bytes()[:-5])
        with self.assertRaisesRegex(ValueError, f"{path.name}: truncated or corrupt TFRecord"):
            self._read()

    def test_a_patient_on_both_sides_is_refused(self):
        images.check_separate(self._read(), [("train", self._read("train"))])
        self._rewrite("train", {"patient_id": "test4"})
        with self.assertRaisesRegex(ValueError, "test: patient 'test4' is in train too, with 1"):
            images.check_separate(self._read(), [("train", self._read("train"))])

    def test_a_photograph_on_both_sides_is_refused(self):
        self._rewrite("train", {})
        self._rewrite("test", {"patient_id": "another", "image_id": "again"})
        with self.assertRaisesRegex(ValueError, "photograph 'again' is in train too"):
            images.check_separate(self._read(), [("train", self._read("train"))])

    def test_every_split(self):
        cache = self.create_tempdir().full_path
        read = images.read_images(self.folder, "full", images.EVERY, 32, cache)
        self.assertIsInstance(read.pixels, np.memmap)
        self.assertLen(read, 24 + 8 + 8)
        self.assertLen(set(read.image_ids), 40)


class SyntheticSourceTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        testing_data.train_run(str(cls.folder), steps=2)
        cls.data = str(cls.folder / "data")
        cls.generator = trained_generator.load(str(cls.folder / "runs" / "small"))
        cls.made = images.planned_images(
            cls.generator, cls.data, str(cls.folder / "synthetic"), 30, ["condition"]
        )
        cls.made.prepare()

    def test_paints_and_takes_what_is_there(self):
        info = records.read_info(self.made.data_dir)
        self.assertEqual((self.made.count, info.count("crops", "train")), (30, 30))
        # Training has 8 crops of each of the three conditions.
        by_condition = {
            name: sum(types.values()) for name, types in info.counts["crops"]["train"].items()
        }
        self.assertEqual(by_condition, {"Acne": 10, "Melanoma": 10, "Vitiligo": 10})
        self.assertEqual(self.made.protocol["generator_digest"], self.generator.digest)
        again = images.given_images(self.made.data_dir, self.data)
        self.assertEqual((again.count, again.job), (30, None))
        self.assertEqual(again.protocol["digest"], info.digest)
        again.prepare()  # nothing to do

    def test_a_job_whose_records_changed_is_refused(self):
        (path,) = pathlib.Path(self.made.data_dir, "crops").iterdir()
        content = path.read_bytes()
        self.addCleanup(path.write_bytes, content)
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with self.assertRaisesRegex(ValueError, "is not the file that was generated; give the"):
            images.given_images(self.made.data_dir, self.data)
        self.made.prepare()  # the same job again
        self.assertEqual(path.read_bytes(), content)

    def test_a_generator_of_another_data_set_is_refused(self):
        other = self.create_tempdir().full_path
        testing_data.write_dataset(other, digest="1" * 64)
        message = r"trained on another data set \(000000000000\) than .* it may have seen test"
        with self.assertRaisesRegex(ValueError, message):
            images.given_images(self.made.data_dir, other)
        with self.assertRaisesRegex(ValueError, message):
            images.planned_images(self.generator, other, "out", 4, [])

    def test_requests_that_cannot_be_met(self):
        with self.assertRaisesRegex(ValueError, "balance 'both' is not made of condition, skin"):
            images.planned_images(self.generator, self.data, "out", 4, ["both"])

    def test_folders_that_are_not_jobs(self):
        folder = self.create_tempdir().full_path
        with self.assertRaisesRegex(ValueError, "not a finished job of //synthesis:generate"):
            images.given_images(folder, self.data)
        for text in ("{}", "[", json.dumps({"generator": 1, "dataset_digest": ""})):
            (pathlib.Path(folder) / "manifest.json").write_text(text)
            with self.assertRaisesRegex(ValueError, "not the manifest of generated images"):
                images.given_images(folder, self.data)


if __name__ == "__main__":
    absltest.main()
