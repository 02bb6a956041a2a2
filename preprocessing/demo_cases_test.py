import os
import pathlib
import subprocess
import sys

from absl.testing import absltest

from preprocessing.data import manifest


class DemoCasesTest(absltest.TestCase):
    def test_binary_writes_where_the_user_stands(self):
        there = self.create_tempdir().full_path
        search_path = os.pathsep.join(sys.path)
        result = subprocess.run(
            [sys.executable, "-m", "preprocessing.demo_cases"]
            + ["--output_dir=demo", "--num_cases=1", "--seed=5"],
            env={**os.environ, "BUILD_WORKING_DIRECTORY": there, "PYTHONPATH": search_path},
            capture_output=True,
            text=True,
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("next: bazel run //preprocessing:preprocess", result.stdout)
        photographs, _ = manifest.read_cases(str(pathlib.Path(there, "demo", "cases.csv")))
        self.assertNotEmpty(photographs)


if __name__ == "__main__":
    absltest.main()
