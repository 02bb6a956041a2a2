import collections
import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
import types

import numpy as np
from absl.testing import absltest

from common import locks
from preprocessing.data import manifest, records
from preprocessing.data.manifest import Box
from preprocessing.sharding import pipeline, plans, testing_modules
from synthesis import generation, layouts, painting, photograph_codes, trained_generator
from synthesis.layouts import Layout
from synthesis.wanted import Request, Wanted
from training import input_pipeline, testing_data


def _digests(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(pathlib.Path(folder, "crops").iterdir())
    }


class ChooseLayoutsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.sources = [
            Layout("Acne", 1, (Box(0, 0, 4, 4),)),
            Layout("Acne", 2, (Box(0, 0, 9, 9),)),
        ]
        self.statistics = layouts.fit_statistics(self.sources, 32)

    def _choose(self, *wanted):
        return generation.choose_layouts(wanted, self.sources, self.statistics, 32, seed=0)

    def _side(self, layout):
        return layout.boxes[0].x1 - layout.boxes[0].x0

    def test_the_same_skin_type_first(self):
        for layout in self._choose(*[Wanted("Acne", 2)] * 9):
            self.assertAlmostEqual(self._side(layout), 9)

    def test_else_any_of_the_condition(self):
        chosen = self._choose(*[Wanted("Acne", 6)] * 20)
        self.assertEqual({layout.skin_type for layout in chosen}, {6})
        self.assertEqual({round(self._side(layout)) for layout in chosen}, {4, 9})

    def test_else_statistics(self):
        (layout,) = self._choose(Wanted("Vitiligo", 3))
        self.assertEqual((layout.condition, layout.skin_type), ("Vitiligo", 3))

    def test_boxes_that_are_asked_for(self):
        boxes = (Box(1, 2, 3, 4),)
        self.assertEqual(self._choose(Wanted("Acne", 1, boxes))[0].boxes, boxes)

    def test_layout_i_depends_on_i_alone(self):
        many = self._choose(*[Wanted("Acne", 6)] * 5)
        few = self._choose(*[Wanted("Acne", 6)] * 3)
        self.assertEqual(many[:3], few)


class PlanTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = absltest.get_default_test_tmpdir() + "/plan"
        testing_data.write_dataset(cls.data)
        # What planning asks of a generator.
        cls.generator = types.SimpleNamespace(
            image_size=32,
            conditions=("Acne", "Melanoma", "Vitiligo"),
            check_dataset=lambda data_dir, info: None,
        )

    def _plan(self, request, **options):
        return generation.plan(request, self.generator, self.data, "out", **options)

    def test_layouts_are_what_was_asked_for(self):
        request = Request(num_images=12, condition=["Melanoma"], skin_type=["5", "6"])
        job, _, warning = self._plan(request, png=True, seed=4)
        self.assertEqual((job.count, job.png, job.seed, job.output_dir), (12, True, 4, "out"))
        self.assertIn("Melanoma on type 6 (6)", warning)
        shown = {(layout.condition, layout.skin_type) for layout in job.layouts}
        self.assertEqual(shown, {("Melanoma", 5), ("Melanoma", 6)})
        self.assertEqual(job.request["condition"], ["Melanoma"])
        for layout in job.layouts:
            for box in layout.boxes:
                self.assertTrue(0 <= box.x0 < box.x1 <= 32 and 0 <= box.y0 < box.y1 <= 32)

    def test_the_table_shows_what_balancing_adds(self):
        _, table, _ = self._plan(Request(num_images=12, balance=("condition", "skin_type")))
        # 24 training crops: of each condition 4 in each of two skin types, and none else.
        self.assertIn("0 -> 1", table)
        _, *rows = table.splitlines()  # the first is the caption
        self.assertEqual("".join(rows).count("->"), 12)

    def test_a_seed_decides(self):
        request = Request(num_images=5)
        first, again, other = (self._plan(request, seed=seed)[0].layouts for seed in (1, 1, 2))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_unseen_conditions(self):
        request = Request(num_images=12, condition=["Acne", "Tinea"])
        with self.assertRaisesRegex(ValueError, "never seen Tinea"):
            self._plan(request)
        chosen = self._plan(request, allow_unseen=True)[0].layouts
        self.assertEqual({layout.condition for layout in chosen}, {"Acne", "Tinea"})


class GenerateTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.generator = trained_generator.load(testing_data.train_run(cls.folder, steps=2).workdir)
        data_dir = os.path.join(cls.folder, "data")
        cls.layouts = layouts.sample(
            layouts.read_layouts(data_dir, "validation"), 10, testing_data.IMAGE_SIZE
        )

    def setUp(self):
        super().setUp()
        self.output = os.path.join(self.create_tempdir().full_path, "out")

    def _job(self, **changes):
        fields = {
            "output_dir": self.output,
            "request": {"num_images": 10},
            "layouts": self.layouts,
            "images_per_shard": 4,
            "batch_size": 4,
            **changes,
        }
        return generation.Job(**fields)

    def test_a_data_set_to_train_on(self):
        manifest = generation.generate(self._job(images_per_map=2), self.generator)
        self.assertEqual(manifest["images"], 20)
        self.assertGreater(manifest["difference_between_images_of_a_map"], 0)
        self.assertEqual(manifest["generator"]["digest"], self.generator.digest)
        info = records.read_info(self.output)
        self.assertEqual(info.count("crops", "train"), 20)
        expected = collections.Counter(layout.condition for layout in self.layouts)
        self.assertEqual(
            {name: sum(t.values()) for name, t in info.counts["crops"]["train"].items()},
            {name: 2 * number for name, number in expected.items()},
        )
        here = os.path.dirname(self.generator.run_dir)  # whose folders are told to nobody
        for path in pathlib.Path(self.output).rglob("*"):
            self.assertNotIn(here.encode(), path.read_bytes() if path.is_file() else b"", path)
        inputs = input_pipeline.InputConfig(batch_size=4)
        batch = next(iter(input_pipeline.training_stream(self.output, info, inputs)))
        self.assertEqual(batch["image"].shape, (4, 32, 32, 3))
        with self.assertRaisesRegex(ValueError, "no test records"):
            records.list_shards(self.output, "crops", "test")

    def test_paints_like_a_photograph(self):
        arguments = (Request(num_images=4), self.generator, os.path.join(self.folder, "data"))
        sizes = {"images_per_shard": 2, "batch_size": 2, "png": True}
        job, _, _ = generation.plan(*arguments, self.output, like="train0", **sizes)
        done = generation.generate(job, self.generator)
        self.assertEqual(done["code_source"], job.like.photograph)
        code = photograph_codes.read_again(self.generator, job.like)
        for record in records.read(self.output, "crops", "train"):
            self.assertEqual(record.code_source, job.like.photograph)
            given = record.semantic_map()[None], np.array([record.seed]), code
            # Sums may round otherwise in another batch.
            painted = self.generator.generate(*given)[0].astype(int)
            self.assertLessEqual(np.abs(record.image() - painted).max(), 1)
        row = pathlib.Path(self.output, "cases.csv").read_text().splitlines()[1]
        self.assertIn(job.like.photograph, row)
        # The photograph's id and its code stay where they are.
        for path in pathlib.Path(self.output).rglob("*.json"):
            text = path.read_text()
            self.assertNotIn("train0", text)
            self.assertNotIn(str(float(code.mean[0, 0]))[:6], text)
        with self.assertRaisesRegex(ValueError, "holds another job"):
            generation.generate(dataclasses.replace(job, like=None), self.generator)
        with self.assertRaisesRegex(ValueError, "--like=test1: a test photograph"):
            generation.plan(*arguments, self.output, like="test1")

    def test_workers_do_not_matter(self):
        generation.generate(self._job(), self.generator)
        alone = _digests(self.output)
        self.assertLen(alone, 3)
        self.output += "2"
        generation.generate(
            self._job(),
            self.generator,
            ["--direct_num_workers=2", "--direct_running_mode=multi_threading"],
        )
        self.assertEqual(_digests(self.output), alone)

    def test_an_interrupted_job_goes_on(self):
        generation.generate(self._job(), self.generator)
        expected = _digests(self.output)
        paths = sorted(pathlib.Path(self.output, "crops").iterdir())
        kept = paths[0].stat().st_mtime_ns
        paths[1].unlink()
        pathlib.Path(self.output, "manifest.json").unlink()
        # In smaller batches, as after running out of memory.
        generation.generate(self._job(batch_size=2), self.generator)
        self.assertEqual(_digests(self.output), expected)
        self.assertEqual(paths[0].stat().st_mtime_ns, kept)

    def test_a_finished_job_is_compared_by_digest_and_painted_anew_where_it_changed(self):
        generation.generate(self._job(png=True), self.generator)
        expected = _digests(self.output)
        pictures = sorted(pathlib.Path(self.output, "images").iterdir())
        contents = [path.read_bytes() for path in pictures]
        pictures[0].write_bytes(contents[0][:-1] + b"x")  # the size is the same
        pictures[-1].unlink()
        generation.generate(self._job(png=True), self.generator)
        self.assertEqual([path.read_bytes() for path in pictures], contents)
        self.assertEqual(_digests(self.output), expected)

    def _painted_again(self):
        """Runs the job again; returns the number of record files that were made anew."""
        crops = pathlib.Path(self.output, "crops")
        before = {path.name: path.stat().st_mtime_ns for path in crops.iterdir()}
        generation.generate(self._job(), self.generator)
        after = {path.name: path.stat().st_mtime_ns for path in crops.iterdir()}
        return sum(before[name] != after[name] for name in after)

    def test_a_change_of_the_program_paints_anew_and_of_another_does_not(self):
        generation.generate(self._job(), self.generator)
        for module, number in (
            ("training.monitoring", 0),
            ("preprocessing.sharding.plans", 0),
            ("model.layers", 3),
        ):
            with testing_modules.edited(module, painting.program):
                self.assertEqual(self._painted_again(), number, module)

    def test_one_run_at_a_time(self):
        with (
            locks.only_writer(self.output),
            self.assertRaisesRegex(ValueError, "out: another run is at work there"),
        ):
            generation.generate(self._job(), self.generator)

    def test_a_full_disk_in_the_middle(self):
        encode, calls = painting._encoded, []

        def full(*args):
            calls.append(args)
            if len(calls) == 2:
                raise OSError(28, "No space left on device")
            return encode(*args)

        with (
            absltest.mock.patch.object(painting, "_encoded", full),
            self.assertRaisesRegex(
                ValueError, r"out: train-\S+: \[Errno 28\] No space left on device; what"
            ),
        ):
            generation.generate(self._job(), self.generator)
        self.assertFalse(os.path.exists(os.path.join(self.output, "manifest.json")))
        generation.generate(self._job(), self.generator)
        self.assertLen(_digests(self.output), 3)

    def test_png_and_manifest_that_preprocess_reads(self):
        generation.generate(self._job(png=True), self.generator)
        path = os.path.join(self.output, "cases.csv")
        rows, rejections = manifest.read_cases(path)
        self.assertEmpty(rejections)
        self.assertLen(rows, 10)
        self.assertTrue(all(row.synthetic and row.split == "train" for row in rows))
        records = os.path.join(self.create_tempdir().full_path, "records")
        info = pipeline.preprocess(path, records, plans.Settings(image_size=32, full_size=32))
        self.assertEqual(info.count("crops", "train"), 10)
        self.assertEqual(info.notes["rejections"], 0)

    def test_folders_that_hold_something_else(self):
        os.makedirs(self.output)
        pathlib.Path(self.output, "mine.txt").write_text("x")
        with self.assertRaisesRegex(ValueError, "out: is not empty"):
            generation.generate(self._job(), self.generator)
        os.remove(os.path.join(self.output, "mine.txt"))
        pathlib.Path(self.output, ".lock.now").touch()  # of a run that was killed
        generation.generate(self._job(), self.generator)
        with self.assertRaisesRegex(ValueError, "out: holds another job .*--format.*--overwrite"):
            generation.generate(self._job(seed=1), self.generator)
        generation.generate(self._job(seed=1, png=True), self.generator, overwrite=True)
        self.assertTrue(pathlib.Path(self.output, "images").is_dir())
        before = _digests(self.output)
        generation.generate(self._job(), self.generator, overwrite=True)
        self.assertFalse(pathlib.Path(self.output, "images").exists())
        self.assertNotEqual(_digests(self.output), before)

    def test_bad_jobs(self):
        with self.assertRaisesRegex(ValueError, "nothing to generate"):
            generation.generate(self._job(layouts=[]), self.generator)
        with self.assertRaisesRegex(ValueError, "images_per_map 0 is not positive"):
            self._job(images_per_map=0)
        with self.assertRaisesRegex(ValueError, "--nonsense is neither a flag"):
            generation.generate(self._job(), self.generator, ["--nonsense=1"])

    def test_manifest_is_json(self):
        generation.generate(self._job(), self.generator)
        stored = json.loads(pathlib.Path(self.output, "manifest.json").read_text())
        self.assertEqual(stored["request"], {"num_images": 10})
        self.assertEqual(stored["digital_source_type"], "trainedAlgorithmicMedia")
        text = generation.summary_text(stored, self.output, self.generator.run_dir)
        self.assertIn("10 images of 10 maps", text)
        self.assertIn(f"//evaluation:augmentation -- --run_dir={self.generator.run_dir} ", text)
        os.makedirs(f"{self.output}/images")
        with_png = generation.summary_text(stored, self.output, self.generator.run_dir)
        audit = (
            f"next: bazel run //evaluation:memorization -- --run_dir={self.generator.run_dir}  #"
        )
        self.assertIn(audit, with_png)
        self.assertIn("\n      bazel run //preprocessing:preprocess -- --cases=CASES,", with_png)
        os.rmdir(f"{self.output}/images")
        stored["generator"]["conditions"] = ["Acne"]
        text = generation.summary_text(stored, self.output, self.generator.run_dir)
        self.assertEndsWith(
            text, f"//evaluation:memorization -- --run_dir={self.generator.run_dir}"
        )


if __name__ == "__main__":
    absltest.main()
