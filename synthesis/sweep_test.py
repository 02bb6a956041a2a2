import os
import pathlib

from absl.testing import absltest

from synthesis import provenance
from training import testing_programs


class SweepProgramTest(testing_programs.ProgramTestCase):
    program = "synthesis.sweep"

    def test_kinds(self):
        for kind, rows, flags in (
            ("skin_type", 3, ["--split=test", "--rows=3"]),
            ("lesion", 1, ["--rows=1", "--like=train0"]),
            ("size", 2, ["--sizes=20,50", "--skin_type=5", "--condition=Acne,Melanoma,Acne"]),
        ):
            done = self.run_program(f"--kind={kind}", f"--output=pictures/{kind}.png", *flags)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stdout, rf"{kind}\.png \(.* dpi\): {rows} rows")
            png = pathlib.Path(self.folder, "pictures", f"{kind}.png").read_bytes()
            self.assertIsNotNone(provenance.read(png))

    def test_a_bad_flag_is_one_line(self):
        done = self.run_program("--kind=size", "--output=bad.png", "--split=test")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "error: --kind=size and --split exclude each other\n")
        self.assertFalse(os.path.exists(os.path.join(self.folder, "bad.png")))


if __name__ == "__main__":
    absltest.main()
