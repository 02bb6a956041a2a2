import dataclasses
import json
import os
import pathlib
import shutil
import tempfile

import numpy as np
from absl.testing import absltest

from preprocessing.data import records
from preprocessing.data.manifest import Box
from preprocessing.sharding import jobs, testing_modules
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
        self.job = painting.shard_job(self.folder, png=True)
        layouts = [Layout("Acne", 1 + i, (Box(2 + i, 3, 12 + i, 15),)) for i in range(5)]
        self.plan = painting.ShardPlan(
            name=records.shard_name("train", 0, 1),
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

    def _write(self, plan):
        """Paints a shard; the others in the folder stay."""
        path = self.job.plan_path(plan.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"plan": plan.to_json(), "program": painting.program()}
        path.write_text(json.dumps(content))
        self.job.write_shard(plan.name)
        (done,) = self.job.results([plan.name])
        return done

    def _records(self, plan):
        path = os.path.join(self.folder, "crops", plan.name)
        return list(records.read_file(path, "crops"))

    def test_records_and_files(self):
        done = self._write(self.plan)
        painted = self._records(self.plan)
        self.assertLen(painted, 10)
        self.assertEqual(done["images"], 10)
        self.assertEqual(done["counts"], {"Acne": {str(t): 2 for t in range(1, 6)}})
        self.assertLen(done["differences"], 5)
        self.assertGreater(min(done["differences"]), 0)
        self.assertLen(done["outputs"], 1 + 10)
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
        self._write(self.plan)
        whole = self._records(self.plan)
        part = dataclasses.replace(
            self.plan,
            name=records.shard_name("train", 0, 2),
            first=104,
            layouts=self.plan.layouts[2:4],
        )
        self._write(part)
        for ours, theirs in zip(self._records(part), whole[4:8]):
            self.assertEqual(ours, theirs)

    def test_seeds_that_are_asked_for(self):
        self._write(self.plan)
        whole = self._records(self.plan)
        asked = (whole[6].seed, None, whole[2].seed)
        layouts = (self.plan.layouts[3], self.plan.layouts[0], self.plan.layouts[1])
        plan = dataclasses.replace(self.plan, images_per_map=1, layouts=layouts, seeds=asked)
        self._write(plan)
        found = self._records(plan)
        self.assertEqual(found[0].image_png, whole[6].image_png)
        self.assertEqual(found[2].image_png, whole[2].image_png)
        self.assertEqual(found[1].seed, painting.image_seed(7, 101))
        without = dataclasses.replace(plan, seeds=())
        self.assertNotEqual(painting.origin(plan.to_json()), painting.origin(without.to_json()))

    def test_finished_shards_are_not_written_again(self):
        done = self._write(self.plan)
        path = pathlib.Path(self.folder, "crops", self.plan.name)
        before = path.stat().st_mtime_ns
        # In smaller batches, as after running out of memory, from a run that was moved.
        moved = dataclasses.replace(self.plan, batch_size=2, run_dir="/moved")
        self.assertEqual(self._write(moved), done)
        self.assertEqual(path.stat().st_mtime_ns, before)
        for name, changes in (("input", {"first": 0}), ("settings", {"seed": 8})):
            other = dataclasses.replace(self.plan, **changes).to_json()
            made_from = {**self.job.made_from(other), name: done["made_from"][name]}
            self.assertEqual(made_from, done["made_from"])

    def test_a_plan_survives_json(self):
        text = json.dumps(self.plan.to_json())
        self.assertEqual(painting.ShardPlan.from_json(json.loads(text)), self.plan)
        self.assertEqual(painting.origin(json.loads(text)), painting.origin(self.plan.to_json()))

    def test_another_generator_is_refused(self):
        plan = dataclasses.replace(self.plan, generator_digest="0" * 64)
        with self.assertRaisesRegex(ValueError, "step 2 has changed since the job was planned"):
            self._write(plan)

    def test_a_full_disk_leaves_no_shard_behind(self):
        written = []

        def write(outputs, path, content):
            written.append(path)
            if len(written) == 3:
                raise OSError(28, "No space left on device")

        self.enter_context(absltest.mock.patch.object(jobs.Outputs, "write", write))
        with self.assertRaisesRegex(OSError, "No space left"):
            self._write(self.plan)
        self.assertEmpty(os.listdir(os.path.join(self.folder, "crops")))
        self.assertEmpty(self.job.markers())

    def test_lists_the_modules_that_the_bytes_depend_on(self):
        imported = testing_modules.own_modules("synthesis.painting")
        # A run's description is read by the fields of a configuration, which paint nothing.
        fields = {"training.configs.paper", "model.losses", "model.discriminator"}
        self.assertCountEqual(painting.MODULES, imported - testing_modules.CARRIERS - fields)


if __name__ == "__main__":
    absltest.main()
