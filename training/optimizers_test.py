import numpy as np
import tensorflow as tf
from absl.testing import absltest

from training import optimizers
from training.configs import demo


class ConstantThenLinearTest(absltest.TestCase):
    def test_is_constant_then_falls_to_zero(self):
        schedule = optimizers.ConstantThenLinear(2e-4, total_steps=200, decay_start=0.5)
        rates = [float(schedule(step)) for step in (0, 99, 100, 150, 200, 300)]
        np.testing.assert_allclose(rates, [2e-4, 2e-4, 2e-4, 1e-4, 0, 0], atol=1e-10)
        constant = optimizers.ConstantThenLinear(2e-4, total_steps=200, decay_start=1.0)
        self.assertAlmostEqual(float(constant(199)), 2e-4)

    def test_its_end_can_be_a_variable(self):
        end = tf.Variable(100, dtype=tf.int64)
        schedule = optimizers.ConstantThenLinear(2e-4, end, 0.5)
        self.assertAlmostEqual(float(schedule(75)), 1e-4)
        end.assign(200)
        self.assertAlmostEqual(float(schedule(75)), 2e-4)
        self.assertEqual(schedule.get_config()["total_steps"], 200)

    def test_configuration_makes_the_same_schedule(self):
        schedule = optimizers.ConstantThenLinear(2e-4, 200, 0.5)
        stored = tf.keras.optimizers.schedules.serialize(schedule)
        again = tf.keras.optimizers.schedules.deserialize(stored)
        self.assertEqual(again.get_config(), schedule.get_config())
        adam = optimizers.build_adam(2e-4, demo.get_config(), 200, "float32")
        again = tf.keras.optimizers.deserialize(tf.keras.optimizers.serialize(adam))
        self.assertEqual(again.get_config(), adam.get_config())


if __name__ == "__main__":
    absltest.main()
