import os

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from evaluation.features import networks
from evaluation.features.networks import FeatureExtractor
from evaluation.features.testing_networks import images


def _saved_model(folder, outputs):
    """Writes a SavedModel of the interface whose layers are functions of the images."""

    class Network(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 299, 299, 3], tf.float32)])
        def __call__(self, images):
            return outputs(images)

    tf.saved_model.save(Network(), folder)
    return folder


def _means(images):
    return {"mean": tf.reduce_mean(images, [1, 2]), "map": images, "nan": images[:, 0, 0] / 0.0}


class NetworkTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path

    def test_a_saved_model(self):
        path = _saved_model(os.path.join(self.folder, "net"), _means)
        network = networks.load_network(path, "mean")
        extracted = FeatureExtractor(network).extract(images())
        self.assertEqual(extracted.shape, (7, 3))
        self.assertFalse(network.is_canonical)
        self.assertEqual(network.distance_name, "Frechet distance (mean of net)")

    def test_digest_is_of_the_files(self):
        first = networks.load_network(_saved_model(f"{self.folder}/a", _means), "mean")
        again = networks.load_network(f"{self.folder}/a", "mean")
        self.assertEqual(first.digest, again.digest)
        other = _saved_model(f"{self.folder}/b", lambda images: {"mean": images[:, 0, 0]})
        self.assertNotEqual(first.digest, networks.load_network(other, "mean").digest)

    def test_unknown_layer(self):
        path = _saved_model(f"{self.folder}/net", _means)
        with self.assertRaisesRegex(ValueError, "no layer 'pool_3'; there are map, mean, nan"):
            networks.load_network(path, "pool_3")

    def test_layer_of_another_shape(self):
        path = _saved_model(f"{self.folder}/net", _means)
        with self.assertRaisesRegex(ValueError, "layer 'map' has shape .* not \\[N, dimension"):
            networks.load_network(path, "map")

    def test_no_dictionary(self):
        path = _saved_model(f"{self.folder}/net", lambda images: images[:, 0, 0])
        with self.assertRaisesRegex(ValueError, "returns no dictionary"):
            networks.load_network(path, "x")

    def test_another_input(self):
        class Network(tf.Module):
            @tf.function(input_signature=[tf.TensorSpec([None, 64, 64, 3], tf.float32)])
            def __call__(self, images):
                return {"x": images[:, 0, 0]}

        tf.saved_model.save(Network(), f"{self.folder}/net")
        with self.assertRaisesRegex(ValueError, r"does not map float32 \[N, 299, 299, 3\]"):
            networks.load_network(f"{self.folder}/net", "x")

    def test_not_callable(self):
        tf.saved_model.save(tf.Module(), f"{self.folder}/net")
        with self.assertRaisesRegex(ValueError, "is not callable"):
            networks.load_network(f"{self.folder}/net", "x")

    def test_not_there(self):
        with self.assertRaisesRegex(ValueError, "nowhere: cannot be loaded .*--layer .docs/"):
            networks.load_network(f"{self.folder}/nowhere", "x")


class ChooseTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        # A handle that cannot be fetched, as on a machine without network.
        self.enter_context(absltest.mock.patch.object(networks, "DEFAULT_NETWORK", "/no/such/net"))

    def test_the_embedded_network_is_for_demo_data_only(self):
        self.assertEqual(networks.choose_network(None, None, True).name, "embedded")
        with self.assertRaisesRegex(ValueError, "/no/such/net: cannot be loaded"):
            networks.choose_network(None, None, False)
        with self.assertRaisesRegex(ValueError, "/other: cannot be loaded"):
            networks.choose_network("/other", None, True)

    def test_only_the_default_layer_is_fid(self):
        network = networks.FeatureNetwork(networks.DEFAULT_NETWORK, "pool_3", "", tf.identity)
        self.assertEqual(network.distance_name, "FID")
        network = networks.FeatureNetwork(networks.DEFAULT_NETWORK, "logits", "", tf.identity)
        self.assertNotEqual(network.distance_name, "FID")


class ExtractTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.network = networks.embedded_network()

    def test_equals_the_network_on_resizedimages(self):
        seven = images()
        pixels = tf.constant(seven.pixels())
        resized = tf.image.resize(pixels, (299, 299)) / 127.5 - 1.0
        expected = self.network.call(resized).numpy()
        extracted = FeatureExtractor(self.network).extract(seven)
        np.testing.assert_allclose(extracted, expected, rtol=1e-4, atol=1e-5)

    @parameterized.parameters(1, 2, 3, 7, 100)
    def test_batch_size_does_not_matter(self, batch_size):
        whole = FeatureExtractor(self.network).extract(images())
        parts = FeatureExtractor(self.network, batch_size=batch_size).extract(images())
        np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-6)

    def test_a_smaller_device_gets_smaller_batches(self):
        sizes = []

        def call(images):
            sizes.append(len(images))
            if len(images) > 2:
                raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
            return self.network.call(images)

        network = networks.FeatureNetwork("small", "x", "", call)
        extracted = FeatureExtractor(network, batch_size=8).extract(images())
        self.assertLen(extracted, 7)
        self.assertEqual(sizes, [7, 4, 2, 2, 2, 1])

    def test_the_cache_is_by_content_and_protocol(self):
        folder = self.create_tempdir().full_path
        calls = []

        def call(images):
            calls.append(len(images))
            return self.network.call(images)

        network = networks.FeatureNetwork("counted", "x", "digest", call)
        extractor = FeatureExtractor(network, cache_dir=folder)
        first, again = extractor.extract(images()), extractor.extract(images())
        np.testing.assert_array_equal(first, again)
        self.assertEqual(calls, [7])
        extractor.extract(images(seed=1))
        FeatureExtractor(network, resize="bicubic", cache_dir=folder).extract(images())
        self.assertEqual(calls, [7, 7, 7])

    def test_a_broken_cache_file_is_computed_again(self):
        folder = self.create_tempdir().full_path
        extractor = FeatureExtractor(self.network, cache_dir=folder)
        first = extractor.extract(images())
        (name,) = os.listdir(folder)
        path = os.path.join(folder, name)
        with np.load(path) as kept:
            digest = kept["digest"]

        def cut():
            with open(path, "r+b") as file:
                file.truncate(50)

        def keep(features):
            return lambda: np.savez(path, features=features, digest=digest)

        for damage in (
            *(cut, keep(first[:, :3]), keep(first[::-1]), keep(first + 1), keep(first * np.nan)),
            lambda: np.savez(path, features=first),
        ):
            damage()
            with self.assertLogs(level="WARNING") as logged:
                again = extractor.extract(images())
            self.assertRegex(logged.output[0], "npz: damaged .*; the features are computed again")
            np.testing.assert_array_equal(first, again)
        # Another's features, under this name.
        extractor.extract(images(seed=1))
        (other,) = set(os.listdir(folder)) - {name}
        os.replace(os.path.join(folder, other), path)
        with self.assertLogs(level="WARNING"):
            np.testing.assert_array_equal(first, extractor.extract(images()))

    def test_nan_is_an_error_and_not_cached(self):
        folder = self.create_tempdir().full_path
        network = networks.FeatureNetwork(
            "broken", "x", "", lambda images: tf.reduce_mean(images, [1, 2]) * np.nan
        )
        with self.assertRaisesRegex(ValueError, "test images: features .* of 7 are not finite"):
            FeatureExtractor(network, cache_dir=folder).extract(images())
        self.assertEmpty(os.listdir(folder))

    def test_the_embedded_network_is_the_same_everywhere(self):
        self.assertEqual(networks.embedded_network().digest[:16], "41285d205f9ebf3c")

    def test_bad_settings(self):
        with self.assertRaisesRegex(ValueError, "resize 'nearest' is not one of bilinear"):
            FeatureExtractor(self.network, resize="nearest")
        with self.assertRaisesRegex(ValueError, "batch_size -1 is negative"):
            FeatureExtractor(self.network, batch_size=-1)


if __name__ == "__main__":
    absltest.main()
