import csv
import dataclasses
import io
import pathlib

import numpy as np
from absl.testing import absltest
from PIL import Image

from preprocessing.data import manifest, records
from preprocessing.data.manifest import Box, Photograph
from preprocessing.duplicates.near_duplicates import Pair
from preprocessing.inspection import sources
from preprocessing.inspection.sources import Inspection, Look
from preprocessing.sharding import pipeline, plans

_TONES = {1: (247, 222, 207), 3: (204, 158, 122), 6: (66, 42, 31)}


def _picture(seed, tone, size):
    rng = np.random.default_rng(seed)
    light = Image.fromarray(rng.normal(1, 0.08, (9, 12)).astype(np.float32))
    light = np.asarray(light.resize(size, Image.Resampling.BICUBIC))
    pixels = light[..., None] * np.array(_TONES[tone])
    pixels[size[1] // 4 : size[1] // 2, size[0] // 2 : size[0] * 3 // 4] *= 0.5
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _write_data(folder):
    """Writes 21 photographs, of which two are the same and three rows cannot be used."""
    rows = []
    for n in range(18):
        size, tone = ((320, 240), (240, 320))[n % 2], (1, 3, 6)[n % 3]
        _picture(n, tone, size).save(folder / f"{n}.png")
        width, height = size
        box = Box(width // 2, height // 4, width * 3 // 4, height // 2)
        row = Photograph(
            f"c{n}", f"p{n}", f"i{n}", f"{n}.png", ("Acne", "Melanoma")[n % 2], tone, (box,)
        )
        source = "estimated" if n == 0 else "annotated"
        rows.append(dataclasses.replace(row, fitzpatrick_source=source))
    mirrored = _picture(4, 3, (320, 240)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mirrored.save(folder / "copy.png")
    rows += [
        Photograph("c", "<b>q</b>", "copy", "copy.png", "Vitiligo", None),
        Photograph("c", "q1", "missing", "none.png", "Acne", 1, rows[0].rois),
        Photograph("c", "q2", "outside", "2.png", "Acne", 1, (Box(0, 0, 999, 10),)),
    ]
    path = folder / "cases.csv"
    manifest.write_cases(str(path), rows)
    with open(path, "a", encoding="utf-8") as file:
        file.write("c,q3,akne,0.png,Akne,1,,,\n")
    return str(path)


class InspectionTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(absltest.TEST_TMPDIR.value) / "inspection"
        cls.folder.mkdir(parents=True, exist_ok=True)
        cls.cases = _write_data(cls.folder)
        cls.found = sources.from_manifest(cls.cases)

    def test_looks_at_every_usable_photograph(self):
        looks = {look.row.image_id: look for look in self.found.looks}
        self.assertEqual(list(looks), [*(f"i{n}" for n in range(18)), "copy"])
        self.assertEqual(looks["i1"].size, (240, 320))
        self.assertEqual(looks["i1"].boxes, (Box(0.5, 0.25, 0.75, 0.5),))
        for n in range(18):
            self.assertEqual(looks[f"i{n}"].estimated_type, (1, 3, 6)[n % 3])
        self.assertFalse(looks["i0"].has_annotated_type)  # It was estimated on import.
        self.assertTrue(looks["i1"].has_annotated_type)
        self.assertFalse(looks["copy"].has_annotated_type)

    def test_says_what_is_not_used(self):
        reasons = {rejection.image_id: rejection.reason for rejection in self.found.rejections}
        self.assertCountEqual(reasons, ["akne", "missing", "outside"])
        self.assertIn("none.png: no such file", reasons["missing"])
        self.assertIn("box '0 0 999 10' is outside the 320x240", reasons["outside"])
        self.assertIn("unknown condition 'Akne'; closest is 'Acne'", reasons["akne"])

    def test_near_duplicates_share_a_split_and_are_shown(self):
        (pair,) = self.found.pairs
        sides = [self.found.looks[n] for n in (pair.first, pair.second)]
        self.assertEqual([look.row.image_id for look in sides], ["i4", "copy"])
        self.assertTrue(pair.mirrored)
        self.assertEqual(sides[0].split, sides[1].split)
        for look in sides:
            picture = Image.open(io.BytesIO(self.found.pictures[look.row.image_id]))
            self.assertEqual(max(picture.size), 320)  # as the photograph, larger than looked at

    def test_says_which_crops_would_be_enlarged(self):
        # ROIs of 80 pixels in photographs of 240: crops of 256 cannot be had, of 64 easily.
        self.assertEqual((self.found.image_size, self.found.enlarged), (256, 18))
        small = plans.Settings(image_size=64)
        looks = self.found.looks
        self.assertFalse(any(sources._mostly_enlarged(look, small) for look in looks))

    def test_says_where_background_leaves_no_crop(self):
        self.assertFalse(any(look.no_crop for look in self.found.looks))
        blue = Image.new("RGB", (320, 240), (20, 60, 200))
        blue.paste(_picture(1, 3, (80, 80)), (120, 80))
        blue.save(self.folder / "blue.png")
        row = Photograph("c", "p", "i", "blue.png", "Acne", 3, (Box(140, 100, 180, 140),))
        for limit, lost in ((0.35, True), (1.0, False)):
            settings = plans.Settings(background_limit=limit)
            look = sources._look_at_row(row, str(self.folder), settings)
            self.assertEqual(look.no_crop, lost)

    def test_no_usable_photograph(self):
        path = self.folder / "none.csv"
        manifest.write_cases(str(path), [Photograph("c", "p", "i", "none.png", "Acne", 1)])
        with self.assertRaisesRegex(ValueError, r"no usable photograph; .*none\.png: no such"):
            sources.from_manifest(str(path))

    def test_records(self):
        work = pathlib.Path(self.create_tempdir().full_path)
        # Where the copies are in one split, as the inspection of the manifest says.
        settings = plans.Settings(image_size=32, full_size=64, photographs_per_shard=8)
        info = pipeline.preprocess(self.cases, str(work), settings)
        found = sources.from_records(str(work))
        self.assertLen(found.looks, 19)
        for split in manifest.SPLITS:
            count = sum(look.split == split for look in found.looks)
            self.assertEqual(count, info.count("full", split))
            self.assertEqual(found.crops[split], info.count("crops", split))
        self.assertEqual((found.image_size, found.enlarged), (32, 0))
        by_id = {look.row.image_id: look for look in found.looks}
        for look in self.found.looks:
            other = by_id[look.row.image_id]
            self.assertEqual(other.row.fitzpatrick, look.row.fitzpatrick)
            self.assertEqual(other.estimated_type, look.estimated_type)
            self.assertEqual(other.has_annotated_type, look.has_annotated_type)
            np.testing.assert_allclose(other.boxes, look.boxes, atol=1e-6)
        pair = [by.row.image_id for by in (found.looks[n] for n in found.pairs[0][:2])]
        self.assertCountEqual(pair, ["i4", "copy"])
        with open(work / "rejected.csv", newline="") as file:
            self.assertLen(list(csv.DictReader(file)), len(found.rejections))
        with self.assertRaisesRegex(ValueError, "dataset.json: no such file; make a data set"):
            sources.from_records(str(self.folder))
        self.assertEqual(set(found.pictures), found.wanted())
        self.assertIsNone(sources.from_records(str(work), find_duplicates=False).pairs)
        (shard, *_) = records.list_shards(str(work), "full", "train")
        data = pathlib.Path(shard).read_bytes()
        pathlib.Path(shard).write_bytes(data[:-9])
        with self.assertRaisesRegex(ValueError, "train-00000-of.*: truncated or corrupt TFRecord"):
            sources.from_records(str(work))
        self.assertEqual(records.read_info(str(work)), info)


def _look(n, condition, skin_type, source=""):
    row = Photograph("c", f"p{n}", f"i{n}", "", condition, skin_type, fitzpatrick_source=source)
    return Look(row, "train", (4, 3), (), None, np.zeros((32, 32), np.uint8))


class ShownTest(absltest.TestCase):
    def test_contact_sheets_are_spread_over_skin_types(self):
        looks = [_look(n, "Acne", 1 + n // 20) for n in range(60)]
        looks += [_look(60 + n, "Cyst", (2, None)[n % 2]) for n in range(4)]
        shown = Inspection("s", False, looks, [], None, {}, {}).shown()
        self.assertEqual(
            [look.row.fitzpatrick for look in shown["Acne"]], [1] * 8 + [2] * 8 + [3] * 8
        )
        self.assertEqual([look.row.fitzpatrick for look in shown["Cyst"]], [2, 2, None, None])
        again = Inspection("s", False, looks[::-1], [], None, {}, {}).shown()
        self.assertEqual(
            *([look.row.image_id for look in sheet["Acne"]] for sheet in (shown, again))
        )

    def test_pictures_wanted_are_those_of_sheets_and_closest_pairs(self):
        looks = [_look(n, "Acne", 3) for n in range(90)]
        pairs = [Pair(n, n + 45, 0, 0.85 + n / 1000, False) for n in range(45)]
        found = Inspection("s", False, looks, [], pairs, {}, {})
        self.assertEqual([pair.first for pair in found.pairs_shown()], list(range(44, 20, -1)))
        sheet = {look.row.image_id for look in found.shown()["Acne"]}
        closest = {f"i{n}" for first in range(21, 45) for n in (first, first + 45)}
        self.assertLen(sheet, 48)
        self.assertEqual(found.wanted(), sheet | closest)

    def test_annotated_or_estimated(self):
        for source, expected in (("", True), ("annotated", True), ("estimated", False)):
            self.assertEqual(_look(0, "Acne", 3, source).has_annotated_type, expected)
        self.assertFalse(_look(0, "Acne", 3, "pair_estimated").has_annotated_type)
        self.assertFalse(_look(0, "Acne", None, "").has_annotated_type)


if __name__ == "__main__":
    absltest.main()
