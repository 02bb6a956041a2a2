import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from absl.testing import absltest

from training import testing_data

# bazel: data = //synthesis:export
_ROOT = pathlib.Path(__file__).parent.parent


class ExportProgramTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        testing_data.train_run(cls.folder, steps=2)

    def _run(self, *flags):
        return subprocess.run(
            [sys.executable, "-m", "synthesis.export", *flags],
            cwd=_ROOT,
            env={**os.environ, "BUILD_WORKING_DIRECTORY": self.folder},
            capture_output=True,
            text=True,
            check=False,
        )

    def test_exports_once(self):
        done = self._run("--output_dir=out")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("SavedModel with from_map and from_request", done.stdout)
        for name in ("saved_model.pb", "MODEL_CARD.md", "assets/taxonomy.json"):
            self.assertGreater(os.path.getsize(os.path.join(self.folder, "out", name)), 0)
        done = self._run("--output_dir=out")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "^error: .*out: exists; ")

    def test_unknown_step(self):
        done = self._run("--output_dir=other", "--step=3")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "^error: .*no checkpoint of step 3; there are 2")


if __name__ == "__main__":
    absltest.main()
