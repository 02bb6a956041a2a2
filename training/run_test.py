import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized
from PIL import Image

from common import locks
from model import noise
from preprocessing.data import maps
from preprocessing.data.manifest import Box
from training import input_pipeline, monitoring, testing_data
from training import run as runs
from training.run import Run

_SIZE = testing_data.IMAGE_SIZE


def _ended_process():
    """Returns the number of a process that has ended."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    return ended.pid


class TrainedRunTest(absltest.TestCase):
    """One run, begun on other hardware than the one that finds it finished."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.data_dir = os.path.join(folder, "data")
        cls.info = testing_data.write_dataset(cls.data_dir, _SIZE)
        cls.workdir = os.path.join(folder, "run")
        cls.told = []
        cls.result = cls._train("float32")

    @classmethod
    def _train(cls, precision):
        class Watcher:
            def on_begin(self):
                cls.told.append("begin")

            def on_checkpoint(self, step):
                assert os.path.exists(f"{cls.workdir}/checkpoints/ckpt-{step}.index")
                cls.told.append(step)

        with mock.patch.object(runs, "choose_precision", return_value=precision):
            return cls._run().train(watchers=[Watcher()])

    @classmethod
    def _run(cls, **training):
        config = testing_data.small_config(precision="auto", **training)
        return Run(config, cls.data_dir, cls.workdir)

    def test_leaves_a_complete_run_directory(self):
        result, run = self.result, pathlib.Path(self.workdir)
        self.assertEqual(result.steps, 6)
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        self.assertEqual([line["step"] for line in lines], [2, 4, 6])
        for name in ("gan", "l1", "roi", "feature_matching", "accuracy_fake", "images_per_second"):
            self.assertGreaterEqual(lines[-1][name], 0)
        description = json.loads((run / "config.json").read_text())
        self.assertEqual(description["config"]["model"]["image_size"], _SIZE)
        self.assertEqual(description["dataset"]["digest"], self.info.digest)
        self.assertEqual(description["noise"], noise.GENERATOR)
        grid = np.asarray(Image.open(result.samples))
        # Headings and captions are lines of 13 pixels.
        self.assertEqual(grid.shape[1:], (12 * 34 + 2, 3))
        self.assertEqual((grid.shape[0] - 34 - 2) % 13, 0)
        self.assertIn("l1", result.validation)
        self.assertEqual(
            sorted(path.name for path in (run / "checkpoints").glob("*.index")),
            ["ckpt-4.index", "ckpt-6.index"],
        )
        loaded = tf.saved_model.load(result.generator).signatures["from_map"]
        drawn = maps.encode(3, 0, [Box(4, 4, 20, 20)], _SIZE, _SIZE)[None]
        image = loaded(map=tf.constant(drawn), seed=tf.constant([1], tf.int64))["image"]
        self.assertEqual(image.shape, (1, _SIZE, _SIZE, 3))
        self.assertEqual(self._tensorboard_tags() & _EXPECTED_TAGS, _EXPECTED_TAGS)
        text = runs.summary(result)
        first, last = text.partition("Next:\n")[2].splitlines()
        self.assertEndsWith(first, f"//evaluation:fid -- --run_dir={self.workdir}")
        self.assertRegex(last, "tensorboard --logdir .*pip install")

    def _tensorboard_tags(self):
        tags = set()
        for path in pathlib.Path(self.workdir).glob("events.*"):
            for event in tf.compat.v1.train.summary_iterator(str(path)):
                tags |= {value.tag for value in event.summary.value}
        return tags

    def test_a_finished_run_is_not_trained_again(self):
        before = (pathlib.Path(self.workdir) / "metrics.jsonl").read_text()
        described = (pathlib.Path(self.workdir) / "config.json").stat().st_mtime_ns
        self.assertEqual(self.told, ["begin", 4, 6])
        again = self._train("mixed_bfloat16")
        self.assertEqual(self.told, ["begin", 4, 6])  # nothing was left to do
        self.assertEqual(again.steps, self.result.steps)
        self.assertEqual((pathlib.Path(self.workdir) / "metrics.jsonl").read_text(), before)
        self.assertEqual((pathlib.Path(self.workdir) / "config.json").stat().st_mtime_ns, described)

    def test_a_run_continues_in_its_precision_on_other_hardware(self):
        with mock.patch.object(runs, "choose_precision", return_value="mixed_bfloat16"):
            self.assertEqual(self._run().description["precision"], "float32")

    def test_is_finished(self):
        self.assertTrue(self._run().is_finished())
        with self.assertRaisesRegex(ValueError, "holds a run that differs .*steps was 6, is 7"):
            self._run(steps=7).is_finished()

    def _copy(self):
        """Returns the run once more, in a copy of its directory."""
        workdir = os.path.join(self.create_tempdir().full_path, "run")
        shutil.copytree(self.workdir, workdir)
        return Run(testing_data.small_config(precision="auto"), self.data_dir, workdir)

    def test_checkpoints_are_found_by_their_files(self):
        run = self._copy()
        folder = pathlib.Path(run.workdir, "checkpoints")
        (folder / "checkpoint").unlink()
        (folder / "ckpt-8_temp").mkdir()
        (folder / "ckpt-8_temp" / "part-00000-of-00001.data").write_bytes(b"half")
        left = pathlib.Path(run.workdir, f"config.json.{_ended_process()}-00c0ffee.tmp")
        left.write_text("{")
        data = next(folder.glob("ckpt-6.data*"))
        data.write_bytes(data.read_bytes()[:-1000])
        with self.assertLogs(level="WARNING") as logged:
            run.train()  # the steps from 4 on again
        said = "\n".join(logged.output)
        self.assertRegex(said, "ckpt-6: damaged .*; step 6 is lost")
        self.assertRegex(said, "ckpt-8_temp: removed")
        self.assertRegex(said, "00c0ffee.tmp: removed")
        self.assertFalse(left.exists() or (folder / "ckpt-8_temp").exists())
        state = tf.train.get_checkpoint_state(str(folder))
        self.assertEndsWith(state.model_checkpoint_path, "ckpt-6")
        # Its model is the one that was trained without a break.
        one, other = (
            tf.train.load_checkpoint(f"{of}/checkpoints/ckpt-6")
            for of in (run.workdir, self.workdir)
        )
        for name in one.get_variable_to_shape_map():
            if name.startswith("generator/") and "OBJECT" not in name:
                np.testing.assert_array_equal(one.get_tensor(name), other.get_tensor(name), name)

    def test_a_folder_with_checkpoints_is_never_new(self):
        run = self._copy()
        described = pathlib.Path(run.workdir, "config.json")
        content = described.read_text()
        described.unlink()
        for resume in (None, True, False):
            with self.assertRaisesRegex(ValueError, "holds checkpoints, but no config.json that"):
                run.check(resume)
        described.write_text(content)
        pathlib.Path(run.workdir, "metrics.jsonl").write_text('{"step": 80}\n{"step":')
        for path in pathlib.Path(run.workdir, "checkpoints").iterdir():
            path.unlink()
        with self.assertRaisesRegex(ValueError, "was at step 80, but its checkpoints are gone"):
            run.train()
        self.assertIn("80", pathlib.Path(run.workdir, "metrics.jsonl").read_text())


class RunTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.data_dir = self.create_tempdir().full_path
        testing_data.write_dataset(self.data_dir, _SIZE)
        self.workdir = os.path.join(self.create_tempdir().full_path, "run")

    def _train(self, config=None):
        return self._run(config).train()

    def _run(self, config=None):
        return Run(config or testing_data.small_config(), self.data_dir, self.workdir)

    def test_replicas_that_do_not_share_a_batch_equally(self):
        config = testing_data.small_config()
        strategy = tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(3)])
        with self.assertRaisesRegex(ValueError, "training.batch_size 4 is not a multiple of the 3"):
            Run(config, self.data_dir, self.workdir, strategy).train()

    def test_divergence_stops_with_the_step_and_keeps_the_checkpoint(self):
        stream = input_pipeline.training_stream

        def poisoned(*args):
            def poison(index, batch):
                batch["image"] *= tf.where(index < 5, 1.0, float("nan"))
                return batch

            return stream(*args).enumerate().map(poison)

        with (
            mock.patch.object(input_pipeline, "training_stream", poisoned),
            self.assertRaisesRegex(monitoring.DivergenceError, r"before step 6: .* = nan"),
        ):
            self._train(testing_data.small_config(steps=12))
        kept = list(pathlib.Path(self.workdir, "checkpoints").glob("*.index"))
        self.assertEqual([path.name for path in kept], ["ckpt-4.index"])
        for path in kept:
            reader = tf.train.load_checkpoint(str(path)[: -len(".index")])
            for name in reader.get_variable_to_shape_map():
                if name.startswith("generator/") and "OBJECT" not in name:
                    self.assertTrue(np.isfinite(reader.get_tensor(name)).all(), name)

    def test_the_size_is_that_of_the_records(self):
        config = testing_data.small_config()
        config.model.image_size = 0
        run = Run(config, self.data_dir, self.workdir)
        model = run.description["config"]["model"]
        self.assertEqual((model["image_size"], model["roi_side"]), (32, 8))
        self.assertStartsWith(run.about, "demo: 24 crops, 6 steps of 4, images of 32x32; demo was")

    def test_other_size_than_the_records(self):
        config = testing_data.small_config()
        config.model.image_size = 64
        with self.assertRaisesRegex(
            ValueError, "32x32, the config asks for 64; leave --config.model.image_size out"
        ):
            self._train(config)
        self.assertFalse(os.path.exists(self.workdir))

    @parameterized.parameters("train-00001", "validation-00000")
    def test_corrupt_records_are_named(self, prefix):
        shard = next(pathlib.Path(self.data_dir, "crops").glob(f"{prefix}*"))
        data = bytearray(shard.read_bytes())
        data[-40] ^= 0xFF
        shard.write_bytes(bytes(data))
        message = rf"{shard.name}: truncated or corrupt TFRecord after \d+ good records"
        with self.assertRaisesRegex(ValueError, message):
            self._train()

    def test_nothing_to_train(self):
        with self.assertRaisesRegex(ValueError, "training.steps 0 and training.epochs 0 leave"):
            self._run(testing_data.small_config(steps=0, epochs=0))

    def test_a_full_disk_is_found_before_the_training(self):
        usage = shutil.disk_usage(self.data_dir)._replace(free=100_000)
        with (
            mock.patch.object(shutil, "disk_usage", return_value=usage),
            self.assertRaisesRegex(ValueError, "run: 0 MB are free there, and a checkpoint takes"),
        ):
            self._train()
        self.assertFalse(os.path.exists(os.path.join(self.workdir, "config.json")))

    def test_one_training_at_a_time(self):
        with locks.only_writer(self.workdir, "another"):
            message = rf"another, process {os.getpid()} on {socket.gethostname()}"
            with self.assertRaisesRegex(ValueError, message):
                self._train()
        self.assertFalse(os.path.exists(os.path.join(self.workdir, "config.json")))


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
