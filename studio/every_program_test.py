"""What holds for all programs alike. It stands in the last room, which may use all others."""

import pathlib

from absl.testing import absltest, parameterized

from common.testing_programs import run_program

# Program (first words of its command line), absurd flag, the limits that the line names.
_ABSURD = (
    ("preprocessing.demo_cases", "--num_cases=2000000000", "[1, 1000000]"),
    ("preprocessing.preprocess", "--candidates=-3", "[1, 10000]"),
    ("training.train", "--config.training.batch_size=2000000", "1..4,096"),
    ("synthesis.generate", "--num_images=2000000000", "[1, 10000000]"),
    ("synthesis.generate", "--batch_size=2000000", "[1, 4096]"),
    ("synthesis.generate", "--seed=-1", "[0, 2147483647]"),
    ("synthesis.gallery", "--seed=99999999999", "[0, 2147483647]"),
    ("evaluation.fid", "--num_images=2000000000", "[0, 1000000]"),
    ("evaluation.ablation", "--seeds=0,-1", "[0, 2147483647]"),
    ("evaluation.augmentation", "--num_synthetic=2000000000", "[1, 10000000]"),
    ("evaluation.reader_study power", "--readers=5,2000000000", "[1, 1000]"),
    ("studio", "--step=-1", "[0, 1000000000]"),
)


class EveryProgramTest(parameterized.TestCase):
    @parameterized.parameters(*_ABSURD)
    def test_an_absurd_number_is_one_line_with_its_limits(self, program, flag, limits):
        folder = self.create_tempdir().full_path
        module, *command = program.split()
        done = run_program(module, *command, flag, folder=folder)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertRegex(done.stderr, r"^error: .*\n$")
        self.assertIn(limits, done.stderr)
        self.assertEmpty(list(pathlib.Path(folder).iterdir()))


if __name__ == "__main__":
    absltest.main()
