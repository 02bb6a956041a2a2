import collections
import dataclasses
import os

from absl.testing import absltest, parameterized

from preprocessing.data.manifest import Box
from synthesis import wanted
from synthesis.wanted import Wanted
from training import testing_data

_CELLS = {
    ("Acne", 1): 60,
    ("Acne", 2): 30,
    ("Acne", 6): 0,
    ("Vitiligo", 1): 10,
    ("Vitiligo", 2): 0,
    ("Vitiligo", 6): 0,
}


def _count(images):
    return collections.Counter((one.condition, one.skin_type) for one in images)


class CellsTest(absltest.TestCase):
    def test_training_cells(self):
        info = testing_data.write_dataset(self.create_tempdir().full_path)
        cells = wanted.training_cells(info, ["Acne", "Cyst"])
        self.assertLen(cells, 12)
        self.assertEqual(sum(n for (name, _), n in cells.items() if name == "Acne"), 8)
        self.assertEqual(cells["Cyst", 3], 0)


class UnknownTypesTest(absltest.TestCase):
    _MIXED = {**_CELLS, ("Acne", 0): 10, ("Vitiligo", 0): 0}
    _UNKNOWN = {cell: 0 if cell[1] else 20 for cell in _MIXED}

    def test_cells(self):
        info = testing_data.write_dataset(self.create_tempdir().full_path)
        counts = {"crops": {"train": {"Acne": {"0": 5, "1": 1}}}}
        info = dataclasses.replace(info, counts=counts)
        cells = wanted.training_cells(info, ["Acne", "Cyst"])
        self.assertEqual((cells["Acne", 0], cells["Acne", 1], cells["Cyst", 0]), (5, 1, 0))
        self.assertTrue(wanted.knows_types(cells))
        self.assertFalse(wanted.knows_types(self._UNKNOWN))

    def test_are_painted_as_often_as_they_are_there(self):
        counts = _count(wanted.by_selection(self._MIXED, 110))
        self.assertEqual(counts, {cell: n for cell, n in self._MIXED.items() if n})

    def test_are_the_default_of_a_model_that_knows_no_other(self):
        for chosen in ((), ["Acne"], ["Tinea"]):
            counts = _count(wanted.by_selection(self._UNKNOWN, 6, chosen))
            self.assertEqual({kind for _, kind in counts}, {0})

    def test_can_be_asked_for(self):
        request = wanted.Request(num_images=2, condition=["Acne"], skin_type=["unknown"])
        self.assertEqual(request.wanted(self._MIXED, 32), [Wanted("Acne", 0)] * 2)

    def test_fill_no_gap(self):
        for axes in (["skin_type"], ["condition", "skin_type"]):
            counts = _count(wanted.by_balance(self._MIXED, 300, axes))
            self.assertNotIn(0, {kind for _, kind in counts})
            with self.assertRaisesRegex(ValueError, "no training crop has a known skin type"):
                wanted.by_balance(self._UNKNOWN, 4, axes)
        empty = {**self._UNKNOWN, ("Vitiligo", 0): 0}
        counts = _count(wanted.by_balance(empty, 4, ["condition"]))
        self.assertEqual(counts, {("Vitiligo", 0): 4})

    def test_in_a_file(self):
        path = os.path.join(self.create_tempdir().full_path, "wanted.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write("condition,skin_type,count\nAcne,unknown,1\nAcne,,1\n")
        rows = wanted.read_requests(path, 32, types_known=False)
        self.assertEqual(rows, [Wanted("Acne", 0)] * 2)
        with self.assertRaisesRegex(ValueError, "row 3: skin_type is empty; it is 1..6 or unkn"):
            wanted.read_requests(path, 32)

    def test_in_the_table(self):
        table = wanted.balance_table(self._MIXED, [Wanted("Vitiligo", 0)])
        self.assertRegex(table, "type 6 +type unknown")
        self.assertRegex(table, r"Vitiligo +10 +0 +0 +0 +0 +0 +0 -> 1")


class SelectionTest(parameterized.TestCase):
    def test_equal_shares_of_what_is_chosen(self):
        images = wanted.by_selection(_CELLS, 8, ["acne", "Vitiligo"], [5, 6])
        self.assertEqual(_count(images), {(c, t): 2 for c in ("Acne", "Vitiligo") for t in (5, 6)})

    def test_what_is_left_open_is_as_in_training(self):
        self.assertEqual(
            _count(wanted.by_selection(_CELLS, 9, ["Acne"])), {("Acne", 1): 6, ("Acne", 2): 3}
        )
        self.assertEqual(
            _count(wanted.by_selection(_CELLS, 10, (), [6])),
            {("Acne", 6): 9, ("Vitiligo", 6): 1},
        )
        self.assertEqual(
            _count(wanted.by_selection(_CELLS, 100)),
            {cell: count for cell, count in _CELLS.items() if count},
        )

    def test_an_unseen_condition_gets_no_more_than_its_share(self):
        counts = _count(wanted.by_selection(_CELLS, 20, ["Acne", "Tinea"]))
        self.assertEqual((counts["Tinea", 1], counts["Tinea", 2]), (7, 3))  # as all of training
        self.assertEqual(counts["Acne", 1] + counts["Acne", 2], 10)

    @parameterized.parameters(1, 2, 7, 99)
    def test_the_number_is_exact(self, number):
        self.assertLen(wanted.by_selection(_CELLS, number), number)

    def test_any_stretch_is_a_mixture(self):
        images = wanted.by_selection(_CELLS, 100)
        self.assertAlmostEqual(_count(images[:20])["Acne", 1], 12, delta=1)
        self.assertAlmostEqual(_count(images[40:60])["Vitiligo", 1], 2, delta=1)

    def test_bad_values(self):
        with self.assertRaisesRegex(ValueError, "unknown condition 'acnes'.*closest is 'Acne'"):
            wanted.by_selection(_CELLS, 5, ["acnes"])
        with self.assertRaisesRegex(ValueError, "skin type 7 is not in 1..6"):
            wanted.by_selection(_CELLS, 5, [], [7])
        with self.assertRaisesRegex(ValueError, "num_images 0 is not positive"):
            wanted.by_selection(_CELLS, 0)


class BalanceTest(parameterized.TestCase):
    @parameterized.parameters(
        ([5, 1, 0], 4, [0, 1, 3]),
        ([0, 0, 0], 7, [3, 2, 2]),
        ([5, 5], 3, [2, 1]),
        ([10, 0], 3, [0, 3]),
        ([3, 1], 10, [4, 6]),
        ([4], 2, [2]),
    )
    def test_fill(self, levels, number, expected):
        self.assertEqual(wanted.fill(levels, number), expected)

    def test_by_both(self):
        # 60, 30, 0, 10, 0, 0 and 50 more: the three empty and the 10 rise to 15.
        counts = _count(wanted.by_balance(_CELLS, 50, ["condition", "skin_type"]))
        self.assertEqual(
            counts,
            {("Acne", 6): 15, ("Vitiligo", 1): 5, ("Vitiligo", 2): 15, ("Vitiligo", 6): 15},
        )

    def test_by_condition_keeps_the_mix_of_skin_types(self):
        self.assertEqual(
            _count(wanted.by_balance(_CELLS, 80, ["condition"])), {("Vitiligo", 1): 80}
        )

    def test_by_skin_type(self):
        # 70, 30, 0 and 100 more: 70, 65, 65; type 6 is evenly spread, being empty.
        counts = _count(wanted.by_balance(_CELLS, 100, ["skin_type"]))
        self.assertEqual(counts, {("Acne", 2): 35, ("Acne", 6): 33, ("Vitiligo", 6): 32})

    def test_unknown_axis(self):
        with self.assertRaisesRegex(
            ValueError, "balance 'age' is not made of condition, skin_type"
        ):
            wanted.by_balance(_CELLS, 5, ["age"])

    def test_table(self):
        table = wanted.balance_table(_CELLS, [Wanted("Acne", 6), Wanted("Acne", 6)])
        self.assertStartsWith(table, "Training crops by condition and skin type, before -> with")
        self.assertRegex(table, r"Acne +60 +30 +0 +0 +0 +0 -> 2")


class CsvTest(parameterized.TestCase):
    def _write(self, text):
        path = os.path.join(self.create_tempdir().full_path, "requests.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def test_rows(self):
        path = self._write(
            "condition,skin_type,count,rois\nmelanoma,5,2,\nBCC,6,1,2 3 10 12;20 20 31 30\n"
        )
        self.assertEqual(
            wanted.read_requests(path, 32),
            [
                Wanted("Melanoma", 5),
                Wanted("Melanoma", 5),
                Wanted("Basal Cell Carcinoma", 6, (Box(2, 3, 10, 12), Box(20, 20, 31, 30))),
            ],
        )

    def test_seeds(self):
        path = self._write(
            "condition,skin_type,count,rois,seed\n"
            "Acne,2,1,2 3 10 12,-5\nAcne,2,1,2 3 10 12,9223372036854775807\nAcne,2,1,,\n"
        )
        seeds = [one.seed for one in wanted.read_requests(path, 32)]
        self.assertEqual(seeds, [-5, 2**63 - 1, None])

    @parameterized.parameters(
        ("melanom,5,2,", "row 2: unknown condition 'melanom'; closest is 'Melanoma'"),
        ("Acne,9,2,", "row 2: .*9"),
        ("Acne,,2,", "row 2: skin_type is empty"),
        ("Acne,2,two,", "row 2: count 'two' is not a whole number from 1 to 10,000,000"),
        ("Acne,2,2000000000,", "row 2: count '2000000000' is not a whole number from 1 to"),
        ("Acne,2,0,", "row 2: count '0'"),
        ("Acne,2,1,5 5 5 9", "row 2: rois: box '5 5 5 9' is empty or inverted"),
        ("Acne,2,2,5 5 9 9,7", "row 2: seed 7: a row with a seed is one image"),
        ("Acne,2,1,,7", "row 2: seed 7: a row with a seed is one image"),
        ("Acne,2,1,5 5 9 9,7.5", "row 2: seed '7.5' is not a whole number of 64 bits"),
        ("Acne,2,1,5 5 9 9,9223372036854775808", "row 2: seed '9223372036854775808' is not"),
        ("Acne,2,1,5 5 40 9", "row 2: rois: box '5 5 40 9' is outside the 32x32 image"),
        ("", "asks for nothing"),
    )
    def test_bad_rows(self, row, message):
        path = self._write(f"condition,skin_type,count,rois,seed\n{row}\n")
        with self.assertRaisesRegex(ValueError, message):
            wanted.read_requests(path, 32)

    def test_bad_files(self):
        with self.assertRaisesRegex(ValueError, "lacks the column 'count'"):
            wanted.read_requests(self._write("condition,skin_type\n"), 32)
        with self.assertRaisesRegex(ValueError, "cannot be read"):
            wanted.read_requests("/no/such.csv", 32)


class SeenTest(absltest.TestCase):
    def test_unseen(self):
        wanted.check_seen([Wanted("Acne", 1)], ["Acne"])
        with self.assertRaisesRegex(ValueError, "has never seen Cyst; .*trained on Acne.*allow_un"):
            wanted.check_seen([Wanted("Acne", 1), Wanted("Cyst", 1)], ["Acne"])

    def test_unseen_pairs(self):
        asked = [Wanted("Acne", 6)] * 3 + [Wanted("Acne", 1)] + [Wanted("Vitiligo", 2)]
        self.assertEqual(
            wanted.unseen_pairs(asked, _CELLS),
            "4 of 5 images show a condition on a skin type of which there is no training crop; the "
            "generator invents them: Acne on type 6 (3), Vitiligo on type 2 (1)",
        )
        many = [Wanted("Tinea", kind) for kind in (1, 2, 3, 4, 5, 0)]
        self.assertEndsWith(
            wanted.unseen_pairs(many, _CELLS), "Tinea on type 4 (1) and 2 more pairs"
        )
        self.assertEqual(wanted.unseen_pairs([Wanted("Acne", 1)], _CELLS), "")


class RequestTest(parameterized.TestCase):
    _CELLS = {("Acne", 1): 3, ("Acne", 2): 1, ("Vitiligo", 1): 0, ("Vitiligo", 2): 0}

    def test_one_map_for_several_images(self):
        request = wanted.Request(num_images=8, images_per_map=2)
        self.assertLen(request.wanted(self._CELLS, 32), 4)

    def test_selection_and_balance(self):
        request = wanted.Request(num_images=2, condition=["acne"], skin_type=["2"])
        self.assertEqual(request.wanted(self._CELLS, 32), [Wanted("Acne", 2)] * 2)
        request = wanted.Request(num_images=2, balance=["condition"])
        self.assertEqual({one.condition for one in request.wanted(self._CELLS, 32)}, {"Vitiligo"})

    def test_csv(self):
        path = os.path.join(self.create_tempdir().full_path, "wanted.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write("condition,skin_type,count\nAcne,6,3\n")
        self.assertEqual(
            wanted.Request(requests=path).wanted(self._CELLS, 32), [Wanted("Acne", 6)] * 3
        )

    def test_what_was_asked_for(self):
        self.assertEqual(
            wanted.Request(num_images=4, condition=["Acne"]).as_dict(),
            {"num_images": 4, "images_per_map": 1, "condition": ["Acne"], "maps": "validation"},
        )
        listed = wanted.Request(requests="/home/x/wanted.csv").as_dict()
        self.assertEqual(listed["requests"], "wanted.csv")  # of no folder of this machine

    @parameterized.parameters(
        ({"num_images": 4, "condition": ["Melanom"]}, "unknown condition 'Melanom'; closest is"),
        ({"num_images": 4, "skin_type": ["7"]}, "skin type '7' is not 1..6 or unknown"),
        ({"num_images": 4, "skin_type": ["dark"]}, "--skin_type=dark: "),
        ({"num_images": 4, "balance": ["age"]}, "balance 'age' is not made of"),
        ({"num_images": 0}, "--num_images=0 is not in 1..10,000,000"),
        ({"num_images": 2_000_000_000}, "--num_images=2000000000 is not in 1..10,000,000"),
        ({}, "--num_images is needed, or --requests"),
        ({"num_images": 4, "requests": "x"}, "--num_images and --requests exclude each other"),
        ({"num_images": 5, "images_per_map": 2}, "is not a multiple of --images_per_map=2"),
        ({"num_images": 5, "images_per_map": 0}, "--images_per_map=0 is not in 1..10,000,000"),
        (
            {"num_images": 5, "balance": ["condition"], "condition": ["Acne"]},
            "--balance and --condition exclude each other",
        ),
    )
    def test_bad_requests(self, fields, message):
        with self.assertRaisesRegex(ValueError, message):
            wanted.Request(**fields).wanted(self._CELLS, 32)


if __name__ == "__main__":
    absltest.main()
