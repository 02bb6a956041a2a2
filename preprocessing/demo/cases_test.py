import hashlib
import pathlib

import numpy as np
from absl import flags
from absl.testing import absltest
from PIL import Image, ImageOps

from preprocessing.data import manifest
from preprocessing.demo import cases


def _digests(folder: pathlib.Path):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class WriteDemoCasesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self._folder = pathlib.Path(self.create_tempdir().full_path) / "demo"

    def test_files_are_the_same_for_any_number_of_workers_and_read_back(self):
        path = cases.write_demo_cases(str(self._folder), 5, seed=2, workers=1)
        other = self._folder.with_name("other")
        cases.write_demo_cases(str(other), 5, seed=2, workers=2)
        self.assertEqual(_digests(self._folder), _digests(other))

        photographs, rejections = manifest.read_cases(path)
        self.assertEmpty(rejections)
        self.assertLen({photograph.case_id for photograph in photographs}, 5)
        files = {path.name for path in (self._folder / "images").iterdir()}
        self.assertEqual(files, {pathlib.Path(p.image).name for p in photographs})
        for photograph in photographs:
            with Image.open(self._folder / photograph.image) as image:
                width, height = ImageOps.exif_transpose(image).size
            self.assertBetween(len(photograph.rois), 1, 5)
            for box in photograph.rois:
                self.assertTrue(0 <= box.x0 < box.x1 <= width and 0 <= box.y0 < box.y1 <= height)
            self.assertIn("body_part", photograph.extra)
            float(photograph.extra["true_ita"])

    def test_turned_pixels_carry_the_tag_that_turns_them_back(self):
        upright = np.zeros((60, 80, 3), np.uint8)
        upright[:30, :40] = (220, 40, 40)
        upright[30:, 40:] = (40, 40, 220)
        for orientation in (1, 3, 6, 8):
            path = pathlib.Path(self.create_tempdir().full_path) / f"{orientation}.jpg"
            cases.save_photograph(upright, orientation, path)
            with Image.open(path) as image:
                self.assertEqual(image.getexif().get(0x0112, 1), orientation)
                self.assertEqual(image.size, (60, 80) if orientation in (6, 8) else (80, 60))
                back = np.asarray(ImageOps.exif_transpose(image), int)
            self.assertLess(np.abs(back - upright).mean(), 4)

    def test_refuses_existing_output_unless_told(self):
        self._folder.mkdir()
        (self._folder / "notes.txt").write_text("mine")
        with self.assertRaisesRegex(ValueError, "not empty.*--overwrite"):
            cases.write_demo_cases(str(self._folder), 1, workers=1)
        cases.write_demo_cases(str(self._folder), 1, overwrite=True, workers=1)
        self.assertEqual((self._folder / "notes.txt").read_text(), "mine")
        self.assertTrue((self._folder / "cases.csv").is_file())

    def test_rejects_no_cases(self):
        with self.assertRaisesRegex(ValueError, "at least 1, not 0"):
            cases.write_demo_cases(str(self._folder), 0)

    def test_the_library_defines_no_flags(self):
        self.assertNotIn("num_cases", flags.FLAGS)


if __name__ == "__main__":
    absltest.main()
