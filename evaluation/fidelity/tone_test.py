import json
import math

import numpy as np
import pandas as pd
from absl.testing import absltest, parameterized

from evaluation.fidelity import testing, tone
from preprocessing.data.manifest import Box
from synthesis.layouts import Layout

_BOX = Box(20, 20, 40, 44)


class ToneTest(parameterized.TestCase):
    @parameterized.parameters(1, 2, 3, 4, 5, 6)
    def test_known_tone_beside_a_lesion(self, skin_type):
        degrees = testing.TONES[skin_type]
        image = testing.add_discs(testing.skin_image(degrees), [_BOX])
        measured = tone.measure_tone(image, Layout("Melanoma", skin_type, (_BOX,)))
        self.assertAlmostEqual(measured, degrees, delta=2.0)

    def test_the_boxes_are_left_out(self):
        image = testing.skin_image(50.0)
        image[20:44, 20:40] = testing.skin_image(-40.0)[20:44, 20:40]
        seen = tone.surrounding_skin(image, [_BOX])
        self.assertFalse(seen[18:46, 18:42].any())
        self.assertGreater(seen.mean(), 0.6)
        less = tone.surrounding_skin(image, [_BOX], also_without=[Box(0, 0, 64, 15)])
        self.assertFalse(less[:15].any())

    def test_no_skin_is_no_tone(self):
        plain = testing.skin_image(40.0)
        hair, sheet = np.full((64, 64, 3), 12, np.uint8), np.full((64, 64, 3), 200, np.uint8)
        sheet[..., 2] = 230
        for image, condition, box in (
            (plain, "Alopecia Areata", _BOX),
            (plain, "Melanoma", Box(0, 0, 64, 64)),
            (hair, "Psoriasis", _BOX),
            (sheet, "Psoriasis", _BOX),
        ):
            self.assertTrue(math.isnan(tone.measure_tone(image, Layout(condition, 2, (box,)))))

    def test_means_by_type(self):
        means = tone.type_means(np.array([1, 1, 3, 3]), np.array([50.0, 60.0, math.nan, 30.0]))
        np.testing.assert_array_equal(means[[1, 3]], [55.0, 30.0])
        self.assertTrue(np.isnan(means[[0, 2, 4, 5, 6]]).all())

    def test_one_type_is_too_few(self):
        real = pd.DataFrame({"skin_type": [2, 2, 3], "ita": [50.0, 51.0, math.nan]})
        _, cannot = tone.measured_means(real)
        self.assertRegex(cannot, r"two known skin types .* there are 1 \(2\) in --real_split")


_MEANS = {1: 60.0, 2: 48.0, 3: 34.0, 4: 20.0, 6: -45.0}  # no type 5


def _real():
    """Four patients of two crops per type, 4 degrees above or below its mean in turn."""
    return pd.DataFrame(
        [
            {"patient": f"{kind}-{patient}", "skin_type": kind, "ita": mean + 4 * (-1) ** patient}
            for kind, mean in _MEANS.items()
            for patient in range(4)
            for _ in range(2)
        ]
    )


def _generated(slope=1.0, offset=0.0):
    return pd.DataFrame(
        [
            {"map": row, "skin_type": kind, "ita": offset + slope * _MEANS.get(kind, 0.0)}
            for row in range(12)
            for kind in range(1, 7)
        ]
    )


class ToneComparisonTest(absltest.TestCase):
    def test_estimates_are_not_held_against_themselves(self):
        options = {"replicates": 50, "seed": 0}
        result = tone.compare_tone(_real(), _generated(), **options)
        none = tone.compare_tone(_real(), _generated(), **options, estimated=True)
        self.assertFalse(math.isnan(result.ceiling["error"].value))
        self.assertTrue(math.isnan(none.ceiling["error"].value))
        self.assertTrue(math.isnan(none.types[0].real_error.value))
        self.assertEqual(none.agreement["error"].value, result.agreement["error"].value)

    def test_exact_tone(self):
        result = tone.compare_tone(_real(), _generated(), replicates=200, seed=0)
        self.assertAlmostEqual(result.agreement["error"].value, 0.0)
        self.assertAlmostEqual(result.agreement["correlation"].value, 1.0)
        self.assertAlmostEqual(result.agreement["slope"].value, 1.0)
        # The other three patients of a crop's type are off by 4, -4 and -4 where it is off by
        # 4: their mean by -4 / 3.
        self.assertAlmostEqual(result.ceiling["error"].value, 4.0 + 4.0 / 3.0)
        self.assertEqual(result.missing, [5])
        self.assertEqual(result.unmeasured, {"real": 0, "generated": 0})

    def test_the_ceiling_is_uncertain_of_its_reference(self):
        # By hand: type 1 has patients 0 and 1, and other copies of a patient do not count.
        ita = np.array([60.0, 62.0, 50.0, np.nan, 20.0])
        others = tone._other_patients(ita, np.array([1, 1, 1, 1, 4]), np.array([0, 0, 1, 2, 3]))
        np.testing.assert_allclose(others, [50.0, 50.0, 61.0, 172.0 / 3, np.nan])

    def test_known_slope_and_offset(self):
        result = tone.compare_tone(_real(), _generated(0.5, 10.0), replicates=200, seed=0)
        self.assertAlmostEqual(result.agreement["slope"].value, 0.5)
        self.assertAlmostEqual(result.agreement["correlation"].value, 1.0)
        first = result.types[0]
        # Asked for 60, painted 10 + 0.5 * 60 = 40.
        self.assertAlmostEqual(first.difference.value, -20.0)
        self.assertAlmostEqual(first.error.value, 20.0)
        self.assertEqual((first.real_images, first.real_patients), (8, 4))
        self.assertLess(first.difference.low, -20.0)  # the real mean is uncertain
        self.assertGreater(first.difference.high, -20.0)
        self.assertTrue(math.isnan(result.types[4].error.value))
        self.assertEqual(result.types[4].generated_images, 12)

    def test_a_patient_does_not_vouch_for_himself(self):
        real = _real()
        alone = pd.DataFrame({"patient": ["a", "a"], "skin_type": [5, 5], "ita": [80.0, 81.0]})
        result = tone.compare_tone(
            pd.concat([real, alone], ignore_index=True), _generated(), replicates=50, seed=0
        )
        self.assertTrue(result.real["requested"].iloc[-2:].isna().all())
        self.assertTrue(math.isnan(result.types[4].real_error.value))
        self.assertEqual(result.missing, [])
        # Far from what type 5 of the generator shows, yet it does not spoil the others.
        self.assertEqual(result.of_one_patient, [5])
        self.assertAlmostEqual(result.agreement["error"].value, 0.0)
        # Of one patient there is a mean, but no interval.
        self.assertAlmostEqual(result.types[4].difference.value, -80.5)
        self.assertTrue(math.isnan(result.types[4].difference.low))

    def test_nothing_measured(self):
        result = tone.compare_tone(_real(), _generated().assign(ita=np.nan), replicates=50, seed=0)
        self.assertTrue(math.isnan(result.agreement["error"].value))
        self.assertEqual(result.unmeasured["generated"], 72)
        self.assertNotIn("NaN", json.dumps(result.as_dict()))


if __name__ == "__main__":
    absltest.main()
