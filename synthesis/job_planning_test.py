import types

from absl.testing import absltest

from synthesis import job_planning
from synthesis.generation_request import Request
from training import testing_data


class JobPlanningTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = absltest.get_default_test_tmpdir() + "/job_planning"
        testing_data.write_dataset(cls.data)
        # What planning asks of a generator.
        cls.generator = types.SimpleNamespace(
            image_size=32,
            conditions=("Acne", "Melanoma", "Vitiligo"),
            check_dataset=lambda data_dir, info: None,
        )

    def _plan(self, request, **options):
        return job_planning.plan(request, self.generator, self.data, "out", **options)

    def test_layouts_are_what_was_asked_for(self):
        request = Request(num_images=12, condition=["Melanoma"], skin_type=["5", "6"])
        job, _ = self._plan(request, png=True, seed=4)
        self.assertEqual((job.count, job.png, job.seed, job.output_dir), (12, True, 4, "out"))
        shown = {(layout.condition, layout.skin_type) for layout in job.layouts}
        self.assertEqual(shown, {("Melanoma", 5), ("Melanoma", 6)})
        self.assertEqual(job.request["condition"], ["Melanoma"])
        for layout in job.layouts:
            for box in layout.boxes:
                self.assertTrue(0 <= box.x0 < box.x1 <= 32 and 0 <= box.y0 < box.y1 <= 32)

    def test_the_table_shows_what_balancing_adds(self):
        _, table = self._plan(Request(num_images=12, balance=("condition", "skin_type")))
        # 24 training crops: of each condition 4 in each of two skin types, and none else.
        self.assertIn("0 -> 1", table)
        self.assertEqual(table.count("->"), 12)

    def test_a_seed_decides(self):
        request = Request(num_images=5)
        first, again, other = (self._plan(request, seed=seed)[0].layouts for seed in (1, 1, 2))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_unseen_conditions(self):
        request = Request(num_images=12, condition=["Acne", "Tinea"])
        with self.assertRaisesRegex(ValueError, "never seen Tinea"):
            self._plan(request)
        layouts = self._plan(request, allow_unseen=True)[0].layouts
        self.assertEqual({layout.condition for layout in layouts}, {"Acne", "Tinea"})


if __name__ == "__main__":
    absltest.main()
