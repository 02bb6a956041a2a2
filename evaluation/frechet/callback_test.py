import json
import os
import pathlib
from unittest import mock

import pandas as pd
from absl.testing import absltest

from evaluation.features import networks
from evaluation.features.networks import FeatureExtractor
from evaluation.frechet.callback import FidCallback
from evaluation.frechet.evaluator import FrechetEvaluator
from evaluation.frechet.protocol import TrialProtocol
from synthesis import trained_generator
from training import monitoring, run_directory, testing_data
from training.run import Run


class FidCallbackTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.data_dir = os.path.join(self.folder, "data")
        self.workdir = os.path.join(self.folder, "runs", "small")
        info = testing_data.write_dataset(self.data_dir, per_split=(24, 8, 16))
        self.conditions = tuple(info.counts["crops"]["train"])

    def _evaluator(self):
        return FrechetEvaluator(
            self.data_dir,
            self.conditions,
            FeatureExtractor(networks.embedded_network()),
            TrialProtocol(trials=2, partings=1),
        )

    def _train(self, steps, every=2):
        callback = FidCallback(self.workdir, self._evaluator, every)
        config = testing_data.small_config(steps=steps, checkpoint_every=2, keep_checkpoints=1)
        Run(config, self.data_dir, self.workdir).train(watchers=[callback])

    def test_keeps_the_best_checkpoint(self):
        self._train(6)
        run = pathlib.Path(self.workdir)
        table = pd.read_csv(run / "evaluation" / "fid_over_training.csv")
        self.assertEqual(table["step"].tolist(), [2, 4, 6])
        best = json.loads((run / "best" / "best.json").read_text())
        self.assertAlmostEqual(best["frechet"], table["generated"].min(), places=4)
        self.assertEqual(best["step"], table["step"][table["generated"].idxmin()])
        # Older checkpoints are gone but for the best, which loads as a run of its own.
        self.assertLen(run_directory.list_checkpoints(self.workdir), 1)
        kept = trained_generator.load(str(run / "best"))
        again = self._evaluator().evaluate(kept).overall.summary()
        self.assertAlmostEqual(again["generated"]["frechet"]["mean"], best["frechet"], places=5)
        self.assertFalse((run / "best.tmp").exists())

    def test_a_resumed_run_goes_on_with_its_curve(self):
        def stop(log, step, values):
            if step == 5:
                raise KeyboardInterrupt

        callback = FidCallback(self.workdir, self._evaluator, 4)
        config = testing_data.small_config(steps=8, checkpoint_every=2)
        with (
            mock.patch.object(monitoring.MetricsLog, "step", stop),
            self.assertRaises(KeyboardInterrupt),
        ):
            Run(config, self.data_dir, self.workdir).train(watchers=[callback])
        callback = FidCallback(self.workdir, self._evaluator, 4)
        Run(config, self.data_dir, self.workdir).train(watchers=[callback])
        table = pd.read_csv(pathlib.Path(self.workdir) / "evaluation" / "fid_over_training.csv")
        self.assertEqual(table["step"].tolist(), [4, 8])

    def test_what_was_saved_and_not_measured_is_measured_later(self):
        def stop(step):
            raise KeyboardInterrupt

        callback = FidCallback(self.workdir, self._evaluator, 2)
        config = testing_data.small_config(steps=4, checkpoint_every=2, keep_checkpoints=1)
        with mock.patch.object(callback, "_evaluate", stop), self.assertRaises(KeyboardInterrupt):
            Run(config, self.data_dir, self.workdir).train(watchers=[callback])
        self._train(4)
        table = pd.read_csv(pathlib.Path(self.workdir) / "evaluation" / "fid_over_training.csv")
        self.assertEqual(table["step"].tolist(), [2, 4])

    def test_a_best_checkpoint_survives_its_replacement(self):
        self._train(2)
        run = pathlib.Path(self.workdir)
        (run / "best").rename(run / "best.old")  # stopped between two renamings
        FidCallback(self.workdir, self._evaluator, 2).measure_missing()
        self.assertTrue((run / "best" / "best.json").exists())
        self.assertFalse((run / "best.old").exists())

    def test_another_protocol_is_refused_before_training(self):
        self._train(2)

        def other():
            return FrechetEvaluator(
                self.data_dir,
                self.conditions,
                FeatureExtractor(networks.embedded_network()),
                TrialProtocol(trials=3, partings=1),
            )

        callback = FidCallback(self.workdir, other, 2)
        with self.assertRaisesRegex(ValueError, "best.json: measured by another protocol"):
            callback.measure_missing()

    def test_bad_interval(self):
        with self.assertRaisesRegex(ValueError, "fid_every 0 is not positive"):
            FidCallback(self.workdir, self._evaluator, 0)


if __name__ == "__main__":
    absltest.main()
