import numpy as np
import tensorflow as tf
from absl.testing import absltest

from training import building
from training.configs import demo


class SettingsTest(absltest.TestCase):
    def test_learning_rate_is_constant_then_falls_to_zero(self):
        schedule = building.ConstantThenLinear(2e-4, total_steps=200, decay_start=0.5)
        rates = [float(schedule(step)) for step in (0, 99, 100, 150, 200, 300)]
        np.testing.assert_allclose(rates, [2e-4, 2e-4, 2e-4, 1e-4, 0, 0], atol=1e-10)
        constant = building.ConstantThenLinear(2e-4, total_steps=200, decay_start=1.0)
        self.assertAlmostEqual(float(constant(199)), 2e-4)

    def test_precision(self):
        self.assertIn(building.choose_precision("auto"), building.PRECISIONS[1:])
        self.assertEqual(building.choose_precision("mixed_float16"), "mixed_float16")
        with self.assertRaisesRegex(ValueError, "precision 'half' is not one of auto, float32"):
            building.choose_precision("half")

    def test_model_follows_the_config(self):
        config = demo.get_config()
        config.model.base_filters = config.discriminator.base_filters = 4
        model = building.build_model(config, 10, "mixed_float16")
        self.assertEqual(model.generator_config.level_noise, config.model.level_noise)
        self.assertIsNone(model.roi_discriminator)
        # Slots exist, so that a checkpoint can be restored at once.
        slots = model.generator_optimizer.inner_optimizer.variables
        self.assertGreater(len(slots), 2 * len(model.generator.trainable_variables))
        config.loss.roi_gan = 1.0
        self.assertIsNotNone(building.build_model(config, 10, "float32").roi_discriminator)

    def test_replicas_share_a_batch_equally(self):
        devices = ["CPU:0", "CPU:1", "CPU:2"]
        for batch_size, used in ((6, 3), (4, 2), (1, 1), (5, 1)):
            strategy = building.make_strategy(batch_size, devices)
            self.assertEqual(strategy.num_replicas_in_sync, used, batch_size)
        self.assertEqual(building.make_strategy(4, []).num_replicas_in_sync, 1)

    def test_xla_is_for_one_replica(self):
        config = demo.get_config()
        config.training.xla = True
        replicas = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        message = "training.xla compiles for a single GPU"
        with replicas.scope(), self.assertRaisesRegex(ValueError, message):
            building.build_model(config, 10, "float32")


if __name__ == "__main__":
    absltest.main()
