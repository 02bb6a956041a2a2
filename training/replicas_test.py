import numpy as np
import tensorflow as tf
from absl.testing import absltest

from model.images import to_float
from model.serving import Painter
from preprocessing.data import maps
from preprocessing.data.manifest import Box
from training import configurations, model_factory
from training.configs import demo

_SIZE = 32
_COMPARED = ("generator", "l1", "gan", "roi", "kl", "code", "moves_strength")


def setUpModule():
    # Two logical devices; only before TensorFlow starts.
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


def _config():
    config = demo.get_config()
    config.model.image_size = _SIZE
    config.model.base_filters = config.discriminator.base_filters = 4
    config.discriminator.scales = 1
    config.discriminator.moves = 0.6
    config.discriminator.moves_images = 1000
    config.encoder.base_filters = 2
    config.training.batch_size = 4
    return config


def _batch():
    drawn = np.stack([maps.encode(1 + i, i, [Box(6, 8, 20, 24)], _SIZE, _SIZE) for i in range(4)])
    images = np.repeat(255 - drawn[..., :1], 3, -1)
    images[:, 8:24, 6:20] //= 3
    return {"map": to_float(drawn), "image": to_float(images)}


class ReplicasTest(absltest.TestCase):
    def test_two_replicas_equal_one(self):
        data = tf.data.Dataset.from_tensors(_batch()).repeat()
        completed = configurations.complete(_config(), _SIZE)
        histories, images = [], []
        for strategy in (
            tf.distribute.get_strategy(),
            tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]),
        ):
            tf.keras.utils.set_random_seed(1)
            with strategy.scope():
                model = model_factory.build_model(completed, 10, "float32")
            history = model.fit(data, steps_per_epoch=1, epochs=4, verbose=0).history
            histories.append([history[name] for name in _COMPARED])
            drawn = maps.encode(2, 3, [Box(4, 4, 20, 20)], _SIZE, _SIZE)[None]
            images.append(Painter(model.ema_generator).paint(drawn, [1]).astype(int))
        self.assertEqual(strategy.num_replicas_in_sync, 2)
        np.testing.assert_allclose(histories[0], histories[1], rtol=0.02)
        self.assertLessEqual(np.abs(images[0] - images[1]).max(), 3)


if __name__ == "__main__":
    absltest.main()
