import json
import os
import pathlib
import shutil
from unittest import mock

import tensorflow as tf
from absl.testing import absltest

from common.testing_programs import run_program
from preprocessing.data import records
from training import testing_data
from training.run import Run


class SharedRunTest(absltest.TestCase):
    def test_a_run_is_copied_from_the_fixture(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        if testing_data.FIXTURE in os.environ:  # what the program has made for all tests
            shutil.copy(os.environ[testing_data.FIXTURE], folder / "moved.tar")
        else:
            made = run_program("training.testing_fixture", "--output=moved.tar", folder=str(folder))
            self.assertEqual(made.returncode, 0, made.stderr)
        with (
            mock.patch.dict(os.environ, {testing_data.FIXTURE: str(folder / "moved.tar")}),
            mock.patch.object(Run, "train") as train,
        ):
            copy = folder / "copy"
            run = testing_data.train_run(str(copy), steps=2)
            train.assert_not_called()
            testing_data.train_run(str(folder / "other"), steps=3)
            train.assert_called_once()
        self.assertEqual((run.workdir, run.steps), (str(copy / "runs" / "small"), 2))
        self.assertTrue(os.path.isfile(run.samples))
        self.assertIn("l1", run.validation)
        self.assertIn("from_map", tf.saved_model.load(run.generator).signatures)
        saved = tf.train.latest_checkpoint(f"{run.workdir}/checkpoints")
        self.assertTrue(tf.train.load_checkpoint(saved).get_variable_to_shape_map())
        description = json.loads(pathlib.Path(run.workdir, "config.json").read_text())
        data_dir = description["dataset"]["directory"]
        self.assertEqual(data_dir, str(copy / "data"))
        self.assertEqual(records.read_info(data_dir).digest, description["dataset"]["digest"])
        self.assertLen(records.list_shards(data_dir, "full", "test"), 2)
        pathlib.Path(run.workdir, "metrics.jsonl").write_text("")  # may be written to


if __name__ == "__main__":
    absltest.main()
