from absl.testing import absltest, parameterized

from studio import noise_ends


class ParseTest(parameterized.TestCase):
    @parameterized.parameters(
        ("12", (12, 12), (12, 12), 0.0, 12),
        ("12/34", (12, 34), (12, 34), 0.0, None),
        ("12~56@0.4", (12, 12), (56, 56), 0.4, None),
        ("12~56@0", (12, 12), (56, 56), 0.0, 12),
        ("12/34~12/56@1", (12, 34), (12, 56), 1.0, None),
    )
    def test_forms(self, text, start, end, share, seed):
        found = noise_ends.parse(text, by_region=True)
        self.assertEqual((found.start, found.end, found.share), (start, end, share))
        self.assertEqual(found.seed, seed)

    @parameterized.parameters(
        ("", "noise '' is not of the form"),
        ("-1", "noise '-1' is not"),
        ("12~56", "noise '12~56' is not"),
        ("12~56@1.5", "share 1.5 is above 1"),
        ("9007199254740992", "seed 9007199254740992 is above"),
        ("12\n", "is not of the form"),
    )
    def test_bad_forms(self, text, message):
        with self.assertRaisesRegex(ValueError, message):
            noise_ends.parse(text, by_region=True)

    def test_what_a_generator_has_no_noise_for(self):
        with self.assertRaisesRegex(ValueError, "'1/2': this generator has no noise of its own"):
            noise_ends.parse("1/2", by_region=False)
        with self.assertRaisesRegex(ValueError, "no noise that can be mixed"):
            noise_ends.parse("1~2@0.5", by_region=False, walk=False)


if __name__ == "__main__":
    absltest.main()
