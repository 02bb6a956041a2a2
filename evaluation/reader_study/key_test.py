import json
import os
import pathlib
import stat

from absl.testing import absltest, parameterized

from evaluation.reader_study import key as reader_study_key
from evaluation.reader_study import testing


class KeyTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.key = testing.write_study(self.folder)
        self.path = reader_study_key.key_path(self.folder)

    def test_is_read_as_written(self):
        self.assertEqual(reader_study_key.read(self.folder), self.key)

    def test_is_apart_and_for_its_owner(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        warning = self.path.with_name("DO_NOT_HAND_OUT.txt").read_text()
        self.assertIn("do not hand it out", warning)
        handed_out = pathlib.Path(self.folder, "hand_out")
        self.assertEqual(
            sorted(path.name for path in handed_out.iterdir()),
            [f"reader_0{number}.html" for number in range(1, 5)],
        )

    def test_readers_have_tokens_of_their_own(self):
        again = testing.small_study()[0]
        tokens = [one.token for key in (self.key, again) for one in key.readers.values()]
        self.assertLen(set(tokens), 8)  # whatever the seed
        self.assertGreaterEqual(min(map(len, tokens)), 32)
        self.assertNotEqual(again.study, self.key.study)

    def test_a_smaller_study_leaves_no_page_of_an_earlier_one(self):
        testing.write_study(self.folder, readers=2)
        pages = sorted(path.name for path in pathlib.Path(self.folder, "hand_out").iterdir())
        self.assertEqual(pages, ["reader_01.html", "reader_02.html"])

    @parameterized.parameters(
        (("format_version",), 9, "format version 9, this program reads 1"),
        (("pictures", "p00000", "condition"), "Pox", "unknown condition 'Pox'"),
        (("pictures", "p00000", "skin_type"), 9, "Fitzpatrick skin type 9 is not in 1..6"),
        (("readers", "reader_01", "trials", 0, "kind"), "x", "unknown kind of trial 'x'"),
        (("readers", "reader_01", "trials", 0, "pictures"), ["q"], "unknown picture 'q'"),
        (("readers", "reader_01", "trials", 0, "why"), 1, "unexpected keyword argument 'why'"),
    )
    def test_says_what_is_wrong(self, where, value, message):
        content = json.loads(self.path.read_text())
        inner = content
        for name in where[:-1]:
            inner = inner[name]
        inner[where[-1]] = value
        self.path.write_text(json.dumps(content))
        with self.assertRaisesRegex(ValueError, f"answer_key.json: not an answer key .*{message}"):
            reader_study_key.read(self.folder)

    def test_says_what_is_missing(self):
        self.path.write_text("{")
        with self.assertRaisesRegex(ValueError, "answer_key.json: not an answer key"):
            reader_study_key.read(self.folder)
        self.path.unlink()
        with self.assertRaisesRegex(ValueError, "not a reader study; it has no keep_secret/answer"):
            reader_study_key.read(self.folder)


if __name__ == "__main__":
    absltest.main()
