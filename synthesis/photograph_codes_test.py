import dataclasses
import shutil
import tempfile

import numpy as np
from absl.testing import absltest

from common import pseudonyms
from model.sampling import Code
from synthesis import layouts, photograph_codes, trained_generator
from training import testing_data


class PhotographCodesTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.generator = trained_generator.load(testing_data.train_run(folder, steps=2).workdir)
        cls.data_dir = cls.generator.description["dataset"]["directory"]
        cls.source, cls.code = photograph_codes.find(cls.generator, cls.data_dir, "validation1")

    def test_finds_a_photograph_by_its_id_and_by_its_pseudonym(self):
        name = pseudonyms.load_or_create(self.data_dir).name("photograph", "validation1")
        self.assertEqual((self.source.photograph, self.source.split), (name, "validation"))
        self.assertNotIn("validation1", str(dataclasses.astuple(self.source)))
        again, code = photograph_codes.find(self.generator, self.data_dir, name)
        self.assertEqual(again, self.source)
        np.testing.assert_array_equal(code.mean, self.code.mean)
        _, other = photograph_codes.find(self.generator, self.data_dir, "validation2")
        self.assertEqual(other.mean.shape, (1, 32))
        self.assertFalse(np.array_equal(other.mean, self.code.mean))
        self.assertTrue((self.code.deviation > 0).all())

    def test_paints_with_it(self):
        maps = layouts.draw(
            layouts.read_layouts(self.data_dir, "validation")[:3], self.generator.image_size
        )
        seeds = np.arange(3)
        drawn = self.generator.generate(maps, seeds)
        values = self.generator.drawn_codes(seeds)
        self.assertEqual(values.shape, (3, 32))
        for same in (
            Code(np.zeros_like(values), np.ones_like(values)),
            Code(values, np.zeros_like(values)),
        ):
            np.testing.assert_array_equal(self.generator.generate(maps, seeds, same), drawn)
        codes = photograph_codes.repeat(self.code, 3)
        given = self.generator.generate(maps, seeds, codes)
        self.assertFalse(np.array_equal(given, drawn))
        batches = list(self.generator.batches(maps, seeds, 2, codes))
        self.assertEqual([len(batch) for batch in batches], [2, 1])
        # Sums may round otherwise in another batch.
        self.assertLessEqual(np.abs(np.concatenate(batches).astype(int) - given).max(), 1)

    def test_a_photograph_that_has_changed(self):
        again = photograph_codes.read_again(self.generator, self.source)
        np.testing.assert_array_equal(again.mean, self.code.mean)
        other = dataclasses.replace(self.source, digest="0" * 64)
        with self.assertRaisesRegex(ValueError, "photograph_.* has changed since"):
            photograph_codes.read_again(self.generator, other)

    def test_bad_input(self):
        with self.assertRaisesRegex(ValueError, "no crop of the photograph 'me'; --like takes"):
            photograph_codes.find(self.generator, self.data_dir, "me")
        without = trained_generator.load(self.generator.run_dir)
        without.description["config"]["encoder"]["base_filters"] = 0
        with self.assertRaisesRegex(ValueError, "has no encoder, which reads the code"):
            photograph_codes.find(without, self.data_dir, "validation1")


if __name__ == "__main__":
    absltest.main()
