import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from model import layers
from preprocessing.data import maps, taxonomy
from preprocessing.data.manifest import Box


def _map(skin_type, code, boxes=((4, 4, 12, 12),), size=16):
    drawn = maps.encode(skin_type, code, [Box(*box) for box in boxes], size, size)
    return drawn.astype(np.float32)[None] / 127.5 - 1


class ResizeConv2DTest(parameterized.TestCase):
    def _pair(self, kernel_size, shape, filters, dtype="float32"):
        fast = layers.ResizeConv2D(filters, kernel_size, "fast", use_bias=True, dtype=dtype)
        plain = layers.ResizeConv2D(filters, kernel_size, "plain", use_bias=True, dtype=dtype)
        for layer in (fast, plain):
            layer.build(tf.TensorShape(shape))
        kernel = np.random.default_rng(0).normal(size=fast.kernel.shape)
        for layer in (fast, plain):
            layer.kernel.assign(kernel)
            layer.bias.assign(np.arange(filters))
        return fast, plain

    @parameterized.product(kernel_size=(3, 4), shape=((2, 8, 8, 5), (1, 16, 12, 3), (2, 4, 4, 3)))
    def test_fast_equals_plain(self, kernel_size, shape):
        fast, plain = self._pair(kernel_size, shape, filters=7)
        inputs = tf.constant(np.random.default_rng(1).normal(size=shape), tf.float32)
        outputs, gradients = [], []
        for layer in (fast, plain):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                output = layer(inputs)
                loss = tf.reduce_sum(tf.sin(output))
            outputs.append(output)
            gradients.append(tape.gradient(loss, [inputs, layer.kernel, layer.bias]))
        self.assertEqual(outputs[0].shape, (shape[0], 2 * shape[1], 2 * shape[2], 7))
        np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-4, atol=1e-4)
        for one, other in zip(*gradients):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)

    def test_equals_keras_upsampling_and_convolution(self):
        _, plain = self._pair(3, (1, 8, 8, 2), filters=4)
        inputs = tf.random.stateless_normal((1, 8, 8, 2), (0, 1))
        upsampled = tf.keras.layers.UpSampling2D(2)(inputs)
        kernel = tf.transpose(plain.kernel, [0, 1, 3, 2])
        expected = tf.nn.conv2d(upsampled, kernel, 1, "SAME") + plain.bias
        np.testing.assert_allclose(plain(inputs), expected, rtol=1e-5, atol=1e-5)

    def test_a_constant_image_gives_no_checkerboard(self):
        fast, _ = self._pair(3, (1, 16, 16, 1), filters=1)
        inner = fast(tf.ones((1, 16, 16, 1))).numpy()[0, 2:-2, 2:-2, 0]
        np.testing.assert_allclose(inner, inner[0, 0], rtol=1e-5)
        deconvolution = layers.upsample(1, 3, "deconvolution")
        checkered = deconvolution(tf.ones((1, 16, 16, 1))).numpy()[0, 2:-2, 2:-2, 0]
        self.assertGreater(checkered.std(), 1e-3)

    def test_reduced_precision_is_close(self):
        fast, plain = self._pair(3, (1, 8, 8, 4), filters=4, dtype="mixed_bfloat16")
        inputs = tf.random.stateless_normal((1, 8, 8, 4), (0, 1))
        self.assertEqual(fast(inputs).dtype, tf.bfloat16)
        scale = np.abs(plain(inputs).numpy().astype(np.float32)).max()
        difference = tf.cast(fast(inputs), tf.float32) - tf.cast(plain(inputs), tf.float32)
        self.assertLess(float(tf.reduce_max(tf.abs(difference))), 0.03 * scale)

    def test_unknown_method(self):
        with self.assertRaisesRegex(ValueError, "upsampling 'bilinear' is not one of fast"):
            layers.upsample(3, 3, "bilinear")
        with self.assertRaisesRegex(ValueError, "method 'slow'"):
            layers.ResizeConv2D(3, 3, "slow")

    def test_initializer_statistics(self):
        layer = layers.ResizeConv2D(64, 3)
        layer.build(tf.TensorShape((1, 8, 8, 64)))
        kernel = layer.kernel.numpy()
        self.assertAlmostEqual(kernel.std(), 0.02, delta=0.001)
        self.assertAlmostEqual(kernel.mean(), 0.0, delta=0.001)


