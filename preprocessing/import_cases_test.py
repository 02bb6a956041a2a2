import os
import pathlib
import subprocess
import sys

import numpy as np
from absl.testing import absltest
from PIL import Image

from preprocessing import cases
from preprocessing.cases import Box


def _write_data_set(folder):
    rng = np.random.default_rng(0)
    mask = np.zeros((90, 120), np.uint8)
    mask[30:50, 40:70] = 255
    lines = ["lesion_id,image_id,dx"]
    for n, diagnosis in enumerate(("mel", "nv", "nevus")):
        pixels = np.array((204, 158, 122)) + rng.normal(0, 3, (90, 120, 3))
        pixels[mask > 0] *= 0.5
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"ISIC_{n}.jpg")
        Image.fromarray(mask).save(folder / f"ISIC_{n}_segmentation.png")
        lines.append(f"HAM_{n},ISIC_{n},{diagnosis}")
    (folder / "HAM10000_metadata.csv").write_text("\n".join(lines) + "\n")


class ImportCasesTest(absltest.TestCase):
    def test_end_to_end(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        there = pathlib.Path(self.create_tempdir().full_path)
        _write_data_set(folder)
        search_path = os.pathsep.join(sys.path)

        def run(*args):
            return subprocess.run(
                [sys.executable, "-m", "preprocessing.import_cases", "--format=ham10000"]
                + [f"--input_dir={folder}", "--output=out/cases.csv", *args],
                env={
                    **os.environ,
                    "BUILD_WORKING_DIRECTORY": str(there),
                    "PYTHONPATH": search_path,
                },
                capture_output=True,
                text=True,
            )

        result = run("--estimate_skin_type")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("2 photographs, 1 not used", result.stdout)
        self.assertIn("not used: row 4 ISIC_2: dx: 'nevus' is not one of", result.stdout)
        self.assertIn(f"--image_dir={folder}", result.stdout)
        photographs, rejections = cases.read_cases(str(there / "out/cases.csv"), str(folder))
        self.assertEmpty(rejections)
        self.assertEqual(
            [(row.condition, row.fitzpatrick, row.rois) for row in photographs],
            [(name, 3, (Box(40, 30, 70, 50),)) for name in ("Melanoma", "Melanocytic Nevus")],
        )
        self.assertRegex(run().stderr.strip(), "^error: .*exists; .*--overwrite$")
        self.assertRegex(run("--overwrite", "x").stderr.strip(), "^error: unexpected argument 'x'")


if __name__ == "__main__":
    absltest.main()
