import pathlib

from absl.testing import absltest

from tools import check_docs


class CheckDocsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)

    def _write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def test_finds_links_without_file_or_heading(self):
        self._write("docs/there.md", "# One `heading`, and more\n```\n# no heading\n```\n")
        page = self._write(
            "README.md",
            "[a](docs/there.md) [b](docs/there.md#one-heading-and-more) [c](https://no.where/x)\n"
            "[d](docs/gone.md) ![e](docs/gone.png) [f](docs/there.md#no-heading) [g](#away)\n"
            "```\n[h](in_code.md)\n```\n",
        )
        self.assertEqual(
            list(check_docs.broken_links(page)),
            [
                "link docs/gone.md: no such file",
                "link docs/gone.png: no such file",
                "link docs/there.md#no-heading: no such heading",
                "link #away: no such heading",
            ],
        )

    def test_finds_what_programs_and_flags_there_are(self):
        self._write("a/BUILD", "")
        self._write(
            "a/b/BUILD",
            'room(\n    name = "b",\n    programs = {\n        "c": [\n            "//x",\n'
            '        ],\n        "d": [],\n    },\n)\n\nalias(\n    name = "e",\n)\n',
        )
        self._write("a/b/c.py", '_X = flags.DEFINE_string(\n    "first", None, "Text.")\n')
        self._write("a/b/c_test.py", '_X = flags.DEFINE_string("of_a_test", None, "Text.")\n')
        names = {("a/b", name) for name in "bcde"}
        self.assertEqual(check_docs.programs(self.root), names)
        self.assertEqual(check_docs.defined_flags(self.root), {"first"})

    def test_finds_paths_that_are_not_there(self):
        self._write("a/BUILD", "")
        self._write("a/b/c.py", "")
        text = "`a/b/c.py` `a/b/` `a/` `a/d.py` `a/e/` `a/tag` `runs/mine/f.json`"
        self.assertEqual(
            list(check_docs.lost_paths(self.root, text)),
            ["`a/d.py`: no such file", "`a/e/`: no such file"],
        )

    def test_finds_pages_that_modules_mention(self):
        self._write("a/BUILD", "")
        self._write("docs/b/there.md", "")
        self._write("a/c.py", "# See docs/b/there.md, docs/b/gone.md.\n")
        self._write("venv/lib/d.py", "# See docs/of/another.md.\n")
        self.assertEqual(
            list(check_docs.lost_pages(self.root)), ["a/c.py: docs/b/gone.md: no such file"]
        )

    def test_finds_tests_that_are_not_there(self):
        self._write("a/b_test.py", "def test_there(self):\n")
        text = "`a/b_test.py::test_there` `a/b_test.py::test_gone` `a/c_test.py::test_there`"
        self.assertEqual(
            list(check_docs.lost_tests(self.root, text)),
            ["`a/b_test.py::test_gone`: no such test", "`a/c_test.py::test_there`: no such test"],
        )

    def test_finds_numbers_without_limits(self):
        self._write("a/BUILD", "")
        self._write(
            "a/b.py",
            'X = flags.DEFINE_integer("x", 1, "Text.", 0)\n'
            'Y = flags.DEFINE_float(name, 1, "", 0, 1)\nZ = flags.DEFINE_string("z", None, "")\n',
        )
        self._write("a/b_test.py", 'flags.DEFINE_integer("of_a_test", 1, "")\n')
        self.assertEqual(
            list(check_docs.flags_without_limits(self.root)),
            ["a/b.py: flag 'x': no least and greatest value"],
        )

    def test_finds_names_that_are_not_there(self):
        text = (
            "bazel run //a/b:c -- --first=1 --nofirst --other --config.model.size=2 \\\n"
            "    --config.model.sise=3 --runner=x\n"
            "//a/b:{c,d} https://no.where:80 `config.model.size` --config.<field>\n"
        )
        unknown = check_docs.unknown_names(
            text, {("a/b", "c")}, {"first", "config"}, {"model.size"}
        )
        self.assertEqual(
            list(unknown),
            [
                "//a/b:d: no BUILD file declares it",
                "--other: no program has this flag",
                "--config.model.sise: no configuration has this field",
            ],
        )


if __name__ == "__main__":
    absltest.main()
