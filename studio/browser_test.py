"""The studio in a real browser: by mouse, by touch and by keyboard."""

import csv
import io
import pathlib
import shutil
import tempfile
import time
import zipfile

from absl.testing import absltest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from common import testing_browser
from studio import testing
from synthesis import provenance, wanted


class StudioTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.run_dir, cls.data_dir = testing.train(folder), f"{folder}/data"
        running = cls.enter_context(testing.serving(cls.run_dir, cls.data_dir))
        cls.address = f"{running.url}/{testing.TOKEN}/"
        cls.downloads = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.downloads)

    def _open(self, words="condition=Acne&skin_type=3&rois=8 8 16 16&noise=7", **kwargs):
        driver = self.enter_context(testing_browser.chromium(self.downloads, **kwargs))
        driver.get(f"{self.address}#{words}")
        self._until(lambda: self._shown(driver))
        return driver

    def _until(self, found):
        for _ in range(100):
            result = found()
            if result:
                return result
            time.sleep(0.1)
        return self.fail("waited in vain")

    def _image(self, driver):
        return driver.find_element(By.CSS_SELECTOR, ".picture img")

    def _shown(self, driver):
        return self._image(driver).get_attribute("data-rois")

    def _rois(self, driver):
        return driver.execute_script(
            "return new URLSearchParams(location.hash.slice(1)).get('rois')"
        )

    def _saved(self, name):
        return self._until(lambda: list(pathlib.Path(self.downloads).glob(name)))[0]

    def _no_errors(self, driver):
        self.assertEqual([one for one in driver.get_log("browser") if one["level"] == "SEVERE"], [])

    def test_by_mouse(self):
        driver = self._open()
        driver.execute_script("document.querySelector('#map').scrollIntoView()")
        svg = driver.find_element(By.ID, "map")
        cell = svg.size["width"] / 32

        def at(x, y):
            return int((x - 16) * cell), int((y - 16) * cell)

        mouse = ActionChains(driver, duration=20)
        mouse.move_to_element_with_offset(svg, *at(20, 20)).click_and_hold()
        mouse.move_to_element_with_offset(svg, *at(30, 28)).release().perform()
        self.assertRegex(
            self._rois(driver), "^8 8 16 16;(19|20|21) (19|20|21) (29|30|31) (27|28|29)$"
        )
        self._until(lambda: self._shown(driver) == self._rois(driver))
        drawn = self._rois(driver)
        mouse = ActionChains(driver, duration=20)
        mouse.move_to_element_with_offset(svg, *at(12, 12)).click_and_hold()
        mouse.move_to_element_with_offset(svg, *at(8, 12)).release().perform()
        self.assertRegex(self._rois(driver), "^[345] 8 1[123] 16;")
        driver.find_element(By.ID, "undo").click()
        self.assertEqual(self._rois(driver), drawn)
        driver.find_element(By.ID, "undo").click()
        self.assertEqual(self._rois(driver), "8 8 16 16")
        driver.find_element(By.ID, "redo").click()
        self._until(lambda: self._shown(driver) == drawn)
        for kind, number in (("skin", 6), ("size", 6), ("conditions", 3), ("noise", 6)):
            driver.find_element(By.CSS_SELECTOR, f"[data-strip={kind}]").click()
            self._until(
                lambda n=number: len(driver.find_elements(By.CSS_SELECTOR, "#strip img[src]")) == n
            )
        driver.find_element(By.CSS_SELECTOR, "#strip button").click()
        driver.find_element(By.ID, "walk").click()
        self.assertFalse(driver.find_element(By.ID, "add").is_enabled())
        self._until(lambda: "@0.5" in self._image(driver).get_attribute("data-noise"))
        driver.find_element(By.ID, "save").click()
        mark = provenance.read(self._saved("generated_Acne*.png").read_bytes())
        self.assertRegex(mark.mixture, r"^\d+~\d+@0.5$")
        nearest = driver.find_element(By.ID, "nearest")
        self.assertFalse(nearest.is_displayed())
        driver.find_element(By.ID, "find_nearest").click()
        self._until(nearest.is_displayed)
        self.assertRegex(nearest.text, r"^Nearest training photograph: .* At \d\.\d\d of its")
        driver.find_element(By.CSS_SELECTOR, "#examples button").click()
        self.assertFalse(nearest.is_displayed())
        self.assertTrue(driver.find_element(By.ID, "beside").is_displayed())
        self._no_errors(driver)

    def test_by_keyboard_with_list_and_painting(self):
        driver = self._open()

        def press(*keys):
            ActionChains(driver, duration=0).send_keys(*keys).perform()

        driver.execute_script("document.querySelector('.box').focus()")
        press(Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
        self.assertEqual(self._rois(driver), "9 9 17 17")
        ActionChains(driver, duration=0).key_down(Keys.SHIFT).send_keys(Keys.ARROW_RIGHT).key_up(
            Keys.SHIFT
        ).perform()
        self.assertEqual(self._rois(driver), "9 9 18 17")
        press("n")
        self.assertEqual(self._rois(driver), "9 9 18 17;12 12 20 20")
        press(Keys.DELETE)
        self.assertEqual(self._rois(driver), "9 9 18 17")
        ActionChains(driver, duration=0).key_down(Keys.CONTROL).send_keys("z").key_up(
            Keys.CONTROL
        ).perform()
        self.assertEqual(self._rois(driver), "9 9 18 17;12 12 20 20")
        many = driver.find_element(By.ID, "how_many")
        many.clear()
        many.send_keys("3")
        for name in ("add", "save_list", "paint_list"):
            driver.find_element(By.ID, name).send_keys(Keys.ENTER)
        path = self._saved("wanted.csv")
        asked = wanted.read_requests(str(path), 32)
        self.assertLen(asked, 3)
        self.assertEqual(asked[0].seed, 7)
        with zipfile.ZipFile(self._saved("studio_images.zip")) as archive:
            self.assertIsNone(archive.testzip())
            names = archive.namelist()
            self.assertLen(names, 4)
            rows = list(csv.DictReader(io.StringIO(archive.read("wanted.csv").decode())))
            seeds = [provenance.read(archive.read(name)).seed for name in names[1:]]
        self.assertEqual(seeds, [int(row["seed"]) for row in rows])
        self._no_errors(driver)

    def test_two_people_do_not_mix(self):
        first = self._open()
        second = self._open("condition=Melanoma&skin_type=5&rois=2 2 30 30&noise=9")
        for _ in range(4):
            for driver in (first, second):
                driver.find_element(By.ID, "another").click()
        for driver, rois, condition in (
            (first, "8 8 16 16", "Acne"),
            (second, "2 2 30 30", "Melanoma"),
        ):
            noise = driver.execute_script(
                "return new URLSearchParams(location.hash.slice(1)).get('noise')"
            )
            image = self._image(driver)
            self._until(lambda i=image, n=noise: i.get_attribute("data-noise") == n)
            self.assertEqual(image.get_attribute("data-rois"), rois)
            self.assertIn(condition, image.get_attribute("alt"))
            self._no_errors(driver)

    def test_two_runs_beside_each_other(self):
        with testing.serving(self.run_dir, self.data_dir, compared=True) as running:
            driver = self.enter_context(testing_browser.chromium(self.downloads))
            driver.get(f"{running.url}/{testing.TOKEN}/#noise=7&rois=8 8 16 16")

            def painted(noise):
                shown = driver.find_elements(By.CSS_SELECTOR, ".picture img[data-noise]")
                return [one.get_attribute("data-noise") for one in shown] == [noise] * 2

            self._until(lambda: painted("7"))
            driver.find_element(By.ID, "another").click()
            noise = driver.find_element(By.ID, "noise").get_attribute("value")
            self.assertNotEqual(noise, "7")
            self._until(lambda: painted(noise))
            # Of the same map and noise the same run paints the same picture twice.
            first, second = driver.execute_script(
                "return [...document.querySelectorAll('.picture img')].map((image) => {"
                " const canvas = document.createElement('canvas');"
                " canvas.getContext('2d').drawImage(image, 0, 0);"
                " return canvas.toDataURL(); })"
            )
            self.assertEqual(first, second)
            driver.get("about:blank")

    def test_on_a_phone(self):
        driver = self._open(width=390, height=844, phone=True)
        box = driver.execute_script(
            "const r = document.querySelector('#map').getBoundingClientRect();"
            "return [r.x, r.y, r.width]"
        )
        x, y = (int(box[i] + box[2] * 0.7) for i in (0, 1))
        points = [("touchStart", x, y), ("touchMove", x + 20, y + 20), ("touchEnd", None, None)]
        for kind, left, top in points:
            touches = [] if left is None else [{"x": left, "y": top}]
            driver.execute_cdp_cmd(
                "Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches}
            )
        self._until(lambda: self._rois(driver).count(";") == 1)
        self._until(lambda: self._shown(driver) == self._rois(driver))
        wide = driver.execute_script("return document.documentElement.scrollWidth - innerWidth")
        self.assertLessEqual(wide, 0)
        self._no_errors(driver)

    def test_types_that_nobody_knows_are_not_offered(self):
        driver = self._open()

        def usable():
            radios = driver.find_elements(By.NAME, "skin")
            return [one.get_attribute("value") for one in radios if one.is_enabled()]

        strip = driver.find_element(By.CSS_SELECTOR, "[data-strip=skin]")
        self._until(lambda: driver.execute_script("return known && known.counts"))
        self.assertLen(usable(), 7)
        self.assertTrue(strip.is_enabled())
        driver.execute_script("known.counts = {Acne: {0: [3, 2]}}; count();")
        self.assertEqual(usable(), ["3", "unknown"])  # what the address asked for stays
        self.assertFalse(strip.is_enabled())
        driver.execute_script("commit({skin: 'unknown'});")
        self.assertEqual(usable(), ["unknown"])

    def test_an_address_that_makes_no_sense(self):
        driver = self._open("condition=Nonsense&skin_type=9&rois=4 4 99 9&noise=-1")
        text = self._until(lambda: driver.find_element(By.ID, "message").text)
        for part in ("Nonsense", "skin_type 9", "rois 4 4 99 9", "noise -1"):
            self.assertIn(part, text)


if __name__ == "__main__":
    absltest.main()
