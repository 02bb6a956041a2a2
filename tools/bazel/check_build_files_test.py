# The test reads the whole checkout, which Bazel does not know as its input:
# bazel: tags = external

import pathlib

from absl.testing import absltest, parameterized

from tools.bazel import check_build_files

_REQUIREMENTS = "# A comment.\nabsl-py\nnumpy<2\npillow\ntensorflow==2.15.1\n"


class CheckBuildFilesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        self.write("requirements.in", _REQUIREMENTS)
        self.write("preprocessing/__init__.py", "")
        self.write("preprocessing/cases.py", "import csv\n")

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def project(self):
        return check_build_files.Project(self.root)

    def fix(self):
        project = self.project()
        for folder in project.folders():
            wanted, _ = project.difference(folder)
            self.write(f"{folder}/BUILD", wanted)

    def problems(self):
        project = self.project()
        return check_build_files.check(project, project.folders())

    def test_library_lists_its_imports_of_either_form_and_its_packages(self):
        self.write(
            "preprocessing/skin.py",
            "import numpy as np\n"
            "from PIL import Image\n"
            "from preprocessing.cases import Box\n"
            "def late():\n"
            "    import preprocessing.maps\n",
        )
        self.write("preprocessing/maps.py", "")
        module = self.project().modules["preprocessing.skin"]
        self.assertEqual(
            self.project().rule(module),
            "py_library(\n"
            '    name = "skin",\n'
            '    srcs = ["skin.py"],\n'
            '    srcs_version = "PY3",\n'
            "    deps = [\n"
            '        ":cases",\n'
            '        ":maps",\n'
            "        # pip: numpy\n"
            "        # pip: pillow\n"
            "    ],\n"
            ")\n",
        )

    def test_label_of_another_folder(self):
        self.write("training/input.py", "from preprocessing import cases\n")
        self.assertIn('deps = ["//preprocessing:cases"]', self.project().build_file("training"))

    def test_folders_are_visible_to_those_that_build_on_them(self):
        self.write("evaluation/distances.py", "")
        self.assertIn(
            "package(default_visibility = [\n"
            '    "//benchmarks:__subpackages__",\n'
            '    "//evaluation:__subpackages__",\n'
            "])\n",
            self.project().build_file("evaluation"),
        )

    def test_module_with_a_main_guard_is_a_binary(self):
        self.write("preprocessing/run.py", 'if __name__ == "__main__":\n    pass\n')
        self.assertEqual(self.project().modules["preprocessing.run"].kind, "py_binary")

    @parameterized.parameters(
        ("import csv\n", "small"),
        ("import tensorflow as tf\n", "medium"),
        ("from preprocessing import loads_tensorflow\n", "medium"),
        ("# bazel: size = large\n", "large"),
    )
    def test_size_follows_what_is_loaded(self, text, size):
        self.write("preprocessing/loads_tensorflow.py", "import tensorflow as tf\n")
        self.write("preprocessing/cases_test.py", text)
        module = self.project().modules["preprocessing.cases_test"]
        self.assertIn(f'size = "{size}"', self.project().rule(module))

    def test_a_program_that_a_test_starts_is_a_dep(self):
        self.write("preprocessing/run.py", 'if __name__ == "__main__":\n    pass\n')
        self.write("preprocessing/cases_test.py", 'COMMAND = ["-m", "preprocessing.run"]\n')
        module = self.project().modules["preprocessing.cases_test"]
        self.assertIn('deps = [":run"]', self.project().rule(module))

    def test_markers_add_tags_deps_and_data(self):
        self.write(
            "preprocessing/cases_test.py",
            "# bazel: tags = manual, exclusive\n"
            "# bazel: deps = //training/configs:demo\n"
            "# bazel: data = cases.csv\n",
        )
        rule = self.project().rule(self.project().modules["preprocessing.cases_test"])
        self.assertIn('        "manual",\n        "exclusive",\n', rule)
        self.assertIn('deps = ["//training/configs:demo"]', rule)
        self.assertIn('data = ["cases.csv"]', rule)

    def test_a_marker_can_name_all_libraries_of_a_folder(self):
        self.write("training/named.py", "# bazel: deps = //training/configs:*\n")
        for name in ("demo", "paper", "paper_test"):
            self.write(f"training/configs/{name}.py", "")
        self.assertIn(
            '        "//training/configs:demo",\n        "//training/configs:paper",\n    ],',
            self.project().build_file("training"),
        )

    def test_fixed_files_are_right_and_keep_what_was_written_by_hand(self):
        self.fix()
        self.assertEmpty(self.problems())
        path = self.root / "preprocessing/BUILD"
        by_hand = check_build_files.HAND_WRITTEN + '\n\nexports_files(["README.md"])\n'
        self.write("preprocessing/BUILD", path.read_text(encoding="utf-8") + "\n" + by_hand)
        self.assertEmpty(self.problems())
        self.write("preprocessing/maps.py", "")
        self.fix()
        self.assertEmpty(self.problems())
        self.assertEndsWith(path.read_text(encoding="utf-8"), by_hand)

    def test_says_what_is_missing_or_surplus(self):
        self.write("preprocessing/maps.py", "from preprocessing import cases\n")
        self.fix()
        self.write("preprocessing/maps.py", "from preprocessing import boxes\n")
        self.write("preprocessing/boxes.py", "")
        self.write("preprocessing/maps_test.py", "from preprocessing import maps\n")
        (self.root / "preprocessing/cases.py").unlink()
        self.assertCountEqual(
            self.problems(),
            [
                "preprocessing/boxes.py has no py_library in preprocessing/BUILD",
                "preprocessing/maps_test.py has no py_test in preprocessing/BUILD",
                "//preprocessing:maps lacks the dep :boxes, which it imports",
                "//preprocessing:maps has the dep :cases, which it does not import",
                "//preprocessing:cases in preprocessing/BUILD has no preprocessing/cases.py",
            ],
        )

    @parameterized.parameters(
        ("import yaml\n", "preprocessing/maps.py:1: imports yaml, but requirements.in has no yaml"),
        ("from training import x\n", "imports training.x, which does not exist"),
        ("from model import layers\n", "preprocessing/ must not import from model/"),
        ("from . import cases\n", "from preprocessing import"),
        ("# bazel: sizes = large\n", "unknown marker '# bazel: sizes'"),
        ("def (\n", "invalid syntax"),
    )
    def test_names_what_a_module_must_not_do(self, text, message):
        self.write("model/layers.py", "")
        self.write("preprocessing/maps.py", text)
        self.fix()
        self.assertLen(self.problems(), 1)
        self.assertIn(message, self.problems()[0])

    @parameterized.parameters("statistics", "tensorflow", "PIL", "model")
    def test_a_module_must_not_hide_another(self, name):
        self.write(f"preprocessing/{name}.py", "")
        self.fix()
        self.assertLen(self.problems(), 1)
        self.assertIn(f"preprocessing/{name}.py: rename it", self.problems()[0])

    def test_build_files_of_this_checkout(self):
        project = check_build_files.Project(check_build_files.checkout())
        problems = check_build_files.check(project, project.folders())
        if problems:
            mend = "To mend BUILD files: python tools/bazel/check_build_files.py --fix"
            self.fail("\n".join([*problems, mend]))


if __name__ == "__main__":
    absltest.main()
