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
        measured = tone.measure(image, Layout("Melanoma", skin_type, (_BOX,)))
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
            self.assertTrue(math.isnan(tone.measure(image, Layout(condition, 2, (box,)))))

    def test_means_by_type(self):
        means = tone.type_means(np.array([1, 1, 3, 3]), np.array([50.0, 60.0, math.nan, 30.0]))
        np.testing.assert_array_equal(means[[1, 3]], [55.0, 30.0])
        self.assertTrue(np.isnan(means[[0, 2, 4, 5, 6]]).all())

    def test_one_type_is_too_few(self):
        real = pd.DataFrame({"skin_type": [2, 2, 3], "ita": [50.0, 51.0, math.nan]})
        with self.assertRaisesRegex(ValueError, r"two skin types .* there are 1 \(2\): choose"):
            tone.measured_means(real)


if __name__ == "__main__":
    absltest.main()
