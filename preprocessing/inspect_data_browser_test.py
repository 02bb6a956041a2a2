import pathlib

from absl.testing import absltest, parameterized

from common import testing_browser
from preprocessing.demo import cases
from preprocessing.duplicates import near_duplicates
from preprocessing.inspection import page, sources

# Pictures load when they come into view; here, all of them at once.
_LOAD = """
const done = arguments[0];
const pictures = [...document.images];
document.querySelectorAll('details').forEach(one => one.open = true);
pictures.forEach(picture => picture.loading = "eager");
Promise.all(pictures.map(picture => picture.decode())).then(
    () => done(pictures.map(picture => picture.naturalWidth)), error => done(String(error)));
"""
_WITHOUT_HEADING = """
return [...document.querySelectorAll("section")].filter(s => !s.querySelector("h2")).length
"""
_WITHOUT_SCOPE = "return document.querySelectorAll('th:not([scope])').length"
_EXCESS = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
_FETCHED = "return performance.getEntriesByType('resource').map(entry => entry.name.slice(0, 40))"
_SHOWN_BOXES = """
return [...document.querySelectorAll(".photo svg")].filter(
    svg => getComputedStyle(svg).display != "none").length
"""
# Letters must be read where they stand: WCAG 2, AA, for text of usual size.
_LOW_CONTRAST = """
function luminance(color) {
  const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map(v => {
    v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function ground(element) {
  for (; element; element = element.parentElement) {
    const color = getComputedStyle(element).backgroundColor;
    if (!/rgba\\(.*, 0\\)/.test(color)) return color;
  }
  return "rgb(255 255 255)";
}
const low = [];
for (const element of document.querySelectorAll("h1,h2,h3,p,li,a,th,td,small,figcaption,summary")) {
  if (!element.textContent.trim()) continue;
  const style = getComputedStyle(element);
  const [a, b] = [luminance(style.color), luminance(ground(element))].sort((x, y) => y - x);
  if ((a + 0.05) / (b + 0.05) < 4.5) low.push(element.tagName + ": " + element.textContent);
}
return low;
"""


class PageTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = pathlib.Path(absltest.TEST_TMPDIR.value)
        path = cases.write_demo_cases(str(folder / "demo"), 12, overwrite=True)
        found = sources.from_manifest(path)
        copy = found.pairs[0] if found.pairs else near_duplicates.Pair(0, 1, 90, 0.9, False)
        found = found._replace(pairs=[copy])
        for n in copy[:2]:
            image_id = found.looks[n].row.image_id
            found.pictures.setdefault(image_id, next(iter(found.pictures.values())))
        cls.page = folder / "inspect.html"
        cls.page.write_text(page.render(found), encoding="utf-8")
        cls.count = sum(map(len, found.shown().values())) + 2 + 7  # and the charts
        cls.with_boxes = sum(bool(look.boxes) for s in found.shown().values() for look in s)

    @parameterized.named_parameters(("laptop", 1280, False), ("phone", 390, True))
    def test_page(self, width, phone):
        with testing_browser.chromium(width=width, phone=phone) as browser:
            browser.get(self.page.as_uri())
            widths = browser.execute_async_script(_LOAD)
            self.assertLen(widths, self.count)
            self.assertGreater(min(widths), 0)
            self.assertLessEqual(browser.execute_script(_EXCESS), 0)
            self.assertEqual(browser.execute_script(_FETCHED), [])
            self.assertEqual(browser.execute_script(_WITHOUT_HEADING), 0)
            self.assertEqual(browser.execute_script(_WITHOUT_SCOPE), 0)
            self.assertEqual(browser.execute_script(_LOW_CONTRAST), [])
            self.assertEqual(browser.get_log("browser"), [])

    def test_boxes_can_be_hidden(self):
        with testing_browser.chromium() as browser:
            browser.get(self.page.as_uri())
            self.assertEqual(browser.execute_script(_SHOWN_BOXES), self.with_boxes)
            browser.find_element("id", "boxes").click()
            self.assertEqual(browser.execute_script(_SHOWN_BOXES), 0)


if __name__ == "__main__":
    absltest.main()
