import pathlib

from absl.testing import absltest
from PIL import Image

from preprocessing.data.manifest import Box, Photograph
from preprocessing.sharding import moving, plans, shards, testing_shards

_SETTINGS = plans.Settings(
    image_size=16, full_size=16, photographs_per_shard=3, crops_per_photograph=2
)


class MoveTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.work = pathlib.Path(self.create_tempdir().full_path)
        rows = []
        for n in range(8):
            name, split = f"{n}.png", ("train", "train", "test", "validation")[n % 4]
            Image.new("RGB", (40, 40), (200 - 9 * n, 150, 120)).save(self.work / name)
            box, kind = (Box(10, 10, 30, 30),), 1 + n % 2
            rows.append(
                Photograph("c", f"p{n}", f"i{n}", name, "Acne", kind, box, split=split, row=n + 2)
            )
        self.names = testing_shards.write_shards(rows, self.work, _SETTINGS, self.work)

    def _held(self, kind):
        """Returns image id -> (split, its records)."""
        held = {}
        for name in self.names:
            shard = moving._Shard(self.work, name)
            for image_id, _ in shard.summary.fingerprints:
                held[image_id] = (shard.summary.split, list(shard.records(kind, image_id)))
        return held

    def test_records_go_along_unchanged(self):
        before = {kind: self._held(kind) for kind in shards.KINDS}
        moved = moving.move(self.work, self.names, {"i0": "test", "i2": "test"}, {"i3": "why"})
        self.assertEqual(moved, 1)  # Photograph 2 has been there already.
        for kind in shards.KINDS:
            expected = {key: value for key, value in before[kind].items() if key != "i3"}
            expected["i0"] = ("test", before[kind]["i0"][1])
            self.assertEqual(self._held(kind), expected)
        self.assertLen(before["crops"]["i0"][1], 2)

    def test_summaries_say_what_the_files_hold(self):
        moving.move(self.work, self.names, {"i0": "test"}, {"i3": "why"})
        rejections = []
        for name in self.names:
            summary = shards.Summary.load(self.work, name)
            rejections += summary.rejections
            for kind in shards.KINDS:
                data = (self.work / kind / name).read_bytes()
                self.assertEqual(summary.files[kind]["bytes"], len(data))
                records = len(list(moving._frames(self.work / kind / name)))
                self.assertEqual(summary.total(kind), records)
            self.assertEqual({row[0] for row in summary.crops} - {summary.split}, set())
        self.assertEqual(rejections, [[5, "i3", "3.png", "duplicate", "why"]])

    def test_a_run_that_is_taken_up_makes_them_anew(self):
        before = self._held("full")
        plan = moving.read_plan(self.work, self.names[0])
        self.assertIsNotNone(shards.finished(plan, self.work))
        moving.move(self.work, self.names, dict.fromkeys(before, "test"), {})
        self.assertIsNone(shards.finished(plan, self.work))
        for name in self.names:
            shards.write_shard(str(self.work / "plans" / f"{name}.json"))
        self.assertEqual(self._held("full"), before)

    def test_other_shards_are_left_alone(self):
        times = {path: path.stat().st_mtime_ns for path in self.work.glob("*/train*")}
        moving.move(self.work, self.names, {"i2": "validation"}, {})
        self.assertEqual(times, {path: path.stat().st_mtime_ns for path in times})


if __name__ == "__main__":
    absltest.main()
