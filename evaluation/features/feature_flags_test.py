import os

from absl.testing import absltest, flagsaver

from evaluation.features import feature_flags, networks
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

    def test_cache(self):
        with flagsaver.flagsaver(feature_network="embedded", cache_dir=""):
            self.assertEqual(feature_flags.extractor(self.folder, None).cache_dir, "")
        with flagsaver.flagsaver(feature_network="embedded", cache_dir="kept", resize="bicubic"):
            extractor = feature_flags.extractor(self.folder, None)
        self.assertEqual(extractor.cache_dir, os.path.join(self.folder, "kept"))
        self.assertEqual(extractor.resize, "bicubic")


if __name__ == "__main__":
    absltest.main()
