import json
import os
import pathlib
import shutil
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from preprocessing.data import records, taxonomy
from synthesis import layouts as map_sampler
from synthesis import trained_generator
from training import run_directory, testing_data
from training.configs import paper


class TrainedGeneratorTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.result = testing_data.train_run(cls.folder)
        cls.data_dir = os.path.join(cls.folder, "data")
        layouts = map_sampler.read_layouts(cls.data_dir, "validation")
        cls.maps = map_sampler.draw(layouts, testing_data.IMAGE_SIZE)
        cls.seeds = np.arange(len(cls.maps), dtype=np.int64)

    def test_paints_what_the_saved_model_paints(self):
        generator = trained_generator.load(self.result.workdir)
        saved = tf.saved_model.load(self.result.generator).signatures["from_map"]
        expected = saved(map=tf.constant(self.maps), seed=tf.constant(self.seeds))["image"]
        np.testing.assert_array_equal(generator.generate(self.maps, self.seeds), expected.numpy())

    def test_batches_change_nothing(self):
        generator = trained_generator.load(self.result.workdir)
        whole = generator.generate(self.maps, self.seeds)
        parts = np.concatenate(list(generator.batches(self.maps, self.seeds, batch_size=3)))
        # Sums may round otherwise in another batch, and then a byte to its neighbour.
        difference = np.abs(whole.astype(int) - parts)
        self.assertLessEqual(difference.max(), 1)
        self.assertLess((difference > 0).mean(), 1e-3)

    def test_checkpoints_differ(self):
        steps = [step for step, _ in run_directory.list_checkpoints(self.result.workdir)]
        self.assertEqual(steps, [4, 6])
        generators = [trained_generator.load(self.result.workdir, step) for step in steps]
        self.assertNotEqual(generators[0].digest, generators[1].digest)
        self.assertEqual(generators[1].digest, trained_generator.load(self.result.workdir).digest)
        self.assertEqual(generators[1].conditions, ("Acne", "Melanoma", "Vitiligo"))

    def test_a_run_of_another_version(self):
        folder = os.path.join(self.create_tempdir().full_path, "run")
        shutil.copytree(self.result.workdir, folder)
        path = pathlib.Path(folder, "config.json")
        stored = json.loads(path.read_text())
        stored["config"]["model"]["attention_heads"] = 4
        path.write_text(json.dumps(stored))
        with self.assertRaisesRegex(ValueError, "of another version .* has attention_heads"):
            trained_generator.load(folder)

    def test_parameters(self):
        # The kernels and norms of the exported network, counted from its variables.
        saved = tf.saved_model.load(self.result.generator)
        names = ("kernel", "bias", "gamma", "beta", "skin_types", "conditions")
        counted = sum(
            int(np.prod(variable.shape))
            for variable in saved.weights
            if any(part in variable.name for part in names)
        )
        self.assertEqual(trained_generator.load(self.result.workdir).parameters, counted)

    def test_unknown_step(self):
        with self.assertRaisesRegex(ValueError, "no checkpoint of step 5; there are 4, 6"):
            trained_generator.load(self.result.workdir, 5)

    def test_records_of_another_size(self):
        other = self.create_tempdir().full_path
        testing_data.write_dataset(other, image_size=64)
        generator = trained_generator.load(self.result.workdir)
        with self.assertRaisesRegex(ValueError, "crops of 64x64, the generator of .* paints 32x32"):
            generator.check_dataset(other, records.read_info(other))

    def test_broken_checkpoint(self):
        copy = pathlib.Path(self.create_tempdir().full_path)
        (copy / "checkpoints").mkdir()
        source = pathlib.Path(self.result.workdir)
        (copy / "config.json").write_bytes((source / "config.json").read_bytes())
        for name in ("ckpt-6.index", "ckpt-6.data-00000-of-00001"):
            (copy / "checkpoints" / name).write_bytes(b"nothing")
        with self.assertRaisesRegex(ValueError, "ckpt-6: not a usable checkpoint"):
            trained_generator.load(str(copy), 6)
        with self.assertRaisesRegex(ValueError, "none of its 1 checkpoints can be read"):
            trained_generator.load(str(copy))

    def test_the_last_whole_checkpoint_is_taken(self):
        folder = pathlib.Path(self.create_tempdir().full_path, "run")
        shutil.copytree(self.result.workdir, folder)
        data = folder / "checkpoints" / "ckpt-6.data-00000-of-00001"
        data.write_bytes(data.read_bytes()[:-1000])
        with self.assertLogs(level="WARNING") as logged:
            self.assertEqual(trained_generator.load(str(folder)).step, 4)
        self.assertIn("ckpt-6: damaged", logged.output[0])
        with self.assertRaisesRegex(ValueError, "ckpt-6: not a usable checkpoint"):
            trained_generator.load(str(folder), 6)


class OtherTaxonomyTest(absltest.TestCase):
    def test_is_refused(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        description = {
            "config": paper.get_config().to_dict(),
            "precision": "float32",
            "seed": 0,
            "dataset": {
                "directory": "data",
                "digest": "0",
                "image_size": 64,
                "taxonomy": ["Acne"],
                "conditions": ["Acne"],
            },
        }
        (folder / "config.json").write_text(json.dumps(description))
        with taxonomy.apart():
            taxonomy.adopt(taxonomy.PAPER, "records")
            with self.assertRaisesRegex(ValueError, "another taxonomy than that of records: lacks"):
                trained_generator.load(str(folder))


if __name__ == "__main__":
    absltest.main()
