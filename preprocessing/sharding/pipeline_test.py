import csv
import dataclasses
import hashlib
import os
import pathlib
import shutil
from unittest import mock

import numpy as np
from absl.testing import absltest
from apache_beam.runners.portability import local_job_service
from PIL import Image

from common import locks, pseudonyms
from preprocessing.data import manifest, maps, records, taxonomy
from preprocessing.data.manifest import Box, Photograph
from preprocessing.sharding import pipeline

_TONES = ((247, 222, 207), (204, 158, 122), (66, 42, 31))
_SETTINGS = pipeline.Settings(image_size=32, full_size=48, photographs_per_shard=8, seed=3)


def _write_data(folder, count=40):
    """Writes a manifest with good photographs and one of each kind of trouble."""
    rng = np.random.default_rng(0)
    rows = []
    for n in range(count):
        pixels = np.array(_TONES[n % 3]) + rng.normal(0, 3, (60, 80, 3))
        pixels[20:40, 30:50] *= 0.5
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{n}.jpg")
        rows.append(
            Photograph(
                f"c{n}",
                f"p{n}",
                f"i{n}",
                f"{n}.jpg",
                ("Acne", "Melanoma")[n % 2],
                (1, 3, 6)[n % 3],
                (Box(30, 20, 50, 40),),
            )
        )
    rows.append(Photograph("c", "q0", "missing", "none.jpg", "Acne", 1, rows[0].rois))
    rows.append(Photograph("c", "q1", "untyped", "1.jpg", "Acne", None, rows[0].rois))
    rows.append(Photograph("c", "q2", "outside", "2.jpg", "Acne", 1, (Box(0, 0, 90, 10),)))
    path = folder / "cases.csv"
    manifest.write_cases(str(path), rows)
    with open(path, "a", encoding="utf-8") as file:
        file.write("c,q3,akne,0.jpg,Akne,1,,\n")
    return str(path)


def _digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(pathlib.Path(folder).rglob("*"))
        if path.is_file() and path.name != pseudonyms.FILE_NAME
    }


class PreprocessTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = pathlib.Path(absltest.TEST_TMPDIR.value) / "pipeline"
        shutil.rmtree(cls.root, ignore_errors=True)
        (cls.root / "data").mkdir(parents=True)
        cls.manifest = _write_data(cls.root / "data")
        cls.output = str(cls.root / "records")
        cls.info = pipeline.preprocess(cls.manifest, cls.output, _SETTINGS, overwrite=True)

    def test_records_are_what_the_info_says(self):
        self.assertEqual(records.read_info(self.output), self.info)
        total = {"crops": 0, "full": 0}
        for kind in total:
            for split in manifest.SPLITS:
                found = list(records.read(self.output, kind, split))
                self.assertLen(found, self.info.count(kind, split))
                total[kind] += len(found)
        self.assertEqual(total, {"crops": 41, "full": 41})

    def test_maps_decode_to_condition_and_skin_type(self):
        for record in records.read(self.output, "crops", "train"):
            decoded = maps.decode(record.semantic_map())
            self.assertEqual(decoded.skin_type, record.fitzpatrick)
            self.assertEqual(decoded.condition_code, taxonomy.code(record.condition))
            x0, y0, x1, y1 = (round(side) for side in record.boxes[0])
            self.assertTrue(decoded.roi[y0:y1, x0:x1].all())
            self.assertEqual(decoded.roi.sum(), (y1 - y0) * (x1 - x0))
            image = record.image().mean(axis=-1)
            self.assertLess(image[decoded.roi].mean(), 0.8 * image[~decoded.roi].mean())

    def test_nothing_is_dropped_silently(self):
        with open(os.path.join(self.output, "rejected.csv"), newline="") as file:
            rejected = {row["image_id"]: row for row in csv.DictReader(file)}
        self.assertCountEqual(rejected, ["missing", "outside", "akne"])
        self.assertIn("none.jpg: no such file", rejected["missing"]["reason"])
        self.assertEqual(rejected["missing"]["row"], "42")
        self.assertIn("box '0 0 90 10' is outside the 80x60", rejected["outside"]["reason"])
        self.assertIn("unknown condition 'Akne'; closest", rejected["akne"]["reason"])
        self.assertEqual(self.info.notes["rejections"], 3)
        sources = {"annotated": 40, "unknown": 1}
        self.assertEqual(self.info.skin_type_sources, {"crops": sources, "full": sources})

    def test_crops_csv_and_contact_sheet(self):
        with open(os.path.join(self.output, "crops.csv"), newline="") as file:
            self.assertLen(list(csv.DictReader(file)), 41)
        with Image.open(os.path.join(self.output, "contact_sheet.png")) as sheet:
            self.assertGreater(min(sheet.size), 200)
        self.assertFalse((pathlib.Path(self.output) / pipeline.UNFINISHED).exists())

    def test_near_duplicates_across_patients_share_a_split(self):
        split_of = {}
        for split in manifest.SPLITS:
            for record in records.read(self.output, "full", split):
                split_of[record.image_id] = split
        with open(os.path.join(self.output, "duplicates.csv"), newline="") as file:
            pairs = list(csv.DictReader(file))
        # Photograph 1 is there under two patients.
        self.assertIn(
            ("i1", "untyped"), [(row["image_id"], row["other_image_id"]) for row in pairs]
        )
        for row in pairs:
            for side in ("", "other_"):
                self.assertEqual(row[f"{side}split"], split_of[row[f"{side}image_id"]])
            self.assertEqual(row["split"], row["other_split"])
        self.assertEqual(self.info.notes["near_duplicate_pairs"], len(pairs))

    def test_bytes_do_not_depend_on_the_workers(self):
        expected = _digests(self.output)
        for name, args in (
            ("one", ["--direct_num_workers=1"]),
            ("processes", ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]),
        ):
            other = str(self.root / name)
            pipeline.preprocess(self.manifest, other, _SETTINGS, overwrite=True, beam_args=args)
            self.assertEqual(_digests(other), expected)

    def test_another_engine_makes_the_same_bytes(self):
        service = local_job_service.LocalJobServicer(str(self.root / "staging"))
        port = service.start_grpc_server(0)
        self.addCleanup(service.stop)
        args = [
            "--runner=PortableRunner",
            f"--job_endpoint=localhost:{port}",
            "--environment_type=LOOPBACK",
        ]
        other = str(self.root / "portable")
        pipeline.preprocess(self.manifest, other, _SETTINGS, beam_args=args)
        self.assertEqual(_digests(other), _digests(self.output))

    def test_an_existing_data_set_is_kept(self):
        before = _digests(self.output)
        with self.assertRaisesRegex(
            ValueError, r"already holds dataset\.json; choose another --output_dir or pass --over"
        ):
            pipeline.preprocess(self.manifest, self.output, _SETTINGS)
        self.assertEqual(_digests(self.output), before)

    def test_other_files_in_the_output_folder_are_kept(self):
        output = self.root / "mine"
        output.mkdir(exist_ok=True)
        (output / "notes.txt").write_text("mine")
        (output / "duplicates.csv").write_text("of an earlier run")
        settings = dataclasses.replace(_SETTINGS, find_duplicates=False)
        pipeline.preprocess(self.manifest, str(output), settings, overwrite=True)
        self.assertEqual((output / "notes.txt").read_text(), "mine")
        self.assertFalse((output / "duplicates.csv").exists())  # Not looked for this time.

    def test_an_interrupted_run_is_taken_up(self):
        output = self.root / "interrupted"
        one_process = ["--direct_num_workers=1", "--direct_running_mode=in_memory"]
        write, names = pipeline.shards.write_records, []

        def stopped(plan, outputs):
            names.append(plan["name"])
            if len(names) > 2:
                raise RuntimeError("killed")
            return write(plan, outputs)

        with (
            mock.patch.object(pipeline.shards, "write_records", stopped),
            self.assertRaisesRegex(RuntimeError, "killed"),
        ):
            pipeline.preprocess(self.manifest, str(output), _SETTINGS, beam_args=one_process)
        work = output / pipeline.UNFINISHED
        stamps = {path.name: path.stat().st_mtime_ns for path in (work / "crops").iterdir()}
        self.assertBetween(len(stamps), 1, 6)  # each bundle has a copy of `names`
        (work / "crops" / "train-00000-of-00099.tfrecord").touch()
        with self.assertLogs("absl", "WARNING") as logs:
            pipeline.preprocess(self.manifest, str(output), _SETTINGS)
        thumbnails, records = logs.output
        self.assertIn("taking up 6 of 6 shards from an interrupted run", thumbnails)
        self.assertIn(f"taking up {len(stamps)} of 7 shards from an interrupted run", records)
        for name, stamp in stamps.items():
            self.assertEqual((output / "crops" / name).stat().st_mtime_ns, stamp)
        self.assertEqual(_digests(output), _digests(self.output))

    def test_an_interrupted_publication_goes_on(self):
        output = self.root / "published"
        shutil.copytree(self.output, output)
        before = _digests(output)
        work = output / pipeline.UNFINISHED
        work.mkdir()
        for name in ("contact_sheet.png", "dataset.json"):
            (output / name).rename(work / name)
        (work / "moving.json").write_text("{}")
        pipeline.preprocess(self.manifest, str(output), _SETTINGS)
        self.assertEqual(_digests(output), before)

    def test_a_full_disk_in_the_middle(self):
        output = self.root / "full_disk"
        write, names = pipeline.shards.write_records, []

        def full(plan, outputs):
            names.append(plan["name"])
            if len(names) == 2:
                raise OSError(28, "No space left on device")
            return write(plan, outputs)

        one_process = ["--direct_num_workers=1", "--direct_running_mode=in_memory"]
        with (
            mock.patch.object(pipeline.shards, "write_records", full),
            self.assertRaisesRegex(ValueError, r"unfinished: .*: \[Errno 28\] No space left on"),
        ):
            pipeline.preprocess(self.manifest, str(output), _SETTINGS, beam_args=one_process)
        self.assertFalse((output / "dataset.json").exists())
        pipeline.preprocess(self.manifest, str(output), _SETTINGS)
        self.assertEqual(_digests(output), _digests(self.output))

    def test_one_run_at_a_time(self):
        output = self.root / "shared"
        with (
            locks.only_writer(output),
            self.assertRaisesRegex(ValueError, r"shared: another run is at work there"),
        ):
            pipeline.preprocess(self.manifest, str(output), _SETTINGS)

    def test_bad_arguments_are_refused_before_any_work(self):
        output = str(self.root / "never")
        with self.assertRaisesRegex(ValueError, "--imagesize is neither a flag of this program"):
            pipeline.preprocess(self.manifest, output, _SETTINGS, beam_args=["--imagesize=3"])
        with self.assertRaisesRegex(ValueError, r"nowhere\.csv: no such file"):
            pipeline.preprocess("/nowhere.csv", output, _SETTINGS)
        with self.assertRaisesRegex(ValueError, "is a file; --output_dir must be a folder"):
            pipeline.preprocess(self.manifest, self.manifest, _SETTINGS)
        self.assertFalse(os.path.exists(output))

    def test_a_taxonomy_of_its_own(self):
        folder = self.root / "own"
        folder.mkdir()
        shutil.copy(self.root / "data" / "0.jpg", folder / "0.jpg")
        row = ("0.jpg", "DFU", None, (Box(30, 20, 50, 40),))
        manifest.write_cases(str(folder / "cases.csv"), [Photograph("c", "p", "i", *row)])
        (folder / "taxonomy.csv").write_text("condition,aliases\nBurn,\nFoot Ulcer,DFU\n")
        output = str(self.root / "own_records")
        settings = dataclasses.replace(_SETTINGS, split_fractions=(1.0, 0.0, 0.0))
        with taxonomy.apart():
            pipeline.preprocess(str(folder / "cases.csv"), output, settings)
        with taxonomy.apart():
            info = records.read_info(output)
            self.assertEqual(info.taxonomy, ("Burn", "Foot Ulcer"))
            self.assertEqual(info.aliases, {"DFU": "Foot Ulcer"})
            self.assertEqual(
                taxonomy.read(os.path.join(output, "taxonomy.csv")), taxonomy.current()
            )
            (record,) = records.read(output, "crops", "train")
            self.assertEqual(record.condition, "Foot Ulcer")
            decoded = maps.decode(record.semantic_map())
            self.assertEqual((decoded.condition_code, decoded.skin_type), (1, 0))
        with self.assertRaisesRegex(ValueError, "data of two taxonomies cannot be mixed"):
            records.read_info(output)

    def test_the_key_of_pseudonyms_stays(self):
        output = self.root / "keyed"
        pipeline.preprocess(self.manifest, str(output), _SETTINGS)
        key = output / pseudonyms.FILE_NAME
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        before = key.read_bytes()
        pipeline.preprocess(self.manifest, str(output), _SETTINGS, overwrite=True)
        self.assertEqual(key.read_bytes(), before)

    def test_no_usable_crop_names_the_commonest_reason(self):
        path = self.root / "data" / "none.csv"
        box = (Box(0, 0, 1, 1),)
        rows = [Photograph("c", "p", "i", "none.jpg", "Acne", 1, box)]
        rows += [Photograph("c", "p", f"j{n}", f"{n}.jpg", "Acne", 1) for n in range(2)]
        manifest.write_cases(str(path), rows)
        expected = (
            r"no usable crop; of 3 rows or crops that were not used, 2 for the reason of row "
            r"[34]: no ROI; .* \(fill in the column 'rois'"
        )
        with self.assertRaisesRegex(ValueError, expected):
            pipeline.preprocess(str(path), str(self.root / "nothing"), _SETTINGS)


if __name__ == "__main__":
    absltest.main()
