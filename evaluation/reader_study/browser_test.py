"""Whole studies in a real browser: by mouse, by keyboard, on a phone and over HTTP."""

import json
import pathlib
import sqlite3
import threading
import time
from unittest import mock

from absl.testing import absltest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from common import testing_browser
from evaluation.reader_study import answer_key, testing
from evaluation.reader_study import server as servers
from evaluation.reader_study.design import PAIR, REALISM, RELEVANCE, Design

_DESIGN = Design(real=4, synthetic=4, repeats=2, pairs=2, questions=2, images_per_question=4)
_LOOK = 0.3  # seconds; faster answers are taken for a second tap


class StudyTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.downloads = self.create_tempdir().full_path
        self.key = testing.write_study(self.folder, asked=_DESIGN)
        self.reader = self.key.readers["reader_02"]
        self.trials = self.reader.trials
        self.url = answer_key.page_path(self.folder, self.reader.name).as_uri()
        # What the reader answers: not the truth, but something different every time.
        self.wanted = {}
        for number, trial in enumerate(self.trials):
            self.wanted[trial.trial_id] = {
                REALISM: ("real", "synthetic")[number % 3 == 0],
                PAIR: ("left_2", "right_3")[number % 2],
                RELEVANCE: ((1, 2), (0, 3))[number % 2],
            }[trial.kind]

    def _browser(self, profile=None, **kwargs):
        return testing_browser.chromium(
            self.downloads, profile or self.create_tempdir().full_path, **kwargs
        )

    def _open(self, driver, url=None):
        driver.get(url or self.url)
        self._until(
            driver, lambda: driver.find_elements(By.CSS_SELECTOR, "main > section:not([hidden])")
        )

    def _until(self, driver, found):
        for _ in range(100):
            result = found()
            if result:
                return result
            time.sleep(0.1)
        return self.fail(
            f"waited in vain; the page shows {driver.find_element(By.TAG_NAME, 'body').text}"
        )

    def _section(self, driver):
        return driver.find_element(By.CSS_SELECTOR, "main > section:not([hidden])")

    def _audit(self, driver):
        self.assertEqual(
            testing_browser.problems(driver), [], self._section(driver).get_attribute("id")
        )

    def _fill_in(self, driver):
        Select(driver.find_element(By.ID, "role")).select_by_value("dermatologist")
        Select(driver.find_element(By.ID, "years")).select_by_value("5")
        driver.find_element(By.ID, "agree").click()
        driver.find_element(By.ID, "start").click()

    def _begin(self, driver):
        if self._section(driver).get_attribute("id").startswith("intro_"):
            self._audit(driver)
            self._section(driver).find_element(By.CSS_SELECTOR, ".begin").click()

    def _click(self, driver, trial):
        """Answers a trial with the mouse."""
        self._begin(driver)
        section = self._section(driver)
        self.assertEqual(section.get_attribute("id"), trial.kind)
        self._audit(driver)
        time.sleep(_LOOK)
        wanted = self.wanted[trial.trial_id]
        if trial.kind == RELEVANCE:
            self.assertIn(trial.condition, section.find_element(By.TAG_NAME, "h1").text)
            tiles = section.find_elements(By.CSS_SELECTOR, ".tile > img")
            for place in wanted:
                tiles[place].click()
            driver.find_element(By.ID, "next").click()
        else:
            section.find_element(By.CSS_SELECTOR, f"[data-choice={wanted}]").click()

    def _shown(self, driver):
        """Returns the image files on the screen."""
        images = self._section(driver).find_elements(By.TAG_NAME, "img")
        return [one.get_attribute("src") for one in images]

    def _saved(self):
        (path,) = self._until(None, lambda: list(pathlib.Path(self.downloads).glob("*.json")))
        self.assertEqual(path.name, "answers_reader_02.json")
        panel, refused = answer_key.load_answers([str(path)], self.key)
        self.assertEmpty(refused)
        return panel[0]

    def _check(self, answers):
        self.assertEqual(answers.reader, "reader_02")
        given = {name: one.choice for name, one in answers.answers.items()}
        self.assertEqual(given, self.wanted)
        for one in answers.answers.values():
            self.assertBetween(one.ms, 250, 60000)

    def _no_errors(self, driver):
        self.assertEqual([one for one in driver.get_log("browser") if one["level"] == "SEVERE"], [])

    def test_by_mouse_with_the_tab_closed_in_between(self):
        profile = self.create_tempdir().full_path
        middle = 6
        with self._browser(profile) as driver:
            self._open(driver)
            self._audit(driver)
            driver.find_element(By.ID, "start").click()
            self.assertEqual(self._section(driver).get_attribute("id"), "welcome")  # form is empty
            self._fill_in(driver)
            for trial in self.trials[:middle]:
                self._click(driver, trial)
            place = driver.find_element(By.ID, "place").text
            shown = self._shown(driver)
            self._no_errors(driver)
        with self._browser(profile) as driver:
            self._open(driver)
            self.assertIn("You have answered 6 of 14", self._section(driver).text)
            self._audit(driver)
            driver.find_element(By.ID, "start").click()
            self.assertEqual(driver.find_element(By.ID, "place").text, place)
            self.assertEqual(self._shown(driver), shown)

            # A look at the picture, enlarged; closing it answers nothing.
            self._section(driver).find_element(By.CSS_SELECTOR, ".picture").click()
            before = driver.execute_script("return document.querySelector('#zoom img').width")
            driver.find_element(By.ID, "zoom_in").click()
            after = driver.execute_script("return document.querySelector('#zoom img').width")
            self.assertAlmostEqual(after, 1.5 * before, delta=2)
            self._audit(driver)
            driver.find_element(By.ID, "zoom_close").click()

            # A wrong answer, taken back; then a double click, which counts once.
            time.sleep(_LOOK)
            wrong = {"real": "synthetic", "synthetic": "real"}[self.wanted[self.trials[6].trial_id]]
            driver.find_element(By.CSS_SELECTOR, f"#realism [data-choice={wrong}]").click()
            driver.find_element(By.ID, "back").click()
            chosen = driver.find_element(By.CSS_SELECTOR, "#realism [aria-pressed=true]")
            self.assertEqual(chosen.get_attribute("data-choice"), wrong)
            time.sleep(_LOOK)
            right = driver.find_element(
                By.CSS_SELECTOR, f"#realism [data-choice={self.wanted[self.trials[6].trial_id]}]"
            )
            ActionChains(driver, duration=0).double_click(right).perform()
            for trial in self.trials[7:]:
                self._click(driver, trial)
            self.assertEqual(self._section(driver).get_attribute("id"), "review")
            self._audit(driver)
            driver.find_element(By.ID, "finish").click()
            self.assertEqual(self._section(driver).get_attribute("id"), "done")
            self._audit(driver)
            answers = self._saved()
            self._check(answers)
            self.assertEqual((answers.role, answers.years), ("dermatologist", "5"))
            self._no_errors(driver)
        with self._browser(profile) as driver:
            self._open(driver)  # finished answers stay finished
            self.assertEqual(self._section(driver).get_attribute("id"), "done")

    def test_by_keyboard(self):
        with self._browser() as driver:
            self._open(driver)

            def press(*keys):
                ActionChains(driver, duration=0).send_keys(*keys).perform()

            press(
                Keys.TAB,
                "Dermatologist",
                Keys.TAB,
                "More",
                Keys.TAB,
                Keys.SPACE,
                Keys.TAB,
                Keys.ENTER,
            )
            for trial in self.trials:
                if self._section(driver).get_attribute("id").startswith("intro_"):
                    press(Keys.ENTER)
                self.assertEqual(self._section(driver).get_attribute("id"), trial.kind)
                press("z" if trial.kind != RELEVANCE else Keys.ARROW_RIGHT)
                if trial.kind == RELEVANCE:
                    press("z")
                zoom = driver.find_element(By.ID, "zoom")
                self.assertTrue(zoom.get_attribute("open"))
                press("+")
                press(Keys.ESCAPE)
                self.assertFalse(zoom.get_attribute("open"))
                time.sleep(_LOOK)
                wanted = self.wanted[trial.trial_id]
                if trial.kind == REALISM:
                    press({"real": "1", "synthetic": "2"}[wanted])
                elif trial.kind == PAIR:
                    press({"left_2": "2", "right_3": "6"}[wanted])
                else:
                    at = 0  # the first tile, since the arrow above
                    for place in wanted:
                        press(*[Keys.ARROW_RIGHT] * (place - at), Keys.SPACE)
                        at = place
                    press(Keys.ENTER)
            press(Keys.TAB, Keys.ENTER)
            self.assertEqual(self._section(driver).get_attribute("id"), "done")
            answers = self._saved()
            self._check(answers)
            self.assertEqual((answers.role, answers.years), ("dermatologist", "10"))
            self._no_errors(driver)

    def test_on_a_phone_over_http_and_on_a_laptop_after(self):
        database = str(pathlib.Path(self.folder, "answers.sqlite"))
        running, store = self.enter_context(testing.serving(self.key, self.folder, database))
        url = f"{running.url}/r/{self.reader.token}"
        with self._browser(phone=True, width=390, height=844) as driver:
            self._open(driver, url)
            self._audit(driver)
            self._fill_in(driver)
            for trial in self.trials[:12]:
                self._click(driver, trial)
            self._until(driver, lambda: len(self._stored(store)) == 12)
            # The store has the answers before the page has the server's reply.
            self._until(driver, lambda: driver.find_element(By.ID, "saved").text == "Saved")
            self._no_errors(driver)
        with self._browser() as driver:  # another device
            self._open(driver, url)
            self.assertIn("You have answered 12 of 14", self._section(driver).text)
            driver.find_element(By.ID, "start").click()
            for trial in self.trials[12:]:
                self._click(driver, trial)
            driver.find_element(By.ID, "finish").click()
            self._until(driver, lambda: "Your answers have arrived" in self._section(driver).text)
            self._no_errors(driver)
        panel, refused = answer_key.load_answers([database], self.key)
        self.assertEmpty(refused)
        self._check(panel[0])
        self.assertEmpty(list(pathlib.Path(self.downloads).iterdir()))

    def test_is_seen_before_its_images_and_waits_for_a_busy_server(self):
        database = str(pathlib.Path(self.folder, "answers.sqlite"))
        running, store = self.enter_context(testing.serving(self.key, self.folder, database))
        url = f"{running.url}/r/{self.reader.token}"
        let_go = threading.Event()
        self.addCleanup(let_go.set)

        def wait_for_the_end(joined, size=-1):
            # The first image comes at once, the rest later.
            if joined.tell() >= len(joined._parts[0]):
                let_go.wait(30)
            return read(joined, size)

        read = servers.Joined.read
        self.enter_context(mock.patch.object(servers.Joined, "read", wait_for_the_end))
        with self._browser() as driver:
            self._open(driver, url)
            self._fill_in(driver)
            self._begin(driver)
            section = self._section(driver)
            image = section.find_element(By.CSS_SELECTOR, ".picture img")
            self._until(driver, lambda: (image.get_attribute("src") or "").startswith("blob:"))
            time.sleep(_LOOK)
            section.find_element(By.CSS_SELECTOR, "[data-choice=real]").click()
            self._until(driver, lambda: len(self._stored(store)) == 1)
            # The second image is not there yet, and no answer to it counts.
            time.sleep(_LOOK)
            section.find_element(By.CSS_SELECTOR, "[data-choice=real]").click()
            self.assertLen(self._stored(store), 1)
            let_go.set()
            self._until(driver, lambda: (image.get_attribute("src") or "").startswith("blob:"))
            with mock.patch.object(
                store, "_keep", side_effect=sqlite3.OperationalError("database is locked")
            ):
                time.sleep(_LOOK)
                section.find_element(By.CSS_SELECTOR, "[data-choice=real]").click()
                self._until(
                    driver,
                    lambda: "The server is busy" in driver.find_element(By.ID, "saved").text,
                )
            self._until(driver, lambda: len(self._stored(store)) == 2)

    def _stored(self, store):
        content = store.read(self.key.study, "reader_02")
        return content["content"]["answers"] if content else []

    def test_an_unfinished_file_says_so(self):
        with self._browser() as driver:
            self._open(driver)
            self._fill_in(driver)
            for trial in self.trials[:3]:
                self._click(driver, trial)
            driver.find_element(By.ID, "save_so_far").click()
            name = "answers_reader_02_unfinished.json"
            path = pathlib.Path(self.downloads, name)
            self._until(driver, path.exists)
        answers = answer_key.check_answers(json.loads(path.read_text()), self.key)
        self.assertLen(answers.answers, 3)
        with self.assertRaisesRegex(ValueError, f"{name} is not finished: 3 of 14 answered"):
            answer_key.load_answers([str(path)], self.key)


if __name__ == "__main__":
    absltest.main()
