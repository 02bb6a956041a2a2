import contextlib
import io
import os

from absl import flags
from absl.testing import absltest, flagsaver

from evaluation.features import feature_flags, networks, testing_networks
from training import testing_data


class FlagsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.enter_context(
            absltest.mock.patch.dict(os.environ, {"BUILD_WORKING_DIRECTORY": self.folder})
        )

    def test_no_embedded_network_for_other_data(self):
        testing_data.write_dataset(self.folder)
        self.enter_context(absltest.mock.patch.object(networks, "DEFAULT_NETWORK", "/no/such/net"))
        with self.assertRaisesRegex(ValueError, "/no/such/net: cannot be loaded"):
            feature_flags.extractor(self.folder, None)
        with flagsaver.flagsaver(feature_network="embedded"):
            extractor = feature_flags.extractor(self.folder, None)
        self.assertEqual(extractor.network.name, "embedded")

    def _said_when_stopped(self):
        with (
            contextlib.redirect_stderr(io.StringIO()) as said,
            self.assertRaisesRegex(SystemExit, "130"),
            feature_flags.stoppable(),
        ):
            raise KeyboardInterrupt
        return said.getvalue()

    def test_cache(self):
        with flagsaver.flagsaver(feature_network="embedded", cache_dir=""):
            self.assertEqual(feature_flags.extractor(self.folder, None).cache_dir, "")
            self.assertIn("begins again; nothing is kept", self._said_when_stopped())
        with flagsaver.flagsaver(feature_network="embedded", cache_dir="kept", resize="bicubic"):
            extractor = feature_flags.extractor(self.folder, None)
            self.assertIn(f"features are in {self.folder}/kept", self._said_when_stopped())
        self.assertEqual(extractor.cache_dir, os.path.join(self.folder, "kept"))
        self.assertEqual(extractor.resize, "bicubic")

    def test_several_networks(self):
        testing_networks.write_network(os.path.join(self.folder, "net.onnx"))
        with flagsaver.flagsaver(feature_network="embedded,net.onnx"):
            first, second = feature_flags.extractors(self.folder, None)
            with self.assertRaisesRegex(ValueError, "embedded,net.onnx: this program takes one"):
                feature_flags.extractor(self.folder, None)
        self.assertEqual(first.network.name, "embedded")
        self.assertEqual(second.network.title, "pooled of net.onnx")
        for layers in ("a", "a,b,c"):
            with (
                flagsaver.flagsaver(feature_network="x,y", layer=layers),
                self.assertRaisesRegex(ValueError, "one layer for each network is needed"),
            ):
                feature_flags.extractors(self.folder, None)
        with (
            flagsaver.flagsaver(feature_network="x,x"),
            self.assertRaisesRegex(ValueError, "none twice"),
        ):
            feature_flags.extractors(self.folder, None)

    def test_flags_of_onnx_files(self):
        testing_networks.write_network(os.path.join(self.folder, "net.onnx"))
        with flagsaver.flagsaver(
            feature_network="net.onnx",
            layer="tokens[1]",
            network_size=48,
            network_mean=["0.1", "0.2", "0.3"],
        ):
            network = feature_flags.extractor(self.folder, None).network
        self.assertEqual((network.layer, network.input_size), ("tokens[1]", 48))
        self.assertEqual(network.settings, {"mean": [0.1, 0.2, 0.3], "deviation": [0.2, 0.25, 0.5]})
        with (
            flagsaver.flagsaver(feature_network="embedded", network_size=48),
            self.assertRaisesRegex(ValueError, "--network_size: for a --feature_network that is"),
        ):
            feature_flags.extractor(self.folder, None)

    def test_flags_for_other_programs(self):
        given = {"feature_network": "a,b", "layer": "x,y", "antialias": "false"}
        given["network_mean"] = "1,2,3"
        self.enter_context(flagsaver.flagsaver())
        for name, value in given.items():
            flags.FLAGS[name].parse(value)
            flags.FLAGS[name].present = 1
        others = ["--noantialias", "--network_mean=1,2,3"]
        self.assertCountEqual(
            feature_flags.passed_on(several=True),
            ["--feature_network=a,b", "--layer=x,y", *others],
        )
        self.assertCountEqual(
            feature_flags.passed_on(several=False), ["--feature_network=a", "--layer=x", *others]
        )


if __name__ == "__main__":
    absltest.main()
