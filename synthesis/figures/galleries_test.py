import dataclasses
import os
import shutil
import tempfile
from unittest import mock

import numpy as np
from absl.testing import absltest

from preprocessing.data import records
from synthesis import trained_generator
from synthesis.figures import crop_choice, galleries
from training import testing_data


class GalleriesTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        run = testing_data.train_run(cls.folder, steps=2, per_split=(24, 8, 8)).workdir
        cls.generator = trained_generator.load(run)
        cls.data_dir = cls.generator.description["dataset"]["directory"]

    def test_images_stand_above_the_photographs_of_their_maps(self):
        table, remarks = galleries.gallery_table(self.generator, self.data_dir, per_condition=2)
        self.assertEqual([group.title for group in table.groups], ["Acne", "Melanoma", "Vitiligo"])
        for group in table.groups:
            maps, painted, photographs = group.strips
            self.assertLen(photographs.images, 2)
            self.assertEqual(list(photographs.captions), sorted(photographs.captions))
            for drawn, image, photograph in zip(maps.images, painted.images, photographs.images):
                inside = (drawn[..., 1:] > 0).any(axis=-1)
                np.testing.assert_array_equal((photograph == 20).any(axis=-1), inside)
                self.assertFalse(np.array_equal(image, photograph))
        self.assertEqual(table.groups[0].notes, ["2 of 3 crops, 2 patients"])
        self.assertIsNone(table.mark)  # It shows photographs.
        self.assertEmpty(remarks)

    def test_says_what_it_does_not_show(self):
        _, remarks = galleries.gallery_table(
            self.generator, self.data_dir, ("Acne", "Cyst"), per_condition=4
        )
        self.assertEqual(remarks, ["no test crop of: Cyst", "fewer than 4 test crops: Acne 3"])
        _, remarks = galleries.gallery_table(
            self.generator, self.data_dir, num_conditions=1, per_condition=1
        )
        self.assertEqual(remarks, ["not shown: Acne, Vitiligo; --num_conditions=3 shows all"])

    def test_counts_no_patients_that_nobody_named(self):
        info = dataclasses.replace(
            records.read_info(self.data_dir), notes={"photographs": 40, "patients": 40}
        )
        with mock.patch.object(galleries.records, "read_info", return_value=info):
            table, _ = galleries.gallery_table(self.generator, self.data_dir, per_condition=2)
        self.assertEqual(table.groups[0].notes, ["2 of 3 crops"])

    def test_skin_types_in_order(self):
        groups = crop_choice.by_condition(crop_choice.list_crops(self.data_dir, "test"))
        for crops in galleries.choose(groups, 3, 0).values():
            types = [crop.layout.skin_type for crop in crops]
            self.assertEqual(types, sorted(types))

    def test_bad_input(self):
        with self.assertRaisesRegex(ValueError, "no test crop of Cyst"):
            galleries.gallery_table(self.generator, self.data_dir, ("Cyst",))
        with self.assertRaisesRegex(ValueError, "per_condition 0 is not positive"):
            galleries.gallery_table(self.generator, self.data_dir, per_condition=0)
        other = os.path.join(self.folder, "other")
        testing_data.write_dataset(other, image_size=16, per_split=(1, 1, 1))
        with self.assertRaisesRegex(ValueError, "crops of 16x16, the generator .* 32x32"):
            galleries.gallery_table(self.generator, other)


if __name__ == "__main__":
    absltest.main()
