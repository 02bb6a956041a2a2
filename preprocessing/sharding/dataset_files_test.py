import base64
import csv
import hashlib
import io
import pathlib
from unittest import mock

from absl.testing import absltest
from PIL import Image

from preprocessing.data import manifest, records
from preprocessing.sharding import dataset_files, plans, shards


def _shard(name, split, visible):
    buffer = io.BytesIO()
    Image.new("RGB", (192, 96), "red").save(buffer, "JPEG")
    thumbnail = base64.b64encode(buffer.getvalue()).decode("ascii")
    return {
        "split": split,
        "photographs": 3,
        "counts": {"crops": {"Acne": {"3": 2}}, "full": {"Acne": {"3": 1, "0": 1}}},
        "sources": {"crops": {"pair": 2}, "full": {"pair": 1, "unknown": 1}},
        "monk": {"crops": {"7": 2}, "full": {"7": 1}},
        "crops": [[split, "i", 0, 0, 9, 1, 0.0, visible]] * 2,
        "rejections": [[7, "i", "i.jpg", "crop", "why"]],
        "thumbnails": [["Acne", 3, thumbnail]],
        "outputs": {
            f"{kind}/{name}": {"sha256": f"{kind[0]}{name}", "bytes": 1} for kind in shards.KINDS
        },
    }


class WriteDatasetFilesTest(absltest.TestCase):
    def test_adds_the_shards_up(self):
        work = pathlib.Path(self.create_tempdir().full_path)
        done = {
            "a": _shard("a", "train", 1.0),
            "b": _shard("b", "train", 0.5),
            "c": _shard("c", "test", 1.0),
        }
        job = mock.Mock(folder=str(work), results=lambda names: (done[name] for name in names))
        info = dataset_files.write_dataset_files(
            job,
            ["a", "b", "c"],
            plans.Settings(),
            [manifest.Rejection(2, "", "", "row", "bad")],
            {"near_duplicate_pairs": 5, "photographs": 9},
        )
        crops = {"train": {"Acne": {"3": 4}}, "test": {"Acne": {"3": 2}}}
        self.assertEqual(info.counts["crops"], crops)
        self.assertEqual(info.counts["full"]["train"], {"Acne": {"3": 2, "0": 2}})
        self.assertEqual(
            info.notes,
            {
                "photographs": 9,
                "rejections": 4,
                "crops_showing_part_of_roi": 2,
                "crops_enlarged": 6,  # windows of 9 pixels
                "near_duplicate_pairs": 5,
            },
        )
        sources = {"crops": {"pair": 6}, "full": {"pair": 3, "unknown": 3}}
        self.assertEqual(info.skin_type_sources, sources)
        self.assertEqual(info.monk, {"crops": {"7": 6}, "full": {"7": 3}})
        lines = "".join(f"crops/{n} c{n}\nfull/{n} f{n}\n" for n in "abc")
        self.assertEqual(info.digest, hashlib.sha256(lines.encode()).hexdigest())
        self.assertEqual(records.read_info(str(work)), info)
        with open(work / "rejected.csv", newline="") as file:
            reasons = [row["reason"] for row in csv.DictReader(file)]
        self.assertEqual(reasons, ["bad", "why", "why", "why"])
        with open(work / "crops.csv", newline="") as file:
            self.assertLen(list(csv.DictReader(file)), 6)
        with Image.open(work / "contact_sheet.png") as sheet:
            self.assertEqual(sheet.size[0], 3 * 198 + 6)


if __name__ == "__main__":
    absltest.main()
