import csv
import io
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
from absl.testing import absltest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from preprocessing import testing_hostile
from preprocessing.cropping import windows
from preprocessing.data import manifest, photographs, records, skin
from preprocessing.testing_hostile import EITHER, LESION, REJECTED, USED

_FUZZ = settings(max_examples=150, deadline=None, derandomize=True, database=None)
_COORDINATES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-5, 70),
    st.sampled_from((0.0, 48.0, 64.0, 1e-300)),
)


def _shows_the_lesion(image):
    """Whether a photograph of the scene, in its own size, is dark in the box and only there."""
    grey = np.asarray(image.convert("L"), float)
    inside = np.zeros(grey.shape, bool)
    x0, y0, x1, y1 = map(int, LESION)
    inside[y0:y1, x0:x1] = True
    return grey.shape[::-1] == testing_hostile.SIZE and (
        np.median(grey[inside]) + 60 < np.median(grey[~inside])
        and (grey[inside] < 128).mean() > 0.9
        and (grey[~inside] > 128).mean() > 0.9
    )


class FunctionsTest(absltest.TestCase):
    def test_every_file_is_decoded_or_refused(self):
        path = pathlib.Path(self.create_tempdir().full_path) / "x"
        files = testing_hostile.files()
        self.assertGreater(sum(one.fate != USED for one in files.values()), 100)
        for name, specimen in files.items():
            with self.subTest(name):
                path.write_bytes(specimen.data)
                try:
                    image = photographs.read_photograph(str(path), testing_hostile.MAX_PIXELS)
                except ValueError as error:
                    self.assertIn(specimen.fate, (REJECTED, EITHER), str(error))
                    self.assertStartsWith(str(error), f"{path}: ")
                    self.assertIn(specimen.reason, str(error))
                    self.assertNotIn("\n", str(error))
                    continue
                self.assertIn(specimen.fate, (USED, EITHER))
                if specimen.fate == USED:
                    self.assertTrue(_shows_the_lesion(image))
                self.assertEmpty(image.info)

    @_FUZZ
    @given(
        kind=st.sampled_from(("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "JPEG2000", "AVIF")),
        edits=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=9)), max_size=6),
        length=st.floats(0, 1),
    )
    def test_any_change_of_a_file(self, kind, edits, length):
        buffer = io.BytesIO()
        testing_hostile.scene().save(buffer, kind)
        data = bytearray(buffer.getvalue())
        for place, new in edits:
            position = int(place * len(data))
            data[position : position + len(new)] = new
        path = pathlib.Path(absltest.TEST_TMPDIR.value) / "changed"
        path.write_bytes(data[: round(len(data) * (length + 0.5))])
        try:
            image = photographs.read_photograph(str(path), testing_hostile.MAX_PIXELS)
        except ValueError as error:
            self.assertRegex(str(error), rf"^{path}: [^\n]+$")
        else:
            self.assertEqual(image.mode, "RGB")

    @_FUZZ
    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=60),
                st.sampled_from(testing_hostile.rows()).map(
                    lambda row: row[0].encode("utf-8", "surrogateescape")
                ),
                st.sampled_from((b'"', b",", b"\r", b"\n", b"\0", b"\xef\xbb\xbf")),
            ),
            max_size=8,
        ),
        st.sampled_from((b"\n", b"\r", b"\r\n", b"")),
    )
    def test_any_manifest(self, parts, end):
        folder = pathlib.Path(absltest.TEST_TMPDIR.value)
        path = folder / "any.csv"
        good = b"c,p,good,a.jpg,Acne,1,,,"
        header = ",".join(testing_hostile.HEADER).encode()
        path.write_bytes(end.join([header + b"\n" + good + b"\n", *parts]))
        read, rejections = manifest.read_cases(str(path))
        self.assertEqual(read[0].image_id, "good")
        for rejection in rejections:
            self.assertGreaterEqual(rejection.row, 3)
            for text in rejection[1:]:
                self.assertRegex(text.encode().decode(), r"^[^\n\r\0]{0,320}$")

    @_FUZZ
    @given(st.binary(max_size=300))
    def test_any_bytes_as_a_manifest(self, data):
        path = pathlib.Path(absltest.TEST_TMPDIR.value) / "bytes.csv"
        path.write_bytes(data)
        with self.assertRaisesRegex(ValueError, rf"^{path}: [^\n]+$"):
            manifest.read_cases(str(path))

    @_FUZZ
    @given(st.lists(st.tuples(*[_COORDINATES] * 4), min_size=1, max_size=6), st.integers(0, 9))
    def test_any_boxes(self, boxes, seed):
        width, height = testing_hostile.SIZE
        crop_settings = windows.CropSettings(image_size=32, background_limit=1.0)
        pixels = np.asarray(testing_hostile.scene())
        try:
            text = manifest.format_rois(manifest.Box(*box) for box in boxes)
            fitted = windows.fit_boxes(manifest.parse_rois(text), width, height)
        except ValueError as error:
            self.assertRegex(str(error), r"^rois: [^\n]+$")
            return
        mask = skin.skin_mask(pixels, fitted)
        rng = np.random.default_rng(seed)
        crops, reasons = windows.plan_crops(fitted, (width, height), mask, 1.0, crop_settings, rng)
        self.assertEmpty(reasons)
        for crop in crops:
            x0, y0, size = crop.window
            self.assertTrue(0 <= x0 <= x0 + size <= width and 0 <= y0 <= y0 + size <= height)
            self.assertBetween(crop.visible, 0, 1)
            for box in crop.boxes:
                self.assertTrue(0 <= box.x0 < box.x1 <= 32 and 0 <= box.y0 < box.y1 <= 32)


