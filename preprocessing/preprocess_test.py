import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
from absl.testing import absltest
from PIL import Image

from preprocessing.data import manifest, records
from preprocessing.data.manifest import Box, Photograph


def _write_data(folder, count):
    rng = np.random.default_rng(0)
    rows = []
    for n in range(count):
        pixels = np.array((204, 158, 122)) + rng.normal(0, 3, (60, 80, 3))
        pixels[20:40, 30:50] *= 0.5
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{n}.jpg")
        rows.append(
            Photograph(f"c{n}", f"p{n}", f"i{n}", f"{n}.jpg", "Acne", 3, (Box(30, 20, 50, 40),))
        )
    rows.append(Photograph("c", "q", "missing", "none.jpg", "Acne", 1, rows[0].rois))
    (folder / "csv").mkdir()
    cases = str(folder / "csv" / "cases.csv")
    manifest.write_cases(cases, rows)
    return cases


class PreprocessTest(absltest.TestCase):
    def _run(self, *args):
        return subprocess.run(
            [sys.executable, "-m", "preprocessing.preprocess", *args],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
        )

    def test_end_to_end(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        cases = _write_data(folder, 10)
        args = (
            f"--cases={cases}",
            f"--image_dir={folder}",
            f"--output_dir={folder / 'out'}",
            "--image_size=32",
            "--split_fractions=0.5,0.25,0.25",
            "--direct_num_workers=1",
        )
        result = self._run(*args)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("not used: 1 rows or crops, see rejected.csv", result.stdout)
        self.assertIn(
            "near-duplicates across patients: 0 pairs, 0 photographs moved", result.stdout
        )
        self.assertIn(f"//training:train -- --data_dir={folder / 'out'}", result.stdout)
        self.assertNotIn("INFO", result.stderr)
        info = records.read_info(str(folder / "out"))
        self.assertEqual(info.settings["split_fractions"], [0.5, 0.25, 0.25])
        again = self._run(*args)
        self.assertEqual(again.returncode, 1)
        self.assertRegex(again.stderr.strip(), "^error: .*pass --overwrite$")
        wrong = self._run(*args, "--overwrite", "--imagesize=3")
        self.assertRegex(wrong.stderr.strip(), "^error: --imagesize is neither")
        size = self._run(*args, "--overwrite", "--image_size=65")
        self.assertRegex(size.stderr.strip(), "^error: --image_size=65: .* 32, 64, 128, .*help$")
        fractions = self._run(*args, "--overwrite", "--split_fractions=a,b,c")
        self.assertRegex(fractions.stderr.strip(), "^error: --split_fractions: ")

    def test_a_killed_run_is_completed_without_loss_or_repetition(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        cases = _write_data(folder, 120)
        output = folder / "out"
        args = (
            f"--cases={cases}",
            f"--image_dir={folder}",
            "--photographs_per_shard=2",
            "--crops_per_photograph=6",
            "--direct_num_workers=1",
        )
        work = output / ".unfinished"
        killed = subprocess.Popen(
            [sys.executable, "-m", "preprocessing.preprocess", *args, f"--output_dir={output}"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            start_new_session=True,
        )
        while killed.poll() is None and len(list(work.glob(".job/done/*.json"))) < 10:
            time.sleep(0.01)
        os.killpg(killed.pid, signal.SIGKILL)
        self.assertEqual(killed.wait(), -signal.SIGKILL)
        finished = [path.stem for path in work.glob(".job/done/*.json")]
        self.assertBetween(len(finished), 10, 50)
        before = {name: (work / "crops" / name).stat() for name in finished}
        # One that the disk has not kept.
        damaged = work / "full" / finished[0]
        damaged.write_bytes(bytes(damaged.stat().st_size))

        result = self._run(*args, f"--output_dir={output}")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stderr, rf"taking up {len(finished)} of \d+ shards from an interr")
        for name, status in before.items():
            same = os.path.samestat((output / "crops" / name).stat(), status)
            self.assertEqual(same, name != finished[0])
        self.assertFalse(work.exists())
        undisturbed = self._run(*args, f"--output_dir={folder / 'other'}")
        self.assertNotIn("taking up", undisturbed.stderr)
        for name in ("dataset.json", "crops.csv", "rejected.csv"):
            self.assertEqual((output / name).read_text(), (folder / "other" / name).read_text())
        self.assertEqual(records.read_info(str(output)).notes["photographs"], 121)


if __name__ == "__main__":
    absltest.main()
