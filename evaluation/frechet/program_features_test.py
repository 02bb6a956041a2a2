"""Features made by a program in JAX, beside those of the same generator here; on CPUs."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
from absl.testing import absltest

from evaluation.features import image_sets, networks
from evaluation.features.networks import FeatureExtractor
from evaluation.frechet import program_features
from evaluation.frechet.evaluator import FrechetEvaluator
from evaluation.frechet.protocol import TrialProtocol
from synthesis import trained_generator
from training import testing_data, testing_steps
from training.program import bring_home, export, jax_python, program_folder
from training.run import Run

_ROOT = pathlib.Path(__file__).parent.parent.parent
_TRIALS = TrialProtocol(trials=4, partings=2)


class ProgramFeaturesTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = pathlib.Path(absltest.get_default_test_tmpdir(), "program_features")
        cls.data, cls.program = str(cls.root / "data"), str(cls.root / "program")
        testing_data.write_dataset(cls.data, per_split=(24, 8, 24))
        settings = {"precision": "float32", "steps": 3, "batch_size": 4, "num_samples": 4}
        config = testing_steps.reduced_config("pix2pix", **settings)
        export.export_program(Run(config, cls.data, str(cls.root / "none")), cls.program)
        cls.extractor = FeatureExtractor(networks.embedded_network())
        cls.said = program_features.export(cls.program, cls.data, cls.extractor, halves=False)
        cls.out = str(cls.root / "out")
        cls.trained = cls._run_program()
        (path,) = pathlib.Path(cls.out).glob("features_*.npz")
        cls.path = str(path)
        cls.found = program_features.read(cls.path)

    @classmethod
    def _run_program(cls, *flags):
        runner = os.path.join(cls.program, program_folder.RUNNER)
        done = subprocess.run(
            [jax_python.find(), runner, cls.program, f"--output_dir={cls.out}", *flags],
            env=jax_python.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def _evaluator(self):
        return FrechetEvaluator(
            self.data, self.found.conditions, self.extractor, _TRIALS, with_diversity=True
        )

    def test_features_are_those_of_the_generator_here(self):
        self.assertIn("--generated_features=", self.trained)
        self.assertIn("48 images for distances and 256", self.said)
        workdir = str(self.root / "home")
        bring_home.import_program(self.program, self.out, workdir)
        generator = trained_generator.load(workdir)
        self.assertEqual(self.found.digest, generator.digest)
        self.assertEqual(self.found.step, generator.step)
        evaluator = self._evaluator()
        planned = evaluator.painting
        for ours, theirs in (
            (planned.images(generator), self.found.generated),
            (planned.images_of_same_map(generator), self.found.same_map),
        ):
            # One level of 255 here and there, where the rounding of sums decides.
            expected = self.extractor.extract(image_sets.first(ours, len(theirs)))
            np.testing.assert_allclose(theirs, expected, rtol=5e-3, atol=5e-3)
        here, there = evaluator.evaluate(generator), evaluator.evaluate(self.found)
        for key in ("generator_digest", "generated_digest"):
            self.assertEqual(here.protocol[key], there.protocol[key])
        one, two = (
            each.overall.summary()["generated"]["frechet"]["mean"] for each in (here, there)
        )
        np.testing.assert_allclose(one, two, rtol=1e-2)
        self.assertIsNotNone(there.diversity)
        self.assertRegex(" ".join(there.notes), "generated features by JAX .* on")

    def test_again_from_the_checkpoint(self):
        os.remove(self.path)
        text = self._run_program("--features")
        self.assertNotIn("training crops", text)
        again = program_features.read(self.path)
        np.testing.assert_allclose(again.generated, self.found.generated, rtol=1e-5, atol=1e-5)
        self.assertEqual(again.meta, self.found.meta)

    def test_what_does_not_fit_is_told(self):
        other = networks.FeatureNetwork("other", "random_224", "e" * 64, lambda x: x)
        with self.assertRaisesRegex(ValueError, "with another feature network, .*embedded"):
            self.found.check(FeatureExtractor(other), self.data)
        with self.assertRaisesRegex(ValueError, "with another resize, bilinear, than .*bicubic"):
            self.found.check(FeatureExtractor(self.extractor.network, "bicubic"), self.data)
        elsewhere = self.create_tempdir().full_path
        testing_data.write_dataset(elsewhere, digest="1" * 64)
        with self.assertRaisesRegex(ValueError, "other records .digest 111111111111"):
            self.found.check(self.extractor, elsewhere)
        painting = self._evaluator().painting
        with self.assertRaisesRegex(ValueError, "painted of other maps"):
            self.found.check_painting(dataclasses.replace(painting, seed=1))
        with self.assertRaisesRegex(ValueError, "is there already"):
            program_features.export(self.program, self.data, self.extractor)
        with self.assertRaisesRegex(ValueError, "says to paint other maps"):
            program_features.export(
                self.program,
                self.data,
                FeatureExtractor(dataclasses.replace(self.extractor.network, layer="again")),
                seed=5,
            )

    def test_a_file_that_is_cut_off(self):
        content = pathlib.Path(self.path).read_bytes()
        for number in (0, 100, len(content) // 2, len(content) - 10):
            cut = self.create_tempfile(content=content[:number]).full_path
            with self.assertRaisesRegex(ValueError, "no features of a program, or cut off"):
                program_features.read(cut)

    def test_the_program_of_distances(self):
        done = subprocess.run(
            [sys.executable, "-m", "evaluation.fid", f"--generated_features={self.path}"]
            + [f"--data_dir={self.data}", "--feature_network=embedded", "--trials=4"]
            + ["--partings=2", f"--output_dir={self.root / 'measured'}"],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        stored = json.loads((self.root / "measured" / "fid.json").read_text())
        self.assertEqual(stored["step"], 3)
        self.assertEqual(stored["protocol"]["features_weights"], "float32")
        done = subprocess.run(
            [sys.executable, "-m", "evaluation.fid", f"--generated_features={self.path}"]
            + ["--seed=3"],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertRegex(done.stderr, "error: --generated_features and --seed exclude each other")


if __name__ == "__main__":
    absltest.main()
