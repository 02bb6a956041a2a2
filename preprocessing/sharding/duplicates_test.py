import csv
import dataclasses
import pathlib

import numpy as np
from absl.testing import absltest
from PIL import Image

from preprocessing.data import manifest, records, splits
from preprocessing.data.manifest import Box, Photograph
from preprocessing.duplicates import linked_patients
from preprocessing.sharding import pipeline, plans, shards

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

    def _preprocess(self, **changes):
        output = pathlib.Path(self.create_tempdir().full_path)
        manifest.write_cases(str(self.data / "cases.csv"), self.rows)
        settings = dataclasses.replace(_SETTINGS, **changes)
        info = pipeline.preprocess(str(self.data / "cases.csv"), str(output), settings)
        return output, info

    def _records(self, folder, kind):
        """Yields (split, image id, bytes) of all records."""
        for path in sorted((folder / kind).iterdir()):
            for record in records.read_file(str(path), kind):
                yield path.name.partition("-")[0], record.image_id, records.serialize(record)

    def test_linked_patients_share_a_split(self):
        apart, _ = self._preprocess(find_duplicates=False)
        self.assertFalse((apart / "duplicates.csv").exists())
        output, info = self._preprocess()
        expected = splits.split_of(Photograph("c", self.linked[0], "", "", "Acne", 3), seed=3)
        patient_of = {row.image_id: row.patient_id for row in self.rows}
        moved = set()
        for kind in shards.KINDS:
            before, after = (list(self._records(folder, kind)) for folder in (apart, output))
            # The same bytes, but for the photograph that is not used.
            self.assertCountEqual(
                [entry[1:] for entry in after],
                [entry[1:] for entry in before if entry[1] != "f0"],
            )
            old = {image_id: split for split, image_id, _ in before}
            for split, image_id, _ in after:
                if patient_of[image_id] in self.linked:
                    self.assertEqual(split, expected)
                else:
                    self.assertEqual(split, old[image_id])
                if split != old[image_id]:
                    moved.add(image_id)
            found = [split for split, _, _ in after]
            for split in manifest.SPLITS:
                self.assertEqual(info.count(kind, split), found.count(split))
        self.assertBetween(len(moved), 2, 3)
        for name, number in (
            ("photographs", len(self.rows)),
            ("patients", 14),
            ("near_duplicate_pairs", 2),
            ("near_duplicates_not_used", 1),
            ("photographs_moved_to_linked_patients", len(moved)),
            ("rejections", 1),
        ):
            self.assertEqual(info.notes[name], number, name)
        self.assertFalse(info.patients_unnamed)
        with open(output / "duplicates.csv", newline="") as file:
            report = list(csv.DictReader(file))
        self.assertEqual(
            [(row["image_id"], row["other_image_id"], row["mirrored"]) for row in report],
            [("i0", "copy", "1"), ("f0", "f1", "0")],
        )
        self.assertEqual({report[0]["split"], report[0]["other_split"]}, {expected})
        self.assertEqual((report[1]["split"], report[1]["other_split"]), ("not used", "test"))
        with open(output / "rejected.csv", newline="") as file:
            (rejected,) = csv.DictReader(file)
        self.assertEqual((rejected["image_id"], rejected["stage"]), ("f0", "duplicate"))
        self.assertEqual(
            rejected["reason"],
            "near-duplicate of 'f1' on row 28, patient 'fixed test', which the test split has",
        )
        with open(output / "crops.csv", newline="") as file:
            listed = [(row["split"], row["image_id"]) for row in csv.DictReader(file)]
        self.assertCountEqual(listed, [entry[:2] for entry in self._records(output, "crops")])

    def test_without_pairs_records_are_as_without_the_search(self):
        self.rows = self.rows[:20]
        (_, one), (output, other) = self._preprocess(find_duplicates=False), self._preprocess()
        self.assertEqual(one.digest, other.digest)
        self.assertEqual(one.counts, other.counts)
        report = (output / "duplicates.csv").read_text()
        self.assertEqual(report.strip(), ",".join(linked_patients.COLUMNS))


if __name__ == "__main__":
    absltest.main()
