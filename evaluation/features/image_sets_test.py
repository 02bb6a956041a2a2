import dataclasses
import os
import shutil
import tempfile
from unittest import mock

import numpy as np
from absl.testing import absltest

from evaluation.features import image_sets
from preprocessing.data import records
from synthesis import layouts, trained_generator
from training import testing_data


class ImageSetsTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.result = testing_data.train_run(folder, steps=2)
        cls.data_dir = os.path.join(folder, "data")

    def test_photographs(self):
        images = image_sets.real_images(self.data_dir, "test")
        pixels = images.pixels()
        self.assertEqual(pixels.shape, (16, 32, 32, 3))
        self.assertLen(images, 16)
        self.assertLen(set(images.patients), 16)
        for pixel, layout in zip(pixels, images.layouts):
            # testing_data: skin is grey of a level that tells the type.
            box = layout.boxes[0]
            outside = pixel[0, 0] if box.x0 > 0 or box.y0 > 0 else pixel[-1, -1]
            self.assertEqual(outside.tolist(), [250 - 35 * layout.skin_type] * 3)

    def test_says_where_nobody_named_patients(self):
        images = image_sets.real_images(self.data_dir, "test")
        self.assertNotIn(image_sets.NOBODY_NAMED, images.notes())
        info = dataclasses.replace(
            records.read_info(self.data_dir), notes={"photographs": 32, "patients": 32}
        )
        with mock.patch.object(records, "read_info", return_value=info):
            images = image_sets.real_images(self.data_dir, "test")
        self.assertIn(image_sets.NOBODY_NAMED, images.notes())

    def test_synthetic_images_are_no_photographs(self):
        read = records.read
        for of_each, left in ((2, 12), (1, None)):

            def some_synthetic(*args, of_each=of_each):
                for index, record in enumerate(read(*args)):
                    yield dataclasses.replace(record, synthetic=index % of_each == 0)

            with mock.patch.object(records, "read", some_synthetic):
                if left:
                    self.assertLen(image_sets.real_images(self.data_dir, "train"), left)
                    continue
                with self.assertRaisesRegex(ValueError, "train crops .* are all synthetic"):
                    image_sets.real_images(self.data_dir, "train")

    def test_digest_is_of_the_content(self):
        first = image_sets.real_images(self.data_dir, "test")
        again = image_sets.real_images(self.data_dir, "test")
        fewer = image_sets.real_images(self.data_dir, "test", ["Acne"])
        self.assertEqual(first.digest, again.digest)
        self.assertNotEqual(first.digest, fewer.digest)
        self.assertEqual(set(fewer.conditions), {"Acne"})

    def test_generated(self):
        generator = trained_generator.load(self.result.workdir)
        sources = layouts.read_layouts(self.data_dir, "validation")[:5]
        images = image_sets.generated_images(generator, sources, seed=2, batch_size=5)
        expected = generator.generate(
            layouts.draw(sources, 32), np.arange(5, dtype=np.int64) + 2 * 2**32
        )
        np.testing.assert_array_equal(images.pixels(), expected)
        np.testing.assert_array_equal(images.pixels(), expected)  # may be read again
        other = image_sets.generated_images(generator, sources, seed=3)
        self.assertNotEqual(images.digest, other.digest)

    def test_first(self):
        images = image_sets.real_images(self.data_dir, "test")
        few = image_sets.first(images, 5)
        np.testing.assert_array_equal(few.pixels(), images.pixels()[:5])
        self.assertEqual(few.image_ids, images.image_ids[:5])
        self.assertNotEqual(few.digest, images.digest)
        self.assertIs(image_sets.first(images, 16), images)

    def test_demo_data_is_told_by_its_ids(self):
        self.assertFalse(records.is_demo_dataset(self.data_dir, "test"))


if __name__ == "__main__":
    absltest.main()
