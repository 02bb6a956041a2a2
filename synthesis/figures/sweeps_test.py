import dataclasses
import os
import shutil
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from model.sampling import Code
from preprocessing.data import maps
from preprocessing.data.manifest import Box
from synthesis import trained_generator
from synthesis.figures import sweeps
from synthesis.layouts import Layout
from synthesis.provenance import Provenance
from training import testing_data

_LAYOUT = Layout("Acne", 2, (Box(4, 5, 20, 17), Box(8, 8, 30, 31)))


class ChangedLayoutsTest(parameterized.TestCase):
    def test_only_the_skin_type_changes(self):
        layouts = sweeps.skin_type_layouts(_LAYOUT)
        self.assertEqual([layout.skin_type for layout in layouts], [1, 2, 3, 4, 5, 6])
        self.assertEqual({layout.boxes for layout in layouts}, {_LAYOUT.boxes})
        self.assertEqual({layout.condition for layout in layouts}, {"Acne"})

    @parameterized.parameters(1.0, 1.2, 0.8)
    def test_sizes_are_square_roots_of_the_area_about_the_centre(self, aspect):
        layouts = sweeps.size_layouts("Acne", 3, aspect, (10, 40, 80), 64)
        for layout, size in zip(layouts, (10, 40, 80)):
            (box,) = layout.boxes
            width, height = box.x1 - box.x0, box.y1 - box.y0
            self.assertAlmostEqual(width * height, (0.64 * size) ** 2)
            self.assertAlmostEqual(width / height, aspect)
            self.assertAlmostEqual(box.x0 + box.x1, 64)
            self.assertAlmostEqual(box.y0 + box.y1, 64)

    @parameterized.parameters(5.0, 0.2)
    def test_boxes_that_would_not_fit_are_nearer_to_a_square(self, aspect):
        layouts = sweeps.size_layouts("Acne", 3, aspect, (20, 100), 64)
        for layout, side in zip(layouts, (12.8, 64)):
            (box,) = layout.boxes
            self.assertAlmostEqual(box.x1 - box.x0, side)
            self.assertAlmostEqual(box.y1 - box.y0, side)

    @parameterized.parameters(
        ((), "no sizes"),
        ((0, 10), r"size 0 is not in \(0, 100\]"),
        ((10, 101), "size 101 is not in"),
        ((float("nan"),), "size nan is not in"),
        ((10, 30, 30), "sizes 10,30,30 do not grow"),
        ((1, 30), "size 1 % of 64 pixels is less than a pixel"),
    )
    def test_bad_sizes(self, sizes, message):
        with self.assertRaisesRegex(ValueError, message):
            sweeps.size_layouts("Acne", 3, 1.0, sizes, 64)

    @parameterized.parameters(((), None, 6), (("Acne", "Cyst"), None, 2), (("Acne",), 4, 4))
    def test_rows(self, conditions, rows, expected):
        self.assertEqual(sweeps.count_rows(conditions, rows), expected)

    @parameterized.parameters((0, "rows 0 is not positive"), (1, "2 conditions do not fit into 1"))
    def test_bad_rows(self, rows, message):
        with self.assertRaisesRegex(ValueError, message):
            sweeps.count_rows(("Acne", "Cyst"), rows)


class TableTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        run = testing_data.train_run(cls.folder, steps=2).workdir
        cls.generator = trained_generator.load(run)
        cls.data_dir = cls.generator.description["dataset"]["directory"]

    def test_a_row_has_one_noise(self):
        same, moved = [_LAYOUT] * 3, [_LAYOUT, _LAYOUT, Layout("Acne", 6, _LAYOUT.boxes)]
        drawn, images = sweeps.paint(self.generator, [same, moved], seed=5)
        self.assertEqual(drawn.shape, (2, 3, 32, 32, 3))
        self.assertEqual(images.shape, (2, 3, 32, 32, 3))
        self.assertEqual(images.dtype, np.uint8)
        for column in (1, 2):
            np.testing.assert_array_equal(images[0, 0], images[0, column])
        np.testing.assert_array_equal(images[1, 0], images[1, 1])
        self.assertFalse(np.array_equal(images[1, 0], images[1, 2]))  # another skin type
        self.assertFalse(np.array_equal(images[0, 0], images[1, 0]))  # another noise
        np.testing.assert_array_equal(drawn[1, 2], drawn[0, 0] * [3, 1, 1])  # 6 instead of 2

    def test_chooses_maps_of_what_is_asked_for(self):
        arguments = (self.data_dir, "validation", self.generator)
        crops = sweeps.choose_maps(*arguments, ("Melanoma",), 2, 0)
        self.assertEqual([crop.layout.condition for crop in crops], ["Melanoma"] * 2)
        crops = sweeps.choose_maps(*arguments, (), None, 0)
        names = [crop.layout.condition for crop in crops]
        self.assertEqual(names, ["Acne"] * 2 + ["Melanoma"] * 2 + ["Vitiligo"] * 2)
        with self.assertRaisesRegex(ValueError, "no validation crop of Cyst; .* Acne, Melanoma"):
            sweeps.choose_maps(*arguments, ("Acne", "Cyst"), None, 0)
        with self.assertRaisesRegex(ValueError, "9 maps cannot be chosen out of 3 of Acne"):
            sweeps.choose_maps(*arguments, ("Acne",), 9, 0)

    def test_skin_types(self):
        table = sweeps.skin_type_table(self.generator, self.data_dir, ("Vitiligo", "Acne"), seed=3)
        self.assertEqual([group.title for group in table.groups], ["Vitiligo", "Acne"])
        self.assertEqual(table.heads, ["map", *(f"type {t}" for t in range(1, 7))])
        for group in table.groups:
            (strip,) = group.strips
            self.assertLen(strip.images, 7)
            maps.decode(strip.images[0])
        # Of 24 training crops, conditions and skin types in turn, each third is of acne.
        counts = table.groups[1].strips[0].captions[1:]
        self.assertEqual(list(counts), ["n = 4", "n = 0", "n = 0", "n = 4", "n = 0", "n = 0"])
        self.assertEqual(table.mark, Provenance(self.generator.digest, 3))

    def test_with_photographs_it_is_not_marked_as_generated(self):
        table = sweeps.skin_type_table(
            self.generator, self.data_dir, ("Acne",), rows=2, photographs=True
        )
        self.assertEqual(table.heads[:3], ["map", "photograph", "type 1"])
        self.assertIsNone(table.mark)
        for group in table.groups:
            drawn, photograph = group.strips[0].images[:2]
            inside = drawn.any(axis=-1) & (drawn[..., 1:] > 0).any(axis=-1)
            # The disc of the test data: one channel is dark in the box and only there.
            dark = (photograph == 20).any(axis=-1)
            np.testing.assert_array_equal(dark, inside)

    def test_sizes(self):
        table = sweeps.size_table(
            self.generator, self.data_dir, ("Melanoma",), rows=2, sizes=(20.0, 60.0)
        )
        self.assertEqual(table.heads, ["20 %", "60 %"])
        self.assertLen(table.groups, 2)
        for group in table.groups:
            drawn, painted = group.strips
            areas = [(one[..., 1:].any(axis=-1)).mean() for one in drawn.images]
            np.testing.assert_allclose(areas, [0.04, 0.36], atol=0.04)
            self.assertLen(painted.images, 2)
            # Melanoma comes on types 2 and 5 alike; boxes are a third of the frame wide.
            self.assertEqual(group.notes[0], "on type 2")
            self.assertEqual(group.notes[1], "in training 31-31 %")
        self.assertEqual(table.mark, Provenance(self.generator.digest, 0))

    def test_one_part_of_the_code_is_drawn_anew(self):
        lesion = np.arange(32) >= 16
        codes = sweeps.drawn_anew(self.generator, 2, 0, lesion)
        values = codes.mean.reshape(2, sweeps.DRAWS, 32)
        self.assertFalse(codes.deviation.any())
        np.testing.assert_array_equal(values[..., :16], values[:, :1, :16].repeat(6, axis=1))
        self.assertFalse(np.array_equal(values[0, 0, :16], values[1, 0, :16]))
        self.assertLen({tuple(one) for one in values[..., 16:].reshape(12, 16)}, 12)
        given = Code(np.full([1, 32], 7.0, np.float32), np.zeros([1, 32], np.float32))
        values = sweeps.drawn_anew(self.generator, 1, 0, ~lesion, given).mean
        np.testing.assert_array_equal(values[:, 16:], np.full([6, 16], 7.0))
        self.assertLess(np.abs(values[:, :16]).max(), 6.0)

    def test_codes(self):
        for part, stays in (("lesion", "skin"), ("skin", "lesion")):
            table = sweeps.code_table(
                self.generator, self.data_dir, ("Acne",), like="train0", part=part
            )
            self.assertEqual(table.axis, f"generated, the same {stays}, another {part}")
            (strip,) = table.groups[0].strips
            self.assertEqual(table.heads, ["map", *"123456"])
            painted = {image.tobytes() for image in strip.images[1:]}
            self.assertLen(painted, 6)
            self.assertRegex(table.footer, r"with the code of photograph_[0-9a-f]+ \(train\)")
        with self.assertRaisesRegex(ValueError, "part 'noise' is not one of lesion, skin"):
            sweeps.code_table(self.generator, self.data_dir, part="noise")
        undivided = trained_generator.load(self.generator.run_dir)
        undivided.config = dataclasses.replace(undivided.config, lesion_noise=0)
        with self.assertRaisesRegex(ValueError, "no part for the skin .*model.lesion_noise 0"):
            sweeps.code_table(undivided, self.data_dir)

    def test_paints_like_a_photograph(self):
        arguments = (self.generator, self.data_dir, ("Acne",))
        for build in (sweeps.skin_type_table, sweeps.size_table):
            drawn, like = (build(*arguments, like=like) for like in (None, "train0"))
            self.assertIn("Painted with the code of photograph_", like.footer)
            self.assertNotIn("Painted with", drawn.footer)
            pair = (table.groups[0].strips[-1].images[-1] for table in (drawn, like))
            self.assertFalse(np.array_equal(*pair))

    def test_conditions_that_training_lacks_say_so(self):
        table = sweeps.size_table(
            self.generator, self.data_dir, ("Cyst",), sizes=(30.0,), skin_type=4
        )
        self.assertEqual(table.groups[0].notes, ["on type 4", "not in training"])

    def test_bad_input(self):
        other = os.path.join(self.folder, "other")
        testing_data.write_dataset(other, image_size=16, per_split=(1, 1, 1))
        for build in (sweeps.skin_type_table, sweeps.size_table):
            with self.assertRaisesRegex(ValueError, "crops of 16x16, the generator .* 32x32"):
                build(self.generator, other)
        for skin_type in (-1, 7):
            with self.assertRaisesRegex(ValueError, f"skin type {skin_type} is not in 1..6"):
                sweeps.size_table(self.generator, self.data_dir, skin_type=skin_type)


if __name__ == "__main__":
    absltest.main()
