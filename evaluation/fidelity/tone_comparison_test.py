import json
import math

import numpy as np
import pandas as pd
from absl.testing import absltest

from evaluation.fidelity import tone_comparison

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
    def test_exact_tone(self):
        result = tone_comparison.compare(_real(), _generated(), replicates=200, seed=0)
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
        others = tone_comparison._other_patients(
            ita, np.array([1, 1, 1, 1, 4]), np.array([0, 0, 1, 2, 3])
        )
        np.testing.assert_allclose(others, [50.0, 50.0, 61.0, 172.0 / 3, np.nan])

    def test_known_slope_and_offset(self):
        result = tone_comparison.compare(_real(), _generated(0.5, 10.0), replicates=200, seed=0)
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
        result = tone_comparison.compare(
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
        result = tone_comparison.compare(
            _real(), _generated().assign(ita=np.nan), replicates=50, seed=0
        )
        self.assertTrue(math.isnan(result.agreement["error"].value))
        self.assertEqual(result.unmeasured["generated"], 72)
        self.assertNotIn("NaN", json.dumps(result.as_dict()))


if __name__ == "__main__":
    absltest.main()
