import dataclasses
import pathlib

import numpy as np
from absl.testing import absltest
from PIL import Image

from common import files
from preprocessing.data import records
from preprocessing.data.manifest import Box, Photograph
from preprocessing.duplicates import thumbnails
from preprocessing.sharding import plans, shards, testing_modules

_SETTINGS = plans.Settings(image_size=64, full_size=80, photographs_per_shard=4)
_ROW = Photograph("c", "p", "i", "a.png", "Melanoma", 3, (Box(60, 40, 90, 80),), row=2)


def _photograph(width=200, height=150, seed=0):
    rng = np.random.default_rng(seed)
    pixels = np.array([204, 158, 122]) + rng.normal(0, 4, (height, width, 3))
    pixels[40:80, 60:90] = (110, 60, 50)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


class WriteRecordsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        _photograph().save(self.folder / "a.png")
        self.job = shards.records_job(str(self.folder / "work"))

    def _plan(self, **changes):
        rows = [dataclasses.replace(_ROW, image_id=str(n), row=n, **changes) for n in range(3)]
        name = records.shard_name("train", 1, 2)
        return plans.Plan(name, "train", 1, str(self.folder), _SETTINGS, tuple(rows))

    def _write(self, plan, job=None):
        job = job or self.job
        job.prepare([shards.shard_of(plan)])
        job.write_shard(plan.name)
        (done,) = job.results([plan.name])
        return done

    def test_writes_records_and_what_became_of_them(self):
        plan = self._plan()
        done = self._write(plan)
        counts = {"Melanoma": {"3": 3}}
        self.assertEqual(done["counts"], {"crops": counts, "full": counts})
        self.assertEqual((done["split"], done["photographs"]), ("train", 3))
        for kind in shards.KINDS:
            path = self.folder / "work" / kind / plan.name
            found = records.read_file(str(path), kind)
            self.assertEqual([one.image_id for one in found], ["0", "1", "2"])
            self.assertEqual(done["outputs"][f"{kind}/{plan.name}"], files.output_of(path))
        self.assertEqual([row[:2] for row in done["crops"]], [["train", str(n)] for n in range(3)])
        self.assertEqual(done["thumbnails"][0][:2], ["Melanoma", 3])
        self.assertEmpty(list(self.folder.glob("work/*/*.tmp")))

    def test_a_finished_shard_is_used_again_while_nothing_changed(self):
        plan = self._plan()
        first = self._write(plan)
        record = self.folder / "work" / "crops" / plan.name
        stamp = record.stat().st_mtime_ns
        self.assertEqual(self._write(plan), first)
        self.assertEqual(record.stat().st_mtime_ns, stamp)
        _photograph(seed=1).save(self.folder / "a.png")
        second = self._write(plan)
        self.assertNotEqual(second["outputs"], first["outputs"])
        third = self._write(self._plan(fitzpatrick=5))
        self.assertEqual(third["counts"]["full"], {"Melanoma": {"5": 3}})

    def test_thumbnails_of_what_can_be_used(self):
        (self.folder / "t.png").write_text("text")
        plan = self._plan()
        bad = dataclasses.replace(_ROW, image_id="bad", image="t.png")
        plan = dataclasses.replace(plan, photographs=(*plan.photographs, bad))
        job = shards.thumbnails_job(str(self.folder / "thumbnails"))
        done = self._write(plan, job)
        self.assertEqual([row[0] for row in done["thumbnails"]], ["0", "1", "2"])
        found = thumbnails.from_text(done["thumbnails"][0][1])
        np.testing.assert_array_equal(found, thumbnails.reduce(_photograph()))
        self.assertEmpty(done["outputs"])


class ProgramTest(absltest.TestCase):
    def test_lists_the_modules_that_the_bytes_depend_on(self):
        imported = testing_modules.own_modules("preprocessing.sharding.shards")
        self.assertCountEqual(shards.MODULES, imported - testing_modules.CARRIERS)

    def test_an_edit_that_matters_makes_shards_anew_and_another_does_not(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        _photograph().save(folder / "a.png")
        job = shards.records_job(str(folder / "work"))
        name = records.shard_name("train", 0, 1)
        shard = shards.shard_of(plans.Plan(name, "train", 0, str(folder), _SETTINGS, (_ROW,)))
        job.prepare([shard])
        job.write_shard(name)
        for module, kept in (
            ("preprocessing.demo.hair", 1),
            ("preprocessing.sharding.dataset_files", 1),
            ("preprocessing.data.skin", 0),
        ):
            with testing_modules.edited(module, shards.program):
                job.prepare([shard])
            self.assertLen(job.markers(), kept, module)
        self.assertEmpty(list((folder / "work" / "crops").iterdir()))


if __name__ == "__main__":
    absltest.main()
