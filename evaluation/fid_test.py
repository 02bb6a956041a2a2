import json
import os
import pathlib
import shutil
import tempfile

from absl.testing import absltest

from common.testing_programs import run_program
from evaluation.features import testing_networks
from training import testing_data

_SMALL = ["--trials=4", "--partings=2", "--feature_network=embedded,net.onnx"]


class FidProgramTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.result = testing_data.train_run(cls.folder)
        testing_networks.write_network(os.path.join(cls.folder, "net.onnx"))

    def _run(self, *flags, folder=None):
        folder = folder or self.folder
        done = run_program("evaluation.fid", *flags, folder=folder, XDG_CACHE_HOME=folder)
        return done.returncode, done.stdout, done.stderr

    def test_newest_run_every_checkpoint(self):
        code, out, err = self._run(*_SMALL, "--every_checkpoint")
        self.assertEqual(code, 0, err)
        self.assertIn("Frechet distance (random_224 of embedded)", out)
        self.assertIn("real vs. real", out)
        output = pathlib.Path(self.result.workdir) / "evaluation"
        stored = json.loads((output / "fid.json").read_text())
        self.assertEqual(stored["step"], 6)
        self.assertGreater(stored["overall"]["generated"]["frechet"]["mean"], 0)
        (further,) = stored["further"]
        self.assertIn(f"{further['distance']}: {further['verdict']}", out)
        self.assertEqual(further["distance"], "Frechet distance (pooled of net.onnx)")
        self.assertEqual(further["overall"]["num_images"], stored["overall"]["num_images"])
        for name in ("fid.png", "fid_every_checkpoint.csv", "fid_every_checkpoint.png"):
            self.assertGreater((output / name).stat().st_size, 0)
        self.assertLen(list(output.glob("test/events.*")), 2)
        features = list(pathlib.Path(self.folder, "dermgan", "features").glob("*.npz"))
        # Photographs, and two sets of two checkpoints; by the other network photographs, three
        # resolutions of them, and two sets of the last checkpoint.
        self.assertLen(features, 5 + 6)

        # Again: out of the cache, the same numbers; another protocol is refused.
        code, _, err = self._run(*_SMALL)
        self.assertEqual(code, 0, err)
        self.assertNotIn("features of", err)
        again = json.loads((output / "fid.json").read_text())
        self.assertEqual(again["overall"], stored["overall"])
        code, _, err = self._run(*_SMALL, "--seed=1")
        self.assertEqual(code, 1)
        self.assertNotIn("features of generated", err)  # told before it is measured
        self.assertRegex(err, "error: .*fid.json: holds a measurement by another protocol")

    def test_a_network_that_cannot_be_had(self):
        code, _, err = self._run("--feature_network=nowhere")
        self.assertEqual(code, 1)
        self.assertRegex(err, r"^error: feature network .*/nowhere: cannot be loaded")
        self.assertLen(err.strip().splitlines(), 1)

    def test_no_run(self):
        code, _, err = self._run(folder=self.create_tempdir().full_path)
        self.assertEqual(code, 1)
        self.assertRegex(err, r"^error: .*runs: no run there; train one")

    def test_a_run_without_checkpoint(self):
        empty = self.create_tempdir().full_path
        shutil.copy(os.path.join(self.result.workdir, "config.json"), empty)
        code, _, err = self._run(f"--run_dir={empty}")
        self.assertEqual(code, 1)
        self.assertRegex(err, "^error: .*no checkpoint yet")


if __name__ == "__main__":
    absltest.main()
