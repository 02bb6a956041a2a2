import tensorflow as tf
from absl.testing import absltest

from training import configurations, model_factory
from training.configs import demo


class BuildModelTest(absltest.TestCase):
    def test_model_follows_the_config(self):
        config = demo.get_config()
        config.model.base_filters = config.discriminator.base_filters = 4
        model = model_factory.build_model(configurations.complete(config, 64), 10, "mixed_float16")
        self.assertEqual(model.generator.input_shape["pixel_noise"][-1], config.model.pixel_noise)
        names = [network.name for network in model.discriminators["image"]]
        self.assertEqual(names, ["discriminator", "discriminator_32", "discriminator_16"])
        self.assertEqual(list(model.discriminators), ["image"])
        # Slots exist, so that a checkpoint can be restored at once.
        slots = model.generator_optimizer.inner_optimizer.variables
        self.assertGreater(len(slots), 2 * len(model.generator.trainable_variables))
        config.loss.roi_gan = 1.0
        config.discriminator.scales = 1
        completed = configurations.complete(config, 64)
        with_roi = model_factory.build_model(completed, 10, "float32", num_conditions=5)
        (network,) = with_roi.discriminators["roi"]
        self.assertNotIn("detail", [layer.name for layer in network.layers])
        self.assertEqual(network.get_layer("map_embedding").conditions.shape[0], 5)
        self.assertEqual(with_roi.generator.get_layer("styles").conditions.shape[0], 5)

    def test_xla_is_for_one_replica(self):
        config = demo.get_config()
        config.training.xla = True
        replicas = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        message = "training.xla compiles for a single GPU"
        with replicas.scope(), self.assertRaisesRegex(ValueError, message):
            model_factory.build_model(configurations.complete(config, 64), 10, "float32")


if __name__ == "__main__":
    absltest.main()
