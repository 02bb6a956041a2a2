import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from model import sampling
from model.generator import GeneratorConfig, build_generator, noise_shapes
from preprocessing.data.maps import IMAGE_SIZES

_NOISY = {"global_noise": 5, "pixel_noise": 2, "level_noise": 3, "dropout": 0.5}
_RICH = {
    **_NOISY,
    "modulation": 6,
    "largest_skip": 8,
    "roi_side": 8,
    "output_filters": 4,
    "activation_limit": 4.0,
}


def _inputs(network, batch=2, seed=0):
    maps = tf.random.stateless_uniform((batch, *network.input_shape["map"][1:]), (0, 1))
    seeds = tf.range(seed, seed + batch, dtype=tf.int64)
    return {"map": 2 * maps - 1, **sampling.seeded_noise(network, seeds)}


class GeneratorTest(parameterized.TestCase):
    @parameterized.product(image_size=IMAGE_SIZES, normalization=("instance", "batch"))
    def test_shape_and_range_of_every_size(self, image_size, normalization):
        config = GeneratorConfig(image_size, base_filters=2, normalization=normalization, **_NOISY)
        network = build_generator(config)
        image = network(_inputs(network, batch=1), training=True)
        self.assertEqual(image.shape, (1, image_size, image_size, 3))
        self.assertEqual(image.dtype, tf.float32)
        self.assertLessEqual(np.abs(image).max(), 1)

    def test_parameter_count_of_pix2pix(self):
        # Encoder 4*4*(3*64 + 64*128 + 128*256 + 256*512 + 4*512*512) + biases 64 + 512,
        # decoder 4*4*(512*512 + 3*1024*512 + 1024*256 + 512*128 + 256*64 + 128*3) + 3,
        # normalization 2 each of encoder 128 256 512x4 and decoder 512x4 256 128 64.
        encoder = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 4 * 512 * 512) + 64 + 512
        decoder = 16 * (512 * 512 + 3 * 1024 * 512 + 1024 * 256 + 512 * 128 + 256 * 64 + 128 * 3)
        norms = 2 * ((128 + 256 + 4 * 512) + (4 * 512 + 256 + 128 + 64))
        config = GeneratorConfig(256, upsampling="deconvolution", upsampling_kernel=4)
        network = build_generator(config)
        self.assertEqual(network.count_params(), encoder + decoder + 3 + norms)

    def test_resize_convolution_of_pix2pix_width_has_44_percent_smaller_decoder(self):
        def decoder_size(**kwargs):
            network = build_generator(GeneratorConfig(64, base_filters=8, **kwargs))
            kernels = [
                w for w in network.trainable_weights if "decoder" in w.name and len(w.shape) == 4
            ]
            return sum(np.prod(w.shape) for w in kernels)

        ratio = decoder_size() / decoder_size(upsampling="deconvolution", upsampling_kernel=4)
        self.assertAlmostEqual(ratio, 9 / 16)

    def test_fast_and_plain_are_one_function(self):
        maps = None
        outputs = []
        for method in ("fast", "plain"):
            config = GeneratorConfig(32, base_filters=4, upsampling=method, **_NOISY)
            network = build_generator(config)
            if maps is None:
                weights, maps = network.get_weights(), _inputs(network)
            network.set_weights(weights)
            outputs.append(network(maps, training=True))
        np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-4)

    def test_eager_equals_graph(self):
        config = GeneratorConfig(32, base_filters=4, **_NOISY)
        network = build_generator(config)
        inputs = _inputs(network)
        graph = tf.function(lambda x: network(x, training=False))
        np.testing.assert_allclose(network(inputs, training=False), graph(inputs), atol=1e-5)

    def test_output_level_draws_what_upsampling_cannot(self):
        # The last layer of pix2pix upsamples: where its input is constant over the
        # image, each pixel of a 2x2 block is the same everywhere.
        config = GeneratorConfig(32, 4, normalization="none", output_filters=4, level_noise=1)
        network = build_generator(config)
        inputs = _inputs(network)
        name = "level_noise_32"
        self.assertEqual(inputs[name].shape, (2, 32, 32, 1))
        changed = {**inputs, name: inputs[name] + tf.one_hot([5], 32)[..., None, None]}
        rows = np.abs(network(changed) - network(inputs)).max((0, 2, 3)) > 0
        np.testing.assert_array_equal(np.flatnonzero(rows), [4, 5, 6])  # one 3x3 convolution

    def test_large_skips_are_left_out(self):
        def channels(largest_skip):
            network = build_generator(GeneratorConfig(32, 4, largest_skip=largest_skip))
            return {
                layer.output_shape[1]: layer.output_shape[-1]
                for layer in network.layers
                if layer.name.endswith("_skip")
            }

        self.assertEqual(channels(0), channels(16))
        cut, whole = channels(4), channels(0)
        self.assertEqual({side for side in whole if whole[side] != cut.get(side, 0)}, {8, 16})

    def test_paper_form_has_no_noise_but_dropout(self):
        self.assertEqual(
            set(noise_shapes(GeneratorConfig(256))), {"dropout_2", "dropout_4", "dropout_8"}
        )
        self.assertEmpty(noise_shapes(GeneratorConfig(256, dropout=0.0)))

    def test_noise_changes_the_image_and_is_repeatable(self):
        config = GeneratorConfig(32, base_filters=4, normalization="none", **_NOISY)
        network = build_generator(config)
        first, again, other = (_inputs(network, seed=seed) for seed in (0, 0, 7))
        np.testing.assert_array_equal(network(first), network(again))
        self.assertGreater(np.abs(network(first) - network(other)).max(), 0)

    @parameterized.parameters("float32", "mixed_bfloat16")
    def test_all_gradients_are_finite(self, dtype):
        config = GeneratorConfig(32, base_filters=4, map_encoding="embedding", **_RICH)
        network = build_generator(config, dtype)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(network(_inputs(network), training=True)))
        for weight, gradient in zip(
            network.trainable_weights, tape.gradient(loss, network.trainable_weights)
        ):
            self.assertIsNotNone(gradient, weight.name)
            self.assertTrue(np.isfinite(gradient).all(), weight.name)

    def test_activations_are_limited(self):
        settings = {**_RICH, "activation_limit": 0.0}
        free = build_generator(GeneratorConfig(32, base_filters=4, **settings))
        settings["activation_limit"] = 0.5
        config = GeneratorConfig(32, base_filters=4, **settings)
        limited = build_generator(config)
        limited.set_weights(free.get_weights())  # the same weights fit both
        inputs = _inputs(limited)
        names = [f"decoder_{level}_limit" for level in config.decoder_levels]
        inside = tf.keras.Model(limited.inputs, [limited.get_layer(name).output for name in names])
        for value in inside(inputs):
            self.assertLessEqual(float(tf.reduce_max(tf.abs(value))), 0.5)
        self.assertGreater(np.abs(limited(inputs) - free(inputs)).max(), 0)
        settings["activation_limit"] = 1e6
        unlimited = build_generator(GeneratorConfig(32, base_filters=4, **settings))
        unlimited.set_weights(free.get_weights())
        np.testing.assert_array_equal(unlimited(inputs), free(inputs))

    def test_bad_settings(self):
        with self.assertRaisesRegex(ValueError, "image_size 100 is not one of"):
            GeneratorConfig(100)
        with self.assertRaisesRegex(ValueError, "map_encoding 'hsv' is not one of rgb, embedding"):
            GeneratorConfig(map_encoding="hsv")
        with self.assertRaisesRegex(ValueError, "roi_side 20 does not divide 64"):
            GeneratorConfig(64, modulation=8, roi_side=20)
        with self.assertRaisesRegex(ValueError, "roi_side 16 is for modulation, which is off"):
            GeneratorConfig(64, roi_side=16)
        with self.assertRaisesRegex(ValueError, "largest_skip -1 is negative"):
            GeneratorConfig(64, largest_skip=-1)
        with self.assertRaisesRegex(ValueError, "dropout 1.0 is not in"):
            GeneratorConfig(dropout=1.0)


if __name__ == "__main__":
    absltest.main()
