import pathlib

from absl.testing import absltest, parameterized

from preprocessing.data import maps, taxonomy


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

    def test_asked_for_skin_types(self):
        self.assertEqual([taxonomy.parse_skin_type(text) for text in ("3", " Unknown ")], [3, 0])
        for wrong in ("", "0", "7", "dark"):
            with self.assertRaisesRegex(ValueError, f"skin type '{wrong}' is not 1..6 or unknown"):
                taxonomy.parse_skin_type(wrong)

    def test_skin_types(self):
        self.assertEqual([taxonomy.check_fitzpatrick(t) for t in range(1, 7)], [1, 2, 3, 4, 5, 6])
        for wrong in (0, 7, None):
            with self.assertRaisesRegex(ValueError, r"is not in 1\.\.6"):
                taxonomy.check_fitzpatrick(wrong)


class OwnTaxonomyTest(parameterized.TestCase):
    def _file(self, text):
        path = pathlib.Path(self.create_tempdir().full_path) / taxonomy.FILE_NAME
        path.write_text(text, encoding="utf-8")
        return path

    def test_reads_and_writes(self):
        path = self._file("condition,aliases\nFoot Ulcer,DFU;diabetic foot ulcer\nBurn,\n")
        own = taxonomy.read(path)
        self.assertEqual(own.conditions, ("Foot Ulcer", "Burn"))
        taxonomy.write(path, own)
        self.assertEqual(taxonomy.read(path), own)
        self.assertEqual(taxonomy.read(path).aliases, own.aliases)
        self.assertEqual(taxonomy.read(self._file("condition\nBurn\n")).conditions, ("Burn",))

    def test_is_that_of_the_process_once_adopted(self):
        path = self._file("condition,aliases\nBurn,\nFoot Ulcer,DFU\n")
        with taxonomy.apart():
            self.assertEqual(taxonomy.conditions(), taxonomy.CONDITIONS)
            taxonomy.adopt_beside(path.with_name("cases.csv"))
            self.assertEqual(taxonomy.canonical("dfu"), "Foot Ulcer")
            self.assertEqual(taxonomy.code("foot ulcer"), 1)
            self.assertEqual(taxonomy.name_of(0), "Burn")
            with self.assertRaisesRegex(
                ValueError, "unknown condition 'Acne'; known are Burn, Foot Ulcer"
            ):
                taxonomy.canonical("Acne")
            taxonomy.adopt(taxonomy.read(path), "again")
            expected = "other: another taxonomy than that of .*taxonomy.csv: lacks .'Burn'., adds"
            with self.assertRaisesRegex(ValueError, expected):
                taxonomy.adopt(taxonomy.Taxonomy(("Foot Ulcer", "Acne")), "other")
            with self.assertRaisesRegex(ValueError, "the same conditions in another order"):
                taxonomy.adopt(taxonomy.Taxonomy(("Foot Ulcer", "Burn")), "other")
            with self.assertRaisesRegex(ValueError, "cannot be mixed"):
                taxonomy.adopt_beside("/nowhere/cases.csv")
        self.assertEqual(taxonomy.code("Acne"), 0)

    @parameterized.parameters(
        ("", "needs the columns condition,aliases; found nothing"),
        ("name\nBurn\n", "needs the columns condition,aliases; found name"),
        ("condition\n", "no condition"),
        ("condition\nBurn,x\n", "row 2: 2 cells under 1 columns"),
        ("condition\nBurn\nburn\n", "row 3: 'burn' is a name of 'Burn' already"),
        ("condition,aliases\nBurn,\nScald,BURN\n", "row 3: 'BURN' is a name of 'Burn' already"),
        ("condition\n?\n", "row 2: '.' is no name of a condition"),
        ("condition\n" + "".join(f"c{n}\n" for n in range(37)), "row 38: .* 1 to 36 .*, not 37"),
    )
    def test_bad_files(self, text, message):
        with self.assertRaisesRegex(ValueError, f"taxonomy.csv: {message}"):
            taxonomy.read(self._file(text))

    def test_codes_fit_into_a_map(self):
        self.assertEqual(taxonomy.MOST_CONDITIONS, maps.MOST_CONDITIONS)


if __name__ == "__main__":
    absltest.main()
