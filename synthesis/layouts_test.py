import numpy as np
from absl.testing import absltest, parameterized

from preprocessing.data import maps, records, taxonomy
from preprocessing.data.manifest import Box
from synthesis import layouts
from synthesis.layouts import Layout
from training import testing_data

_THREE = Layout("Acne", 4, (Box(1, 2, 9, 8), Box(20, 20, 30, 31), Box(0, 10, 4, 14)))


class VaryTest(parameterized.TestCase):
    @parameterized.parameters(range(20))
    def test_boxes_keep_their_sizes_and_stay_inside(self, seed):
        varied = layouts.vary(_THREE, 32, np.random.default_rng(seed))
        sizes = {(round(b.x1 - b.x0, 6), round(b.y1 - b.y0, 6)) for b in varied.boxes}
        self.assertContainsSubset(sizes, {(8, 6), (10, 11), (4, 4)})
        self.assertLen(sizes, len(varied.boxes))
        for box in varied.boxes:
            self.assertTrue(0 <= box.x0 < box.x1 <= 32 and 0 <= box.y0 < box.y1 <= 32, box)
        self.assertEqual((varied.condition, varied.skin_type), ("Acne", 4))

    def test_every_number_of_boxes_occurs(self):
        rng = np.random.default_rng(0)
        counts = {len(layouts.vary(_THREE, 32, rng).boxes) for _ in range(50)}
        self.assertEqual(counts, {1, 2, 3})

    def test_places_are_spread_over_the_frame(self):
        layout = Layout("Acne", 1, (Box(0, 0, 8, 8),))
        rng = np.random.default_rng(0)
        lefts = [layouts.vary(layout, 32, rng).boxes[0].x0 for _ in range(400)]
        self.assertAlmostEqual(np.mean(lefts), 12.0, delta=1.5)  # uniform in 0..24
        self.assertLess(min(lefts), 1.0)
        self.assertGreater(max(lefts), 23.0)

    def test_a_box_larger_than_the_frame_fills_it(self):
        varied = layouts.vary(Layout("Acne", 1, (Box(-5, 3, 40, 9),)), 32, np.random.default_rng(0))
        self.assertEqual((varied.boxes[0].x0, varied.boxes[0].x1), (0, 32))


class SampleTest(absltest.TestCase):
    def test_sources_take_turns(self):
        sources = [Layout("Acne", t, (Box(0, 0, 4, 4),)) for t in (1, 2, 3)]
        sampled = layouts.sample(sources, 30, 32)
        counts = np.bincount([layout.skin_type for layout in sampled])
        self.assertEqual(counts.tolist(), [0, 10, 10, 10])

    def test_a_layout_depends_on_seed_and_index_alone(self):
        sources = [_THREE] * 5
        self.assertEqual(
            layouts.sample(sources, 4, 32, seed=1),
            layouts.sample(sources, 9, 32, seed=1)[:4],
        )
        self.assertNotEqual(
            layouts.sample(sources, 4, 32, seed=1), layouts.sample(sources, 4, 32, seed=2)
        )

    def test_drawn_maps_decode(self):
        for drawn in layouts.draw(layouts.sample([_THREE], 3, 32), 32):
            decoded = maps.decode(drawn)
            self.assertEqual(decoded.skin_type, 4)
            self.assertEqual(decoded.condition_code, taxonomy.code("Acne"))


class ReadTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        testing_data.write_dataset(self.folder)

    def test_layouts_draw_the_maps_of_the_records(self):
        read = layouts.read_layouts(self.folder, "validation")
        self.assertLen(read, 8)
        for layout, record in zip(read, records.read(self.folder, "crops", "validation")):
            np.testing.assert_array_equal(layout.draw(32), record.semantic_map())

    def test_conditions_are_chosen(self):
        read = layouts.read_layouts(self.folder, "train", ["Melanoma"])
        self.assertEqual({layout.condition for layout in read}, {"Melanoma"})
        with self.assertRaisesRegex(ValueError, "no train crop of the wanted conditions"):
            layouts.read_layouts(self.folder, "train", ["Cyst"])


_SIZE = 64


def _plant(condition, side, number, count, rng):
    def box():
        width, height = rng.normal(side, 1.5, 2).clip(4, 60)
        x0, y0 = rng.uniform(0, _SIZE - width), rng.uniform(0, _SIZE - height)
        return Box(x0, y0, x0 + width, y0 + height)

    return [Layout(condition, 3, tuple(box() for _ in range(number))) for _ in range(count)]


class StatisticsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        planted = [
            *_plant("Acne", 10, 3, 60, rng),
            *_plant("Melanoma", 30, 1, 60, rng),
            *_plant("Cyst", 20, 1, 2, rng),
        ]
        self.statistics = layouts.fit_statistics(planted, _SIZE)

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
                    overlapping += layouts._overlap(box, other)
        self.assertLess(overlapping, 10)

    def test_rare_conditions_borrow(self):
        self.assertEqual(set(self.statistics), set(taxonomy.CONDITIONS))
        few, none, pooled = (self.statistics[name] for name in ("Cyst", "Eczema", "Vitiligo"))
        self.assertEqual((few.layouts, none.layouts), (2, 0))
        self.assertEqual(none, pooled)
        self.assertEqual(few.deviation, none.deviation)
        self.assertNotEqual(few.mean, none.mean)

    def test_nothing_to_fit(self):
        with self.assertRaisesRegex(ValueError, "no layout with a box"):
            layouts.fit_statistics([Layout("Acne", 1, ())], _SIZE)


if __name__ == "__main__":
    absltest.main()
