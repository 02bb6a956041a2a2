import numpy as np
from absl.testing import absltest, parameterized

from synthesis.figures import image_tables
from synthesis.figures.image_tables import Group, Strip, Table, Tile

_RED, _GREEN, _BLUE = (200, 20, 20), (20, 200, 20), (20, 20, 200)


def _tile(color, size=64, is_map=False):
    return Tile(np.full((size, size, 3), color, np.uint8), is_map)


def _where(picture, color):
    """Returns the corners (x0, y0, x1, y1) of what has a colour, and its area."""
    rows, columns = np.nonzero((np.asarray(picture) == color).all(axis=-1))
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), len(rows)


class DrawTest(parameterized.TestCase):
    @parameterized.parameters(32, 64, 100, 256)
    def test_tiles_are_whole_multiples_of_at_least_300_dpi(self, size):
        picture = image_tables.draw(Table([Group("Acne", (), [Strip([_tile(_RED, size)])])]))
        corners, area = _where(picture, _RED)
        # All but the frame of a pixel or two.
        side = size * image_tables.enlargement(size)
        self.assertBetween(side - (corners[2] - corners[0]), 2, 6)
        self.assertEqual(area, (corners[2] - corners[0]) ** 2)
        dpi = picture.info["dpi"][0]
        self.assertGreaterEqual(dpi, 300)
        self.assertAlmostEqual(side / dpi * 2.54, 1.7)

    def test_places(self):
        strips = [
            Strip([_tile(_RED, is_map=True), None], "map", small=True),
            Strip([None, _tile(_GREEN)], "generated", ["", "type 2"]),
        ]
        groups = [Group("Acne", ["a note"], strips), Group("Cyst", (), [Strip([_tile(_BLUE)])])]
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

    def test_maps_are_not_interpolated(self):
        pixels = np.zeros((64, 64, 3), np.uint8)
        pixels[20:40, 10:30] = _GREEN
        for is_map in (True, False):
            table = Table([Group("", (), [Strip([Tile(pixels, is_map)])])])
            picture = np.asarray(image_tables.draw(table))
            _, area = _where(picture, _GREEN)
            self.assertEqual(area == 20 * 20 * 4 * 4, is_map)

    def test_two_galleries_side_by_side_fill_a_page(self):
        colors = [_RED, _GREEN, _BLUE]
        groups = [
            Group("Acne", ["n"], [Strip([_tile(color)] * 4, "generated")]) for color in colors
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
            [Group("Post Inflammatory Hyperpigmentation", ["n"], [Strip([_tile(_RED)])])],
            titles_above=True,
            footer="word " * 60,
        )
        for one in (table, Table(table.groups, heads=["type 6"], footer=table.footer)):
            pixels = np.asarray(image_tables.draw(one))
            rims = (pixels[:10], pixels[-10:], pixels[:, :10], pixels[:, -10:])
            self.assertTrue(all((rim == 255).all() for rim in rims))

    def test_nothing_to_show(self):
        with self.assertRaisesRegex(ValueError, "nothing to show"):
            image_tables.draw(Table([]))


if __name__ == "__main__":
    absltest.main()
