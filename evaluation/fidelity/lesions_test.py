import math

import numpy as np
import pandas as pd
from absl.testing import absltest

from evaluation.fidelity import lesions, localization, testing
from preprocessing.data import skin
from preprocessing.data.manifest import Box
from synthesis.layouts import Layout


def _rows(number, shift=(0, 0), seed=0, lesion=True):
    """Measurements of planted images whose lesion is `shift` pixels off its box."""
    rows = []
    for index, box in enumerate(testing.boxes_at(64, number, seed)):
        image = testing.skin_image(40.0, seed=index)
        if lesion:
            dx, dy = shift
            there = Box(box.x0 + dx, box.y0 + dy, box.x1 + dx, box.y1 + dy)
            image = testing.add_discs(image, [there])
        layout = Layout("Melanoma", 2, (box,))
        row = lesions.measure_lesion(image, layout, localization.find_region(image))
        rows.append({**row, "map": index, "patient": str(index)})
    return pd.DataFrame(rows)


class LesionsTest(absltest.TestCase):
    def test_contrast_of_a_known_lesion(self):
        box = Box(20, 16, 44, 40)
        image = testing.skin_image(34.0, noise=0.0)
        middle = skin.lab(image)[:, 32]
        image[16:40, 20:44] = testing.add_discs(image, [Box(-99, -99, 199, 199)])[0, 0]
        expected = np.linalg.norm(skin.lab(image)[28, 32] - np.median(middle, axis=0))
        measured = lesions.contrast(image, [box])
        self.assertAlmostEqual(measured["medians"], expected, delta=0.7)
        self.assertAlmostEqual(measured["inside"], expected, delta=0.7)
        self.assertLess(measured["outside"], 1.5)

    def test_contrast_of_nothing(self):
        plain = testing.skin_image(34.0)
        self.assertLess(lesions.contrast(plain, [Box(20, 16, 44, 40)])["inside"], 2.0)
        whole = lesions.contrast(plain, [Box(0, 0, 64, 64)])
        self.assertTrue(all(math.isnan(value) for value in whole.values()))

    def test_lesions_in_their_boxes(self):
        rows = _rows(16)
        result = lesions.compare_lesions(_rows(16, seed=1), rows, 64, replicates=100, seed=0)
        numbers = result.generated_numbers
        self.assertEqual(numbers["found"].value, 1.0)
        self.assertGreater(numbers["iou"].value, 0.8)
        self.assertLess(numbers["iou_by_chance"].value, 0.4)
        self.assertLess(numbers["center_error"].value, 0.02)
        self.assertGreater(numbers["contrast_ratio"].value, 5.0)
        self.assertAlmostEqual(result.ratio["iou"].value, 1.0, delta=0.05)
        self.assertEqual(lesions.as_dict(result)["not_found"], {"generated": 0, "real": 0})

    def test_chance_is_by_the_boxes_of_others(self):
        places = [(Box(0, 0, 32, 32),), (Box(32, 32, 64, 64),)]
        rows = pd.DataFrame({"region": places * 4, "boxes": places * 4})
        # Each owner's lesions are in one place; an image beside one of its own says 1.
        of_places = ["left", "right"] * 4
        np.testing.assert_array_equal(lesions.chance_ious(rows, of_places, 64), np.zeros(8))
        by_image = lesions.chance_ious(rows, range(8), 64)
        self.assertTrue(((by_image > 0) & (by_image < 1)).all())
        self.assertTrue(np.isnan(lesions.chance_ious(rows, ["one"] * 8, 64)).all())

    def test_lesions_beside_their_boxes(self):
        rows = _rows(8, shift=(6, 0))
        self.assertAlmostEqual(rows["center_error"].mean(), 6 / 64, delta=0.02)
        self.assertLess(rows["iou"].max(), 0.7)

    def test_no_lesions(self):
        result = lesions.compare_lesions(
            _rows(8), _rows(8, lesion=False), 64, replicates=100, seed=0
        )
        self.assertEqual(result.generated_numbers["found"].value, 0.0)
        self.assertEqual(result.generated_numbers["iou"].value, 0.0)
        self.assertTrue(math.isnan(result.generated_numbers["center_error"].value))
        self.assertEqual(lesions.as_dict(result)["not_found"], {"generated": 8, "real": 0})
        self.assertLess(result.ratio["contrast_inside"].value, 0.3)


if __name__ == "__main__":
    absltest.main()
