import numpy as np
import tensorflow as tf
from absl.testing import absltest

from model import noise, numpy_noise, sampling
from model.generator import GeneratorConfig, build_generator, noise_inputs

_NOISY = {"global_noise": 4, "pixel_noise": 2, "level_noise": 2, "dropout": 0.5}


class SamplingTest(absltest.TestCase):
    def _generator(self, **settings):
        return build_generator(GeneratorConfig(32, base_filters=4, **_NOISY, **settings))

    def test_seeded_noise_depends_on_its_own_seed_alone(self):
        generator = self._generator()
        together = sampling.seeded_noise(generator, tf.constant([3, 9], tf.int64))
        alone = sampling.seeded_noise(generator, tf.constant([9], tf.int64))
        self.assertNotEmpty(alone)
        for name, value in alone.items():
            np.testing.assert_array_equal(together[name][1], value[0])
            self.assertGreater(np.abs(together[name][0] - value[0]).max(), 0)

    def test_batch_noise_statistics(self):
        drawn = sampling.batch_noise(self._generator(), tf.constant(64), tf.constant([1, 2]))
        pixels = drawn["pixel_noise"].numpy()
        self.assertAlmostEqual(pixels.mean(), 0, delta=0.02)
        self.assertAlmostEqual(pixels.std(), 1, delta=0.02)
        for name, value in drawn.items():
            if name.startswith("dropout"):
                self.assertBetween(value.numpy().min(), 0, 0.05)
                self.assertBetween(value.numpy().max(), 0.95, 1)

    def test_an_image_depends_on_its_own_map_and_seed_alone(self):
        network = self._generator(normalization="batch")
        maps = tf.cast(
            tf.random.stateless_uniform((2, 32, 32, 3), (0, 1), 0, 256, tf.int32), tf.uint8
        )
        both = sampling.sample_images(network, maps, tf.constant([3, 9], tf.int64))
        alone = sampling.sample_images(network, maps[1:], tf.constant([9], tf.int64))
        self.assertEqual(both.dtype, tf.uint8)
        # The order of sums differs with the batch.
        np.testing.assert_allclose(np.int32(both[1]), np.int32(alone[0]), atol=1)
        other = sampling.sample_images(network, maps[1:], tf.constant([10], tf.int64))
        self.assertGreater(np.abs(np.int32(other) - np.int32(alone)).max(), 1)

    def test_a_seed_paints_the_same_image_compiled(self):
        network = self._generator()
        for weight in network.weights:
            weight.assign(weight * 5)  # so that noise shows in 8 bits

        def sample(seeds):
            return sampling.sample_images(network, tf.zeros((2, 32, 32, 3), tf.uint8), seeds)

        seeds = tf.constant([3, -(2**40)], tf.int64)
        plain = np.int32(tf.function(sample)(seeds))
        compiled = np.int32(tf.function(sample, jit_compile=True)(seeds))
        self.assertGreater(np.abs(plain[0] - plain[1]).max(), 5)
        np.testing.assert_allclose(compiled, plain, atol=1)

    def test_noise_of_seeds_is_that_of_numpy(self):
        generator, seeds = self._generator(), [3, -(2**40)]
        drawn = sampling.seeded_noise(generator, tf.constant(seeds, tf.int64))
        twins = numpy_noise.of_seeds(noise_inputs(generator), seeds)
        self.assertSameElements(twins, drawn)
        for name, twin in twins.items():
            np.testing.assert_allclose(drawn[name], twin, atol=2e-6)
        self.assertEmpty(numpy_noise.of_seeds({}, seeds))

    def test_training_noise_is_that_of_numpy(self):
        seed = tf.constant([7, 12], tf.int64)
        drawn = sampling.batch_noise(self._generator(), tf.constant(2), seed)
        for index, distribution in enumerate(noise.DISTRIBUTIONS):
            values = [
                np.reshape(value, (2, -1))
                for name, value in drawn.items()
                if name.startswith("dropout") == (distribution == "uniform")
            ]
            row = np.concatenate(values, axis=1)
            stream = numpy_noise.fold_in((7, 12), index)
            twin = numpy_noise.draw(row.shape, stream, distribution)
            np.testing.assert_allclose(row, twin, atol=2e-6)


if __name__ == "__main__":
    absltest.main()
