import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from model.discriminator import (
    DiscriminatorConfig,
    build_discriminator,
    build_discriminators,
    judge,
)


def _pair(size, batch=1):
    return [tf.random.stateless_normal((batch, size, size, 3), (0, n)) for n in (1, 2)]


class DiscriminatorTest(parameterized.TestCase):
    def test_shapes_of_pix2pix(self):
        network = build_discriminator(DiscriminatorConfig(), 256)
        logits, features = network.output_shape
        self.assertEqual(logits, (None, 30, 30, 1))
        self.assertEqual(features, (None, 31, 31, 512))
        # 4*4*(6*64 + 64*128 + 128*256 + 256*512 + 512) + biases 64 + 1
        # + instance normalization 2 * (128 + 256 + 512)
        kernels = 16 * (6 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512)
        self.assertEqual(network.count_params(), kernels + 65 + 2 * (128 + 256 + 512))

    def test_patch_is_70_pixels_wide(self):
        config = DiscriminatorConfig(base_filters=2, normalization="none")
        network = build_discriminator(config, 256)
        semantic_map, image = _pair(256)
        with tf.GradientTape() as tape:
            tape.watch(image)
            logit = network([semantic_map, image])[0][0, 15, 15, 0]
        touched = np.abs(tape.gradient(logit, image)[0]).sum(-1) > 0
        self.assertEqual(np.ptp(np.flatnonzero(touched.any(0))) + 1, 70)
        self.assertEqual(np.ptp(np.flatnonzero(touched.any(1))) + 1, 70)

    @parameterized.parameters(32, 64, 512)
    def test_other_sizes(self, size):
        network = build_discriminator(DiscriminatorConfig(base_filters=2), size)
        logits, _ = network(_pair(size))
        self.assertEqual(logits.shape[1], size // 8 - 2)

    def test_features_before_and_after_activation(self):
        size, weights, features = 32, None, {}
        for kind in ("convolution", "activation"):
            network = build_discriminator(DiscriminatorConfig(base_filters=4, features=kind), size)
            weights = weights or network.get_weights()
            network.set_weights(weights)
            features[kind] = network(_pair(size))[1]
        normalize = network.get_layer("block_4_norm")
        expected = tf.nn.leaky_relu(normalize(features["convolution"]), 0.2)
        np.testing.assert_allclose(features["activation"], expected, atol=1e-5)

    @parameterized.parameters(
        {"normalization": "batch"},
        {"spectral_norm": True},
        {"map_encoding": "embedding"},
        {"detail": 20.0},
    )
    def test_all_gradients_are_finite(self, **kwargs):
        network = build_discriminator(DiscriminatorConfig(base_filters=4, **kwargs), 32)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(network(_pair(32, batch=2), training=True)[0]))
        for gradient in tape.gradient(loss, network.trainable_weights):
            self.assertTrue(np.isfinite(gradient).all())

    def test_sees_map_and_image(self):
        network = build_discriminator(DiscriminatorConfig(base_filters=4), 32)
        semantic_map, image = _pair(32)
        logits = network([semantic_map, image])[0]
        for changed in ([-semantic_map, image], [semantic_map, -image]):
            self.assertGreater(np.abs(network(changed)[0] - logits).max(), 1e-6)

    @parameterized.parameters(("normal", 0.02), ("he", np.sqrt(2 / (16 * 64))))
    def test_initialization(self, kind, stddev):
        config = DiscriminatorConfig(initialization=kind)
        (kernel,) = build_discriminator(config, 32).get_layer("block_2").get_weights()
        self.assertAlmostEqual(kernel.std() / stddev, 1, delta=0.02)

    def test_detail_is_the_image_without_its_local_mean(self):
        network = build_discriminator(DiscriminatorConfig(base_filters=4, detail=20.0), 32)
        detail = tf.keras.Model(network.inputs, network.get_layer("detail").output)
        semantic_map, image = _pair(32)
        pixels = image.numpy()[0]
        expected = 20 * (pixels[5, 7] - pixels[4:7, 6:9].mean((0, 1)))
        np.testing.assert_allclose(detail([semantic_map, image])[0, 5, 7], expected, atol=1e-4)
        # At the edge, the mean of what there is: skin of one tone has no detail anywhere.
        flat = tf.fill((1, 32, 32, 3), 0.6)
        np.testing.assert_allclose(detail([semantic_map, flat]), 0, atol=1e-5)
        self.assertEqual(detail.output.dtype, tf.float32)

    def test_detail_of_fine_texture_survives_bfloat16(self):
        settings = DiscriminatorConfig(base_filters=4, detail=20.0)
        network = build_discriminator(settings, 32, "mixed_bfloat16")
        read = tf.keras.Model(network.inputs, network.get_layer("input").output)
        texture = 0.03 * tf.random.stateless_normal((1, 32, 32, 3), (0, 1))
        semantic_map, _ = _pair(32)
        seen = tf.cast(read([semantic_map, 0.6 + texture]), tf.float32)[..., -3:]
        exact = 20 * (texture - tf.nn.avg_pool2d(texture, 3, 1, "SAME"))
        error = tf.math.reduce_std(seen - exact) / tf.math.reduce_std(exact)
        self.assertLess(float(error), 0.01)

    def test_bad_settings(self):
        with self.assertRaisesRegex(ValueError, "initialization 'x' is not one of normal, he"):
            DiscriminatorConfig(initialization="x")
        with self.assertRaisesRegex(ValueError, "detail -1 is negative"):
            DiscriminatorConfig(detail=-1)
        with self.assertRaisesRegex(ValueError, "features 'logits' is not one of convolution"):
            DiscriminatorConfig(features="logits")
        with self.assertRaisesRegex(ValueError, "map_encoding 'x'"):
            DiscriminatorConfig(map_encoding="x")
        with self.assertRaisesRegex(ValueError, "16x16 are too small .* of 3 downsamplings"):
            build_discriminator(DiscriminatorConfig(), 16)
        with self.assertRaisesRegex(ValueError, "discriminator scales 0 is not positive"):
            build_discriminators(DiscriminatorConfig(), 256, scales=0)


class JudgeTest(absltest.TestCase):
    def test_each_network_sees_half_the_resolution_of_the_one_before(self):
        tf.keras.utils.set_random_seed(0)
        settings = DiscriminatorConfig(base_filters=4, downsamplings=1, normalization="none")
        networks = build_discriminators(settings, 16, scales=2)
        self.assertEqual([one.name for one in networks], ["discriminator", "discriminator_8"])
        drawn = np.random.default_rng(0).choice([-1.0, 1.0], (2, 16, 16, 3)).astype(np.float32)
        image, generated = np.random.default_rng(1).uniform(-1, 1, (2, 2, 16, 16, 3)).astype("f")
        fine, coarse = judge(networks, drawn, image, generated, training=False)

        def halved(pixels):
            return pixels.reshape(2, 8, 2, 8, 2, 3).mean((2, 4))

        for judged, network, pictures in (
            (fine, networks[0], (drawn, image, generated)),
            # Codes stay codes: a mean of two of them is another's.
            (coarse, networks[1], (drawn[:, ::2, ::2], halved(image), halved(generated))),
        ):
            for real, (logits, features) in (
                (pictures[1], (judged.real_logits, judged.real_features)),
                (pictures[2], (judged.fake_logits, judged.fake_features)),
            ):
                expected = network([pictures[0], real], training=False)
                np.testing.assert_allclose(logits, expected[0], atol=1e-5)
                np.testing.assert_allclose(features, expected[1], atol=1e-5)


if __name__ == "__main__":
    absltest.main()
