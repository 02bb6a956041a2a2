import numpy as np
from absl.testing import absltest

from preprocessing.data import taxonomy
from preprocessing.data.manifest import Box
from synthesis import layout_statistics
from synthesis.layouts import Layout

_SIZE = 64


def _layouts(condition, side, number, count, rng):
    def box():
        width, height = rng.normal(side, 1.5, 2).clip(4, 60)
        x0, y0 = rng.uniform(0, _SIZE - width), rng.uniform(0, _SIZE - height)
        return Box(x0, y0, x0 + width, y0 + height)

    return [Layout(condition, 3, tuple(box() for _ in range(number))) for _ in range(count)]


class FitTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.layouts = [
            *_layouts("Acne", 10, 3, 60, rng),
            *_layouts("Melanoma", 30, 1, 60, rng),
            *_layouts("Cyst", 20, 1, 2, rng),
        ]
        self.statistics = layout_statistics.fit(self.layouts, _SIZE)

    def _sampled(self, condition, number=300):
        rng = np.random.default_rng(1)
        one = self.statistics[condition]
        return [one.sample(condition, 6, _SIZE, rng) for _ in range(number)]

    def test_what_was_planted_comes_back(self):
        for condition, side, number in (("Acne", 10, 3), ("Melanoma", 30, 1)):
            sampled = self._sampled(condition)
            self.assertEqual({len(layout.boxes) for layout in sampled}, {number})
            sides = [
                np.sqrt((b.x1 - b.x0) * (b.y1 - b.y0)) for layout in sampled for b in layout.boxes
            ]
            self.assertAlmostEqual(np.mean(sides), side, delta=0.6)
            self.assertEqual({layout.skin_type for layout in sampled}, {6})

    def test_boxes_are_inside_and_mostly_apart(self):
        overlapping = 0
        for layout in self._sampled("Acne"):
            for index, box in enumerate(layout.boxes):
                self.assertTrue(0 <= box.x0 < box.x1 <= _SIZE and 0 <= box.y0 < box.y1 <= _SIZE)
                for other in layout.boxes[:index]:
                    overlapping += layout_statistics._overlap(box, other)
        self.assertLess(overlapping, 10)

    def test_rare_conditions_borrow(self):
        self.assertEqual(set(self.statistics), set(taxonomy.CONDITIONS))
        few, none, pooled = (self.statistics[name] for name in ("Cyst", "Eczema", "Vitiligo"))
        self.assertEqual((few.layouts, none.layouts), (2, 0))
        self.assertEqual(none, pooled)
        self.assertEqual(few.log_side[1], none.log_side[1])
        self.assertNotEqual(few.log_side[0], none.log_side[0])

    def test_nothing_to_fit(self):
        with self.assertRaisesRegex(ValueError, "no layout with a box"):
            layout_statistics.fit([Layout("Acne", 1, ())], _SIZE)


if __name__ == "__main__":
    absltest.main()
