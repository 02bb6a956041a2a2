import gzip
import json
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from evaluation.features import compiled, networks
from evaluation.features.networks import FeatureExtractor


def _network(scale=1.0):
    """A small network with weights in variables, as a SavedModel has them."""
    rng = np.random.default_rng(0)
    kernel = tf.Variable(rng.normal(0, scale, (5, 5, 3, 16)).astype(np.float32))
    bias = tf.Variable(rng.normal(0, 1, 16).astype(np.float32))

    @tf.function
    def call(images):
        return tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(images, kernel, 4, "SAME") + bias), [1, 2])

    return networks.FeatureNetwork("some/where/small", "pool", "d" * 64, call)


def _images(number, size):
    return np.random.default_rng(1).integers(0, 256, (number, size, size, 3), np.uint8)


class CompiledTest(parameterized.TestCase):
    def test_an_onnx_file_is_refused(self):
        network = networks.FeatureNetwork("some/net.onnx", "pooled", "", tf.identity)
        with self.assertRaisesRegex(ValueError, "some/net.onnx: an ONNX file cannot go along"):
            compiled.CompiledNetwork(FeatureExtractor(network), 32)

    @parameterized.parameters(
        ("bilinear", True, 64),
        ("bilinear", False, 64),
        ("bicubic", True, 320),
        ("lanczos3", True, 64),
        ("bilinear", True, 320),
    )
    def test_features_are_the_extractors(self, resize, antialias, size):
        extractor = FeatureExtractor(_network(), resize=resize, antialias=antialias)
        images = _images(compiled.BATCH, size)
        expected = extractor.network.call(extractor.prepare(tf.constant(images))).numpy()
        network = compiled.CompiledNetwork(extractor, size)
        self.assertLen(network.weights, 2)  # of the resize, and the kernel
        found = network.run(images, network.weights)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)

    def test_files(self):
        extractor = FeatureExtractor(_network())
        network = compiled.CompiledNetwork(extractor, 32)
        effect = network.effect_of_halves(_images(5, 32))
        self.assertBetween(effect, 1e-6, 1e-3)
        folder = pathlib.Path(self.create_tempdir().full_path, "net")
        network.write(folder, True, effect)
        meta = json.loads((folder / "network.json").read_text())
        self.assertEqual(meta["feature_network"], "small")  # no folder of this machine
        self.assertEqual(meta["feature_network_digest"], "d" * 64)
        self.assertEqual((meta["weights"], meta["effect_of_weights"]), ("float16", effect))
        with np.load(folder / "weights.npz") as weights:
            self.assertEqual(weights["w0"].dtype, np.float32)
            self.assertEqual(weights["w1"].dtype, np.float16)
        hlo = gzip.decompress((folder / "network.hlo.pb.gz").read_bytes())
        self.assertLess(len(hlo), 100_000)  # the weights are not inside
        self.assertNotIn(b"/tensorflow/", hlo)

    def test_weights_beyond_half_floats_are_found_out(self):
        network = compiled.CompiledNetwork(FeatureExtractor(_network(scale=1e5)), 32)
        with self.assertRaisesRegex(ValueError, "beyond half floats; pass --nohalf_floats"):
            network.effect_of_halves(_images(5, 32))


if __name__ == "__main__":
    absltest.main()
