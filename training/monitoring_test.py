import json
import pathlib
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from training import monitoring, testing_data


class SampleGridTest(absltest.TestCase):
    def test_places_triples_side_by_side(self):
        maps, images, generated = (np.full((5, 32, 32, 3), value, np.uint8) for value in (1, 2, 3))
        grid = monitoring.sample_grid(maps, images, generated, columns=2)
        self.assertEqual(grid.shape, (3 * 34 + 2, 6 * 34 + 2, 3))
        self.assertEqual([grid[10, 10 + 34 * i, 0] for i in range(6)], [1, 2, 3, 1, 2, 3])
        self.assertEqual(grid[80, 150, 0], 255)  # the sixth place is empty
        self.assertEqual(grid[0, 0, 0], 255)


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
