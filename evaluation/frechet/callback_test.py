import json
import os
import pathlib
import shutil
import tempfile

import pandas as pd
from absl.testing import absltest

from evaluation.features import networks
from evaluation.features.networks import FeatureExtractor
from evaluation.frechet.callback import FidCallback
from evaluation.frechet.evaluator import FrechetEvaluator
from evaluation.frechet.protocol import TrialProtocol
from synthesis import trained_generator
from training import run_directory, testing_data
from training.run import Run


class FidCallbackTest(absltest.TestCase):
    """One run, followed while it trained; tests that change it have a copy."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.data_dir = os.path.join(cls.folder, "data")
        cls.workdir = os.path.join(cls.folder, "run")
        info = testing_data.write_dataset(cls.data_dir, per_split=(24, 8, 16))
        cls.conditions = tuple(info.counts["crops"]["train"])
        callback = FidCallback(cls.workdir, cls._evaluator, every=2)
        config = testing_data.small_config(steps=6, checkpoint_every=2, keep_checkpoints=2)
        Run(config, cls.data_dir, cls.workdir).train(watchers=[callback])

    @classmethod
    def _evaluator(cls, trials=2):
        return FrechetEvaluator(
            cls.data_dir,
            cls.conditions,
            FeatureExtractor(networks.embedded_network()),
            TrialProtocol(trials=trials, partings=1),
        )

    def _copy(self):
        return pathlib.Path(
            shutil.copytree(self.workdir, os.path.join(self.create_tempdir().full_path, "run"))
        )

    def _steps(self, run):
        return pd.read_csv(run / "evaluation" / "fid_over_training.csv")["step"].tolist()

    def test_keeps_the_best_checkpoint(self):
        run = pathlib.Path(self.workdir)
        self.assertEqual(self._steps(run), [2, 4, 6])
        table = pd.read_csv(run / "evaluation" / "fid_over_training.csv")
        best = json.loads((run / "best" / "best.json").read_text())
        self.assertAlmostEqual(best["frechet"], table["generated"].min(), places=4)
        self.assertEqual(best["step"], table["step"][table["generated"].idxmin()])
        # Older checkpoints are gone but for the best, which loads as a run of its own.
        self.assertLen(run_directory.list_checkpoints(self.workdir), 2)
        kept = trained_generator.load(str(run / "best"))
        again = self._evaluator().evaluate(kept).overall.summary()
        self.assertAlmostEqual(again["generated"]["frechet"]["mean"], best["frechet"], places=5)
        self.assertFalse((run / "best.tmp").exists())

    def test_what_was_saved_and_not_measured_is_measured_later(self):
        run = self._copy()
        for name in ("evaluation", "best"):
            shutil.rmtree(run / name)
        FidCallback(str(run), self._evaluator, every=4).on_begin()
        self.assertEqual(self._steps(run), [4])
        FidCallback(str(run), self._evaluator, every=2).on_begin()
        self.assertEqual(self._steps(run), [4, 6])

    def test_a_best_checkpoint_survives_its_replacement(self):
        run = self._copy()
        (run / "best").rename(run / "best.old")  # stopped between two renamings
        FidCallback(str(run), self._evaluator, 2).measure_missing()
        self.assertTrue((run / "best" / "best.json").exists())
        self.assertFalse((run / "best.old").exists())

    def test_another_protocol_is_refused_before_training(self):
        callback = FidCallback(self.workdir, lambda: self._evaluator(trials=3), 2)
        with self.assertRaisesRegex(ValueError, "best.json: measured by another protocol"):
            callback.on_begin()

    def test_bad_interval(self):
        with self.assertRaisesRegex(ValueError, "fid_every 0 is not positive"):
            FidCallback(self.workdir, self._evaluator, 0)


if __name__ == "__main__":
    absltest.main()
