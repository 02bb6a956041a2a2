import pathlib

from absl.testing import absltest, parameterized

from preprocessing.data import taxonomy
from preprocessing.importers import labels


class LabelMappingTest(parameterized.TestCase):
    @parameterized.parameters(
        ("basal-cell-carcinoma-nodular", "Basal Cell Carcinoma"),
        ("nodular-melanoma-(nm)", "Melanoma"),
        ("Post-Inflammatory hyperpigmentation", "Post Inflammatory Hyperpigmentation"),
        ("Lichen planus/lichenoid eruption", "Other"),
        ("urticaria pigmentosa", "Other"),
        ("wart", "Verruca Vulgaris"),
        # Apostrophes and accents.
        ("Bowen's disease", "SCC/SCCIS"),
        ("Bowens Disease", "SCC/SCCIS"),
        ("Darier\u2019s disease", "Other"),
        ("Darier disease", "Other"),
        ("Beh\u00e7et's disease", "Other"),
        ("Kaposi's sarcoma", "Other"),
        ("Becker_s nevus", "Other"),
        # Plurals and British spelling.
        ("moles", "Melanocytic Nevus"),
        ("Melanocytic naevi", "Melanocytic Nevus"),
        ("seborrhoeic keratoses", "SK/ISK"),
        ("solar lentigines", "Lentigo"),
        ("Haemangiomas", "Other"),
        ("verrucae", "Verruca Vulgaris"),
        ("striae", "Other"),
        # Everyday names.
        ("ringworm", "Tinea"),
        ("Tinea corporis", "Tinea"),
        ("athlete's foot", "Tinea"),
        ("Plaque psoriasis", "Psoriasis"),
        ("plantar warts", "Verruca Vulgaris"),
        ("hand eczema", "Eczema"),
        ("pompholyx", "Eczema"),
        ("Eczematous dermatitis", "Eczema"),
        ("Comedone", "Acne"),
        ("freckles", "Other"),
        ("boils", "Other"),
        ("dandruff", "Seborrheic Dermatitis"),
        ("stretch marks", "Other"),
        ("atypical moles", "Melanocytic Nevus"),
        ("basal cell cancer", "Basal Cell Carcinoma"),
        ("androgenic alopecia", "Androgenetic Alopecia"),
        ("Pigmented benign keratosis", "SK/ISK"),
        # Blanks and the order of words.
        ("Ring worm", "Tinea"),
        ("chicken pox", "Other"),
        ("postinflammatory hyperpigmentation", "Post Inflammatory Hyperpigmentation"),
        ("Dermatitis, atopic", "Eczema"),
        ("tinea versicolour", "Tinea Versicolor"),
        # What names no disease.
        ("CD - Irritant contact dermatitis", "Other"),
        ("Eczema, NOS", "Eczema"),
        ("mole(s)", "Melanocytic Nevus"),
        ("vitiligo patches", "Vitiligo"),
        ("severe acne", "Acne"),
        ("chronic plaque psoriasis", "Psoriasis"),
        ("Psoriasis of the left scalp", "Psoriasis"),
        ("Atopic Dermatitis Photos", "Eczema"),
        # Decided in the module's docstring.
        ("milia", "Cyst"),
        ("mucous cyst", "Other"),
        ("inverted follicular keratosis", "SK/ISK"),
        # HAM10000's codes.
        ("akiec", "Actinic Keratosis"),
        ("bkl", "SK/ISK"),
        ("df", "Other"),
        ("nv", "Melanocytic Nevus"),
        ("vasc", "Other"),
    )
    def test_known_names(self, label, condition):
        self.assertEqual(labels.LabelMapping().condition(label), condition)

    def test_names_lead_into_the_taxonomy_and_are_not_undecided_too(self):
        self.assertContainsSubset(labels.CONDITIONS.values(), taxonomy.CONDITIONS)
        self.assertEmpty(set(labels.CONDITIONS) & set(labels.UNDECIDED))
        for name in (*labels.CONDITIONS, *labels.UNDECIDED):
            self.assertEqual(taxonomy.normalize(name), name)

    def test_no_name_overrules_the_taxonomy(self):
        for name, condition in taxonomy.spellings().items():
            self.assertEqual(labels.CONDITIONS[name], condition)

    @parameterized.parameters(
        (
            "Acute dermatitis, NOS",
            "label 'Acute dermatitis, NOS' leaves the condition open: it may",
        ),
        ("melanomma", r"label 'melanomma' is not known; closest is 'melanoma' \(Melanoma\)"),
        ("pilomatrixoma", r"closest is 'pilomatricoma' \(Other\)"),
        (" ", "label: the cell is empty"),
        ("CD - Contact dermatitis", "open: it may be Allergic Contact Dermatitis or, if irritant"),
        ("Contact dermatitis, NOS", "open: it may be Allergic Contact Dermatitis or, if irritant"),
        ("acute contact dermatitis", "open: it may be Allergic Contact Dermatitis or, if irritan"),
        ("nodules", "open: a finding, not a disease"),
        ("sunspots", "open: it may be Actinic Keratosis or Lentigo"),
        ("tinea unguium", "open: it is Tinea by its cause and Other by its place"),
        ("no melanoma", "is not known"),
        ("suspected melanoma", "is not known"),
        ("nevus of Ito", "is not known"),
        ("xyz", "is not known; a row of --mapping can say what it is$"),
    )
    def test_what_cannot_be_mapped(self, label, reason):
        with self.assertRaisesRegex(labels.UnmappedLabelError, reason):
            labels.LabelMapping().condition(label)

    def test_overrides_win_and_unused_ones_are_known(self):
        overrides = {"Acute dermatitis, NOS": "eczema", "Milia": "Other", "rash": "Other"}
        mapping = labels.LabelMapping(overrides=overrides)
        self.assertEqual(mapping.unused_overrides(), tuple(overrides))
        self.assertEqual(mapping.condition("acute-dermatitis-nos"), "Eczema")
        self.assertEqual(mapping.condition("milia"), "Other")
        self.assertEqual(mapping.unused_overrides(), ("rash",))

    def test_names_of_other_scripts(self):
        names = {"\u75e4\u75ae": "Acne", "\u0635\u062f\u0641\u064a\u0629": "Psoriasis"}
        names.update({"\u042d\u043a\u0437\u0435\u043c\u0430": "Eczema"})
        mapping = labels.LabelMapping(overrides=names)
        self.assertEqual([mapping.condition(name) for name in names], list(names.values()))
        self.assertEqual(mapping.condition("\u044d\u043a\u0437\u0435\u043c\u0430"), "Eczema")
        # Vowels of Hindi are marks and not letters.
        mapping = labels.LabelMapping(overrides={"\u0915\u0940": "Acne", "\u0915\u093e": "Other"})
        self.assertEqual(mapping.condition("\u0915\u0940"), "Acne")

    def test_a_plural_of_the_users_own(self):
        mapping = labels.LabelMapping(overrides={"blob": "Cyst"})
        self.assertEqual(mapping.condition("Blobs"), "Cyst")
        self.assertEmpty(mapping.unused_overrides())


