import numpy as np
from absl.testing import absltest

from preprocessing.data.manifest import Photograph
from preprocessing.duplicates.near_duplicates import Pair
from preprocessing.inspection.looks import Inspection, Look


def _look(n, condition, skin_type, source=""):
    extra = {"fitzpatrick_source": source}
    row = Photograph("c", f"p{n}", f"i{n}", "", condition, skin_type, extra=extra)
    return Look(row, "train", (4, 3), (), None, np.zeros((32, 32), np.uint8))


class InspectionTest(absltest.TestCase):
    def test_contact_sheets_are_spread_over_skin_types(self):
        looks = [_look(n, "Acne", 1 + n // 20) for n in range(60)]
        looks += [_look(60 + n, "Cyst", (2, None)[n % 2]) for n in range(4)]
        shown = Inspection("s", False, looks, [], None, {}, {}).shown()
        self.assertEqual([look.row.fitzpatrick for look in shown["Acne"]], [1, 1, 2, 2, 3, 3])
        self.assertEqual([look.row.fitzpatrick for look in shown["Cyst"]], [2, 2, None, None])
        again = Inspection("s", False, looks[::-1], [], None, {}, {}).shown()
        self.assertEqual(
            *([look.row.image_id for look in sheet["Acne"]] for sheet in (shown, again))
        )

    def test_pictures_wanted_are_those_of_sheets_and_closest_pairs(self):
        looks = [_look(n, "Acne", 3) for n in range(90)]
        pairs = [Pair(n, n + 45, 1, 0.85 + n / 1000, False) for n in range(45)]
        found = Inspection("s", False, looks, [], pairs, {}, {})
        self.assertEqual([pair.first for pair in found.pairs_shown()], list(range(44, 20, -1)))
        sheet = {look.row.image_id for look in found.shown()["Acne"]}
        closest = {f"i{n}" for first in range(21, 45) for n in (first, first + 45)}
        self.assertLen(sheet, 6)
        self.assertEqual(found.wanted(), sheet | closest)

    def test_annotated_or_estimated(self):
        for source, expected in (("", True), ("annotated", True), ("estimated", False)):
            self.assertEqual(_look(0, "Acne", 3, source).has_annotated_type, expected)
        self.assertFalse(_look(0, "Acne", 3, "pair_estimated").has_annotated_type)
        self.assertFalse(_look(0, "Acne", None, "").has_annotated_type)


if __name__ == "__main__":
    absltest.main()
