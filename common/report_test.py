import json
import pathlib

from absl.testing import absltest

from common import files, report


class ResultFilesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path, "new", "fid.json")

    def test_the_same_protocol_may_be_replaced(self):
        protocol = {"trials": 5, "sizes": (1, 2)}
        report.check(self.path, protocol, overwrite=False)
        report.write(self.path, {"protocol": protocol, "value": 1})
        report.check(self.path, protocol, overwrite=False)
        stored = json.loads(self.path.read_text())
        self.assertEqual(stored["value"], 1)
        self.assertContainsSubset({"date", "python", "packages"}, stored)
        self.assertIn("tensorflow", stored["packages"])

    def test_another_protocol_may_not(self):
        report.write(self.path, {"protocol": {"trials": 5}})
        with self.assertRaisesRegex(ValueError, "fid.json: holds a measurement by another protoc"):
            report.check(self.path, {"trials": 6}, overwrite=False)
        report.check(self.path, {"trials": 6}, overwrite=True)

    def test_what_cannot_be_read_is_not_replaced(self):
        files.write_text(self.path, "{")
        with self.assertRaisesRegex(ValueError, "--overwrite"):
            report.check(self.path, {}, overwrite=False)


if __name__ == "__main__":
    absltest.main()
