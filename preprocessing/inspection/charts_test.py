import base64
import xml.etree.ElementTree as ET

import numpy as np
from absl.testing import absltest

from common import testing_pages
from preprocessing.inspection import charts
from preprocessing.inspection.distributions import Histogram

_SVG = "{http://www.w3.org/2000/svg}"


def _drawn(chart):
    kind, _, data = chart.address.partition(";base64,")
    assert kind == "data:image/svg+xml"
    return ET.fromstring(base64.b64decode(data))


def _texts(chart):
    return [text.text for text in _drawn(chart).iter(f"{_SVG}text")]


def _luminance(color):
    """Relative luminance of WCAG 2."""
    values = np.array([int(color[n : n + 2], 16) for n in (1, 3, 5)]) / 255
    linear = np.where(values <= 0.03928, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def _contrast(one, other):
    low, high = sorted(_luminance(color) + 0.05 for color in (one, other))
    return high / low


class BarsTest(absltest.TestCase):
    def test_draws_and_tells_the_numbers(self):
        series = {
            "a": Histogram(["x", "y", "z"], [10, 0, 1200]),
            "b": Histogram(["x", "y", "z"], [0, 0, 5]),
        }
        chart = charts.bars("T", "letter", series, ["#ff0000", "#0000ff"], marks=(1.0,))
        self.assertEqual(chart.header, ["letter", "a", "b"])
        self.assertEqual(chart.rows, [["x", "10", "0"], ["z", "1,200", "5"]])
        self.assertContainsSubset(["x", "y", "z", "letter", "0", "1,200"], _texts(chart))

    def test_ticks_stand_for_labels(self):
        histogram = Histogram(["0 to 1", "1 to 2"], [3, 4], [(1, "one")])
        chart = charts.bars("T", "", {"n": histogram}, ["red"])
        self.assertIn("one", _texts(chart))
        self.assertNotIn("0 to 1", _texts(chart))
        self.assertEqual(chart.rows, [["0 to 1", "3"], ["1 to 2", "4"]])

    def test_single_bars_have_their_colors(self):
        histogram = Histogram(["x", "y"], [3, 4])
        chart = charts.bars("T", "", {"n": histogram}, ["red"], ["#123456", "#654321"])
        drawn = ET.tostring(_drawn(chart)).decode()
        self.assertIn("fill: #123456", drawn)
        self.assertIn("fill: #654321", drawn)

    def test_text_is_escaped(self):
        chart = charts.bars('"<T>', "<b>", {"<a>": Histogram(["<x>"], [1])}, ["red"])
        self.assertContainsSubset(["<x>", "<b>"], _texts(chart))

    def test_nothing_to_count(self):
        chart = charts.bars("T", "", {"n": Histogram(["x"], [0])}, ["red"])
        self.assertEqual(chart.rows, [])
        self.assertIn("0", _texts(chart))

    def test_counts_are_whole_and_letters_can_be_read(self):
        chart = charts.bars("T", "", {"n": Histogram(["x"], [2])}, ["red"])
        self.assertEqual(_texts(chart), ["x", "0", "1", "2"])
        self.assertGreaterEqual(_contrast(charts.TEXT_COLOR, "#ffffff"), 4.5)


class HeatMapTest(absltest.TestCase):
    def test_tells_the_shares_of_nine_parts(self):
        shares = np.zeros((24, 24))
        shares[8:16, 16:] = 0.5
        shares[:4, :8] = 0.2
        chart = charts.heat_map("T", shares)
        self.assertEqual(
            [row[1:] for row in chart.rows],
            [
                ["10%", "0%", "0%"],
                ["0%", "0%", "50%"],
                ["0%", "0%", "0%"],
            ],
        )
        self.assertContainsSubset(["0%", "15%", "45%"], _texts(chart))  # of the color bar

    def test_nothing_anywhere(self):
        chart = charts.heat_map("T", np.zeros((24, 24)))
        self.assertEqual({cell for row in chart.rows for cell in row[1:]}, {"0%"})

    def test_letters_can_be_read_on_every_shade(self):
        before = 1.0
        for share in np.linspace(0, 1, 101):
            color = charts.shade(share)
            self.assertLessEqual(_luminance(color), before)
            before = _luminance(color)
            letters = "#ffffff" if share > charts.DARK_FROM else "#000000"
            self.assertGreaterEqual(_contrast(color, letters), 4.5)  # WCAG 2, AA.


class PageTest(absltest.TestCase):
    def test_pictures_load_nothing(self):
        histogram = Histogram(["x"], [2])
        for chart in (
            charts.bars("T", "", {"n": histogram}, ["red"]),
            charts.heat_map("T", np.eye(24)),
        ):
            testing_pages.check_page(ET.tostring(_drawn(chart)).decode())


if __name__ == "__main__":
    absltest.main()
