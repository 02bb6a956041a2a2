import json
import pathlib
import shutil
import tempfile

from absl.testing import absltest

from common import testing_pages
from common.testing_programs import run_program
from common.testing_results import content
from training import testing_data

_TRIAL = ["--feature_network=embedded", "--cache_dir=cache"]


class ReportProgramTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        testing_data.train_run(cls.folder, steps=2)
        cls.results = pathlib.Path(cls.folder, "runs", "small", "evaluation")

    def _run(self, *flags):
        done = run_program("evaluation.report", *flags, folder=self.folder)
        return done.returncode, done.stdout, done.stderr

    def _texts(self):
        page = (self.results / "report.html").read_text()
        testing_pages.check_page(page)
        text = (self.results / "report.md").read_text()
        testing_pages.check_text(text)
        stored = (self.results / "report.json").read_text()
        self.assertNotIn(self.folder, page + text + stored)  # says who works there
        return page, text, json.loads(stored)

    def test_1_nothing_measured(self):
        code, out, err = self._run()
        self.assertEqual(code, 0, err)
        for kind in ("html", "md", "json"):
            self.assertIn(str(self.results / f"report.{kind}"), out)
        page, text, stored = self._texts()
        self.assertEqual({one["state"] for one in stored["results"].values()}, {"not measured"})
        self.assertEqual(text.count("Not measured. This does"), len(stored["results"]))
        self.assertIn("Shows photographs of people", page)
        self.assertEqual(page.count("<img"), 1)

    def _write(self, name, **changes):
        """Writes a result of the run with made numbers."""
        config = json.loads((self.results.parent / "config.json").read_text())
        fid = json.loads((self.results / "fid.json").read_text())
        made = content(name)
        made["protocol"]["generator_digest"] = fid["protocol"]["generator_digest"]
        made["protocol"]["dataset_digest"] = config["dataset"]["digest"]
        made["protocol"].update(changes)
        (self.results / f"{name}.json").write_text(json.dumps(made))

    def test_2_measures_what_is_missing_and_only_that(self):
        code, _, err = self._run("--run=fid", *_TRIAL)
        self.assertEqual(code, 0, err)
        self.assertIn("[1 of 1] //evaluation:fid", err)
        _, text, stored = self._texts()
        self.assertEqual(stored["results"]["fid"]["state"], "trial")
        self.assertIn("| Frechet distance above the floor, by trial |", text)

        # Again, without photographs; with damage, and with another checkpoint's result.
        self._write("fidelity")
        self._write("memorization", generator_digest="0" * 64)
        (self.results / "reader_study.json").write_text("{")
        flags = ("--run=fid,fidelity", "--nophotographs", "--compare=runs/small")
        code, _, err = self._run(*flags, *_TRIAL)
        self.assertEqual(code, 0, err)
        self.assertNotIn("//evaluation", err)
        page, text, stored = self._texts()
        self.assertNotIn("Shows photographs of people", page)
        self.assertIn("Without photographs", page)
        self.assertNotIn("Photographs of lower and lower resolution", page)
        self.assertIn("Distances with intervals", page)
        states = {name: one["state"] for name, one in stored["results"].items()}
        self.assertEqual(states["fidelity"], "measured")
        self.assertEqual(states["reader_study"], "damaged")
        self.assertEqual(states["memorization"], "other")
        self.assertIn("Does not count: of another checkpoint or run, of step 7", text)
        self.assertIn("not measured of the first and the second run", text.lower())

    def test_records_without_test_crops(self):
        crops = pathlib.Path(self.folder, "data", "crops")
        hidden = crops.with_name("hidden")
        hidden.mkdir()
        for path in crops.glob("test-*"):
            path.rename(hidden / path.name)
        try:
            code, _, err = self._run("--output_dir=elsewhere", "--run=memorization", *_TRIAL)
        finally:
            for path in hidden.iterdir():
                path.rename(crops / path.name)
        self.assertEqual(code, 1, err)  # and the page is there
        self.assertIn("error: --run=memorization: without a result; its error stands above", err)
        page = pathlib.Path(self.folder, "elsewhere", "report.html").read_text()
        testing_pages.check_page(page)
        self.assertIn("Nothing is painted: ", page)

    def test_bad_input_is_one_line(self):
        for flags, message in (
            (["--run=fidd"], "--run=fidd: not one of fid, fidelity"),
            (["--results=nowhere"], "nowhere: no such folder"),
            (["--compare=nowhere"], "nowhere"),
            (["--run_dir=nowhere"], "nowhere"),
        ):
            code, out, err = self._run(*flags)
            self.assertEqual((code, out), (1, ""), err)
            self.assertStartsWith(err, "error: ")
            self.assertIn(message, err)
            self.assertLen(err.strip().splitlines(), 1)


if __name__ == "__main__":
    absltest.main()
