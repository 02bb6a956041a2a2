"""The studio in one file, opened by a double click. Fetches ONNX Runtime Web from npm."""

import base64
import io
import os
import pathlib
import shutil
import tempfile
import time

import numpy as np
from absl.testing import absltest
from PIL import Image
from selenium.webdriver.common.by import By

from common import testing_browser
from common.testing_programs import run_program
from model.serving import Painter
from studio import testing
from studio.painter import StudioPainter
from synthesis import provenance, trained_generator
from synthesis.export import onnx_model

_PAINT = """
const [asked, done] = arguments;
studioHere.paint([asked]).then(
  (files) => done(btoa(String.fromCharCode(...files[0]))), (error) => done(`failed: ${error}`));
"""


class OneFileTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.generator = trained_generator.load(testing.train(cls.folder))
        cls.path = os.path.join(cls.folder, "studio.html")
        cls.done = cls._run("--output=studio.html")

    @classmethod
    def _run(cls, *flags):
        return run_program("studio", *flags, folder=cls.folder)

    def _until(self, found):
        for _ in range(300):
            if result := found():
                return result
            time.sleep(0.1)
        return self.fail("waited in vain")

    def test_it_paints_what_the_generator_paints(self):
        self.assertEqual(self.done.returncode, 0, self.done.stderr)
        self.assertIn("studio.html: ", self.done.stdout)
        driver = self.enter_context(testing_browser.chromium())
        driver.execute_cdp_cmd("Network.enable", {})
        offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
        words = "condition=Acne&skin_type=3&rois=8 8 16 16&noise=7"
        driver.get(f"file://{self.path}#{words}")
        image = driver.find_element(By.CSS_SELECTOR, ".picture img")
        self._until(lambda: image.get_attribute("data-noise") == "7")
        self.assertEqual(testing_browser.problems(driver), [])
        driver.find_element(By.CSS_SELECTOR, "[data-strip=skin]").click()
        self._until(lambda: len(driver.find_elements(By.CSS_SELECTOR, "#strip img[src]")) == 6)
        self.assertIn("photograph", driver.find_element(By.ID, "counts").text)
        self.assertFalse(driver.find_element(By.ID, "message").is_displayed())
        errors = [one for one in driver.get_log("browser") if one["level"] == "SEVERE"]
        self.assertEqual(errors, [])

        painter = StudioPainter(self.generator)
        painter._paint = Painter(onnx_model.float32_network(self.generator)).paint
        for noise in ("7", "9007199254740991", "12/34", "12~56@0.4", "12/34~5/6@0.25"):
            asked = {"condition": "Acne", "skin_type": "unknown", "rois": "2 3 9.5 31;20 20 32 32"}
            picture = painter.picture({**asked, "noise": noise})
            found = driver.execute_async_script(_PAINT, {**asked, "noise": noise})
            self.assertNotIn("failed", found)
            png = base64.b64decode(found)
            expected = painter.paint([picture])[0].astype(int)
            pixels = np.asarray(Image.open(io.BytesIO(png)))
            self.assertLessEqual(np.abs(pixels - expected).max(), 2)
            (same,) = painter.png_files([picture])
            self.assertEqual(provenance.read(png), provenance.read(same))

    def test_flags_that_make_no_sense(self):
        for flags, message in (
            (["--output=studio.html"], "studio.html: exists; .* --overwrite"),
            (["--output=studio.png"], "its name ends in .html"),
            (["--output=a.html", "--port=80"], "--output and --port exclude each other"),
            (["--onnxruntime_web=x.tgz"], "--onnxruntime_web is for --output"),
            (["--output=a.html", "--onnxruntime_web=x.tgz"], "x.tgz"),
        ):
            done = self._run(*flags)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, f"^error: .*{message}.*\n$")
        self.assertEqual(
            sorted(pathlib.Path(self.folder).glob("*.html")), [pathlib.Path(self.path)]
        )


if __name__ == "__main__":
    absltest.main()
