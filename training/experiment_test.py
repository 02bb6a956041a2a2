import json
import os
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized
from PIL import Image

from preprocessing import semantic_map
from preprocessing.cases import Box
from training import callbacks, experiment, testing_data

_SIZE = testing_data.IMAGE_SIZE


class TrainTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.data_dir = self.create_tempdir().full_path
        self.info = testing_data.write_dataset(self.data_dir, _SIZE)
        self.workdir = os.path.join(self.create_tempdir().full_path, "run")

    def test_leaves_a_complete_run_directory(self):
        result = experiment.train(testing_data.small_config(), self.data_dir, self.workdir)
        run = pathlib.Path(self.workdir)
        self.assertEqual(result.steps, 6)
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        self.assertEqual([line["step"] for line in lines], [2, 4, 6])
        for name in ("gan", "l1", "roi", "feature_matching", "accuracy_fake", "images_per_second"):
            self.assertGreaterEqual(lines[-1][name], 0)
        description = json.loads((run / "config.json").read_text())
        self.assertEqual(description["config"]["model"]["image_size"], _SIZE)
        self.assertEqual(description["dataset"]["digest"], self.info.digest)
        grid = np.asarray(Image.open(result.samples))
        self.assertEqual(grid.shape, (34 + 2, 12 * 34 + 2, 3))
        self.assertIn("l1", result.validation)
        self.assertEqual(
            sorted(path.name for path in (run / "checkpoints").glob("*.index")),
            ["ckpt-4.index", "ckpt-6.index"],
        )
        loaded = tf.saved_model.load(result.generator).signatures["from_map"]
        drawn = semantic_map.encode(3, 0, [Box(4, 4, 20, 20)], _SIZE, _SIZE)[None]
        image = loaded(map=tf.constant(drawn), seed=tf.constant([1], tf.int64))["image"]
        self.assertEqual(image.shape, (1, _SIZE, _SIZE, 3))
        self.assertEqual(self._tensorboard_tags() & _EXPECTED_TAGS, _EXPECTED_TAGS)
        text = experiment.summary(result)
        self.assertIn("tensorboard --logdir", text)
        self.assertIn(f"//evaluation:fid -- --run_dir={self.workdir}", text)

    def _tensorboard_tags(self):
        tags = set()
        for path in pathlib.Path(self.workdir).glob("events.*"):
            for event in tf.compat.v1.train.summary_iterator(str(path)):
                tags |= {value.tag for value in event.summary.value}
        return tags

    def test_a_finished_run_is_not_trained_again(self):
        first = experiment.train(testing_data.small_config(), self.data_dir, self.workdir)
        before = (pathlib.Path(self.workdir) / "metrics.jsonl").read_text()
        again = experiment.train(testing_data.small_config(), self.data_dir, self.workdir)
        self.assertEqual(again.steps, first.steps)
        self.assertEqual((pathlib.Path(self.workdir) / "metrics.jsonl").read_text(), before)

    def test_divergence_stops_with_the_step_and_keeps_the_checkpoint(self):
        config = testing_data.small_config(steps=12)
        config.optimizer.generator_learning_rate = 1e3
        config.optimizer.decay_start = 1.0
        config.model.normalization = config.discriminator.normalization = "none"
        config.optimizer.discriminator_learning_rate = 1e30
        with self.assertRaisesRegex(callbacks.DivergenceError, r"before step \d+: .* = (nan|inf)"):
            experiment.train(config, self.data_dir, self.workdir)
        for path in pathlib.Path(self.workdir, "checkpoints").glob("*.index"):
            reader = tf.train.load_checkpoint(str(path)[: -len(".index")])
            for name in reader.get_variable_to_shape_map():
                if name.startswith("generator/") and "OBJECT" not in name:
                    self.assertTrue(np.isfinite(reader.get_tensor(name)).all(), name)

    def test_other_size_than_the_records(self):
        config = testing_data.small_config()
        config.model.image_size = 64
        with self.assertRaisesRegex(
            ValueError, "32x32, the config asks for 64; use --config.model"
        ):
            experiment.train(config, self.data_dir, self.workdir)
        self.assertFalse(os.path.exists(self.workdir))

    def test_corrupt_records_are_named(self):
        shard = next(pathlib.Path(self.data_dir, "crops").glob("train-00001*"))
        data = bytearray(shard.read_bytes())
        data[-40] ^= 0xFF
        shard.write_bytes(bytes(data))
        message = f"{shard.name}: truncated or corrupt TFRecord after 11 good records"
        with self.assertRaisesRegex(ValueError, message):
            experiment.train(testing_data.small_config(), self.data_dir, self.workdir)

    def test_nothing_to_train(self):
        with self.assertRaisesRegex(ValueError, "training.steps 0 and training.epochs 0 leave"):
            experiment.train(
                testing_data.small_config(steps=0, epochs=0), self.data_dir, self.workdir
            )


_EXPECTED_TAGS = {
    "loss/generator",
    "loss/discriminator",
    "loss/gan",
    "loss/l1",
    "loss/roi",
    "loss/feature_matching",
    "discriminator/accuracy_real",
    "discriminator/accuracy_fake",
    "learning_rate/generator",
    "learning_rate/discriminator",
    "speed/images_per_second",
    "samples/map_photograph_generated",
    "validation/l1",
    "config",
    "_hparams_/session_start_info",
}


if __name__ == "__main__":
    absltest.main()
