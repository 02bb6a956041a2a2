from absl.testing import absltest, parameterized

from preprocessing.data import taxonomy


class TaxonomyTest(parameterized.TestCase):
    def test_has_26_conditions_and_other(self):
        self.assertLen(taxonomy.CONDITIONS, 27)
        self.assertLen(set(taxonomy.CONDITIONS), 27)
        self.assertEqual(taxonomy.OTHER, "Other")
        self.assertEqual(taxonomy.code("Other"), 26)

    def test_codes_and_names_are_inverse(self):
        for code in range(27):
            self.assertEqual(taxonomy.code(taxonomy.name_of(code)), code)

    @parameterized.parameters(
        ("melanoma", "Melanoma"),
        ("  Basal cell carcinoma ", "Basal Cell Carcinoma"),
        ("BCC", "Basal Cell Carcinoma"),
        ("seborrheic keratosis", "SK/ISK"),
        ("scc_sccis", "SCC/SCCIS"),
        ("ack", "Actinic Keratosis"),
    )
    def test_forgives_spelling(self, given, expected):
        self.assertEqual(taxonomy.canonical(given), expected)

    def test_aliases_lead_into_the_list(self):
        for alias, name in taxonomy._ALIASES.items():
            self.assertIn(name, taxonomy.CONDITIONS)
            self.assertEqual(taxonomy.canonical(alias), name)

    def test_unknown_condition_names_the_closest(self):
        with self.assertRaisesRegex(
            ValueError, "unknown condition 'melanomma'; closest is 'Melanoma'"
        ):
            taxonomy.canonical("melanomma")

    def test_empty_condition(self):
        with self.assertRaisesRegex(ValueError, "^unknown condition ''$"):
            taxonomy.canonical("")

    @parameterized.parameters(-1, 27)
    def test_code_out_of_range(self, code):
        with self.assertRaisesRegex(ValueError, rf"condition code {code} is not in 0\.\.26"):
            taxonomy.name_of(code)

    def test_skin_types(self):
        self.assertEqual([taxonomy.check_fitzpatrick(t) for t in range(1, 7)], [1, 2, 3, 4, 5, 6])
        for wrong in (0, 7, None):
            with self.assertRaisesRegex(ValueError, r"is not in 1\.\.6"):
                taxonomy.check_fitzpatrick(wrong)


if __name__ == "__main__":
    absltest.main()
