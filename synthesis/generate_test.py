import json
import os
import pathlib

from absl.testing import absltest

from preprocessing.data import records
from synthesis import painting
from training import testing_programs


class GenerateProgramTest(testing_programs.ProgramTestCase):
    program = "synthesis.generate"

    def test_balance(self):
        done = self.run_program(
            "--num_images=12", "--balance=condition,skin_type", "--output_dir=new",
            "--images_per_shard=5", "--direct_num_workers=1",
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"Acne +4 +0 -> 1 +0 -> 1 +4")
        output = pathlib.Path(self.folder, "new")
        manifest = json.loads((output / "manifest.json").read_text())
        self.assertEqual(manifest["request"]["balance"], ["condition", "skin_type"])
        self.assertEqual(records.read_info(str(output)).count("crops", "train"), 12)
        self.assertLen(records.list_shards(str(output), "crops", "train"), 3)

    def test_requests(self):
        path = pathlib.Path(self.folder, "wanted.csv")
        path.write_text(
            "condition,skin_type,count,rois,seed\n"
            "Acne,6,1,1 1 20 20,77\nAcne,6,1,1 1 20 20,\nCyst,1,1,,\n"
        )
        flags = ["--requests=wanted.csv", "--output_dir=wanted"]
        done = self.run_program(*flags)
        self.assertEqual(done.returncode, 1)
        self.assertIn("error: the generator has never seen Cyst", done.stderr)
        done = self.run_program(*flags, "--allow_unseen")
        self.assertEqual(done.returncode, 0, done.stderr)
        output = os.path.join(self.folder, "wanted")
        info = records.read_info(output)
        self.assertEqual(info.counts["crops"]["train"], {"Acne": {"6": 2}, "Cyst": {"1": 1}})
        seeds = [record.seed for record in records.read(output, "crops", "train")]
        self.assertEqual(seeds, [77, painting.image_seed(0, 1), painting.image_seed(0, 2)])

    def test_bad_flags(self):
        done = self.run_program("--output_dir=bad", "--num_images=5", "--run_dir=nowhere")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nowhere: not a run directory", done.stderr)
        self.assertLen(done.stderr.strip().splitlines(), 1)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "bad")))


if __name__ == "__main__":
    absltest.main()
