import numpy as np
import tensorflow as tf
from absl.testing import absltest

from model.encoder import RegionMeans, build_encoder
from preprocessing.data import maps
from preprocessing.data.manifest import Box

_SIZE = 16


def _map(*boxes):
    drawn = maps.encode(2, 3, [Box(*box) for box in boxes], _SIZE, _SIZE)
    return drawn.astype(np.float32)[None] / 127.5 - 1


class EncoderTest(absltest.TestCase):
    def test_reads_skin_and_lesion_apart(self):
        tf.keras.utils.set_random_seed(0)
        encoder = build_encoder(_SIZE, code_size=6, lesion_code_size=2, base_filters=4)
        semantic_map = _map((4, 4, 8, 8))
        image = np.random.default_rng(0).uniform(-1, 1, (1, _SIZE, _SIZE, 3)).astype("f")
        mean, log_variance = encoder([semantic_map, image])
        self.assertEqual((mean.shape, log_variance.shape), ((1, 6), (1, 6)))
        self.assertEqual(mean.dtype, tf.float32)
        darker = image.copy()
        darker[:, 4:8, 4:8] -= 1.0
        changed = np.abs(encoder([semantic_map, darker])[0] - mean)[0]
        self.assertGreater(changed[4:].min(), 0.0)

    def test_without_boxes_there_is_a_code(self):
        encoder = build_encoder(_SIZE, code_size=4, lesion_code_size=4, base_filters=2)
        mean, log_variance = encoder([_map(), np.ones((1, _SIZE, _SIZE, 3), "f")])
        self.assertTrue(np.all(np.isfinite(mean)) and np.all(np.isfinite(log_variance)))

    def test_variance_is_bounded(self):
        encoder = build_encoder(_SIZE, code_size=4, base_filters=2)
        _, log_variance = encoder([_map((0, 0, 9, 9)), np.full((1, _SIZE, _SIZE, 3), 1e6, "f")])
        self.assertBetween(np.abs(log_variance).max(), 0.0, 8.0)


class RegionMeansTest(absltest.TestCase):
    def test_means(self):
        x = np.zeros((1, 2, 2, 1), "f")
        x[0, 0, 0], x[0, 1, 1] = 6.0, 3.0
        roi = np.zeros((1, 4, 4, 1), "f")
        roi[0, :2, :2] = 1.0  # the first of the four activations
        around, inside = RegionMeans()([x, roi])
        np.testing.assert_allclose(around, [[1.0, 2.25]], rtol=1e-6)
        np.testing.assert_allclose(inside, [[6.0, 1.0]], rtol=1e-6)


if __name__ == "__main__":
    absltest.main()
