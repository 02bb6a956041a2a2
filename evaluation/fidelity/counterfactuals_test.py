import math

import numpy as np
import pandas as pd
from absl.testing import absltest

from evaluation.fidelity import counterfactuals, evaluator, testing
from evaluation.fidelity.localization import box_mask, iou
from evaluation.fidelity.testing import PlantedGenerator, boxes_at
from preprocessing.data.manifest import Box
from synthesis.layouts import Layout

_MEANS = np.array(testing.TONES)


def _measure(generator, number=12):
    asked = [
        Layout("Melanoma", 1 + index % 6, (box,)) for index, box in enumerate(boxes_at(64, number))
    ]
    rows = []
    for index, example in enumerate(evaluator.paint_examples(generator, asked, seed=0)):
        rows += evaluator.measure_example(example, index, _MEANS, 0)["changes"]
    return counterfactuals.summarize(pd.DataFrame(rows), _MEANS, replicates=100, seed=0)


class CounterfactualsTest(absltest.TestCase):
    def test_move(self):
        layout = Layout("Melanoma", 2, (Box(4, 6, 20, 22), Box(24, 8, 30, 30)))
        moved = counterfactuals.move(layout, 64, np.random.default_rng(0))
        self.assertEqual((moved.condition, moved.skin_type), ("Melanoma", 2))
        before, after = np.array(layout.boxes), np.array(moved.boxes)
        shift = after - before
        np.testing.assert_array_equal(shift[0], shift[1])
        self.assertTrue((after >= 0).all() and (after <= 64).all())
        self.assertLess(iou(box_mask(layout.boxes, 64), box_mask(moved.boxes, 64)), 0.2)

    def test_no_room_to_move(self):
        layout = Layout("Melanoma", 2, (Box(1, 1, 62, 60),))
        self.assertIsNone(counterfactuals.move(layout, 64, np.random.default_rng(0)))

    def test_faithful_generator(self):
        numbers = _measure(PlantedGenerator()).numbers
        self.assertAlmostEqual(numbers["tone_gain"].value, 1.0, delta=0.05)
        self.assertEqual(numbers["tone_direction"].value, 1.0)
        self.assertGreater(numbers["type_region_iou"].value, 0.85)
        self.assertLess(numbers["change_elsewhere"].value, 0.1)  # the noise is the same
        self.assertGreater(numbers["change_by_noise"].value, 0.5)
        self.assertGreater(numbers["change_inside"].value, 10.0)
        self.assertLess(numbers["tone_drift"].value, 1.0)
        self.assertGreater(numbers["iou_new_box"].value, 0.75)
        self.assertLess(numbers["iou_old_box"].value, 0.3)

    def test_half_the_tone(self):
        numbers = _measure(PlantedGenerator(slope=0.5)).numbers
        self.assertAlmostEqual(numbers["tone_gain"].value, 0.5, delta=0.05)

    def test_lesion_that_does_not_follow(self):
        numbers = _measure(PlantedGenerator(fixed_lesion=True)).numbers
        self.assertAlmostEqual(numbers["change_inside"].value, 0.0, delta=0.1)
        self.assertLess(numbers["iou_new_box"].value, 0.5)

    def test_place_of_known_change(self):
        before = testing.skin_image(40.0)
        old, new = Box(4, 4, 20, 20), Box(40, 40, 56, 56)
        images = (
            testing.add_discs(before, [old]),
            testing.add_discs(before, [new]),
        )
        layouts = (Layout("Melanoma", 2, (old,)), Layout("Melanoma", 2, (new,)))
        region = counterfactuals.Region(np.ones((64, 64), bool), (new,))
        row = counterfactuals.change_of_place(images, layouts, region)
        self.assertEqual(row["change_elsewhere"], 0.0)
        self.assertGreater(row["change_inside"], 10.0)
        self.assertEqual((row["iou_new_box"], row["iou_old_box"]), (1.0, 0.0))
        self.assertLess(row["tone_drift"], 0.7)

    def test_what_cannot_be_measured_is_counted(self):
        row = {
            **counterfactuals.NOT_MOVED,
            "tone_change": math.nan,
            "type_region_iou": math.nan,
            "change_by_noise": 1.0,
        }
        frame = pd.DataFrame([{**row, "map": i, "from_type": 1, "to_type": 6} for i in range(4)])
        result = counterfactuals.summarize(frame, _MEANS, replicates=10, seed=0)
        self.assertEqual(
            result.counts,
            {"maps": 4, "type_changes_measured": 0, "boxes_moved": 0, "no_room_to_move": 4},
        )
        self.assertTrue(math.isnan(result.numbers["tone_gain"].value))


if __name__ == "__main__":
    absltest.main()
