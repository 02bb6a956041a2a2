import io
import json
import pathlib
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from preprocessing.data import maps, records
from preprocessing.data.manifest import Box, Photograph, write_cases
from preprocessing.sharding import photograph_records
from preprocessing.sharding.plans import Settings
from training import testing_data
from training.program import packing
from training.program.runner import crops

_SETTINGS = Settings(image_size=32, full_size=32, crops_per_photograph=3, find_duplicates=False)


def _photograph(path, size, seed, **options):
    """Writes a smooth picture with some grain."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(60, 220, (6, 8, 3), np.uint8))
    pixels = np.asarray(small.resize(size, Image.Resampling.BICUBIC)).astype(np.int16)
    pixels += rng.integers(-8, 9, pixels.shape, np.int16)
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path, **options)


def _exif(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "SecretMaker"
    return exif


class MapTest(absltest.TestCase):
    def test_equals_encode(self):
        rng = np.random.default_rng(0)
        for _ in range(200):
            corner, side = rng.uniform(-5, 30, 2), rng.uniform(0.2, 20, 2)
            boxes = [Box(*map(float, [*corner, *(corner + side)]))]
            boxes = [box for box in boxes if box.x1 > 0 and box.y1 > 0]
            skin_type, code = int(rng.integers(0, 7)), int(rng.integers(0, 36))
            expected = maps.encode(skin_type, code, boxes, 32, 32)
            np.testing.assert_array_equal(
                crops.draw_map(32, skin_type, code, boxes), expected, str(boxes)
            )


class MetadataTest(parameterized.TestCase):
    @parameterized.parameters({}, {"progressive": True}, {"subsampling": 0, "quality": 97})
    def test_pixels_stay_and_words_go(self, **options):
        path = self.create_tempfile().full_path + ".jpg"
        _photograph(path, (120, 80), 1, exif=_exif(6), comment=b"a secret word", **options)
        whole = pathlib.Path(path).read_bytes() + b"\xff\xd8 another picture behind it"
        bare = packing.without_metadata(whole)
        self.assertLess(len(bare), len(whole))
        for word in (b"SecretMaker", b"secret word", b"another picture"):
            self.assertIn(word, whole)
            self.assertNotIn(word, bare)
        with Image.open(path) as original, Image.open(io.BytesIO(bare)) as stripped:
            self.assertEqual(dict(stripped.getexif()), {})
            np.testing.assert_array_equal(np.asarray(stripped), np.asarray(original))

    def test_what_is_no_whole_jpeg(self):
        path = self.create_tempfile().full_path + ".jpg"
        _photograph(path, (120, 80), 1)
        whole = pathlib.Path(path).read_bytes()
        for damaged in (b"", b"\x89PNG", whole[:-200], whole[:10]):
            self.assertEqual(packing.without_metadata(damaged), b"")


class PhotographsTest(absltest.TestCase):
    """Photographs of several kinds through preprocessing, and packed beside it."""

    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        kinds = {
            "plain.jpg": ((200, 150), {"quality": 90}),
            "turned.jpg": ((160, 240), {"exif": _exif(6)}),
            "large.jpg": ((800, 640), {"quality": 85}),  # decoded at a part of its size
            "lossless.png": ((200, 150), {}),
        }
        self.rows, lines, found = [], ["split,image_id,x0,y0,size"], []
        for number, (name, (size, options)) in enumerate(kinds.items()):
            _photograph(self.root / name, size, number, **options)
            upright = size[::-1] if "exif" in options else size
            box = Box(*(round(side * part) for part in (0.3, 0.6) for side in upright))
            stem = name.partition(".")[0]
            row = Photograph(f"c{number}", f"p{number}", stem, name, "Acne", 3, (box,))
            self.rows.append(row)
            done = photograph_records.process_photograph(row, str(self.root), _SETTINGS)
            self.assertLen(done.crops, 3)
            found += done.crops
            lines += [f"train,{stem},{','.join(map(str, one.window))}" for one in done.placed]
        self.cases = str(self.root / "cases.csv")
        write_cases(self.cases, self.rows)
        self.data = self.root / "data"
        (self.data / "crops").mkdir(parents=True)
        testing_data.write_records(self.data / "crops" / records.shard_name("train", 0, 1), found)
        (self.data / "crops.csv").write_text("\n".join(lines) + "\n")
        self.images = np.stack([record.image() for record in found])
        self.maps = np.stack([record.semantic_map() for record in found])
        self.run_stub = mock.Mock(data_dir=str(self.data), conditions=("Acne",))
        self.run_stub.info.settings = json.loads(json.dumps(_SETTINGS.as_dict()))
        self.order = np.argsort([record.image_id for record in found], kind="stable")

    def _pack(self, most=1e6, **changes):
        folder = self.root / "packed"
        folder.mkdir()
        cases = changes.get("cases", self.cases)
        said = packing.write_photographs(self.run_stub, folder, [cases], [], most)
        return folder, said

    def test_crops_are_those_of_preprocessing(self):
        folder, _ = self._pack()
        found_maps, found_images = crops.read(folder, 32)
        np.testing.assert_array_equal(found_maps, self.maps[self.order])
        difference = np.abs(found_images.astype(int) - self.images[self.order])
        names = [self.rows[number // 3].image_id for number in self.order]
        for name, one in zip(names, difference):
            if name == "lossless":  # made a JPEG of quality 92
                self.assertBetween(one.mean(), 0.01, 3, name)
            else:
                self.assertEqual(one.max(), 0, name)
        table = (folder / crops.TABLE).read_text()
        for secret in ("plain", "turned", "p0,", str(self.root)):
            self.assertNotIn(secret, table)

    def test_divisor_is_preprocessings(self):
        folder, _ = self._pack()
        divisors = {row["divisor"] for row in crops.read_table(folder)}
        self.assertGreater(max(divisors), 1)

    def test_a_limit_makes_them_smaller(self):
        folder, _ = self._pack()
        whole = (folder / crops.PHOTOGRAPHS).stat().st_size
        self.root = pathlib.Path(self.create_tempdir().full_path)
        folder, said = self._pack(most=whole * 0.5)
        self.assertLess((folder / crops.PHOTOGRAPHS).stat().st_size, whole * 0.55)
        self.assertIn("levels on average", said)
        _, found = crops.read(folder, 32)
        difference = np.abs(found.astype(int) - self.images[self.order]).mean()
        self.assertBetween(difference, 0.1, 8)

    def test_no_room(self):
        with self.assertRaisesRegex(ValueError, "4 photographs do not fit into 0.0 MiB"):
            self._pack(most=500)

    def test_other_photographs(self):
        _photograph(self.root / "plain.jpg", (200, 150), 77)
        with self.assertRaisesRegex(ValueError, "photograph of plain is not the one that"):
            self._pack()

    def test_a_manifest_without_them(self):
        other = str(self.root / "other.csv")
        write_cases(other, self.rows[1:])
        with self.assertRaisesRegex(ValueError, "other.csv: has no usable row of plain"):
            self._pack(cases=other)

    def test_records_without_windows(self):
        (self.data / "crops.csv").unlink()
        with self.assertRaisesRegex(ValueError, "records without it cannot go as photographs"):
            self._pack()

    def test_a_damaged_photograph_is_named(self):
        folder, _ = self._pack()
        content = bytearray((folder / crops.PHOTOGRAPHS).read_bytes())
        at = content.index(b"\xff\xd8\xff")
        content[at : at + 600] = bytes(600)
        (folder / crops.PHOTOGRAPHS).write_bytes(content)
        with self.assertRaises(Exception) as caught:
            crops.read(folder, 32)
        self.assertIn("photograph_", str(caught.exception))


if __name__ == "__main__":
    absltest.main()
