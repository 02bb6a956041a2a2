import pathlib
import shutil
import tempfile

import numpy as np
from absl.testing import absltest

from training import (
    configurations,
    initial_weights,
    model_factory,
    run_directory,
    testing_data,
)
from training.run import Run


class InitialWeightsTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.run_dir = testing_data.train_run(folder, steps=2).workdir
        cls.source = initial_weights.find(cls.run_dir)

    def _model(self, conditions=27, **model):
        config = testing_data.small_config()
        config.model.update(model)
        completed = configurations.complete(config, 32)
        return model_factory.build_model(completed, 10, "float32", conditions)

    def test_the_same_architecture_is_taken_over_whole(self):
        model = self._model()
        said = initial_weights.take_over(model, self.source, self.source.conditions)
        self.assertIn("100% of the generator's and 100% of the discriminators'", said)
        self.assertIn("step 2; 27 of 27 conditions by name", said)
        checkpoint = model_factory.make_checkpoint(other := self._model())
        checkpoint.restore(self.source.path).expect_partial()
        for ours, theirs in zip(model.ema_generator.weights, other.ema_generator.weights):
            np.testing.assert_array_equal(ours, theirs, ours.name)
        self.assertEqual(model.step, 0)

    def test_conditions_go_by_name(self):
        model = self._model(conditions=3)
        before = model.generator.get_layer("map_embedding").conditions.numpy()
        own = ("Foot Ulcer", "Melanoma", "Acne")
        said = initial_weights.take_over(model, self.source, own)
        self.assertIn("2 of 3 conditions by name", said)
        after = model.generator.get_layer("map_embedding").conditions.numpy()
        np.testing.assert_array_equal(after[0], before[0])
        original = self._model()
        initial_weights.take_over(original, self.source, self.source.conditions)
        theirs = original.generator.get_layer("map_embedding").conditions.numpy()
        np.testing.assert_array_equal(after[[1, 2]], theirs[[12, 0]])

    def test_other_conditions_begin_as_ever(self):
        model = self._model(conditions=1)
        before = model.generator.get_layer("map_embedding").conditions.numpy()
        said = initial_weights.take_over(model, self.source, ("Foot Ulcer",))
        self.assertIn("0 of 1 conditions by name", said)
        after = model.generator.get_layer("map_embedding").conditions.numpy()
        np.testing.assert_array_equal(after, before)

    def test_another_size_takes_what_fits(self):
        model = self._model(image_size=64)
        said = initial_weights.take_over(model, self.source, self.source.conditions)
        share = int(said.split("%")[0].split()[-1])
        self.assertBetween(share, 50, 99)

    def test_other_widths_are_refused(self):
        with self.assertRaisesRegex(ValueError, "of the generator's weights fit this config"):
            initial_weights.take_over(
                self._model(base_filters=8), self.source, self.source.conditions
            )
        with self.assertRaisesRegex(ValueError, "not a run directory"):
            initial_weights.find(str(pathlib.Path(self.run_dir).parent))

    def test_a_run_says_with_what_it_began(self):
        data_dir = self.create_tempdir().full_path
        testing_data.write_dataset(data_dir)
        workdir = str(pathlib.Path(self.create_tempdir().full_path, "tuned"))
        config = testing_data.small_config(steps=1)
        run = Run(config, data_dir, workdir, init_from=self.run_dir)
        with self.assertLogs("absl", "WARNING") as logs:
            run.train()
        self.assertIn("begins with 100%", "".join(logs.output))
        stored = run_directory.read_description(workdir)
        self.assertEqual(stored["init_from"], {"run_dir": self.run_dir, "step": 2})
        with self.assertRaisesRegex(ValueError, "init_from"):
            Run(config, data_dir, workdir).check()
        config.training.steps = 2
        with self.assertRaisesRegex(ValueError, "steps was 1, is 2.*, or make the run longer with"):
            Run(config, data_dir, workdir, init_from=self.run_dir).check()
        longer = Run(config, data_dir, workdir, init_from=self.run_dir, extend=True)
        with self.assertLogs("absl", "WARNING") as logs:
            self.assertEqual(longer.train().steps, 2)
        self.assertIn(
            "extended from 1 to 2 steps, now at 1: the generator's learning rate was 0 and goes "
            "on at 0.0002, its decay begins at step 1",
            "".join(logs.output),
        )
        stored = run_directory.read_description(workdir)
        self.assertEqual(stored["config"]["training"]["steps"], 2)
        self.assertEqual((stored["continued"][0]["step"], stored["continued"][0]["steps"]), (1, 2))
        config.training.steps = 1
        with self.assertRaisesRegex(ValueError, "at step 2 already; --extend takes a larger"):
            Run(config, data_dir, workdir, init_from=self.run_dir, extend=True).check()


if __name__ == "__main__":
    absltest.main()