class NormalizationTest(parameterized.TestCase):
    @parameterized.parameters("float32", "mixed_bfloat16")
    def test_instance_statistics(self, dtype):
        inputs = 3 + 5 * tf.random.stateless_normal((2, 16, 16, 4), (0, 1))
        outputs = layers.normalization("instance", dtype=dtype)(inputs).numpy()
        np.testing.assert_allclose(outputs.mean((1, 2)), 0, atol=1e-4)
        np.testing.assert_allclose(outputs.std((1, 2)), 1, atol=1e-3)

    def test_batch_and_none(self):
        inputs = 3 + 5 * tf.random.stateless_normal((2, 16, 16, 4), (0, 1))
        outputs = layers.normalization("batch")(inputs, training=True).numpy()
        np.testing.assert_allclose(outputs.mean((0, 1, 2)), 0, atol=1e-4)
        np.testing.assert_array_equal(layers.normalization("none")(inputs), inputs)

    def test_unknown_kind(self):
        with self.assertRaisesRegex(ValueError, "normalization 'layer' is not one of instance"):
            layers.normalization("layer")


class SpectralNormTest(absltest.TestCase):
    def test_largest_singular_value_tends_to_one(self):
        layer = layers.convolution(8, 1, spectral_norm=True, name="c")
        inputs = tf.random.stateless_normal((1, 8, 8, 4), (0, 1))
        for _ in range(30):
            layer(inputs, training=True)
        matrix = layer.w.numpy().reshape(-1, 8)
        self.assertAlmostEqual(np.linalg.svd(matrix, compute_uv=False)[0], 1.0, delta=0.05)


class MapEmbeddingTest(absltest.TestCase):
    def test_every_meaning_has_its_own_vector(self):
        layer = layers.MapEmbedding(channels=8)
        seen = set()
        for skin_type in taxonomy.FITZPATRICK_TYPES:
            for code in range(len(taxonomy.CONDITIONS)):
                outputs = layer(_map(skin_type, code)).numpy()[0]
                self.assertEqual(outputs.shape, (16, 16, 9))
                around, inside = outputs[0, 0], outputs[8, 8]
                np.testing.assert_allclose(around[:8], layer.skin_types[skin_type - 1])
                expected = layer.skin_types[skin_type - 1] + layer.conditions[code]
                np.testing.assert_allclose(inside[:8], expected, rtol=1e-5)
                self.assertEqual((around[8], inside[8]), (0, 1))
                seen.add(tuple(np.round(inside, 4)))
        self.assertLen(seen, 6 * 27)

    def test_more_conditions_and_an_unknown_skin_type(self):
        layer = layers.MapEmbedding(channels=4, num_conditions=36)
        outputs = layer(_map(0, 35)).numpy()[0]
        np.testing.assert_array_equal(outputs[0, 0, :4], 0)
        np.testing.assert_allclose(outputs[8, 8, :4], layer.conditions[35])

    def test_map_without_roi(self):
        layer = layers.MapEmbedding(channels=4)
        outputs = layer(_map(3, 5, boxes=())).numpy()[0]
        np.testing.assert_allclose(outputs[..., :4] - layer.skin_types[2].numpy(), 0, atol=1e-6)
        self.assertEqual(outputs[..., 4].max(), 0)

    def test_reads_codes_exactly_in_reduced_precision(self):
        layer = layers.MapEmbedding(channels=4, dtype="mixed_bfloat16")
        for code in range(len(taxonomy.CONDITIONS)):
            inside = layer(_map(6, code)).numpy()[0, 8, 8, :4].astype(np.float32)
            expected = layer.skin_types.numpy()[5] + layer.conditions.numpy()[code]
            np.testing.assert_allclose(inside, expected, atol=0.05)

    def test_gradients_reach_the_vectors_in_use_only(self):
        layer = layers.MapEmbedding(channels=4)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(_map(2, 7)))
        types, conditions = tape.gradient(loss, [layer.skin_types, layer.conditions])
        np.testing.assert_array_equal(np.flatnonzero(types.numpy().any(1)), [1])
        np.testing.assert_array_equal(np.flatnonzero(conditions.numpy().any(1)), [7])


class DropoutTest(absltest.TestCase):
    def test_keeps_and_scales_where_noise_is_high(self):
        layer = layers.Dropout(0.25)
        noise = tf.constant([[0.0, 0.2499, 0.25, 0.9]])
        np.testing.assert_allclose(layer([tf.ones((1, 4)), noise]), [[0, 0, 4 / 3, 4 / 3]])


if __name__ == "__main__":
    absltest.main()
