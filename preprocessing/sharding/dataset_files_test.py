import base64
import csv
import dataclasses
import hashlib
import io
import json
import pathlib

from absl.testing import absltest
from PIL import Image

from preprocessing.data import manifest, records
from preprocessing.sharding import dataset_files, plans, shards


def _summary(name, split, visible):
    buffer = io.BytesIO()
    Image.new("RGB", (192, 96), "red").save(buffer, "JPEG")
    thumbnail = base64.b64encode(buffer.getvalue()).decode("ascii")
    files = {
        "crops": {"counts": {"Acne": {"3": 2}}, "sha256": f"c{name}", "bytes": 1},
        "full": {"counts": {"Acne": {"3": 1, "0": 1}}, "sha256": f"f{name}", "bytes": 1},
    }
    return shards.Summary(
        name=name,
        split=split,
        digest="",
        photographs=3,
        files=files,
        crops=[[split, "i", 0, 0, 9, 1, 0.0, visible]] * 2,
        rejections=[[7, "i", "i.jpg", "crop", "why"]],
        thumbnails=[["Acne", 3, thumbnail]],
        fingerprints=[],
    )


class WriteDatasetFilesTest(absltest.TestCase):
    def test_adds_the_shards_up(self):
        work = pathlib.Path(self.create_tempdir().full_path)
        (work / "shards").mkdir()
        summaries = [
            _summary("a", "train", 1.0),
            _summary("b", "train", 0.5),
            _summary("c", "test", 1.0),
        ]
        for summary in summaries:
            text = json.dumps(dataclasses.asdict(summary))
            (work / "shards" / f"{summary.name}.json").write_text(text)
        info = dataset_files.write_dataset_files(
            work,
            ["a", "b", "c"],
            plans.Settings(),
            [manifest.Rejection(2, "", "", "row", "bad")],
            {"near_duplicate_pairs": 5},
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
                "near_duplicate_pairs": 5,
            },
        )
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
