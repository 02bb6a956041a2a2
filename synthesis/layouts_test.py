import os

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from preprocessing.data import maps, records, taxonomy
from preprocessing.data.manifest import Box
from synthesis import layouts as map_sampler
from synthesis.layouts import Layout
from training import testing_data

_THREE = Layout("Acne", 4, (Box(1, 2, 9, 8), Box(20, 20, 30, 31), Box(0, 10, 4, 14)))


class VaryTest(parameterized.TestCase):
    @parameterized.parameters(range(20))
    def test_boxes_keep_their_sizes_and_stay_inside(self, seed):
        varied = map_sampler.vary(_THREE, 32, np.random.default_rng(seed))
        sizes = {(round(b.x1 - b.x0, 6), round(b.y1 - b.y0, 6)) for b in varied.boxes}
        self.assertContainsSubset(sizes, {(8, 6), (10, 11), (4, 4)})
        self.assertLen(sizes, len(varied.boxes))
        for box in varied.boxes:
            self.assertTrue(0 <= box.x0 < box.x1 <= 32 and 0 <= box.y0 < box.y1 <= 32, box)
        self.assertEqual((varied.condition, varied.skin_type), ("Acne", 4))

    def test_every_number_of_boxes_occurs(self):
        rng = np.random.default_rng(0)
        counts = {len(map_sampler.vary(_THREE, 32, rng).boxes) for _ in range(50)}
        self.assertEqual(counts, {1, 2, 3})

    def test_places_are_spread_over_the_frame(self):
        layout = Layout("Acne", 1, (Box(0, 0, 8, 8),))
        rng = np.random.default_rng(0)
        lefts = [map_sampler.vary(layout, 32, rng).boxes[0].x0 for _ in range(400)]
        self.assertAlmostEqual(np.mean(lefts), 12.0, delta=1.5)  # uniform in 0..24
        self.assertLess(min(lefts), 1.0)
        self.assertGreater(max(lefts), 23.0)

    def test_a_box_larger_than_the_frame_fills_it(self):
        varied = map_sampler.vary(
            Layout("Acne", 1, (Box(-5, 3, 40, 9),)), 32, np.random.default_rng(0)
        )
        self.assertEqual((varied.boxes[0].x0, varied.boxes[0].x1), (0, 32))


class SampleTest(absltest.TestCase):
    def test_sources_take_turns(self):
        sources = [Layout("Acne", t, (Box(0, 0, 4, 4),)) for t in (1, 2, 3)]
        sampled = map_sampler.sample(sources, 30, 32)
        counts = np.bincount([layout.skin_type for layout in sampled])
        self.assertEqual(counts.tolist(), [0, 10, 10, 10])

    def test_a_layout_depends_on_seed_and_index_alone(self):
        sources = [_THREE] * 5
        self.assertEqual(
            map_sampler.sample(sources, 4, 32, seed=1),
            map_sampler.sample(sources, 9, 32, seed=1)[:4],
        )
        self.assertNotEqual(
            map_sampler.sample(sources, 4, 32, seed=1), map_sampler.sample(sources, 4, 32, seed=2)
        )

    def test_drawn_maps_decode(self):
        layouts = map_sampler.sample([_THREE], 3, 32)
        for drawn in map_sampler.draw(layouts, 32):
            decoded = maps.decode(drawn)
            self.assertEqual(decoded.skin_type, 4)
            self.assertEqual(decoded.condition_code, taxonomy.code("Acne"))


class ReadTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        testing_data.write_dataset(self.folder)

    def test_layouts_draw_the_maps_of_the_records(self):
        layouts = map_sampler.read_layouts(self.folder, "validation")
        self.assertLen(layouts, 8)
        crops = map_sampler.read_crops(self.folder, "validation")
        for layout, parsed in zip(layouts, crops):
            stored = records.decode_png(parsed["map/encoded"]).numpy()
            np.testing.assert_array_equal(layout.draw(32), stored)

    def test_conditions_are_chosen(self):
        layouts = map_sampler.read_layouts(self.folder, "train", ["Melanoma"])
        self.assertEqual({layout.condition for layout in layouts}, {"Melanoma"})
        with self.assertRaisesRegex(ValueError, "no train crop of the wanted conditions"):
            map_sampler.read_layouts(self.folder, "train", ["Cyst"])

    def test_synthetic_images_are_refused_outside_training(self):
        record = records.Record(b"", b"map", 8, 8, (), "Acne", 1, "c", "p", "i", True, 5, "ab" * 32)
        for split in ("train", "test"):
            path = os.path.join(self.folder, "crops", f"{split}-00000-of-00002.tfrecord")
            with tf.io.TFRecordWriter(path) as writer:
                writer.write(records.serialize(record))
        parsed = next(map_sampler.read_crops(self.folder, "train"))
        self.assertEqual((int(parsed["synthetic"]), int(parsed["seed"])), (1, 5))
        self.assertEqual(parsed["generator/digest"].numpy(), b"ab" * 32)
        with self.assertRaisesRegex(ValueError, "test-00000.*: holds synthetic images; a test"):
            map_sampler.read_layouts(self.folder, "test")

    def test_corrupt_records_are_named(self):
        path = os.path.join(self.folder, "crops", "test-00001-of-00002.tfrecord")
        with open(path, "r+b") as file:
            file.truncate(os.path.getsize(path) - 9)
        with self.assertRaisesRegex(ValueError, "test-00001-of-00002.tfrecord: truncated"):
            map_sampler.read_layouts(self.folder, "test")


if __name__ == "__main__":
    absltest.main()
