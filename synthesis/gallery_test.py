import pathlib

from absl.testing import absltest

from training import testing_programs


class GalleryProgramTest(testing_programs.ProgramTestCase):
    program = "synthesis.gallery"

    def test_gallery_is_not_overwritten(self):
        flags = ["--per_condition=2", "--condition=Acne,Vitiligo", "--output=F.png"]
        done = self.run_program(*flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"F\.png \(.* dpi\): 2 conditions")
        path = pathlib.Path(self.folder, "F.png")
        picture = path.read_bytes()
        done = self.run_program(*flags, "--seed=1")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "^error: .*F.png: exists; .*\n$")
        self.assertEqual(path.read_bytes(), picture)


if __name__ == "__main__":
    absltest.main()
