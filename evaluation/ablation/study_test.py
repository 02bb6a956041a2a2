import os
import shutil
import tempfile

from absl.testing import absltest, parameterized

from evaluation.ablation import study
from synthesis import trained_generator
from training import testing_data
from training.configs import demo, paper


class VariantTest(parameterized.TestCase):
    @parameterized.parameters(
        ("full", "fast", 3, 10.0, 10.0),
        ("deconvolution_k3", "deconvolution", 3, 10.0, 10.0),
        ("deconvolution_k4", "deconvolution", 4, 10.0, 10.0),
        ("no_roi", "fast", 3, 0.0, 10.0),
        ("no_feature_matching", "fast", 3, 10.0, 0.0),
    )
    def test_changes_one_thing(self, variant, upsampling, kernel, roi, feature_matching):
        config = testing_data.small_config()
        config.loss.roi = config.loss.feature_matching = 10.0
        changed = study.variant_config(config, variant, 5)
        self.assertEqual(changed.model.upsampling, upsampling)
        self.assertEqual(changed.model.upsampling_kernel, kernel)
        self.assertEqual(changed.loss.roi, roi)
        self.assertEqual(changed.loss.feature_matching, feature_matching)
        self.assertEqual(changed.seed, 5)
        self.assertEqual(config.seed, 0)

    def test_the_encoder_is_left_out_where_there_is_one(self):
        config = demo.get_config()
        self.assertEqual(study.default_variants(config), list(study.VARIANTS))
        changed = study.variant_config(config, "no_encoder", 0)
        self.assertEqual(
            (changed.encoder.base_filters, changed.loss.kl, changed.loss.code), (0,) * 3
        )
        plain = paper.get_config()
        self.assertNotIn("no_encoder", study.default_variants(plain))
        with self.assertRaisesRegex(ValueError, "base_filters is 0: the full model has no encoder"):
            study.variant_config(plain, "no_encoder", 0)

    def test_unknown_variant(self):
        with self.assertRaisesRegex(ValueError, "variant 'no_gan' is not one of full, "):
            study.variant_config(testing_data.small_config(), "no_gan", 0)

    def test_nothing_to_leave_out(self):
        config = testing_data.small_config()
        config.loss.roi = 0.0
        with self.assertRaisesRegex(ValueError, "loss.roi is 0.0: the full model has none"):
            study.check_base(config)
        config = testing_data.small_config()
        config.model.upsampling = "deconvolution"
        with self.assertRaisesRegex(ValueError, "model.upsampling is 'deconvolution'"):
            study.check_base(config)


class TrainTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.data_dir = os.path.join(folder, "data")
        cls.workdir = os.path.join(folder, "study")
        testing_data.write_dataset(cls.data_dir)
        cls.models = cls._train(testing_data.small_config(steps=2))

    @classmethod
    def _train(cls, config, variants=("full", "deconvolution_k3", "deconvolution_k4")):
        models = study.plan_models(config, cls.workdir, variants, [3])
        return list(study.train_models(config, cls.data_dir, models))

    def test_sizes_are_honest(self):
        sizes = {
            model.variant: trained_generator.load(model.run_dir).parameters for model in self.models
        }
        self.assertEqual(sizes["full"], sizes["deconvolution_k3"])
        self.assertGreater(sizes["deconvolution_k4"], sizes["full"])

    def test_finished_models_are_not_trained_again(self):
        paths = [os.path.join(model.run_dir, "generator") for model in self.models]
        before = [os.stat(path).st_mtime_ns for path in paths]
        self.assertEqual(self._train(testing_data.small_config(steps=2)), self.models)
        self.assertEqual([os.stat(path).st_mtime_ns for path in paths], before)

    def test_another_study_is_refused(self):
        with self.assertRaisesRegex(ValueError, "holds a run that differs .*training.steps was 2"):
            self._train(testing_data.small_config(steps=4), ("full",))

    def test_given_models(self):
        run_dirs = [(model.variant, model.run_dir) for model in self.models]
        self.assertEqual(study.given_models(run_dirs), self.models)
        self.assertEqual(study.given_models(run_dirs[::-1])[0], self.models[0])

    def test_given_models_that_do_not_compare(self):
        full, k3 = self.models[0].run_dir, self.models[1].run_dir
        for run_dirs, message in (
            ([("deconvolution_k3", k3)], "no run is given for 'full'"),
            ([("full", full), ("best", full)], "'best' is not one of full"),
            ([("full", full), ("full", full)], "full of seed 3, as .*; give one of them"),
            (
                [("full", full), ("no_roi", k3)],
                "is not no_roi of .*loss.roi is .*, not 0.0; model.upsampling is 'deconv",
            ),
        ):
            with self.assertRaisesRegex(ValueError, message):
                study.given_models(run_dirs)


class ParseTest(parameterized.TestCase):
    def test_pairs(self):
        self.assertEqual(
            study.parse_run_dirs(["full=a/b", "no_roi=c=d"]),
            [("full", "a/b"), ("no_roi", "c=d")],
        )

    @parameterized.parameters("full", "=x", "full=")
    def test_no_pair(self, text):
        with self.assertRaisesRegex(ValueError, f"'{text}' is not VARIANT=DIRECTORY"):
            study.parse_run_dirs([text])


if __name__ == "__main__":
    absltest.main()
