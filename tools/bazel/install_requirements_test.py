import subprocess
import sys

from absl.testing import absltest

from tools.bazel import install_requirements


class InstallRequirementsTest(absltest.TestCase):
    def test_counts_the_packages_that_apply(self):
        lock = self.create_tempfile(
            content="# made by uv\n"
            "a==1 \\\n    --hash=sha256:00\n"
            'b==1 ; python_full_version < "3" \\\n    --hash=sha256:00\n'
            'b==2 ; python_full_version >= "3" \\\n    --hash=sha256:00\n'
        )
        self.assertEqual(install_requirements.count_packages(lock.full_path), 2)

    def test_explains_with_the_error_lines(self):
        output = [
            "Collecting a==1",
            "ERROR: Ignored the following versions that require a different python: 2",
            "ERROR: No matching distribution found for a==1",
            "bye",
        ]
        self.assertEqual(
            install_requirements.explain(output), "ERROR: No matching distribution found for a==1"
        )

    def test_explains_hashes_with_what_was_expected(self):
        output = ["Collecting a", "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "Expected 0"]
        self.assertEqual(install_requirements.explain(output), "\n".join(output[1:]))

    def test_explains_with_the_last_lines_where_no_line_is_an_error(self):
        self.assertEqual(install_requirements.explain(["killed"]), "killed")

    def test_failing_pip_ends_the_program(self):
        lock = self.create_tempfile(content="not a requirement\n")
        finished = subprocess.run(
            [sys.executable, install_requirements.__file__, lock.full_path],
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        self.assertEqual(finished.returncode, 1)
        self.assertIn(f"pip failed on {lock.full_path}:\nERROR: Invalid req", finished.stderr)


if __name__ == "__main__":
    absltest.main()