class WholeRunTest(absltest.TestCase):
    """One run of the program over everything."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(absltest.TEST_TMPDIR.value) / "hostile" / "data"
        shutil.rmtree(cls.folder.parent, ignore_errors=True)
        cls.folder.mkdir(parents=True)
        cls.expected = testing_hostile.write(cls.folder)
        cls.output = cls.folder.parent / "records"
        cls.result = subprocess.run(
            [
                sys.executable,
                "-m",
                "preprocessing.preprocess",
                f"--cases={cls.folder / 'cases.csv'}",
                f"--output_dir={cls.output}",
                "--image_size=32",
                f"--full_size={testing_hostile.SIZE[0]}",
                f"--max_pixels={testing_hostile.MAX_PIXELS}",
                "--background_limit=1",
                "--photographs_per_shard=32",
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
        )
        if cls.result.returncode:
            raise AssertionError(cls.result.stderr)
        with open(cls.output / "rejected.csv", newline="", encoding="utf-8") as file:
            cls.rejected = {int(row["row"]): row for row in csv.DictReader(file)}
        cls.used = {one.image_id for one in cls.expected if one.fate == USED}
        cls.used |= {
            one.image_id
            for one in cls.expected
            if one.fate == EITHER and one.line not in cls.rejected
        }

    def _records(self, kind):
        return list(records.read(str(self.output), kind, "train"))

    def test_each_row_is_used_or_reported(self):
        for one in self.expected:
            with self.subTest(ascii(one.name)[:80]):  # as a test report can hold it
                if one.fate == USED:
                    self.assertNotIn(one.line, self.rejected)
                elif one.fate == REJECTED:
                    self.assertIn(one.line, self.rejected)
                    self.assertIn(one.reason, self.rejected[one.line]["reason"])
        self.assertContainsSubset(self.rejected, [one.line for one in self.expected])
        for row in self.rejected.values():
            self.assertRegex(row["reason"], r"^[^\n\r]{5,320}$")

    def test_everything_good_is_written_once(self):
        for kind in ("full", "crops"):
            written = [one.image_id for one in self._records(kind)]
            self.assertCountEqual(written, self.used)
        self.assertEqual(records.read_info(str(self.output)).count("full", "train"), len(written))

    def test_the_box_lies_on_the_lesion(self):
        sure = {one.image_id: one.name for one in self.expected if one.fate == USED}
        shares = np.divide(LESION, testing_hostile.SIZE * 2)
        for one in self._records("full"):
            name = sure.get(one.image_id)
            if name is not None:
                with self.subTest(name):
                    self.assertTrue(_shows_the_lesion(Image.fromarray(one.image())))
                    expected = shares * ((one.width, one.height) * 2)
                    np.testing.assert_allclose(one.boxes, [expected], rtol=1e-6)

    def test_no_metadata_is_in_any_file(self):
        photograph = (self.folder / "exif_6.jpg").read_bytes()
        for secret in testing_hostile.SECRETS:
            self.assertIn(secret, photograph)
            for path in self.output.rglob("*"):
                if path.is_file():
                    self.assertNotIn(secret, path.read_bytes(), path)

    def test_the_summary_says_so(self):
        self.assertIn(f"not used: {len(self.rejected)} rows or crops", self.result.stdout)
        self.assertIn(f"full: train {len(self.used)}, validation 0, test 0", self.result.stdout)
        self.assertNotIn("Traceback", self.result.stderr)


if __name__ == "__main__":
    absltest.main()
