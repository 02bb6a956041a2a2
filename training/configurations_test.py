import os
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized

from training import configurations
from training.configs import clinical, demo, paper, paper26, pix2pix


def _parts(config):
    return [(name, value) for name, value in config.to_dict().items() if isinstance(value, dict)]


class ConfigurationsTest(parameterized.TestCase):
    def test_names_become_files(self):
        self.assertEqual(
            configurations.names(), ["clinical", "demo", "paper", "paper26", "pix2pix"]
        )
        for form in (["--config=paper"], ["--config", "paper"]):
            argv = ["train", *form, "--workdir=w"]
            fields = configurations.expand_names(argv)
            self.assertTrue(configurations.is_named())
            self.assertEqual(fields["config.data.conditions"], "rarest:8")
            path = argv[1].partition("=")[2] or argv[2]
            self.assertTrue(path.endswith("training/configs/paper.py"))
            self.assertTrue(os.path.exists(path))
            self.assertEqual(argv[-1], "--workdir=w")

    def test_overrides_are_left_alone(self):
        argv = ["train", "--config.model.image_size=32", "--config_file=x"]
        configurations.expand_names(argv)
        self.assertFalse(configurations.is_named())
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
        with self.assertRaisesRegex(
            ValueError, "'papr' is neither a file nor one of clinical, demo"
        ):
            configurations.path_of("papr")

    def test_configs_are_what_they_say(self):
        config = paper.get_config()
        self.assertEqual((config.model.image_size, config.model.base_filters), (0, 64))
        self.assertEqual((config.training.epochs, config.data.conditions), (200, "rarest:8"))
        noise = (config.model.global_noise, config.model.pixel_noise, config.model.level_noise)
        self.assertEqual(noise, (0, 0, 0))
        self.assertEqual(paper26.get_config().data.conditions, "all")
        losses = pix2pix.get_config().loss
        self.assertEqual((losses.l1, losses.roi, losses.feature_matching), (100.0, 0.0, 0.0))
        # Every config has the same fields, so that all overrides work with all.
        fields = {part: sorted(values) for part, values in _parts(paper.get_config())}
        for other in (clinical, demo, paper26, pix2pix):
            ours = {part: sorted(values) for part, values in _parts(other.get_config())}
            self.assertEqual(ours, fields)

    def test_the_size_is_the_records_unless_one_is_given(self):
        config = demo.get_config()
        self.assertEqual(configurations.complete(config, 128).model.image_size, 128)
        config.model.image_size = 32
        self.assertEqual(configurations.complete(config, 128).model.image_size, 32)

    def test_what_follows_from_the_size(self):
        for size, scales in ((32, 2), (64, 3), (128, 4), (256, 5)):
            completed = configurations.complete(demo.get_config(), size)
            quarter = size // 4
            self.assertEqual(
                (completed.model.largest_skip, completed.model.roi_side), (quarter,) * 2
            )
            self.assertEqual(completed.discriminator.scales, scales)
            self.assertEqual(configurations.complete(completed, size), completed)
        config = demo.get_config()
        config.model.largest_skip = config.discriminator.scales = 1  # what is given stays
        completed = configurations.complete(config, 64)
        self.assertEqual((completed.model.largest_skip, completed.discriminator.scales), (1, 1))
        completed = configurations.complete(paper.get_config(), 256)
        self.assertEqual((completed.model.largest_skip, completed.model.roi_side), (512, 0))

    def test_what_is_known_at_the_size(self):
        for config, size, expected in (
            (demo.get_config(), 64, "images of 64x64"),
            (demo.get_config(), 128, "images of 128x128; demo was measured at 64x64 only"),
            (paper.get_config(), 256, "images of 256x256"),
            (paper.get_config(), 64, "images of 64x64: not the paper's recipe, which is for 256"),
        ):
            config = configurations.complete(config, size)
            self.assertStartsWith(configurations.about_size(config), expected)


if __name__ == "__main__":
    absltest.main()
