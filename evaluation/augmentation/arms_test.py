import numpy as np
from absl.testing import absltest, parameterized

from evaluation.augmentation import arms
from evaluation.augmentation.arms import Arm, Mixture

_REAL = np.array([0] * 80 + [1] * 18 + [2] * 2)
_SYNTHETIC = np.array([2, 1] * 100)


def _drawn(kind, share=0.5, length=3000, seed=3, real=_REAL, synthetic=_SYNTHETIC):
    arm = Arm(kind, kind)
    return arms.draw_images(arm, arms.mixture_of_arm(arm, real, synthetic, share), length, seed)


class ArmsTest(parameterized.TestCase):
    def test_names(self):
        made = arms.make_arms([arms.OVERSAMPLED, arms.SYNTHETIC], [0.5, 2])
        self.assertEqual(
            [arm.name for arm in made],
            ["real", "real+synthetic", "real+oversampled", "real+synthetic x0.5",
             "real+synthetic x2"],
        )  # fmt: skip
        with self.assertRaisesRegex(ValueError, "'fake' is not one of real, real\\+synthetic"):
            arms.make_arms(["fake"], [])
        with self.assertRaisesRegex(ValueError, "ratio -1 is not positive"):
            arms.make_arms([], [-1])

    def test_real_is_epochs_of_the_photographs(self):
        drawn = _drawn(arms.REAL, length=250)
        np.testing.assert_array_equal(np.sort(drawn[:100]), np.arange(100))
        np.testing.assert_array_equal(np.sort(drawn[100:200]), np.arange(100))
        self.assertLen(set(drawn[200:]), 50)
        self.assertFalse(np.array_equal(drawn[:100], drawn[100:200]))

    def test_synthetic_images_have_their_share_and_come_in_epochs(self):
        drawn = _drawn(arms.SYNTHETIC, share=0.25, length=20_000)
        synthetic = drawn[drawn >= 100]
        self.assertAlmostEqual(len(synthetic) / 20_000, 0.25, delta=0.02)
        counts = np.bincount(synthetic - 100, minlength=200)
        self.assertLessEqual(counts.max() - counts.min(), 1)

    def test_synthetic_alone_sees_no_photograph(self):
        drawn = _drawn(arms.ONLY, share=0.25)
        self.assertGreaterEqual(drawn.min(), 100)
        self.assertLen(set(drawn[:200]), 200)
        with self.assertRaisesRegex(ValueError, "no synthetic image"):
            _drawn(arms.ONLY, synthetic=_SYNTHETIC[:0])

    def test_synthetic_images_first_then_photographs(self):
        drawn, oversampled = _drawn(arms.FIRST), _drawn(arms.OVERSAMPLED)
        self.assertGreaterEqual(drawn[:1500].min(), 100)
        self.assertLen(set(drawn[:200]), 200)
        np.testing.assert_array_equal(drawn[1500:], oversampled[1500:])

    def test_strong_jitter_is_of_the_photographs(self):
        np.testing.assert_array_equal(_drawn(arms.STRONG), _drawn(arms.REAL))

    def test_few_photographs_of_each_condition(self):
        chosen = arms.choose_few(_REAL, 10, seed=1)
        np.testing.assert_array_equal(np.bincount(_REAL[chosen]), [10, 10, 2])
        self.assertLen(set(chosen), 22)
        self.assertFalse(np.array_equal(chosen, arms.choose_few(_REAL, 10, seed=2)))

    def test_the_oversampled_arm_differs_in_the_synthetic_places_alone(self):
        synthetic, oversampled = _drawn(arms.SYNTHETIC), _drawn(arms.OVERSAMPLED)
        at = synthetic >= 100
        np.testing.assert_array_equal(oversampled[~at], synthetic[~at])
        np.testing.assert_array_equal(_REAL[oversampled[at]], _SYNTHETIC[synthetic[at] - 100])

    def test_oversampling_prefers_the_skin_type(self):
        types = np.arange(len(_REAL)) % 6 + 1, np.arange(len(_SYNTHETIC)) // 2 % 6 + 1
        drawn = {}
        for kind in (arms.SYNTHETIC, arms.OVERSAMPLED):
            arm = Arm(kind, kind)
            mixed = arms.mixture_of_arm(arm, _REAL, _SYNTHETIC, 0.5, types)
            drawn[kind] = arms.draw_images(arm, mixed, 3000, 3)
        at = drawn[arms.SYNTHETIC] >= 100
        synthetic, real = drawn[arms.SYNTHETIC][at] - 100, drawn[arms.OVERSAMPLED][at]
        np.testing.assert_array_equal(_REAL[real], _SYNTHETIC[synthetic])
        # Of condition 1 there are photographs of all types, of condition 2 of two types.
        for code, found in ((1, range(1, 7)), (2, types[0][_REAL == 2])):
            rows = (_REAL[real] == code) & np.isin(types[1][synthetic], list(found))
            self.assertGreater(rows.sum(), 50)
            np.testing.assert_array_equal(types[0][real[rows]], types[1][synthetic[rows]])

    def test_oversampling_without_a_photograph_of_the_condition(self):
        drawn = _drawn(arms.OVERSAMPLED, synthetic=np.array([7] * 10))
        np.testing.assert_array_equal(drawn, _drawn(arms.REAL))

    def test_class_weights_give_the_frequencies_of_the_mixture(self):
        arm = Arm("w", arms.CLASS_WEIGHTS)
        mixed = arms.mixture_of_arm(arm, _REAL, _SYNTHETIC, 0.5)
        # 0: 0.4 of 0.8; 1: 0.09 + 0.25 of 0.18; 2: 0.01 + 0.25 of 0.02; 3: not there.
        np.testing.assert_allclose(
            arms.class_weights(arm, mixed, 4), [0.5, 0.34 / 0.18, 13.0, 1.0], rtol=1e-6
        )
        for kind in (arms.REAL, arms.SYNTHETIC, arms.OVERSAMPLED):
            np.testing.assert_array_equal(arms.class_weights(Arm("", kind), mixed, 4), np.ones(4))

    def test_class_weights_have_mean_one_without_all_conditions(self):
        arm = Arm("w", arms.CLASS_WEIGHTS)
        mixed = arms.mixture_of_arm(arm, _REAL, np.array([3, 2]), 0.5)
        self.assertAlmostEqual(arms.class_weights(arm, mixed, 4)[_REAL].mean(), 1.0, places=6)

    def test_ratios_take_the_first_images_in_proportion(self):
        arm = Arm("x", arms.SYNTHETIC, 0.5)
        mixed = arms.mixture_of_arm(arm, _REAL, _SYNTHETIC, 0.9)
        self.assertLen(mixed.synthetic, 50)
        self.assertAlmostEqual(mixed.share, 1 / 3)
        self.assertEqual(arms.synthetic_images_needed([Arm("r", "real"), arm], 100), 50)
        with self.assertRaisesRegex(ValueError, r"ratios \[2, 2.0\] are not distinct"):
            arms.make_arms([], [2, 2.0])
        with self.assertRaisesRegex(ValueError, "'x' takes 300 synthetic images; there are 200"):
            arms.mixture_of_arm(Arm("x", arms.SYNTHETIC, 3), _REAL, _SYNTHETIC, 0.0)

    def test_without_a_share_all_images_are_equal(self):
        arm = Arm("s", arms.SYNTHETIC)
        self.assertAlmostEqual(arms.mixture_of_arm(arm, _REAL, _SYNTHETIC, 0.0).share, 2 / 3)

    @parameterized.parameters(*arms.NAMES)
    def test_a_seed_decides(self, kind):
        np.testing.assert_array_equal(_drawn(kind), _drawn(kind))
        self.assertFalse(np.array_equal(_drawn(kind), _drawn(kind, seed=4)))

    def test_bad_mixtures(self):
        with self.assertRaisesRegex(ValueError, "no photograph"):
            Mixture(_REAL[:0], _SYNTHETIC, 0.5)
        with self.assertRaisesRegex(ValueError, "no synthetic image"):
            Mixture(_REAL, _SYNTHETIC[:0], 0.5)
        with self.assertRaisesRegex(ValueError, "share 1.5 is not in 0..1"):
            Mixture(_REAL, _SYNTHETIC, 1.5)


if __name__ == "__main__":
    absltest.main()
