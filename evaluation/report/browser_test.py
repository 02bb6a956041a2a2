"""The report in a real browser: on a desk, on a phone, printed."""

import base64
import io
import json
import pathlib
import re

from absl.testing import absltest
from PIL import Image

from common import results, testing_browser
from common.testing_results import DATASET, DIGEST, content
from evaluation.report import comparison
from evaluation.report.contents import Contents
from evaluation.report.page import Report
from evaluation.report.pictures import Picture


def _picture():
    png = io.BytesIO()
    Image.new("RGB", (1600, 900), "#c9a285").save(png, "PNG")
    return Picture("Maps, and what is painted from them", "Drawn by lot.", png.getvalue())


class ReportPageTest(absltest.TestCase):
    def _write(self, measured):
        folder = pathlib.Path(self.create_tempdir().full_path)
        (folder / "evaluation").mkdir()
        for name in measured:
            path = folder / "evaluation" / f"{name}.json"
            path.write_text(json.dumps(content(name)))
        found = results.read(folder, DIGEST, DATASET)
        cells = {(c, t): 100 * t for c in ("Acne", "Squamous cell carcinoma") for t in range(1, 7)}
        facts = [("Checkpoint", "step 7"), ("Skin types", "of all crops 5 noted by people")]
        told = Contents("runs/one", 7, DIGEST, facts, cells, found)
        pictures = {**dict.fromkeys(found, ()), "": (_picture(),), "fid": (_picture(),)}
        compared = comparison.compare(found, found)
        page = folder / "report.html"
        page.write_text(Report(told, pictures, True, "runs/two", compared).html())
        return page.as_uri()

    def _check(self, driver, uri):
        driver.get(uri)
        self.assertEqual(testing_browser.problems(driver), [])
        self.assertEqual(driver.get_log("browser"), [])
        drawn = driver.execute_script("return [...document.images].map((i) => i.naturalWidth)")
        self.assertEqual(drawn, [1600, 1600])

    def test_on_a_desk_on_a_phone_and_printed(self):
        uri = self._write(results.KINDS)
        with testing_browser.chromium() as driver:
            self._check(driver, uri)
            pdf = base64.b64decode(driver.print_page())
            self.assertBetween(len(re.findall(rb"/Type\s*/Page\b", pdf)), 2, 12)
        with testing_browser.chromium(width=360, height=640, phone=True) as driver:
            self._check(driver, uri)
            self._check(driver, self._write(["fid"]))


if __name__ == "__main__":
    absltest.main()
