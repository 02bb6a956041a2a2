import base64
import io

from absl.testing import absltest
from PIL import Image

from preprocessing import contact_sheet


def _pair(color):
    buffer = io.BytesIO()
    Image.new("RGB", (192, 96), color).save(buffer, "JPEG", quality=95)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


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

    def test_is_bounded_for_many_combinations(self):
        sheet = contact_sheet.ContactSheet()
        pair = _pair("red")
        for condition in range(27):
            for skin_type in range(1, 7):
                sheet.add(f"condition {condition}", skin_type, pair)
        self.assertLen(sheet._chosen(), 96)

    def test_nothing_to_show(self):
        self.assertEqual(contact_sheet.ContactSheet().draw().size, (1, 1))


if __name__ == "__main__":
    absltest.main()
