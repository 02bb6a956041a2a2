import dataclasses
import os
import pathlib
import shutil
import tempfile

import numpy as np
from absl.testing import absltest

from preprocessing.data import records
from preprocessing.data.manifest import Box
from synthesis import painting, provenance, trained_generator
from synthesis.layouts import Layout
from training import testing_data


class PaintingTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.run_dir = testing_data.train_run(folder, steps=2).workdir
        cls.generator = trained_generator.load(cls.run_dir)

    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        for name in ("crops", "shards", "images"):
            os.makedirs(os.path.join(self.folder, name))
        layouts = [Layout("Acne", 1 + i, (Box(2 + i, 3, 12 + i, 15),)) for i in range(5)]
        self.plan = painting.ShardPlan(
            name=records.shard_name("train", 0, 1),
            folder=self.folder,
            run_dir=self.run_dir,
            step=2,
            generator_digest=self.generator.digest,
            first=100,
            seed=7,
            images_per_map=2,
            layouts=tuple(layouts),
            png=True,
            batch_size=4,
        )

    def _records(self, plan):
        path = os.path.join(plan.folder, "crops", plan.name)
        return list(records.read_file(path, "crops"))

    def test_records_and_files(self):
        summary = painting.write_shard(self.plan)
        painted = self._records(self.plan)
        self.assertLen(painted, 10)
        self.assertEqual(summary.images, 10)
        self.assertEqual(summary.counts, {"Acne": {str(t): 2 for t in range(1, 6)}})
        self.assertLen(summary.differences, 5)
        self.assertGreater(min(summary.differences), 0)
        for number, record in enumerate(painted):
            self.assertTrue(record.synthetic)
            seed = painting.image_seed(7, 100 + number)
            self.assertEqual(record.seed, seed)
            said = (record.fitzpatrick_source, record.code_source, record.generator_digest)
            self.assertEqual(said, ("requested", "drawn", self.generator.digest))
            drawn = record.semantic_map()
            layout = self.plan.layouts[number // 2]
            np.testing.assert_array_equal(drawn, layout.draw(32))
            mark = provenance.Provenance(self.generator.digest, seed)
            self.assertEqual(provenance.read(record.image_png), mark)
            expected = self.generator.generate(drawn[None], np.array([seed]))[0]
            self.assertLessEqual(np.abs(record.image().astype(int) - expected).max(), 1)
            name = f"synthetic_{100 + number:08d}.png"
            self.assertEqual(
                pathlib.Path(self.folder, "images", name).read_bytes(), record.image_png
            )

    def test_an_image_does_not_depend_on_its_shard(self):
        painting.write_shard(self.plan)
        whole = self._records(self.plan)
        part = dataclasses.replace(
            self.plan,
            name=records.shard_name("train", 0, 2),
            first=104,
            layouts=self.plan.layouts[2:4],
        )
        painting.write_shard(part)
        for ours, theirs in zip(self._records(part), whole[4:8]):
            self.assertEqual(ours, theirs)

    def test_finished_shards_are_not_written_again(self):
        painting.write_shard(self.plan)
        path = os.path.join(self.folder, "crops", self.plan.name)
        before = os.stat(path).st_mtime_ns
        painting.write_shard(self.plan)
        self.assertEqual(os.stat(path).st_mtime_ns, before)
        self.assertIsNone(painting.finished(dataclasses.replace(self.plan, seed=8)))
        with open(path, "ab") as file:
            file.write(b"x")
        self.assertIsNone(painting.finished(self.plan))

    def test_a_plan_survives_json(self):
        again = painting.ShardPlan.from_json(self.plan.to_json())
        self.assertEqual(again, self.plan)
        self.assertEqual(again.digest, self.plan.digest)

    def test_another_generator_is_refused(self):
        plan = dataclasses.replace(self.plan, generator_digest="0" * 64)
        with self.assertRaisesRegex(ValueError, "step 2 has changed since the job was planned"):
            painting.write_shard(plan)

    def test_a_full_disk_leaves_nothing_behind(self):
        written = []

        def write(plan, record):
            written.append(record)
            if len(written) == 3:
                raise OSError(28, "No space left on device")

        self.enter_context(absltest.mock.patch.object(painting, "_write_png", write))
        with self.assertRaisesRegex(OSError, "No space left"):
            painting.write_shard(self.plan)
        self.assertEmpty(os.listdir(os.path.join(self.folder, "crops")))
        self.assertEmpty(os.listdir(os.path.join(self.folder, "shards")))


if __name__ == "__main__":
    absltest.main()