class ReadOverridesTest(parameterized.TestCase):
    def _read(self, text):
        path = pathlib.Path(self.create_tempdir().full_path, "mapping.csv")
        path.write_bytes(text.encode("utf-8"))
        return labels.read_overrides(str(path))

    def test_reads(self):
        text = '\ufeffLabel , condition\r\n"abrasion, scrape",other\r\n\r\nfoo,BCC\r\nFOO,bcc\r\n'
        self.assertEqual(
            self._read(text), {"abrasion, scrape": "Other", "foo": "Basal Cell Carcinoma"}
        )

    @parameterized.parameters(
        ("", "needs the columns label,condition; found nothing"),
        ("a,b\n", "needs the columns label,condition; found a,b"),
        ("label,condition\n", "no row"),
        ("label,condition\nx,melanomma\n", "row 2: unknown condition 'melanomma'; closest is 'Mel"),
        ("label,condition\nx,\n", "row 2: unknown condition ''"),
        ("label,condition\n--,Acne\n", "row 2: label: '--' is no name"),
        ("label,condition\nx,Acne,1\n", "row 2: 3 cells where the header has 2"),
        ("label,condition\nx,Acne\nX,Cyst\n", "row 3: 'X' is Acne further up and Cyst here"),
    )
    def test_refuses(self, text, reason):
        with self.assertRaisesRegex(ValueError, f"mapping.csv: {reason}"):
            self._read(text)

    def test_no_file(self):
        with self.assertRaisesRegex(ValueError, "^/nowhere.csv: no such file$"):
            labels.read_overrides("/nowhere.csv")


if __name__ == "__main__":
    absltest.main()
