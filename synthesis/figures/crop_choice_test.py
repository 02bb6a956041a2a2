import numpy as np
from absl.testing import absltest, parameterized

from preprocessing.data import records
from preprocessing.data.manifest import Box
from synthesis import layouts
from synthesis.figures import crop_choice
from synthesis.figures.crop_choice import Crop
from synthesis.layouts import Layout
from training import testing_data


def _crops(condition, patients):
    """Two crops of each of two photographs of each patient."""
    layout = Layout(condition, 2, (Box(0, 0, 4, 4),))
    return [
        Crop(index, layout, f"p{index // 4}", f"i{index // 2}") for index in range(4 * patients)
    ]


class ReadTest(absltest.TestCase):
    def test_in_turns(self):
        pairs = [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("b", 6)]
        turns = crop_choice.in_turns(pairs, lambda pair: pair[0])
        self.assertEqual([number for _, number in turns], [1, 4, 5, 2, 6, 3])

    def test_photographs_are_those_of_the_crops(self):
        folder = self.create_tempdir().full_path
        testing_data.write_dataset(folder)
        crops = crop_choice.list_crops(folder, "test")
        self.assertLen(crops, 8)
        chosen = [crops[5], crops[0]]
        photographs = crop_choice.read_photographs(folder, "test", chosen)
        read = list(records.read(folder, "crops", "test"))
        for crop, photograph in zip(chosen, photographs):
            expected = read[crop.index]
            self.assertEqual(crop.image_id, expected.image_id)
            self.assertEqual(crop.layout, layouts.layout_of(expected))
            np.testing.assert_array_equal(photograph, expected.image())
        self.assertEqual(crop_choice.read_photographs(folder, "test", []), [])


class ChoiceTest(parameterized.TestCase):
    @parameterized.parameters(
        (1, ["Cyst"]),
        (2, ["Alopecia Areata", "Melanoma"]),
        (9, ["Acne", "Alopecia Areata", "Cyst", "Melanoma", "Vitiligo"]),
    )
    def test_spread(self, number, expected):
        conditions = ["Vitiligo", "Acne", "Melanoma", "Cyst", "Alopecia Areata"]
        self.assertEqual(crop_choice.spread(conditions, number), expected)

    def test_spread_over_none(self):
        with self.assertRaisesRegex(ValueError, "number of conditions 0 is not positive"):
            crop_choice.spread(["Acne"], 0)

    @parameterized.parameters(range(5))
    def test_different_patients_then_photographs_come_first(self, seed):
        order = crop_choice.shuffled(_crops("Acne", 3), "Acne", seed)
        self.assertLen({crop.index for crop in order}, 12)
        self.assertLen({crop.patient_id for crop in order[:3]}, 3)
        self.assertLen({crop.image_id for crop in order[:6]}, 6)

    def test_the_seed_decides(self):
        crops = _crops("Acne", 5)
        orders = {tuple(c.index for c in crop_choice.shuffled(crops, "Acne", s)) for s in (1, 1, 2)}
        self.assertLen(orders, 2)

    def test_conditions_take_turns(self):
        groups = crop_choice.by_condition(_crops("Vitiligo", 2) + _crops("Acne", 1))
        self.assertEqual(list(groups), ["Acne", "Vitiligo"])
        chosen = crop_choice.take_turns(groups, 10, 0)
        names = [crop.layout.condition for crop in chosen]
        self.assertEqual(names, ["Acne"] * 4 + ["Vitiligo"] * 6)

    @parameterized.parameters(0, 13)
    def test_too_many_or_none(self, number):
        groups = crop_choice.by_condition(_crops("Acne", 3))
        with self.assertRaisesRegex(
            ValueError, f"{number} maps cannot be chosen out of 12 of Acne"
        ):
            crop_choice.take_turns(groups, number, 0)


if __name__ == "__main__":
    absltest.main()
