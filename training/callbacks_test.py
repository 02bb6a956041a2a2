import json
import os
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from training import callbacks


class SampleGridTest(absltest.TestCase):
    def test_places_triples_side_by_side(self):
        maps, images, generated = (np.full((5, 32, 32, 3), value, np.uint8) for value in (1, 2, 3))
        grid = callbacks.sample_grid(maps, images, generated, columns=2)
        self.assertEqual(grid.shape, (3 * 34 + 2, 6 * 34 + 2, 3))
        self.assertEqual([grid[10, 10 + 34 * i, 0] for i in range(6)], [1, 2, 3, 1, 2, 3])
        self.assertEqual(grid[80, 150, 0], 255)  # the sixth place is empty
        self.assertEqual(grid[0, 0, 0], 255)


class CheckFiniteTest(absltest.TestCase):
    def test_names_step_and_values(self):
        callbacks.check_finite(3, {"l1": 0.5})
        with self.assertRaisesRegex(
            callbacks.DivergenceError, "before step 7: l1 = nan, gan = inf"
        ):
            callbacks.check_finite(7, {"l1": float("nan"), "roi": 1.0, "gan": float("inf")})


class MetricsLoggerTest(absltest.TestCase):
    def test_resuming_drops_later_and_broken_lines(self):
        folder = self.create_tempdir().full_path
        path = pathlib.Path(folder, "metrics.jsonl")
        lines = [json.dumps({"step": step}) for step in (10, 20, 30)] + ['{"step": 3']
        path.write_text("\n".join(lines))
        logger = callbacks.MetricsLogger(
            folder, tf.summary.create_file_writer(folder), every=10, total_steps=100, batch_size=1
        )

        class Model:
            class generator_optimizer:  # noqa: N801
                iterations = tf.Variable(20)

        logger.set_model(Model())
        logger.on_train_begin()
        logger.close()
        steps = [json.loads(line)["step"] for line in path.read_text().splitlines()]
        self.assertEqual(steps, [10, 20])
        self.assertFalse(os.path.exists(os.path.join(folder, "metrics.tmp")))


if __name__ == "__main__":
    absltest.main()
