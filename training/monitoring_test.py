import json
import pathlib
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from PIL import ImageFont

from preprocessing.data import maps
from preprocessing.data.manifest import Box
from training import monitoring, testing_data


class SampleGridTest(absltest.TestCase):
    def test_places_triples_side_by_side(self):
        images, generated = (np.full((5, 32, 32, 3), value, np.uint8) for value in (2, 3))
        drawn = np.stack([maps.encode(n % 7, 12, [Box(4, 4, 9, 9)], 32, 32) for n in range(5)])
        grid = monitoring.sample_grid(drawn, images, generated, columns=2)
        line = 26  # twice, of 13 pixels: "photog raph", "Melanoma, type unknown"
        self.assertEqual(grid.shape, (line + 3 * (34 + line) + 2, 6 * 34 + 2, 3))
        row = grid[line + 10, [10 + 34 * part for part in (1, 2, 4, 5)], 0]
        self.assertEqual(row.tolist(), [2, 3, 2, 3])
        np.testing.assert_array_equal(grid[line + 2 : line + 34, 2:34], drawn[0])
        self.assertEqual(grid[line + 2 * (34 + line) + 12, 150, 0], 255)  # the sixth is empty
        for text in (grid[:line, 2:100], grid[line + 34 : line + 34 + line, 2:100]):
            self.assertLess(text.min(), 60)  # headings and captions are there

    def test_no_caption_is_cut(self):
        name = "Post Inflammatory Hyperpigmentation, type 4"
        lines = monitoring._lines(name, 196)
        self.assertEqual(lines, ["Post Inflammatory Hyperpigmentation,", "type 4"])
        for line in monitoring._lines(name, 40):
            self.assertLessEqual(ImageFont.load_default().getlength(line), 40)
        whole = "".join(monitoring._lines(name, 40))
        self.assertEqual(whole.replace(" ", ""), name.replace(" ", ""))

    def test_captions(self):
        drawn = maps.encode(0, 12, [Box(4, 4, 9, 9)], 32, 32)
        self.assertEqual(monitoring._caption(drawn), "Melanoma, type unknown")
        self.assertEqual(monitoring._caption(maps.encode(3, 0, [], 32, 32)), "no box, type 3")


class CheckFiniteTest(absltest.TestCase):
    def test_names_step_and_values(self):
        numbers = monitoring.check_finite(3, {"l1": tf.constant(0.5)})
        self.assertEqual(numbers, {"l1": 0.5})
        with self.assertRaisesRegex(
            monitoring.DivergenceError, "before step 7: l1 = nan, gan = inf"
        ):
            monitoring.check_finite(7, {"l1": float("nan"), "roi": 1.0, "gan": float("inf")})


class MetricsLogTest(absltest.TestCase):
    def test_resuming_drops_later_and_broken_lines(self):
        folder = self.create_tempdir().full_path
        path = pathlib.Path(folder, "metrics.jsonl")
        lines = [json.dumps({"step": step}) for step in (10, 20, 30)] + ['{"step": 3']
        path.write_text("\n".join(lines))
        training = testing_data.small_config(log_every=10).training
        writer = tf.summary.create_file_writer(folder)
        model = mock.Mock(step=20)
        monitoring.MetricsLog(folder, writer, model, training, total_steps=100).close()
        steps = [json.loads(line)["step"] for line in path.read_text().splitlines()]
        self.assertEqual(steps, [10, 20])


if __name__ == "__main__":
    absltest.main()
