import dataclasses

from absl.testing import absltest, parameterized

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

    def test_cropping_gets_its_part(self):
        cropping = plans.Settings(image_size=64, candidates=3).cropping()
        self.assertEqual((cropping.image_size, cropping.candidates), (64, 3))


class PlanShardsTest(absltest.TestCase):
    def test_every_photograph_is_in_one_shard_of_its_patients_split(self):
        rows = _rows(400)
        settings = plans.Settings(photographs_per_shard=16)
        planned = list(plans.plan_shards(rows, "d", settings))
        ids = [row.image_id for plan in planned for row in plan.photographs]
        self.assertCountEqual(ids, [row.image_id for row in rows])
        self.assertLessEqual(max(len(plan.photographs) for plan in planned), 16)
        splits = {}
        for plan in planned:
            for row in plan.photographs:
                self.assertEqual(splits.setdefault(row.patient_id, plan.split), plan.split)
        for split in ("train", "validation", "test"):
            shards = [plan for plan in planned if plan.split == split]
            self.assertEqual([plan.index for plan in shards], list(range(shards[0].count)))

    def test_the_manifests_order_does_not_matter(self):
        rows, settings = _rows(50), plans.Settings()
        self.assertEqual(
            list(plans.plan_shards(rows, "d", settings)),
            list(plans.plan_shards(rows[::-1], "d", settings)),
        )

    def test_json_round_trip(self):
        plan = next(plans.plan_shards(_rows(5), "d", plans.Settings(seed=4)))
        self.assertEqual(plans.ShardPlan.from_json(plan.to_json()), plan)

    def test_digest_changes_with_the_plan(self):
        plan = next(plans.plan_shards(_rows(5), "d", plans.Settings()))
        other = dataclasses.replace(plan, settings=plans.Settings(seed=1))
        self.assertEqual(plan.digest(), dataclasses.replace(plan).digest())
        self.assertNotEqual(plan.digest(), other.digest())


if __name__ == "__main__":
    absltest.main()
