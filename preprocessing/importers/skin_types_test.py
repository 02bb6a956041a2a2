from absl.testing import absltest, parameterized

from preprocessing.importers.skin_types import parse_skin_type


class ParseSkinTypeTest(parameterized.TestCase):
    @parameterized.parameters(
        ("3", 3),
        (" 6.0 ", 6),
        ("FST1", 1),
        ("IV", 4),
        ("vi", 6),
        ("Type III", 3),
        ("Fitzpatrick skin type 2", 2),
        ("", None),
        ("-1", None),
        ("NONE_IDENTIFIED", None),
        ("NONE_SELECTED", None),
        ("None identified", None),
        ("N/A", None),
        ("__undefined__", None),
    )
    def test_reads(self, text, expected):
        self.assertEqual(parse_skin_type(text), expected)

    @parameterized.parameters("0", "7", "2.5", "12", "IIII", "FST", "dark", "-2", "3 4")
    def test_refuses(self, text):
        with self.assertRaisesRegex(ValueError, f"^skin type: '{text}' is not one of 1 to 6"):
            parse_skin_type(text)


if __name__ == "__main__":
    absltest.main()
