"""Tests for `demo_cases`."""

import collections
import hashlib
import pathlib

import numpy as np
from absl import flags
from absl.testing import absltest, flagsaver
from PIL import Image, ImageOps

from preprocessing import cases, demo_cases
from preprocessing.taxonomy import CONDITIONS, FITZPATRICK_TYPES


def _digests(folder: pathlib.Path):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class PlanTest(absltest.TestCase):
    def test_shares_are_long_tailed_and_the_eight_rarest_hold_17_percent(self):
        shares = sorted(demo_cases.CONDITION_SHARES.values())
        self.assertLen(shares, 27)
        self.assertAlmostEqual(sum(shares), 1.0)
        self.assertAlmostEqual(sum(shares[:8]), 0.17, delta=0.01)
        self.assertEqual(demo_cases.CONDITION_SHARES["Melanoma"], shares[0])

    def test_every_class_has_two_patients_and_every_type_its_share(self):
        for num_cases, seed in ((120, 0), (240, 1), (1000, 2)):
            jobs = demo_cases.plan(num_cases, seed)
            self.assertLen(jobs, num_cases)
            patients = collections.defaultdict(set)
            types = collections.Counter(job.skin_type for job in jobs)
            for job in jobs:
                patients[job.condition].add(job.patient)
            self.assertEqual(set(patients), set(CONDITIONS))
            self.assertGreaterEqual(min(map(len, patients.values())), 2)
            for skin_type in FITZPATRICK_TYPES:
                self.assertGreaterEqual(types[skin_type], 0.08 * num_cases)

    def test_counts_are_imbalanced(self):
        counts = collections.Counter(job.condition for job in demo_cases.plan(500, 3))
        self.assertGreater(counts["Eczema"], 5 * counts["Melanoma"])
        rare = sum(sorted(counts.values())[:8])
        self.assertAlmostEqual(rare / 500, 0.17, delta=0.02)

    def test_common_conditions_meet_all_skin_types(self):
        jobs = demo_cases.plan(300, 4)
        types = {job.skin_type for job in jobs if job.condition == "Eczema"}
        self.assertEqual(types, set(FITZPATRICK_TYPES))

    def test_some_patients_come_twice_with_one_skin_type(self):
        jobs = demo_cases.plan(240, 0)
        types = collections.defaultdict(list)
        for job in jobs:
            types[job.patient].append(job.skin_type)
        twice = [kinds for kinds in types.values() if len(kinds) > 1]
        self.assertNotEmpty(twice)
        self.assertLess(len(twice), 0.2 * len(types))
        self.assertTrue(all(len(set(kinds)) == 1 for kinds in twice))


class DescribeCaseTest(absltest.TestCase):
    def test_photographs_share_patient_and_lesions_but_not_the_pose(self):
        for seed in range(30):
            shots = demo_cases.describe_case("Tinea", 4, 5, seed)
            self.assertBetween(len(shots), 1, 3)
            self.assertLen({shot.rois for shot in shots}, 1)
            self.assertLen({shot.surface for shot in shots}, 1)
            self.assertLen({shot.camera for shot in shots}, len(shots))

    def test_sizes(self):
        for seed in range(20):
            for shot in demo_cases.describe_case("Acne", 2, 1, seed):
                short, long = sorted((shot.camera.width, shot.camera.height))
                self.assertBetween(short, 600, 960)
                self.assertBetween(long, 800, 1280)


class WriteDemoCasesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self._folder = pathlib.Path(self.create_tempdir().full_path) / "demo"

    def test_files_are_the_same_for_any_number_of_workers_and_read_back(self):
        manifest = demo_cases.write_demo_cases(str(self._folder), 5, seed=2, workers=1)
        other = self._folder.with_name("other")
        demo_cases.write_demo_cases(str(other), 5, seed=2, workers=2)
        self.assertEqual(_digests(self._folder), _digests(other))

        photographs, rejections = cases.read_cases(manifest)
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
            demo_cases.save_photograph(upright, orientation, path)
            with Image.open(path) as image:
                self.assertEqual(image.getexif().get(0x0112, 1), orientation)
                self.assertEqual(image.size, (60, 80) if orientation in (6, 8) else (80, 60))
                back = np.asarray(ImageOps.exif_transpose(image), int)
            self.assertLess(np.abs(back - upright).mean(), 4)

    def test_refuses_existing_output_unless_told(self):
        self._folder.mkdir()
        (self._folder / "notes.txt").write_text("mine")
        with self.assertRaisesRegex(ValueError, "not empty.*--overwrite"):
            demo_cases.write_demo_cases(str(self._folder), 1, workers=1)
        demo_cases.write_demo_cases(str(self._folder), 1, overwrite=True, workers=1)
        self.assertEqual((self._folder / "notes.txt").read_text(), "mine")
        self.assertTrue((self._folder / "cases.csv").is_file())

    def test_rejects_no_cases(self):
        with self.assertRaisesRegex(ValueError, "at least 1, not 0"):
            demo_cases.write_demo_cases(str(self._folder), 0)

    def test_binary_writes_where_the_user_stands(self):
        with flagsaver.flagsaver(output_dir=str(self._folder), num_cases=1, seed=5):
            demo_cases.main([flags.FLAGS.output_dir])
        photographs, _ = cases.read_cases(str(self._folder / "cases.csv"))
        self.assertNotEmpty(photographs)


if __name__ == "__main__":
    absltest.main()
