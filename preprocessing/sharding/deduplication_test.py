import csv
import pathlib

import numpy as np
from absl.testing import absltest
from PIL import Image

from preprocessing.data import manifest, records, splits
from preprocessing.data.manifest import Box, Photograph
from preprocessing.sharding import dataset_files, deduplication, plans, shards, testing_shards

_SETTINGS = plans.Settings(image_size=32, full_size=48, photographs_per_shard=4, seed=3)


def _picture(seed):
    rng = np.random.default_rng(seed)
    coarse = rng.normal(150, 40, (12, 16, 1)).clip(0, 255) * (1.0, 0.8, 0.7)
    return Image.fromarray(coarse.astype(np.uint8)).resize((80, 60), Image.Resampling.BICUBIC)


class KeepTogetherTest(absltest.TestCase):
    """A train and a test patient share a photograph; so do two whose splits are fixed."""

    def setUp(self):
        super().setUp()
        self.data = pathlib.Path(self.create_tempdir().full_path)
        by_split = {split: [] for split in manifest.SPLITS}
        for n in range(200):
            split = splits.split_of(Photograph("c", f"p{n:03d}", "", "", "Acne", 3), seed=3)
            by_split[split].append(f"p{n:03d}")
        patients = by_split["train"][:9] + by_split["test"][:2] + by_split["validation"][:1]
        self.rows = []
        for n, patient in enumerate(patients * 2):  # Two photographs each.
            self._add(patient, f"i{n}", _picture(n))
        train, test = sorted(by_split["train"])[0], sorted(by_split["test"])[0]
        self.linked = sorted((train, test))
        turned = _picture(0).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        self._add(test, "copy", turned)
        self._add("fixed train", "f0", _picture(100), split="train")
        self._add("fixed test", "f1", _picture(100), split="test")

    def _add(self, patient, image_id, picture, **fields):
        picture.save(self.data / f"{image_id}.png")
        box, number = (Box(30, 20, 50, 40),), len(self.rows) + 2
        self.rows.append(
            Photograph(
                "c", patient, image_id, f"{image_id}.png", "Acne", 3, box, row=number, **fields
            )
        )

    def _write(self):
        work = pathlib.Path(self.create_tempdir().full_path)
        return work, testing_shards.write_shards(self.rows, self.data, _SETTINGS, work)

    def _records(self, work, kind):
        """Yields (split, image id, bytes) of all records."""
        for path in sorted((work / kind).iterdir()):
            for record in records.read_file(str(path), kind):
                yield path.name.partition("-")[0], record.image_id, records.serialize(record)

    def test_moves_photographs_and_tells(self):
        work, names = self._write()
        before = {kind: list(self._records(work, kind)) for kind in shards.KINDS}
        notes = deduplication.keep_together(work, names, _SETTINGS)
        expected = splits.split_of(Photograph("c", self.linked[0], "", "", "Acne", 3), seed=3)
        patient_of = {row.image_id: row.patient_id for row in self.rows}
        moved = set()
        for kind in shards.KINDS:
            after = list(self._records(work, kind))
            # The same bytes, but for the photograph that is not used.
            self.assertCountEqual(
                [entry[1:] for entry in after],
                [entry[1:] for entry in before[kind] if entry[1] != "f0"],
            )
            old = {image_id: split for split, image_id, _ in before[kind]}
            for split, image_id, _ in after:
                if patient_of[image_id] in self.linked:
                    self.assertEqual(split, expected)
                else:
                    self.assertEqual(split, old[image_id])
                if split != old[image_id]:
                    moved.add(image_id)
        self.assertEqual(
            notes,
            {
                "near_duplicate_pairs": 2,
                "near_duplicates_not_used": 1,
                "photographs_moved_to_linked_patients": len(moved),
            },
        )
        self.assertBetween(len(moved), 2, 3)
        with open(work / deduplication.FILE_NAME, newline="") as file:
            report = list(csv.DictReader(file))
        self.assertEqual(
            [(row["image_id"], row["other_image_id"], row["mirrored"]) for row in report],
            [("i0", "copy", "1"), ("f0", "f1", "0")],
        )
        self.assertEqual({report[0]["split"], report[0]["other_split"]}, {expected})
        self.assertEqual((report[1]["split"], report[1]["other_split"]), ("not used", "test"))

        info = dataset_files.write_dataset_files(work, names, _SETTINGS, [], notes)
        for kind in shards.KINDS:
            found = [split for split, _, _ in self._records(work, kind)]
            for split in manifest.SPLITS:
                self.assertEqual(info.count(kind, split), found.count(split))
        with open(work / "rejected.csv", newline="") as file:
            (rejected,) = csv.DictReader(file)
        self.assertEqual((rejected["image_id"], rejected["stage"]), ("f0", "duplicate"))
        self.assertEqual(
            rejected["reason"],
            "near-duplicate of 'f1' on row 28, patient 'fixed test', which the test split has",
        )
        with open(work / "crops.csv", newline="") as file:
            listed = [(row["split"], row["image_id"]) for row in csv.DictReader(file)]
        self.assertEqual(listed, [entry[:2] for name in names for entry in self._of(work, name)])

    def _of(self, work, name):
        return [
            (name.partition("-")[0], record.image_id)
            for record in records.read_file(str(work / "crops" / name), "crops")
        ]

    def test_nothing_to_move(self):
        self.rows = self.rows[:20]
        work, names = self._write()
        files = {path: path.stat().st_mtime_ns for path in work.rglob("*.tfrecord")}
        notes = deduplication.keep_together(work, names, _SETTINGS)
        self.assertEqual(set(notes.values()), {0})
        self.assertEqual(files, {path: path.stat().st_mtime_ns for path in files})
        report = (work / deduplication.FILE_NAME).read_text()
        self.assertEqual(report.strip(), ",".join(deduplication.COLUMNS))


if __name__ == "__main__":
    absltest.main()
