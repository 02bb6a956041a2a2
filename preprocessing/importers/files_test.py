import pathlib

from absl.testing import absltest, parameterized

from preprocessing.importers import files


class PathsTest(parameterized.TestCase):
    @parameterized.parameters(
        ("a/b.JPG", "b"),
        ("C:\\data\\x 1.png", "x 1"),
        ("ISIC_1", "ISIC_1"),
        ("v1.5", "v1.5"),
        ("", ""),
    )
    def test_stem(self, name, expected):
        self.assertEqual(files.stem(name), expected)

    def test_split_path_cannot_leave(self):
        self.assertEqual(files.split_path("..\\.\\a//../b.png"), ["a", "b.png"])


class PhotographFilesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        for name in (
            "images/one.jpg",
            "images/one_mask.png",
            "p1/shot.jpg",
            "p2/shot.jpg",
            "p2/shot.png",
            "p3/other.JPG",
            "p4/phone.HEIC",
            "p4/old.jfif",
            "notes.txt",
            ".hidden.jpg",
            "__MACOSX/one.jpg",
            "@eaDir/one.jpg",
            "$RECYCLE.BIN/one.jpg",
            ".ipynb_checkpoints/one.jpg",
            "nfd/La\u0308sion.jpg",
            "twice/copy.jpg",
            "Twice/copy.jpg",
        ):
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_text(name.lower())
        self.files = files.PhotographFiles(str(self.folder), "_mask")

    def test_names_with_more_or_less_folders(self):
        for name in (
            "one",
            "one.jpg",
            "one.png",
            "images/one",
            "set\\images\\one.jpg",
            "x/one.jpg",
        ):
            self.assertEqual(self.files.find(name), "images/one.jpg")
        self.assertEqual(self.files.find("p3/other.jpg"), "p3/other.JPG")
        self.assertEqual(self.files.find("phone.heic"), "p4/phone.HEIC")
        self.assertEqual(self.files.find("old"), "p4/old.jfif")

    def test_masks(self):
        self.assertEqual(self.files.mask_of("images/one.jpg"), "images/one_mask.png")
        self.assertIsNone(self.files.mask_of("p1/shot.jpg"))
        with self.assertRaisesRegex(ValueError, r"image: no file one_mask\.\* below /"):
            self.files.find("one_mask")
        plain = files.PhotographFiles(str(self.folder))
        self.assertEqual(plain.find("one_mask"), "images/one_mask.png")

    def test_several_of_one_name(self):
        self.assertEqual(self.files.find("p1/shot.jpg"), "p1/shot.jpg")
        self.assertEqual(self.files.find("data/p2/shot.png"), "p2/shot.png")
        # A bare name is the first by path, one with an extension is not guessed.
        self.assertEqual(self.files.find("shot"), "p1/shot.jpg")
        with self.assertRaisesRegex(ValueError, "'shot.jpg' may be p1/shot.jpg or p2/shot.jpg"):
            self.files.find("shot.jpg")

    def test_another_folder_only_where_the_name_is_unique(self):
        self.assertEqual(self.files.find("p9/other.jpg"), "p3/other.JPG")
        with self.assertRaisesRegex(ValueError, r"no file other\.\*"):
            self.files.find("p9/other.jpg", anywhere=False)
        self.assertEqual(self.files.find("a/p3/other.jpg", anywhere=False), "p3/other.JPG")
        self.assertEqual(self.files.find("other.jpg", anywhere=False), "p3/other.JPG")

    def test_accents_and_case(self):
        for name in ("L\u00e4sion", "La\u0308sion.jpg", "NFD/l\u00c4SION.JPG"):
            self.assertEqual(self.files.find(name), "nfd/La\u0308sion.jpg")

    def test_copies_of_one_file_are_one(self):
        self.assertEqual(self.files.find("copy.jpg"), "Twice/copy.jpg")
        (self.folder / "twice/copy.jpg").write_text("another")
        again = files.PhotographFiles(str(self.folder), "_mask")
        with self.assertRaisesRegex(ValueError, "may be Twice/copy.jpg or twice/copy.jpg"):
            again.find("copy.jpg")

    def test_photographs_that_nothing_names(self):
        named = ["images/one.jpg", "p1/shot.jpg", "p2/shot.png", "Twice/copy.jpg"]
        named += ["p4/phone.HEIC", "p4/old.jfif"]
        self.assertCountEqual(
            self.files.unnamed(named), ["p2/shot.jpg", "p3/other.JPG", "nfd/La\u0308sion.jpg"]
        )

    def test_what_is_no_photograph(self):
        for name in ("notes", ".hidden", "", "nothing"):
            with self.assertRaisesRegex(ValueError, "no file"):
                self.files.find(name)


if __name__ == "__main__":
    absltest.main()
