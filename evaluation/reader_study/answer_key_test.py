import contextlib
import dataclasses
import json
import os
import pathlib
import sqlite3
import stat
from unittest import mock

from absl.testing import absltest, parameterized

from evaluation.reader_study import answer_key, answer_store, testing
from evaluation.reader_study.testing import answer_all, document, save


class KeyTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.key = testing.write_study(self.folder)
        self.path = answer_key.key_path(self.folder)

    def test_is_read_as_written(self):
        self.assertEqual(answer_key.read_key(self.folder), self.key)

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
            answer_key.read_key(self.folder)

    def test_says_what_is_missing(self):
        self.path.write_text("{")
        with self.assertRaisesRegex(ValueError, "answer_key.json: not an answer key"):
            answer_key.read_key(self.folder)
        self.path.unlink()
        with self.assertRaisesRegex(ValueError, "not a reader study; it has no keep_secret/answer"):
            answer_key.read_key(self.folder)


def _truthful(picture):
    return not picture.synthetic


class CheckTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.key, _ = testing.small_study()

    def setUp(self):
        super().setUp()
        self.answers = answer_all(self.key, "reader_01", _truthful)
        self.document = document(self.key, self.answers)

    def _reseal(self):
        content = self.document["content"]
        token = self.key.readers["reader_01"].token
        self.document["seal"] = answer_key.seal(content, token)

    def test_reads_what_was_answered(self):
        self.assertEqual(answer_key.check_answers(self.document, self.key), self.answers)

    def test_seal_is_that_of_the_page(self):
        # From the page's own JavaScript: hmac('t', JSON.stringify({a: [1, "é\n\u2028"]})).
        self.assertEqual(
            answer_key.seal({"a": [1, "\xe9\n\u2028"]}, "t"),
            "6a2890d2a75b442926a1c9c825b1fa905c3fd91ee42509487d76819e276ae8b4",
        )

    @parameterized.parameters(
        ("study", "0000", "is of another study, '0000'; this is "),
        ("reader", "reader_99", "is of the reader 'reader_99', who was not asked"),
        ("format", "x", "is not a file of answers"),
        ("version", 2, "has format version 2, this program reads 1"),
        ("role", "chief", "holds the profile 'chief', '2'"),
        ("finished", 3, "is not a file of answers"),
        ("answers", None, "has an answer that cannot be read"),
    )
    def test_refuses_fields(self, name, value, message):
        self.document["content"][name] = value
        if name != "reader":
            self._reseal()
        with self.assertRaisesRegex(ValueError, message):
            answer_key.check_answers(self.document, self.key)

    @parameterized.parameters(
        ("realism_001", "choice", "maybe", "holds the answer 'maybe' to realism_001"),
        ("realism_001", "choice", ["real"], "holds the answer .* to realism_001"),
        ("realism_001", "ms", -1, "holds the time '-1' for realism_001"),
        ("realism_001", "ms", True, "holds the time 'True' for realism_001"),
        ("realism_001", "trial", "realism_002", "answers realism_002 twice"),
        ("realism_001", "trial", "realism_999", "answers 'realism_999', which was not asked"),
        ("pair_001", "choice", "left_4", "holds the answer 'left_4' to pair_001"),
        ("relevance_001", "choice", [8], r"holds the answer '\[8\]' to relevance_001"),
        ("relevance_001", "choice", [1, 1], r"holds the answer '\[1, 1\]' to relevance_001"),
        ("relevance_001", "choice", [True], r"holds the answer '\[True\]' to relevance_001"),
    )
    def test_refuses_answers(self, trial, field, value, message):
        entry = next(one for one in self.document["content"]["answers"] if one["trial"] == trial)
        entry[field] = value
        self._reseal()
        with self.assertRaisesRegex(ValueError, message):
            answer_key.check_answers(self.document, self.key)

    def test_refuses_what_was_changed(self):
        entry = self.document["content"]["answers"][0]
        entry["choice"] = "real" if entry["choice"] == "synthetic" else "synthetic"
        with self.assertRaisesRegex(ValueError, "was changed after it was saved"):
            answer_key.check_answers(self.document, self.key)
        # Another reader's token does not help.
        token = self.key.readers["reader_02"].token
        self.document["seal"] = answer_key.seal(self.document["content"], token)
        with self.assertRaisesRegex(ValueError, "was changed after it was saved"):
            answer_key.check_answers(self.document, self.key)

    @parameterized.parameters(
        "1", '"text"', "[1]", '{"content": []}', '{"content": {}, "seal": ""}'
    )
    def test_refuses_other_json(self, text):
        other = json.loads(text)
        with self.assertRaisesRegex(ValueError, "is not a file of answers"):
            answer_key.check_answers(other, self.key)

    def test_refuses_what_only_claims_to_be_finished(self):
        del self.document["content"]["answers"][3:]
        self._reseal()
        with self.assertRaisesRegex(ValueError, "claims to be finished but lacks 23 answers"):
            answer_key.check_answers(self.document, self.key)


class LoadTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.key, _ = testing.small_study()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _save(self, name, reader, looks_real=_truthful, finished="now", number=None):
        answers = answer_all(self.key, reader, looks_real, finished)
        if number is not None:
            kept = dict(list(answers.answers.items())[:number])
            answers = dataclasses.replace(answers, answers=kept)
        return save(self.folder / name, document(self.key, answers))

    def _load(self):
        return answer_key.load_answers([str(self.folder)], self.key)

    def test_keeps_one_finished_file_of_each_reader(self):
        self._save("a.json", "reader_01")
        self._save("b.json", "reader_02", finished="", number=5)  # then finished:
        self._save("c.json", "reader_02")
        self._save("d.json", "reader_03", finished="", number=7)
        self._save("e.json", "reader_01")  # sent twice
        (self.folder / "f.json").write_text("{")
        (self.folder / "g.json").write_bytes(b" " * (1 << 20) + b"{}")
        (self.folder / "h.json").write_text("[" * 100000)
        other, _ = testing.small_study()
        foreign = document(other, answer_all(other, "reader_04", _truthful))
        save(self.folder / "i.json", foreign)
        panel, refused = self._load()
        self.assertEqual([one.reader for one in panel], ["reader_01", "reader_02"])
        reasons = {pathlib.Path(one.source).name: one.reason for one in refused}
        self.assertEqual(
            reasons,
            {
                "b.json": "is not finished: 5 of 26 answered",
                "d.json": "is not finished: 7 of 26 answered",
                "e.json": f"is the same as {self.folder / 'a.json'}",
                "f.json": "is not JSON",
                "g.json": "is too large for a file of answers",
                "h.json": "is not JSON",
                "i.json": f"is of another study, '{other.study}'; this is {self.key.study}",
            },
        )

    def test_counts_none_of_files_that_differ(self):
        self._save("a.json", "reader_01")
        self._save("b.json", "reader_01", lambda picture: picture.synthetic)
        self._save("c.json", "reader_02")
        panel, refused = self._load()
        self.assertEqual([one.reader for one in panel], ["reader_02"])
        self.assertEqual(
            {one.reason for one in refused},
            {"is one of 2 files of reader_01 that differ; keep the right one"},
        )
        self.assertLen(refused, 2)

    def test_says_when_nothing_counts(self):
        with self.assertRaisesRegex(ValueError, "^no finished answers there$"):
            self._load()
        path = self._save("a.json", "reader_01", finished="", number=5)
        with self.assertRaisesRegex(ValueError, f"^no finished answers: {path} is not finished"):
            self._load()
        with self.assertRaisesRegex(ValueError, "gone: no such file or folder of answers"):
            answer_key.load_answers([str(self.folder / "gone")], self.key)

    def test_names_and_leaves_out_what_is_no_file_of_answers(self):
        text = json.dumps(document(self.key, answer_all(self.key, "reader_01", _truthful)))
        (self.folder / "a.json").write_text(text.replace("trainee", r"\ud800"))
        (self.folder / "b.json").write_bytes(b"\xff\xfe\x00")
        os.mkfifo(self.folder / "c.json")
        (self.folder / "d.json").mkdir()
        (self.folder / "e.json").symlink_to("nowhere")
        (self.folder / "f.json").write_text(
            text.replace('"trainee"', '{"a":' * 300 + "1" + "}" * 300)
        )
        pathlib.Path(os.fsdecode(bytes(self.folder) + b"/g\xff.json")).write_text("{")
        (self.folder / "h.sqlite").write_text("text " * 100)
        sqlite3.connect(self.folder / "i.sqlite").close()
        os.mkfifo(self.folder / "j.sqlite")
        with contextlib.closing(sqlite3.connect(self.folder / "k.sqlite")) as other:
            other.execute("CREATE TABLE answers (study, reader, document)")
            rows = [("", b"\xff", None), ("", "r", b"\xff"), ("", 1, 2)]
            other.executemany("INSERT INTO answers VALUES (?, ?, ?)", rows)
            other.commit()
        self._save("z.json", "reader_02")
        panel, refused = self._load()
        self.assertEqual([one.reader for one in panel], ["reader_02"])
        reasons = {one.source.rpartition("/")[2]: one.reason for one in refused}
        self.assertEqual(
            reasons,
            {
                "a.json": "holds what is no text in Unicode",
                "b.json": "is not JSON",
                "c.json": "is not a regular file",
                "d.json": "is not a regular file",
                "e.json": "is not a regular file",
                "f.json": "is not a file of answers",
                r"g\xff.json": "is not JSON",
                "h.sqlite": "is not a database of answers (file is not a database)",
                "i.sqlite": "is not a database of answers (no such table: answers)",
                "j.sqlite": "is not a regular file",
                "k.sqlite (1)": "is not a file of answers",
                r"k.sqlite (\xff)": "is not JSON",
                "k.sqlite (r)": "is not JSON",
            },
        )
        json.dumps(reasons, ensure_ascii=False).encode()  # can be printed

    def test_waits_for_a_database_that_is_locked(self):
        path = self.folder / "answers.sqlite"
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("CREATE TABLE answers (study, reader, document)")
            other.execute("BEGIN EXCLUSIVE")
            self.enter_context(mock.patch.object(answer_store, "_BUSY_SECONDS", 0.01))
            with self.assertRaisesRegex(ValueError, "sqlite: is locked by another .*; score"):
                self._load()


if __name__ == "__main__":
    absltest.main()
