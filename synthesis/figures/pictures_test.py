import pathlib

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from synthesis import provenance, trained_generator
from synthesis.figures import pictures
from synthesis.figures.image_tables import Group, Strip, Table, Tile

_MARK = provenance.Provenance("a" * 64, 7)


def _table(mark=None):
    tile = Tile(np.full((32, 32, 3), 90, np.uint8))
    return Table([Group("Acne", (), [Strip([tile])])], mark=mark)


class FiguresTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    @parameterized.parameters(None, _MARK)
    def test_saves_with_its_resolution_and_mark(self, mark):
        path = self.folder / "new" / "F.png"
        self.assertRegex(
            pictures.save(_table(mark), str(path)), r"F\.png \([\d.]+ x [\d.]+ cm at 3\d\d dpi\)$"
        )
        with Image.open(path) as picture:
            picture.load()
            self.assertGreaterEqual(round(picture.info["dpi"][0]), 300)
        self.assertEqual(provenance.read(path.read_bytes()), mark)
        self.assertEqual([one.name for one in path.parent.iterdir()], ["F.png"])

    def test_a_failed_write_leaves_nothing(self):
        path = self.folder / "F.png"
        full = absltest.mock.patch.object(pathlib.Path, "replace", side_effect=OSError("full"))
        with full, self.assertRaisesRegex(OSError, "full"):
            pictures.save(_table(), str(path))
        self.assertEmpty(list(self.folder.iterdir()))

    def test_existing_output_needs_overwrite(self):
        path = self.folder / "F.png"
        pictures.check_output(str(path), overwrite=False)
        path.write_bytes(b"mine")
        with self.assertRaisesRegex(ValueError, "F.png: exists; .* pass --overwrite"):
            pictures.check_output(str(path), overwrite=False)
        pictures.check_output(str(path), overwrite=True)

    def test_unwritable_output(self):
        (self.folder / "file").write_text("")
        (self.folder / "folder.png").mkdir()
        for name, message in (
            ("F.jpg", "ends in .png"),
            ("folder.png", "is a folder"),
            ("file/F.png", "file is not a writable folder"),
            ("file/deep/F.png", "file is not a writable folder"),
        ):
            with self.assertRaisesRegex(ValueError, message):
                pictures.check_output(str(self.folder / name), overwrite=True)

    def test_describe(self):
        generator = absltest.mock.create_autospec(trained_generator.TrainedGenerator, instance=True)
        generator.configure_mock(run_dir="/runs/mine/", step=4000, image_size=64)
        self.assertStartsWith(
            pictures.describe(generator, 3), "mine, step 4,000, seed 3; 64x64 pixels, enlarged 4"
        )
        generator.image_size = 256
        self.assertEndsWith(pictures.describe(generator, 3), "; 256x256 pixels.")


if __name__ == "__main__":
    absltest.main()
