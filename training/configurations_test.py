import os
import pathlib
from unittest import mock

from absl.testing import absltest

from training import configurations
from training.configs import demo, paper, paper26, pix2pix


def _parts(config):
    return [(name, value) for name, value in config.to_dict().items() if isinstance(value, dict)]


class ConfigurationsTest(absltest.TestCase):
    def test_names_become_files(self):
        self.assertEqual(configurations.names(), ["demo", "paper", "paper26", "pix2pix"])
        for form in (["--config=paper"], ["--config", "paper"]):
            argv = ["train", *form, "--workdir=w"]
            configurations.expand_names(argv)
            path = argv[1].partition("=")[2] or argv[2]
            self.assertTrue(path.endswith("training/configs/paper.py"))
            self.assertTrue(os.path.exists(path))
            self.assertEqual(argv[-1], "--workdir=w")

    def test_overrides_are_left_alone(self):
        argv = ["train", "--config.model.image_size=32", "--config_file=x"]
        configurations.expand_names(argv)
        default = f"--config={configurations.path_of('demo')}"
        self.assertEqual(
            argv, ["train", default, "--config.model.image_size=32", "--config_file=x"]
        )

    def test_config_goes_before_its_overrides(self):
        twice = ["--config=demo", "--config=paper"]
        for form in (["--config=paper"], ["--config", "paper"], twice):
            argv = ["train", "--config.seed=3", *form, "--workdir=w"]
            configurations.expand_names(argv)
            path = configurations.path_of("paper")
            expected = ["train", f"--config={path}", "--config.seed=3", "--workdir=w"]
            self.assertEqual(argv, expected)

    def test_unknown_fields(self):
        with self.assertRaisesRegex(
            ValueError, "no field config.los.l1; closest is config.loss.l1"
        ):
            configurations.expand_names(["train", "--config=paper", "--config.los.l1=3"])

    def test_files_are_relative_to_the_user(self):
        folder = self.create_tempdir().full_path
        pathlib.Path(folder, "mine.py").write_text("")
        with mock.patch.dict(os.environ, {"BUILD_WORKING_DIRECTORY": folder}):
            self.assertEqual(configurations.path_of("mine.py"), os.path.join(folder, "mine.py"))
            self.assertEqual(
                configurations.path_of("mine.py:x"), os.path.join(folder, "mine.py") + ":x"
            )

    def test_unknown(self):
        with self.assertRaisesRegex(ValueError, "'papr' is neither a file nor one of demo, paper"):
            configurations.path_of("papr")

    def test_configs_are_what_they_say(self):
        config = paper.get_config()
        self.assertEqual((config.model.image_size, config.model.base_filters), (256, 64))
        self.assertEqual((config.training.epochs, config.data.conditions), (200, "rarest:8"))
        noise = (config.model.global_noise, config.model.pixel_noise, config.model.level_noise)
        self.assertEqual(noise, (0, 0, 0))
        self.assertEqual(paper26.get_config().data.conditions, "all")
        losses = pix2pix.get_config().loss
        self.assertEqual((losses.l1, losses.roi, losses.feature_matching), (100.0, 0.0, 0.0))
        quarter = demo.get_config()
        quarter.model.image_size = 128
        self.assertEqual((quarter.model.largest_skip, quarter.model.roi_side), (32, 32))
        quarter.model.image_size = 32
        self.assertEqual((quarter.model.largest_skip, quarter.discriminator.scales), (8, 2))
        quarter.model.image_size = 128
        self.assertEqual(quarter.discriminator.scales, 3)
        quarter.model.largest_skip = 0  # and a given one stays
        self.assertEqual((quarter.model.largest_skip, quarter.model.image_size), (0, 128))
        # Every config has the same fields, so that all overrides work with all.
        fields = {part: sorted(values) for part, values in _parts(paper.get_config())}
        for other in (demo, paper26, pix2pix):
            ours = {part: sorted(values) for part, values in _parts(other.get_config())}
            self.assertEqual(ours, fields)


if __name__ == "__main__":
    absltest.main()
