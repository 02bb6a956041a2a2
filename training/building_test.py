import numpy as np
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


if __name__ == "__main__":
    absltest.main()
