from absl.testing import absltest

from training import precision


class PrecisionTest(absltest.TestCase):
    def test_precision(self):
        self.assertIn(precision.choose_precision("auto"), precision.PRECISIONS[1:])
        self.assertEqual(precision.choose_precision("mixed_float16"), "mixed_float16")
        with self.assertRaisesRegex(ValueError, "precision 'half' is not one of auto, float32"):
            precision.choose_precision("half")

    def test_replicas_share_a_batch_equally(self):
        devices = ["CPU:0", "CPU:1", "CPU:2"]
        for batch_size, used in ((6, 3), (4, 2), (1, 1), (5, 1)):
            strategy = precision.make_strategy(batch_size, devices)
            self.assertEqual(strategy.num_replicas_in_sync, used, batch_size)
        self.assertEqual(precision.make_strategy(4, []).num_replicas_in_sync, 1)


if __name__ == "__main__":
    absltest.main()
