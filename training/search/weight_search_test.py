import json
import math
import os
import pathlib
import shutil
import tempfile
from unittest import mock

import pandas as pd
import tensorflow as tf
from absl.testing import absltest, parameterized
from tensorboard.plugins.hparams import plugin_data_pb2

from model import losses
from training import input_pipeline, monitoring, run_directory, testing_data
from training.run import Result, Run
from training.search import weight_search

_STEPS = 4
_NAMES = ("gan", "l1", "roi", "feature_matching")
_L1 = weight_search.validation_objective("l1")


def _candidates(**lists):
    texts = {"gan": ["1"], "l1": ["1"], "roi": ["1"], "feature_matching": ["1"], **lists}
    return weight_search.parse_candidates(texts)


class SearchTest(parameterized.TestCase):
    """Real training; one search of two trials is shared."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp(dir=absltest.TEST_TMPDIR.value)
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.data_dir = os.path.join(cls.folder, "data")
        testing_data.write_dataset(cls.data_dir)
        cls.candidates = _candidates(l1=["1", "30"], roi=["0.5"])
        cls.workdir = os.path.join(cls.folder, "search")
        cls.trials = _search(cls.data_dir, cls.workdir, cls.candidates)

    def test_each_trial_is_a_run_with_its_weights(self):
        self.assertCountEqual([trial.weights["l1"] for trial in self.trials], [1.0, 30.0])
        for trial in self.trials:
            stored = json.loads(pathlib.Path(trial.directory, "config.json").read_text())["config"]
            self.assertEqual(stored["training"]["steps"], _STEPS)
            for name in _NAMES:
                self.assertEqual(stored["loss"][name], trial.weights[name])
            self.assertTrue(os.path.exists(os.path.join(trial.directory, "generator")))
            self.assertEqual(trial.value, trial.validation["l1"])
        self.assertLess(self.trials[0].value, self.trials[1].value)

    def test_table(self):
        table = _table(self.workdir)
        for index, trial in enumerate(self.trials):
            row = table.loc[index]
            self.assertAlmostEqual(row["objective.l1"], trial.value)
            for name in _NAMES:
                self.assertEqual(row[f"loss.{name}"], trial.weights[name])
                self.assertAlmostEqual(row[f"validation.{name}"], trial.validation[name])
            self.assertEqual(os.path.join(self.workdir, row["directory"]), trial.directory)

    def test_tensorboard_shows_hyperparameters(self):
        content = _plugin_data(self.workdir)["_hparams_/experiment"]
        columns = [info.name for info in content.experiment.hparam_infos]
        self.assertEqual(columns, [f"loss.{name}" for name in _NAMES])
        metrics = [info.name.tag for info in content.experiment.metric_infos]
        for trial in self.trials:
            content = _plugin_data(trial.directory)["_hparams_/session_start_info"]
            for name, weight in trial.weights.items():
                value = content.session_start_info.hparams[f"loss.{name}"].number_value
                self.assertEqual(value, weight)
            scalars = _scalars(trial.directory)
            self.assertAlmostEqual(scalars["objective/l1"], trial.value, places=6)
            self.assertContainsSubset(metrics, scalars)

    def test_a_half_finished_trial_continues_and_a_finished_one_is_kept(self):
        workdir = os.path.join(self.folder, "interrupted")
        log = monitoring.MetricsLog.step
        names = [os.path.basename(trial.directory) for trial in self.trials]
        names.sort(key=lambda name: "l1_30" in name)
        # The first trial is already there.
        shutil.copytree(os.path.join(self.workdir, names[0]), os.path.join(workdir, names[0]))

        def interrupt(metrics, step, values):
            if step == 3:
                raise KeyboardInterrupt
            log(metrics, step, values)

        with mock.patch.object(monitoring.MetricsLog, "step", interrupt):
            self.assertRaises(KeyboardInterrupt, _search, self.data_dir, workdir, self.candidates)
        self.assertLen(_table(workdir), 1)

        stream = input_pipeline.training_stream
        with mock.patch.object(input_pipeline, "training_stream", side_effect=stream) as streams:
            trials = _search(self.data_dir, workdir, self.candidates)
        # One training, from the checkpoint of step 2 on.
        self.assertEqual([call.args[3] for call in streams.call_args_list], [2])
        self.assertLen(_table(workdir), 2)
        for trial, expected in zip(trials, self.trials):
            self.assertEqual(trial.weights, expected.weights)
            self.assertAlmostEqual(trial.value, expected.value, places=6)

    def test_a_diverged_trial_is_recorded(self):
        workdir = os.path.join(self.folder, "diverged")
        # 1e39 is infinite in float32.
        with self.assertRaisesRegex(ValueError, "every trial failed, e.g. training diverged"):
            _search(self.data_dir, workdir, _candidates(l1=["1e39"]))
        table = _table(workdir)
        self.assertEqual(table["loss.l1"][0], 1e39)
        self.assertTrue(math.isnan(table["objective.l1"][0]))
        self.assertIn("diverged", table["failure"][0])


class SearchWithoutTrainingTest(parameterized.TestCase):
    """The same without what takes long: training is pretended."""

    def setUp(self):
        super().setUp()
        folder = self.create_tempdir().full_path
        self.data_dir = os.path.join(folder, "data")
        self.workdir = os.path.join(folder, "search")
        testing_data.write_dataset(self.data_dir)
        self.train = self.enter_context(
            mock.patch.object(Run, "train", autospec=True, side_effect=_pretend)
        )

    def _search(self, candidates, *args, **kwargs):
        return _search(self.data_dir, self.workdir, candidates, *args, **kwargs)

    def test_grid_is_every_combination_once(self):
        trials = self._search(_candidates(l1=["3", "1", "2"], roi=["0", "5"], gan=["1", "2"]))
        self.assertLen({trial.directory for trial in trials}, 12)
        self.assertEqual(self.train.call_count, 12)
        self.assertEqual([trial.value for trial in trials], sorted([1.0, 2.0, 3.0] * 4))

    def test_longer_lists_train_only_what_is_new(self):
        self._search(_candidates())
        trials = self._search(_candidates(l1=["30", "1"]))
        self.assertEqual(self.train.call_count, 2)
        self._search(_candidates(l1=["30", "1"]))
        self.assertEqual(self.train.call_count, 2)
        self.assertEqual([trial.value for trial in trials], [1.0, 30.0])

    def test_another_configuration_does_not_reuse_trials(self):
        self._search(_candidates())
        config = testing_data.small_config()
        config.model.pixel_noise += 1
        with self.assertRaisesRegex(ValueError, "holds a run that differs .*pixel_noise"):
            self._search(_candidates(), config=config)

    def test_any_function_of_a_run_is_an_objective(self):
        candidates = _candidates(l1=["1", "30"])
        self._search(candidates)
        seen = []

        def count(result):
            seen.append(result)
            self.assertEqual(os.path.dirname(result.generator), result.workdir)
            self.assertEqual(os.path.dirname(result.samples), f"{result.workdir}/samples")
            return 100.0 * len(seen)

        objective = weight_search.Objective("count", count, maximize=True)
        for _ in range(2):
            trials = self._search(candidates, objective)
        self.assertEqual(self.train.call_count, 2)
        self.assertLen(seen, 2)
        self.assertEqual([trial.value for trial in trials], [200.0, 100.0])
        self.assertEqual(list(_table(self.workdir)["objective.count"]), [200.0, 100.0])
        for trial in trials:
            self.assertEqual(_scalars(trial.directory)["objective/count"], trial.value)

    def test_an_objective_that_is_not_finite_is_a_failure(self):
        objective = weight_search.Objective(
            "ratio", lambda result: math.nan if result.validation["l1"] == 1 else 2.0
        )
        trials = self._search(_candidates(l1=["1", "30"]), objective)
        self.assertEqual([trial.value for trial in trials], [2.0, None])
        self.assertEqual(trials[1].failure, "objective ratio is nan")

    def test_the_search_goes_on_after_failures_and_does_not_repeat_them(self):
        def diverge(run):
            result = _pretend(run)
            if run.config.loss.l1 > 1:
                raise monitoring.DivergenceError("training diverged")
            return result

        self.train.side_effect = diverge
        candidates = _candidates(l1=["2", "3", "4", "5", "6", "1"])
        for _ in range(2):
            trials = self._search(candidates)
            self.assertLen(trials, 6)
            self.assertEqual(trials[0].weights["l1"], 1.0)
            self.assertEqual({trial.failure for trial in trials[1:]}, {"training diverged"})
        self.assertEqual(self.train.call_count, 6)
        text = weight_search.summary(trials, _L1, self.workdir, [])
        self.assertIn("6 combinations of weights, of which 5 failed", text)

    def test_random_search_draws_the_same_from_the_grid_again(self):
        candidates = _candidates(**{name: ["1", "2", "3"] for name in _NAMES})
        trials = self._search(candidates, method="random", max_trials=5)
        self.assertLen({trial.directory for trial in trials}, 5)
        again = self._search(candidates, method="random", max_trials=5)
        self.assertEqual(self.train.call_count, 5)
        self.assertEqual([t.weights for t in trials], [t.weights for t in again])
        for trial in trials:
            self.assertContainsSubset(trial.weights.values(), {1.0, 2.0, 3.0})

    def test_any_loss_may_be_searched_and_others_stay(self):
        config = testing_data.small_config()
        config.loss.gan = 7.0
        candidates = weight_search.parse_candidates({"roi_gan": ["0", "2"]})
        trials = self._search(candidates, config=config)
        self.assertCountEqual([trial.weights["roi_gan"] for trial in trials], [0.0, 2.0])
        run = self.train.call_args.args[0]
        self.assertEqual((run.config.loss.gan, run.config.loss.roi_gan), (7.0, 2.0))
        objective = weight_search.validation_objective("roi_gan")  # not there, if it is off
        with self.assertRaisesRegex(ValueError, "failed, e.g. objective roi_gan is nan"):
            self._search(candidates, objective, config=config)

    def test_summary_gives_the_flags_of_the_best(self):
        trials = self._search(_candidates(l1=["30", "2.5"], roi=["1e-05"]))
        text = weight_search.summary(trials, _L1, self.workdir, ["--config=demo"])
        self.assertIn(
            "//training:train -- --config=demo --config.loss.gan=1 --config.loss.l1=2.5 "
            "--config.loss.roi=1e-05 --config.loss.feature_matching=1",
            text,
        )

    def test_other_errors_of_a_trial_end_the_search(self):
        self.train.side_effect = ValueError("no such thing")
        with self.assertRaisesRegex(ValueError, "^no such thing$"):
            self._search(_candidates())

    def test_no_validation_split(self):
        testing_data.write_dataset(self.data_dir, per_split=(24, 0, 8))
        with self.assertRaisesRegex(ValueError, "0 validation crops .* one batch of 4"):
            self._search(_candidates())
        self.assertFalse(os.path.exists(self.workdir))

    @parameterized.parameters(
        ({"method": "bayes"}, "method 'bayes' is not one of grid, random"),
        ({"max_trials": 0}, "max_trials 0 is not positive"),
        ({"steps": 0}, "steps 0 is not positive"),
    )
    def test_bad_arguments(self, arguments, message):
        with self.assertRaisesRegex(ValueError, message):
            self._search(_candidates(), **arguments)
        self.assertFalse(os.path.exists(self.workdir))


class ArgumentsTest(parameterized.TestCase):
    def test_candidates(self):
        self.assertEqual(
            _candidates(l1=["10", "0", "1e1", " 2.5"]),
            {"gan": (1.0,), "l1": (10.0, 0.0, 2.5), "roi": (1.0,), "feature_matching": (1.0,)},
        )

    @parameterized.parameters(
        ([], "weights of roi: no value to try"),
        (["1", "many"], "weights of roi: 'many' is not a number from 0 up"),
        (["1", ""], "weights of roi: '' is not"),
        (["-1"], "weights of roi: '-1' is not"),
        (["nan"], "weights of roi: 'nan' is not"),
        (["inf"], "weights of roi: 'inf' is not"),
    )
    def test_bad_candidates(self, texts, message):
        with self.assertRaisesRegex(ValueError, message):
            _candidates(roi=texts)

    @parameterized.parameters("beauty", "generator", "")
    def test_unknown_objective(self, name):
        with self.assertRaisesRegex(
            ValueError, f"objective '{name}' is not one of {', '.join(losses.NAMES)}"
        ):
            weight_search.validation_objective(name)


def _search(data_dir, workdir, candidates, objective=_L1, config=None, steps=_STEPS, **kwargs):
    return weight_search.search(
        config or testing_data.small_config(),
        data_dir,
        workdir,
        candidates,
        objective,
        steps,
        **kwargs,
    )


def _table(workdir):
    return pd.read_csv(os.path.join(workdir, weight_search.TABLE))


def _pretend(run):
    run_directory.begin(run.workdir, run.description, 0)
    validation = {"l1": float(run.config.loss.l1), "roi": 0.0}
    return Result(run.workdir, run.steps, validation)


def _events(folder):
    for path in sorted(pathlib.Path(folder).glob("events.*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            yield from event.summary.value


def _plugin_data(folder):
    return {
        value.tag: plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
        for value in _events(folder)
        if value.metadata.plugin_data.plugin_name == "hparams"
    }


def _scalars(folder):
    return {
        value.tag: float(tf.make_ndarray(value.tensor))
        for value in _events(folder)
        if value.metadata.plugin_data.plugin_name == "scalars"
    }


if __name__ == "__main__":
    absltest.main()
