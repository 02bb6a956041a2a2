import contextlib
import io
import json
import pathlib
from unittest import mock

import jinja2
import numpy as np
import pandas as pd
from absl import flags
from absl.testing import absltest
from tensorflow.python.summary.summary_iterator import summary_iterator

from common import figures, files, report
from common.report import Report


class ReportTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path, "new")

    def _report(self, protocol=None, **options):
        return Report(str(self.folder), "fid", protocol or {"trials": 5}, **options)

    def test_numbers_have_their_protocol_and_what_made_them(self):
        path = self._report({"sizes": (1, 2)}).write_json({"value": 1})
        self.assertEqual(path, str(self.folder / "fid.json"))
        stored = json.loads(pathlib.Path(path).read_text())
        self.assertEqual(stored["value"], 1)
        self.assertEqual(stored["protocol"], {"sizes": [1, 2]})
        self.assertContainsSubset({"date", "python", "packages"}, stored)
        self.assertIn("tensorflow", stored["packages"])

    def test_the_flags_that_made_it(self):
        given = flags.FlagValues()
        for name in ("layer", "feature_network", "cache_dir", "step"):
            flags.DEFINE_string(name, "default", "", flag_values=given)
        flags.DEFINE_bool("embedded", True, "", flag_values=given)
        given(["program", "--noembedded", "--layer=a b", "--cache_dir=c", "--feature_network=/n/m"])
        with mock.patch.object(flags, "FLAGS", given):
            path = self._report().write_json({})
        stored = json.loads(pathlib.Path(path).read_text())["flags"]
        self.assertEqual(stored, ["--noembedded", "--feature_network=.../m", "--layer=a b"])

    def test_the_same_protocol_may_be_replaced(self):
        self._report({"sizes": (1, 2)}).write_json({"value": 1})
        again = self._report({"sizes": (1, 2)})
        self.assertEqual(again.stored()["value"], 1)
        again.write_json({"value": 2})
        self.assertEqual(again.stored()["value"], 2)

    def test_another_protocol_may_not(self):
        self._report().write_json({"value": 1})
        with self.assertRaisesRegex(ValueError, "fid.json: holds a measurement by another protoc"):
            self._report({"trials": 6})
        with self.assertRaisesRegex(ValueError, "choose another --workdir or pass --overwrite"):
            self._report({"trials": 6}, folder_flag="--workdir")
        self._report({"trials": 6}, overwrite=True)

    def test_one_measurement_at_a_time(self):
        first, second = self._report(), self._report({"trials": 6})
        with first.alone():
            refused = self.assertRaisesRegex(ValueError, "run is at work there: fid, process")
            with refused, self._report().alone():
                self.fail("two at once")
            with Report(str(self.folder), "fidelity", {}).alone():
                first.write_json({"value": 1})
        # The other checked its folder before this one wrote to it.
        with self.assertRaisesRegex(ValueError, "measurement by another protocol"), second.alone():
            self.fail("replaced")
        self.assertEqual([path.name for path in self.folder.iterdir()], ["fid.json"])

    def test_what_cannot_be_read_is_not_replaced(self):
        for content in ("{", "[]"):
            files.write_text(self.folder / "fid.json", content)
            with self.assertRaisesRegex(ValueError, "--overwrite"):
                self._report()

    def test_nothing_is_written_by_checking(self):
        self.assertIsNone(self._report().stored())
        self.assertFalse(self.folder.exists())

    def test_files_and_what_is_said_of_them(self):
        template = pathlib.Path(self.create_tempdir().full_path, "fid.md.jinja")
        template.write_text("# {{ title }}\n")
        one = self._report()
        one.write_csv(pd.DataFrame({"a": [1.5]}), float_format="%.3f")
        one.write_csv(pd.DataFrame({"b": [2]}), "fid_answers")
        one.write_markdown(template, title="Distances")
        figure, axes = figures.pyplot.subplots()
        axes.plot([1, 2])
        one.write_figure(figure)
        one.write_json({})
        one.write_json({})
        self.assertEqual((self.folder / "fid.csv").read_text(), "a\n1.500\n")
        self.assertEqual((self.folder / "fid_answers.csv").read_text(), "b\n2\n")
        self.assertEqual((self.folder / "fid.md").read_text(), "# Distances\n")
        names = ["fid.csv", "fid_answers.csv", "fid.md", "fid.png", "fid.json"]
        self.assertEqual(one.paths, [str(self.folder / name) for name in names])
        self.assertCountEqual([path.name for path in self.folder.iterdir()], names)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            one.show("a table", "read it", "say it")
        expected = ["a table", "", *one.paths, "next: read it", "      say it"]
        self.assertEqual(said.getvalue().splitlines(), expected)

    def test_scalars_of_a_step_that_are_finite(self):
        self._report().write_scalars(7, {"fid/all": 2.5, "fid/none": np.nan}, "test")
        (path,) = (self.folder / "test").glob("events.*")
        found = {
            value.tag: (event.step, float(np.frombuffer(value.tensor.tensor_content, np.float32)))
            for event in summary_iterator(str(path))
            for value in event.summary.value
        }
        self.assertEqual(found, {"fid/all": (7, 2.5)})

    def test_a_verdict_with_its_pictures(self):
        one = self._report()
        figure, axes = figures.pyplot.subplots(figsize=(1, 1))
        axes.plot([1, 2])
        one.write_figure(figure)
        one.write_json({})
        one.write_verdict(7, "nearer than before")
        (path,) = self.folder.glob("events.*")
        events = [event for event in summary_iterator(str(path)) if event.summary.value]
        self.assertEqual({event.step for event in events}, {7})
        found = {value.tag: value.tensor for event in events for value in event.summary.value}
        self.assertEqual(list(found), ["fid/verdict", "fid/fid"])
        self.assertEqual(found["fid/verdict"].string_val, [b"nearer than before"])
        self.assertStartsWith(found["fid/fid"].string_val[-1], b"\x89PNG")


class RenderTest(absltest.TestCase):
    def _render(self, text, **values):
        path = self.create_tempdir().create_file("some.txt.jinja", text).full_path
        return report.render(pathlib.Path(path), **values)

    def test_numbers_texts_and_rows(self):
        text = '{{ share | f("7.1%") }}|{{ name | f("6") }}|{{ number | f }}\n{{ cells | row }}\n'
        self.assertEqual(
            self._render(text, share=0.5, name="a", number=3, cells=["x", 1]),
            "  50.0%|a     |3\n| x | 1 |\n",
        )

    def test_statements_leave_no_lines(self):
        text = "{% for one in (1, 2) %}\n  {{ one }}\n{% endfor %}\n"
        self.assertEqual(self._render(text), "  1\n  2\n")

    def test_an_unknown_name_is_an_error(self):
        with self.assertRaisesRegex(jinja2.UndefinedError, "'shar' is undefined"):
            self._render("{{ shar }}", share=1)


if __name__ == "__main__":
    absltest.main()
