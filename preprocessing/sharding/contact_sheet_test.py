import base64
import io

from absl.testing import absltest
from PIL import Image

from preprocessing.sharding import contact_sheet


def _pair(color):
    buffer = io.BytesIO()
    Image.new("RGB", (192, 96), color).save(buffer, "JPEG", quality=95)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


class SpreadTest(absltest.TestCase):
    _KEYS = (("a", 2), ("a", 1), ("a", 3), ("b", 1), ("c", 4))

    def test_conditions_take_turns(self):
        expected = [("a", 1), ("b", 1), ("c", 4), ("a", 2), ("a", 3)]
        self.assertEqual(contact_sheet.spread(self._KEYS), expected)
        self.assertEqual(contact_sheet.spread([], shift=3), [])

    def test_another_shift_begins_elsewhere(self):
        expected = [("b", 1), ("c", 4), ("a", 2), ("a", 3), ("a", 1)]
        self.assertEqual(contact_sheet.spread(self._KEYS, shift=1), expected)


class ContactSheetTest(absltest.TestCase):
    def test_shows_every_combination(self):
        sheet = contact_sheet.ContactSheet()
        for n in range(300):
            sheet.add("Acne", 1 + n % 3, _pair("red"))
        sheet.add("Tinea", 6, _pair("blue"))
        chosen = sheet._chosen()
        self.assertLen(chosen, 3 * 8 + 1)
        self.assertEqual(chosen[-1][:2], ("Tinea", 6))
        drawn = sheet.draw()
        self.assertEqual(drawn.size, (8 * 198 + 6, 4 * 116 + 6))
        red, _, blue = drawn.getpixel((100, 3 * 116 + 60))
        self.assertGreater(blue, 200)
        self.assertLess(red, 60)

    def test_shows_more_of_the_only_combination(self):
        sheet = contact_sheet.ContactSheet()
        for _ in range(100):
            sheet.add("Acne", 0, _pair("red"))
        self.assertEqual(sheet.draw().size, (8 * 198 + 6, 4 * 116 + 6))

    def test_is_bounded_for_many_combinations(self):
        sheet = contact_sheet.ContactSheet()
        pair = _pair("red")
        for condition in range(27):
            for skin_type in range(1, 7):
                sheet.add(f"condition {condition}", skin_type, pair)
        chosen = sheet._chosen()
        self.assertLen(chosen, 96)
        self.assertLen({condition for condition, _, _ in chosen}, 27)

    def test_a_long_caption_ends_where_its_pair_does(self):
        sheet = contact_sheet.ContactSheet()
        for condition in ("Post Inflammatory Hyperpigmentation", "Z"):
            sheet.add(condition, 2, _pair("red"))
        captions = sheet.draw().crop((6, 6, 2 * 198, 18)).convert("L")
        self.assertLess(captions.crop((150, 0, 192, 12)).getextrema()[0], 128)
        self.assertEqual(captions.crop((193, 0, 198, 12)).getextrema(), (255, 255))

    def test_nothing_to_show(self):
        self.assertEqual(contact_sheet.ContactSheet().draw().size, (1, 1))


if __name__ == "__main__":
    absltest.main()
