import os

from absl.testing import absltest

from training import testing_programs


class ExportProgramTest(testing_programs.ProgramTestCase):
    program = "synthesis.export"

    def test_exports_once(self):
        done = self.run_program("--output_dir=out")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("SavedModel with from_map and from_request", done.stdout)
        for name in ("saved_model.pb", "MODEL_CARD.md", "assets/taxonomy.json"):
            self.assertGreater(os.path.getsize(os.path.join(self.folder, "out", name)), 0)
        done = self.run_program("--output_dir=out")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "^error: .*out: exists; ")

    def test_onnx(self):
        done = self.run_program("--output_dir=onnx", "--format=onnx")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, "next: give .*onnx/model.onnx to any runtime of ONNX")
        for name in ("model.onnx", "noise.py", "MODEL_CARD.md", "assets/taxonomy.json"):
            self.assertGreater(os.path.getsize(os.path.join(self.folder, "onnx", name)), 0)

    def test_unknown_step(self):
        done = self.run_program("--output_dir=other", "--step=3")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "^error: .*no checkpoint of step 3; there are 2")


if __name__ == "__main__":
    absltest.main()
