import dataclasses
import os
import shutil
import tempfile

from absl.testing import absltest

from evaluation.features import networks
from evaluation.features.networks import FeatureExtractor
from evaluation.frechet import report
from evaluation.frechet.evaluator import FrechetEvaluator
from evaluation.frechet.protocol import TrialProtocol
from synthesis import trained_generator
from training import testing_data

_PROTOCOL = TrialProtocol(trials=6, partings=2, smallest_group=6)


class EvaluationTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.result = testing_data.train_run(folder, (24, 8, 60))
        cls.data_dir = os.path.join(folder, "data")
        cls.generator = trained_generator.load(cls.result.workdir)
        cls.evaluator = cls._evaluator(_PROTOCOL, with_diversity=True)
        cls.evaluation = cls.evaluator.evaluate(cls.generator)

    @classmethod
    def _evaluator(cls, protocol, **kwargs):
        return FrechetEvaluator(
            cls.data_dir,
            cls.generator.conditions,
            FeatureExtractor(networks.embedded_network()),
            protocol,
            **kwargs,
        )

    def test_grey_noise_is_far_from_photographs(self):
        summary = self.evaluation.overall.summary()
        self.assertGreater(
            summary["generated"]["frechet"]["mean"], 2 * summary["floor"]["frechet"]["mean"]
        )
        self.assertGreater(summary["above_floor"]["mean"], 0)
        self.assertIsNone(summary["frechet_extrapolated"])  # 120 images, 224 dimensions

    def test_groups(self):
        # 60 test crops: 20 of each condition, 10 of each type, of which the smaller
        # half holds 5 at most.
        self.assertEqual(set(self.evaluation.conditions), {"Acne", "Melanoma", "Vitiligo"})
        self.assertEqual(
            set(self.evaluation.too_small), {f"skin type {number}" for number in range(1, 7)}
        )
        self.assertEmpty(self.evaluation.skin_types)

    def test_estimated_skin_types_are_told_apart(self):
        evaluator = self._evaluator(
            TrialProtocol(trials=2, partings=1, neighbours=1, smallest_group=2)
        )
        real = evaluator.real
        sources = ["annotated" if one < 3 else "estimated" for one in real.skin_types]
        evaluator.real = dataclasses.replace(real, skin_type_sources=tuple(sources))
        found = evaluator.evaluate(self.generator)
        self.assertEqual(
            list(found.skin_types), ["1", "2", *(f"{n} (estimated)" for n in range(3, 7))]
        )
        self.assertIn("0 photographs", found.too_small["skin type 3"])
        self.assertIn("skin type 3 (estimated)", report.table([found]))

    def test_diversity_of_the_images_of_a_map(self):
        measured = self.evaluation.diversity
        self.assertEqual((measured.maps, measured.images_per_map), (32, 8))
        # Grey noise: much the same whatever the seed, unlike photographs.
        self.assertBetween(measured.ratio.value, 0.0, 0.5)
        self.assertIn("between images of one map", report.table([self.evaluation]))
        stored = self.evaluation.as_dict()["diversity"]
        self.assertEqual(stored["ratio"]["value"], measured.ratio.value)

    def test_protocol_says_everything(self):
        protocol = self.evaluation.protocol
        self.assertEqual(protocol["feature_network"], "embedded")
        self.assertFalse(protocol["comparable_with_published_fid"])
        self.assertEqual(protocol["generated_images"], 120)
        self.assertEqual(protocol["real_patients"], 60)
        self.assertEqual(protocol["generator_digest"], self.generator.digest)
        self.assertLen(self.evaluation.notes, 2)  # not comparable, singular

    def test_repeats_exactly(self):
        again = self._evaluator(_PROTOCOL, with_diversity=True).evaluate(self.generator)
        self.assertEqual(again, self.evaluation)

    def test_table(self):
        table = report.table([self.evaluation])
        self.assertIn("Frechet distance (random_224 of embedded)", table)
        self.assertIn("too few images to measure", table)
        self.assertIn("not comparable with published FIDs", table)
        self.assertNotIn("FID ", table.replace("FIDs", ""))

    def test_the_protocol_is_known_before(self):
        self.assertEqual(
            self._evaluator(_PROTOCOL).describe(self.generator), self.evaluation.protocol
        )

    def test_too_few(self):
        with self.assertRaisesRegex(ValueError, "images_per_trial 40 is more than there are"):
            self._evaluator(TrialProtocol(num_images=40)).evaluate(self.generator)

    def test_records_of_another_size(self):
        other = self.create_tempdir().full_path
        testing_data.write_dataset(other, image_size=64)
        evaluator = FrechetEvaluator(
            other,
            self.generator.conditions,
            FeatureExtractor(networks.embedded_network()),
            _PROTOCOL,
        )
        with self.assertRaisesRegex(ValueError, "crops of 64x64, the generator of .* 32x32"):
            evaluator.evaluate(self.generator)


if __name__ == "__main__":
    absltest.main()
