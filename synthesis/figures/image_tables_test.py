import pathlib

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from synthesis import provenance, trained_generator
from synthesis.figures import image_tables
from synthesis.figures.image_tables import Group, Strip, Table

_RED, _GREEN, _BLUE = (200, 20, 20), (20, 200, 20), (20, 20, 200)


def _image(color, size=64):
    return np.full((size, size, 3), color, np.uint8)


def _where(picture, color):
    """Returns the corners (x0, y0, x1, y1) of what has a colour, and its area."""
    rows, columns = np.nonzero((np.asarray(picture) == color).all(axis=-1))
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), len(rows)


class DrawTest(parameterized.TestCase):
    @parameterized.parameters(32, 64, 100, 256)
    def test_tiles_are_whole_multiples_of_at_least_300_dpi(self, size):
        picture = image_tables.draw(Table([Group("Acne", (), [Strip([_image(_RED, size)])])]))
        corners, area = _where(picture, _RED)
        side = size * image_tables.enlargement(size)
        self.assertEqual((corners[2] - corners[0], area), (side, side**2))
        dpi = picture.info["dpi"][0]
        self.assertGreaterEqual(dpi, 300)
        self.assertAlmostEqual(side / dpi * 2.54, 1.7)

    def test_places(self):
        strips = [
            Strip([_image(_RED), None], "map", small=True),
            Strip([None, _image(_GREEN)], "generated", ["", "type 2"]),
        ]
        groups = [Group("Acne", ["a note"], strips), Group("Cyst", (), [Strip([_image(_BLUE)])])]
        picture = image_tables.draw(Table(groups, heads=["one", "two"], axis="columns"))
        (red, red_area), (green, green_area), (blue, _) = (
            _where(picture, color) for color in (_RED, _GREEN, _BLUE)
        )
        self.assertLess(red[3], green[1])  # the map above the image
        self.assertLess(red[2], green[0])  # and a column to the left
        self.assertLess(green[3], blue[1])  # groups from the top
        # A small tile is in the middle of its column.
        self.assertAlmostEqual(red[0] + red[2], blue[0] + blue[2], delta=2)
        self.assertAlmostEqual(green_area / red_area, 4, delta=0.2)

    @parameterized.parameters(31, 64, 256)
    def test_pixels_are_whole_and_in_their_places(self, size):
        images = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
        images[:, 0, 0], images[:, -1, -1] = _RED, _GREEN
        picture = image_tables.draw(Table([Group("", (), [Strip(images)])]))
        pixels, times = np.asarray(picture), image_tables.enlargement(size)
        # Where the corners are found, all that lies between them must be the image.
        for color in (_RED, _GREEN):
            self.assertEqual(_where(picture, color)[1], 2 * times**2)
        x, y = _where(picture, _RED)[0][:2]
        expected = images[0].repeat(times, axis=0).repeat(times, axis=1)
        np.testing.assert_array_equal(
            pixels[y : y + len(expected), x : x + len(expected)], expected
        )

    def test_small_maps_keep_their_colours(self):
        pixels = np.zeros((31, 31, 3), np.uint8)
        pixels[10:20, 5:15] = _GREEN
        strips = [Strip([pixels], small=True)]
        picture = np.asarray(image_tables.draw(Table([Group("", (), strips)])))
        (x0, y0, x1, y1), area = _where(picture, _GREEN)
        self.assertEqual(area, (x1 - x0) * (y1 - y0))
        self.assertAlmostEqual(x1 - x0, 10 * image_tables.enlargement(31) / 2, delta=1)

    def test_two_galleries_side_by_side_fill_a_page(self):
        colors = [_RED, _GREEN, _BLUE]
        groups = [
            Group("Acne", ["n"], [Strip([_image(color)] * 4, "generated")]) for color in colors
        ]
        picture = image_tables.draw(Table(groups, titles_above=True, footer="word " * 100))
        red, green, blue = (_where(picture, color)[0] for color in colors)
        self.assertEqual(red[1], green[1])
        self.assertLess(red[2], green[0])
        self.assertEqual(red[0], blue[0])
        self.assertLess(red[3], blue[1])
        width = picture.width / picture.info["dpi"][0] * 2.54
        self.assertBetween(width, 17.0, 17.8)

    def test_text_stays_inside(self):
        table = Table(
            [Group("Post Inflammatory Hyperpigmentation", ["n"], [Strip([_image(_RED)])])],
            titles_above=True,
            footer="word " * 60,
        )
        for one in (table, Table(table.groups, heads=["type 6"], footer=table.footer)):
            pixels = np.asarray(image_tables.draw(one))
            rims = (pixels[:10], pixels[-10:], pixels[:, :10], pixels[:, -10:])
            self.assertTrue(all((rim == 255).all() for rim in rims))

    def test_the_legend_names_skin_types_where_a_map_does(self):
        for typed in (True, False):
            table = Table([Group("", (), [Strip([_image(_RED)])])], typed=typed)
            pixels = np.asarray(image_tables.draw(table)).reshape(-1, 3)
            for skin_type in (1, 6):
                swatch = (pixels == (42 * skin_type, 0, 0)).all(axis=1)
                self.assertEqual(swatch.any(), typed)

    def test_nothing_to_show(self):
        with self.assertRaisesRegex(ValueError, "nothing to show"):
            image_tables.draw(Table([]))


_MARK = provenance.Provenance("a" * 64, 7)


def _table(mark=None):
    return Table([Group("Acne", (), [Strip([_image(90, 32)])])], mark=mark)


class SaveTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    @parameterized.parameters(None, _MARK)
    def test_saves_with_its_resolution_and_mark(self, mark):
        path = self.folder / "new" / "F.png"
        self.assertRegex(
            image_tables.save(_table(mark), str(path)),
            r"F\.png \([\d.]+ x [\d.]+ cm at 3\d\d dpi\)$",
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
            image_tables.save(_table(), str(path))
        self.assertEmpty(list(self.folder.iterdir()))

    def test_describe(self):
        generator = absltest.mock.create_autospec(trained_generator.TrainedGenerator, instance=True)
        generator.configure_mock(run_dir="/runs/mine/", step=4000, image_size=64)
        self.assertStartsWith(
            image_tables.describe(generator, 3),
            "mine, step 4,000, seed 3; 64x64 pixels, enlarged 4",
        )
        generator.image_size = 256
        self.assertEndsWith(image_tables.describe(generator, 3), "; 256x256 pixels.")


if __name__ == "__main__":
    absltest.main()
