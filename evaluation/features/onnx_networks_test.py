import os
import pathlib

import numpy as np
import onnx
import tensorflow as tf
from absl.testing import absltest, parameterized
from onnx import TensorProto

from evaluation.features import onnx_networks
from evaluation.features.networks import FeatureExtractor
from evaluation.features.testing_networks import images, write_network


class OnnxNetworkTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.create_tempdir().full_path, "net.onnx")

    @parameterized.parameters(
        (("N", 3, "S", "S"),), ((None, None, None, 3),), ((2, 3, 32, 32),), ((1, 32, 32, 3),)
    )
    def test_features(self, shape):
        network = onnx_networks.load_network(write_network(self.path, shape), {})
        five = images(number=5)
        extracted = FeatureExtractor(network, batch_size=3).extract(five)
        expected = (five.pixels() / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.25, 0.5]
        np.testing.assert_allclose(extracted, expected.mean((1, 2)), atol=1e-5)
        protocol = FeatureExtractor(network).protocol
        self.assertEqual(protocol["input_size"], 32)
        self.assertEqual(protocol["deviation"], [0.2, 0.25, 0.5])
        self.assertEqual(network.distance_name, "Frechet distance (pooled of net.onnx)")

    def test_flags_come_before_the_file(self):
        write_network(self.path)
        plain = onnx_networks.load_network(self.path, {"output": None})
        again = onnx_networks.load_network(self.path, {"output": "tokens[1]", "size": 64})
        self.assertEqual((again.layer, again.input_size), ("tokens[1]", 64))
        pixels = tf.random.stateless_uniform([2, 64, 64, 3], (1, 2)) * 2 - 1
        np.testing.assert_allclose(again.call(pixels), 2 * plain.call(pixels), rtol=1e-5)

    def test_the_digest_is_of_file_and_settings(self):
        found = {onnx_networks.load_network(write_network(self.path), {}).digest for _ in range(2)}
        found.add(onnx_networks.load_network(self.path, {"mean": ["0", "0", "0"]}).digest)
        write_network(self.path, ("N", "S", "S", 3))
        found.add(onnx_networks.load_network(self.path, {}).digest)
        self.assertLen(found, 3)

    def test_weights_beside_the_file_count(self):
        write_network(self.path)
        model = onnx.load(self.path)
        onnx.save(model, self.path, save_as_external_data=True, location="w", size_threshold=0)
        before = onnx_networks._digest(self.path, {})
        weights = pathlib.Path(self.path).with_name("w")
        weights.write_bytes(weights.read_bytes()[::-1])
        self.assertNotEqual(onnx_networks._digest(self.path, {}), before)

    @parameterized.parameters(
        ({"output": "pool_3"}, "net.onnx: no output 'pool_3'; there are pooled, tokens, nan"),
        ({"output": "tokens"}, r"'tokens' has shape \[1, 2, 3\] for 1 images, not \[N, dim"),
        ({"output": "tokens[2]"}, r"'tokens\[2\]' has shape"),
        ({"output": "nan"}, "output 'nan' of a grey image is not finite"),
        ({"size": 8}, "size 8 is not in 16..2048"),
        ({"mean": [0.5, 0.5]}, r"mean \[0.5, 0.5\] is not three numbers"),
        ({"mean": ["a", "b", "c"]}, "is not three numbers"),
        ({"deviation": [1, 0, 1]}, r"deviation \[1.0, 0.0, 1.0\] is not above 0"),
        ({"deviation": [1, float("nan"), 1]}, "deviation .* is not three numbers"),
    )
    def test_settings_that_do_not_fit(self, given, message):
        with self.assertRaisesRegex(ValueError, message) as raised:
            onnx_networks.load_network(write_network(self.path), given)
        self.assertNotIn("\n", str(raised.exception))

    @parameterized.parameters(
        ("", "no size, mean, deviation, output told .*there are pooled, tokens.*--network_size"),
        ("size: 32\noutput: pooled", "no mean, deviation told; write .*net.yaml or pass --net"),
        ("sizes: 32", "net.yaml must have no fields but size, mean, deviation, output"),
        ("- 32", "net.yaml must have no fields but"),
        ("size: [", "net.yaml is not YAML"),
    )
    def test_yaml_that_lacks_fields(self, settings, message):
        with self.assertRaisesRegex(ValueError, f"^feature network .*net.onnx: {message}"):
            onnx_networks.load_network(write_network(self.path, settings=settings), {})

    @parameterized.parameters(
        (("N", 4, "S", "S"), TensorProto.FLOAT, "it must take float32"),
        (("N", 3, "S", "S"), TensorProto.UINT8, r"takes image tensor\(uint8\)"),
        (("N", 3, 64, 64), TensorProto.FLOAT, "takes images of .*, not of size 32"),
    )
    def test_another_input(self, shape, kind, message):
        with self.assertRaisesRegex(ValueError, message):
            onnx_networks.load_network(write_network(self.path, shape, kind=kind), {})

    def test_not_a_network(self):
        with self.assertRaisesRegex(ValueError, "net.onnx: cannot be loaded"):
            onnx_networks.load_network(self.path, {})
        pathlib.Path(self.path).write_bytes(b"no network")
        with self.assertRaisesRegex(ValueError, "net.onnx: cannot be loaded"):
            onnx_networks.load_network(self.path, {})


if __name__ == "__main__":
    absltest.main()
