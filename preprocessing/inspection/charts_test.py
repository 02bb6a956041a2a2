import xml.etree.ElementTree as ET

import numpy as np
from absl.testing import absltest

from preprocessing.inspection import charts
from preprocessing.inspection.charts import Series


def _luminance(color):
    """Relative luminance of WCAG 2."""
    values = np.array([int(word) for word in color[4:-1].split()]) / 255
    linear = np.where(values <= 0.03928, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


class BarsTest(absltest.TestCase):
    def test_heights_are_in_proportion(self):
        series = [Series("a", (10, 20), "red"), Series("b", (0, 5), "blue")]
        chart = ET.fromstring(charts.bars("T", ["x", "y"], series, marks=(1.0,)))
        rects = chart.findall("rect")
        heights = [float(rect.get("height")) for rect in rects]
        np.testing.assert_allclose(np.array(heights) / heights[2], (0.5, 0, 1, 0.25), atol=0.01)
        titles = [rect.find("title").text for rect in rects]
        self.assertEqual(titles, ["x a: 10", "x b: 0", "y a: 20", "y b: 5"])
        # The mark lies between the two places.
        mark = float(chart.find("line[@class='mark']").get("x1"))
        self.assertLess(float(rects[1].get("x")), mark)
        self.assertGreater(float(rects[2].get("x")), mark)

    def test_text_is_escaped(self):
        chart = charts.bars('"<T>', ["<x>"], [Series("<a>", (1,), "red")], axis="<b>")
        root = ET.fromstring(chart)
        self.assertEqual(root.get("aria-label"), '"<T>')
        self.assertIn("<b>", [text.text for text in root.findall("text")])

    def test_ticks_are_round_and_reach_the_highest(self):
        for highest in (0, 0.5, 1, 3, 7, 19, 101, 4096, 123456):
            ticks = charts._ticks(highest)
            self.assertGreaterEqual(ticks[-1], highest)
            self.assertBetween(len(ticks), 2, 5)
            self.assertLen(set(np.round(np.diff(ticks), 9)), 1)

    def test_nothing_to_count(self):
        ET.fromstring(charts.bars("T", ["x"], [Series("", (0,), "red")]))


class HeatMapTest(absltest.TestCase):
    def test_darkest_where_the_share_is_largest(self):
        shares = np.array([[0.0, 0.2], [0.4, 0.1]])
        chart = ET.fromstring(charts.heat_map("T", shares))
        light = [_luminance(rect.get("fill")) for rect in chart.findall("rect")]
        self.assertEqual(np.argsort(light).tolist(), [2, 1, 3, 0])

    def test_letters_can_be_read_on_every_shade(self):
        for share in np.linspace(0, 1, 101):
            luminance = _luminance(charts.shade(share))
            white, black = 1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05
            contrast = white if share > charts.DARK_FROM else black
            self.assertGreaterEqual(contrast, 4.5)  # WCAG 2, AA.


if __name__ == "__main__":
    absltest.main()
