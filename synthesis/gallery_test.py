import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from absl.testing import absltest

from training import testing_data

# bazel: data = //synthesis:gallery
_ROOT = pathlib.Path(__file__).parent.parent


class GalleryProgramTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        testing_data.train_run(cls.folder, steps=2)

    def _run(self, *flags):
        return subprocess.run(
            [sys.executable, "-m", "synthesis.gallery", *flags],
            cwd=_ROOT,
            env={**os.environ, "BUILD_WORKING_DIRECTORY": self.folder},
            capture_output=True,
            text=True,
            check=False,
        )

    def test_gallery_is_not_overwritten(self):
        flags = ["--per_condition=2", "--condition=Acne,Vitiligo", "--output=F.png"]
        done = self._run(*flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"F\.png \(.* dpi\): 2 conditions")
        path = pathlib.Path(self.folder, "F.png")
        picture = path.read_bytes()
        done = self._run(*flags, "--seed=1")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "^error: .*F.png: exists; .*\n$")
        self.assertEqual(path.read_bytes(), picture)


if __name__ == "__main__":
    absltest.main()
