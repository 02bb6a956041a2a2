import os
import pathlib
import subprocess
import sys

from absl.testing import absltest
from PIL import Image

from preprocessing.data import manifest
from preprocessing.data.manifest import Box, Photograph


class InspectTest(absltest.TestCase):
    def _run(self, *args):
        return subprocess.run(
            [sys.executable, "-m", "preprocessing.inspect_data", *args],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
        )

    def test_end_to_end(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        picture = Image.radial_gradient("L").resize((80, 60)).convert("RGB")
        rows = []
        for n in range(2):
            picture.save(folder / f"{n}.jpg")
            rows.append(
                Photograph("c", f"p{n}", f"i{n}", f"{n}.jpg", "Acne", 3, (Box(9, 9, 50, 40),))
            )
        rows.append(Photograph("c", "q", "missing", "none.jpg", "Acne", 1))
        (folder / "csv").mkdir()
        cases = str(folder / "csv" / "cases.csv")
        manifest.write_cases(cases, rows)
        output = folder / "new" / "page.html"
        args = (
            f"--cases={cases}",
            f"--image_dir={folder}",
            f"--output={output}",
            "--image_size=64",
        )
        result = self._run(*args)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("2 photographs, 1 rows or crops not used", result.stdout)
        self.assertIn(f"open in a browser: {output}", result.stdout)
        self.assertEndsWith(
            result.stdout,
            f"//preprocessing:preprocess -- --cases={cases} --image_dir={folder} --image_size=64 "
            "--output_dir=records\n",
        )
        page = output.read_text(encoding="utf-8")
        photographs = page.count("<img ") - page.count('<img class="chart"')
        self.assertEqual(photographs, 2 + page.count('<li><div class="pair">') * 2)
        self.assertIn("none.jpg: no such file", page)
        self.assertEqual([path.name for path in output.parent.iterdir()], ["page.html"])
        found = self._run("--patient=p1", f"--search={folder}")
        self.assertEqual((found.returncode, found.stderr), (0, ""))
        self.assertRegex(
            found.stdout, r"^p1: 2 files.*\n  file +1.jpg: photograph of the patient\n"
        )
        again = self._run(*args)
        self.assertEqual(again.returncode, 1)
        self.assertRegex(again.stderr.strip(), "^error: .*page.html: exists; .*pass --overwrite$")
        both = self._run(*args, f"--data_dir={folder}", "--overwrite")
        self.assertEqual(both.stderr.strip(), "error: give either --cases or --data_dir")
        self.assertEqual(output.read_text(encoding="utf-8"), page)


if __name__ == "__main__":
    absltest.main()
