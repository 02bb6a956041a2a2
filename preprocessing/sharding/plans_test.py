import dataclasses
import json
import pathlib

from absl.testing import absltest, parameterized

from preprocessing.data import splits
from preprocessing.data.manifest import Box, Photograph
from preprocessing.sharding import plans


def _rows(count):
    return [
        Photograph(
            "c",
            f"p{n // 2}",
            f"i{n}",
            f"{n}.jpg",
            "Acne",
            1 + n % 6,
            (Box(0, 1, 2, 3),),
            extra={"note": "x"},
            row=n + 2,
        )
        for n in range(count)
    ]


class SettingsTest(parameterized.TestCase):
    @parameterized.parameters(
        ({"image_size": 8}, r"image_size 8 is not in 16\.\.4096"),
        ({"full_size": 9999}, r"full_size 9999 is not in 16\.\.4096"),
        ({"crops_per_photograph": 0}, "crops_per_photograph 0 is not at least 1"),
        ({"photographs_per_shard": 0}, "photographs_per_shard 0 is not at least 1"),
        ({"background_limit": 1.5}, r"background_limit 1\.5 is not in 0\.\.1"),
        ({"min_roi_share": 0.9}, r"0 < min <= max <= 1, not 0\.9 and 0\.85"),
        ({"split_fractions": (0.5, 0.5, 0.5)}, "three shares that sum to 1"),
    )
    def test_bad_values(self, changes, message):
        with self.assertRaisesRegex(ValueError, message):
            plans.Settings(**changes)


def _planned(rows, settings):
    def own(row):
        return splits.split_of(row, settings.split_fractions, settings.seed)

    return list(plans.plan_records(rows, "d", settings, own))


class PlanTest(absltest.TestCase):
    def test_every_photograph_is_in_one_shard_of_its_split(self):
        rows = _rows(400)
        planned = _planned(rows, plans.Settings(photographs_per_shard=16))
        ids = [row.image_id for plan in planned for row in plan.photographs]
        self.assertCountEqual(ids, [row.image_id for row in rows])
        self.assertLessEqual(max(len(plan.photographs) for plan in planned), 16)
        patients = {}
        for plan in planned:
            for row in plan.photographs:
                self.assertEqual(patients.setdefault(row.patient_id, plan.split), plan.split)
        for split in ("train", "validation", "test"):
            shards = [plan for plan in planned if plan.split == split]
            self.assertEqual([plan.index for plan in shards], list(range(len(shards))))
            self.assertRegex(shards[-1].name, rf"^{split}-\d{{5}}-of-{len(shards):05d}\.tfrecord$")

    def test_splits_are_those_that_were_decided(self):
        rows = _rows(6)
        (plan,) = plans.plan_records(rows, "d", plans.Settings(), lambda row: "test")
        self.assertEqual(plan.split, "test")

    def test_the_manifests_order_does_not_matter_for_records(self):
        rows, settings = _rows(50), plans.Settings()
        self.assertEqual(_planned(rows, settings), _planned(rows[::-1], settings))

    def test_thumbnails_are_of_all_photographs_in_their_order(self):
        rows = _rows(40)
        planned = list(plans.plan_thumbnails(rows, "d", plans.Settings(photographs_per_shard=16)))
        self.assertEqual([len(plan.photographs) for plan in planned], [16, 16, 8])
        ids = [row.image_id for plan in planned for row in plan.photographs]
        self.assertEqual(ids, [row.image_id for row in rows])

    def test_json_round_trip(self):
        plan = _planned(_rows(5), plans.Settings(seed=4))[0]
        text = json.dumps(plan.to_json())
        self.assertEqual(plans.Plan.from_json(json.loads(text)), plan)
        self.assertEqual(plans.origin(json.loads(text)), plans.origin(plan.to_json()))

    def test_origin_is_of_rows_files_and_settings(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        rows = tuple(_rows(2))
        (folder / rows[0].image).write_bytes(b"a")
        plan = plans.Plan("n", "train", 0, str(folder), plans.Settings(), rows)

        def changed(settings=None, **changes):
            fields = {"settings": dataclasses.replace(plan.settings, **settings or {}), **changes}
            other = plans.origin(dataclasses.replace(plan, **fields).to_json())
            return [name for name in other if other[name] != before[name]]

        before = plans.origin(plan.to_json())
        self.assertEqual(changed(), [])
        self.assertEqual(changed(settings={"seed": 1}), ["settings"])
        # Which splits there are and how large shards are does not change this one.
        self.assertEqual(changed(settings={"find_duplicates": False}), [])
        self.assertEqual(changed(photographs=rows[::-1]), ["input"])
        self.assertEqual(changed(split="test"), ["input"])
        (folder / rows[0].image).write_bytes(b"ab")
        self.assertEqual(changed(), ["input"])


if __name__ == "__main__":
    absltest.main()
