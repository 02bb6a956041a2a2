import pathlib

from absl.testing import absltest

from tools.bazel import check_names


class FindHiddenTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        self._write("rooms/__init__.py")
        self._write("rooms/program.py", '"""Runs."""\nif __name__ == "__main__":\n    pass\n')

    def _write(self, path, text=""):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def test_names_of_one_s_own_are_fine(self):
        self._write("rooms/tables.py")
        self._write("rooms/figures/__init__.py")
        self._write("rooms/figures/inspect.py")  # beside no program
        self.assertEmpty(check_names.find_hidden(self.root))

    def test_what_a_program_would_import_instead(self):
        self._write("rooms/statistics.py")
        self._write("rooms/tensorflow/__init__.py")
        self._write("rooms/rooms.py")
        self._write("json/__init__.py")
        self.assertEqual(
            check_names.find_hidden(self.root),
            [
                "json/: hides a module of the standard library",
                "rooms/rooms: hides a module of this project",
                "rooms/statistics: hides a module of the standard library",
                "rooms/tensorflow: hides a module of an installed package",
            ],
        )


if __name__ == "__main__":
    absltest.main()
