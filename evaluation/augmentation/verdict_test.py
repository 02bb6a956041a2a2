from absl.testing import absltest

from evaluation.augmentation import classifier_predictions, classifier_testing, verdict
from evaluation.augmentation import results as augmentation_results
from evaluation.augmentation.results import Results


class AugmentationVerdictTest(absltest.TestCase):
    def _compute(self, accuracies, **options) -> Results:
        root = self.create_tempdir().full_path
        classifier_testing.write_study(root, accuracies, **options)
        return augmentation_results.compute("test", classifier_predictions.read(root), 400)

    def test_a_planted_improvement_is_found_and_told(self):
        results = self._compute([0.5, 0.5, 0.5, 0.5], melanoma=0.95, seeds=(0, 1, 2))
        comparison = results.comparison("real", "real+synthetic")
        [(name, change)] = [
            one for one in comparison.significant_classes() if one[1].estimate.value > 0.2
        ]
        self.assertEqual(name, "Melanoma")
        self.assertLess(change.p_adjusted, 0.05)
        text = verdict.verdict(results)
        self.assertRegex(text, r"top-1 accuracy by \+1\d\.\d points \(95% interval \+.*better")
        self.assertRegex(text, r"macro F1 by \+1\d\.\d points")
        self.assertNotIn("No classifier is better", text)
        self.assertRegex(text, r"Melanoma \+0\.\d\d")
        self.assertRegex(text, r"Against real\+oversampled, .* significantly better")
        self.assertRegex(text, r"Against real\+class_weights, ")

    def test_no_difference_is_called_so(self):
        results = self._compute([0.6] * 4)
        text = verdict.verdict(results)
        self.assertIn("no significant difference", text)
        self.assertIn("F1 differs significantly in none of 4 conditions", text)
        self.assertNotIn("better", text)

    def test_harm_is_called_so(self):
        text = verdict.verdict(self._compute([0.8, 0.4, 0.8, 0.8], seeds=(0,)))
        self.assertRegex(text, r"by -\d\d\.\d points .*significantly worse")

    def test_classifiers_that_learnt_nothing_are_told(self):
        text = verdict.verdict(self._compute([0.2] * 4))
        self.assertIn("No classifier is better than always naming the most common condition", text)
        self.assertIn("(0.250)", text)

    def test_conditions_without_photographs_are_noted(self):
        self.assertEqual(
            verdict.notes(self._compute([0.5] * 2, seeds=(0,))),
            [
                "Psoriasis has 60 test images and no photograph to train on: arms without "
                "synthetic images of it can only err",
                "without a test image, so undefined: Acne",
            ],
        )

    def test_without_the_synthetic_arm(self):
        self.assertIn("No verdict", verdict.verdict(self._compute([0.5])))


if __name__ == "__main__":
    absltest.main()
