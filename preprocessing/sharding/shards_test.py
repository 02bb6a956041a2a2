import dataclasses
import json
import os
import pathlib

import numpy as np
from absl.testing import absltest
from PIL import Image

from preprocessing.data import records
from preprocessing.data.manifest import Box, Photograph
from preprocessing.sharding import plans, shards

_SETTINGS = plans.Settings(image_size=64, full_size=80, photographs_per_shard=4)
_ROW = Photograph("c", "p", "i", "a.png", "Melanoma", 3, (Box(60, 40, 90, 80),), row=2)


def _photograph(width=200, height=150, seed=0):
    rng = np.random.default_rng(seed)
    pixels = np.array([204, 158, 122]) + rng.normal(0, 4, (height, width, 3))
    pixels[40:80, 60:90] = (110, 60, 50)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


class WriteShardTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        _photograph().save(self.folder / "a.png")

    def _plan(self, **changes):
        rows = [dataclasses.replace(_ROW, image_id=str(n), row=n, **changes) for n in range(3)]
        return plans.ShardPlan("train", 1, 2, str(self.folder), _SETTINGS, tuple(rows))

    def _work(self, plan):
        work = self.folder / "work"
        for name in ("plans", "crops", "full", "shards"):
            (work / name).mkdir(parents=True, exist_ok=True)
        path = work / "plans" / f"{plan.name}.json"
        path.write_text(plan.to_json())
        return str(path), work

    def test_writes_records_and_summary(self):
        plan = self._plan()
        path, work = self._work(plan)
        summary = shards.write_shard(path)
        self.assertEqual(summary.files["crops"]["counts"], {"Melanoma": {"3": 3}})
        self.assertEqual((summary.total("crops"), summary.total("full")), (3, 3))
        for kind in ("crops", "full"):
            found = records.read_file(str(work / kind / plan.name), kind)
            self.assertEqual([one.image_id for one in found], ["0", "1", "2"])
        saved = json.loads((work / "shards" / f"{plan.name}.json").read_text())
        self.assertEqual(shards.Summary(**saved), summary)
        self.assertEmpty(list(work.glob("*/*.tmp")))

    def test_a_finished_shard_is_used_again_while_nothing_changed(self):
        plan = self._plan()
        path, work = self._work(plan)
        first = shards.write_shard(path)
        record = work / "crops" / plan.name
        stamp = record.stat().st_mtime_ns
        self.assertEqual(shards.write_shard(path), first)
        self.assertEqual(record.stat().st_mtime_ns, stamp)
        record.write_bytes(record.read_bytes()[:-1])
        shards.write_shard(path)
        self.assertEqual(record.stat().st_size, first.files["crops"]["bytes"])
        _photograph(seed=1).save(self.folder / "a.png")
        self.assertNotEqual(
            shards.write_shard(path).files["crops"]["sha256"], first.files["crops"]["sha256"]
        )
        before = os.stat(record).st_mtime_ns
        self._work(self._plan(fitzpatrick=5))
        self.assertEqual(shards.write_shard(path).files["full"]["counts"], {"Melanoma": {"5": 3}})
        self.assertNotEqual(os.stat(record).st_mtime_ns, before)


if __name__ == "__main__":
    absltest.main()
