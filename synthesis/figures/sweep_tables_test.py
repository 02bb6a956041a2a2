import os
import shutil
import tempfile

import numpy as np
from absl.testing import absltest

from synthesis import trained_generator
from synthesis.figures import sweep_tables
from synthesis.provenance import Provenance
from training import testing_data


class SweepTablesTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        run = testing_data.train_run(cls.folder, steps=2).workdir
        cls.generator = trained_generator.load(run)
        cls.data_dir = cls.generator.description["dataset"]["directory"]

    def test_skin_types(self):
        table = sweep_tables.skin_type_table(
            self.generator, self.data_dir, ("Vitiligo", "Acne"), seed=3
        )
        self.assertEqual([group.title for group in table.groups], ["Vitiligo", "Acne"])
        self.assertEqual(table.heads, ["map", *(f"type {t}" for t in range(1, 7))])
        for group in table.groups:
            (strip,) = group.strips
            self.assertEqual([tile.is_map for tile in strip.tiles], [True] + [False] * 6)
        # Of 24 training crops, conditions and skin types in turn, each third is of acne.
        counts = table.groups[1].strips[0].captions[1:]
        self.assertEqual(list(counts), ["n = 4", "n = 0", "n = 0", "n = 4", "n = 0", "n = 0"])
        self.assertEqual(table.mark, Provenance(self.generator.digest, 3))

    def test_with_photographs_it_is_not_marked_as_generated(self):
        table = sweep_tables.skin_type_table(
            self.generator, self.data_dir, ("Acne",), rows=2, photographs=True
        )
        self.assertEqual(table.heads[:3], ["map", "photograph", "type 1"])
        self.assertIsNone(table.mark)
        for group in table.groups:
            drawn, photograph = group.strips[0].tiles[:2]
            inside = drawn.pixels.any(axis=-1) & (drawn.pixels[..., 1:] > 0).any(axis=-1)
            # The disc of the test data: one channel is dark in the box and only there.
            dark = (photograph.pixels == 20).any(axis=-1)
            np.testing.assert_array_equal(dark, inside)

    def test_sizes(self):
        table = sweep_tables.size_table(
            self.generator, self.data_dir, ("Melanoma",), rows=2, sizes=(20.0, 60.0)
        )
        self.assertEqual(table.heads, ["20 %", "60 %"])
        self.assertLen(table.groups, 2)
        for group in table.groups:
            maps, images = group.strips
            areas = [(tile.pixels[..., 1:].any(axis=-1)).mean() for tile in maps.tiles]
            np.testing.assert_allclose(areas, [0.04, 0.36], atol=0.04)
            self.assertLen(images.tiles, 2)
            # Melanoma comes on types 2 and 5 alike; boxes are a third of the frame wide.
            self.assertEqual(group.notes[0], "on type 2")
            self.assertEqual(group.notes[1], "in training 31-31 %")
        self.assertEqual(table.mark, Provenance(self.generator.digest, 0))

    def test_conditions_that_training_lacks_say_so(self):
        table = sweep_tables.size_table(
            self.generator, self.data_dir, ("Cyst",), sizes=(30.0,), skin_type=4
        )
        self.assertEqual(table.groups[0].notes, ["on type 4", "not in training"])

    def test_bad_input(self):
        other = os.path.join(self.folder, "other")
        testing_data.write_dataset(other, image_size=16, per_split=(1, 1, 1))
        for build in (sweep_tables.skin_type_table, sweep_tables.size_table):
            with self.assertRaisesRegex(ValueError, "crops of 16x16, the generator .* 32x32"):
                build(self.generator, other)
        with self.assertRaisesRegex(ValueError, "7"):
            sweep_tables.size_table(self.generator, self.data_dir, skin_type=7)


if __name__ == "__main__":
    absltest.main()
