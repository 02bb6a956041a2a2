import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import urllib.request

from common import locks
from evaluation.reader_study import answer_key, build, pictures, testing
from evaluation.reader_study.build import StudyRequest
from evaluation.reader_study.design import Design
from preprocessing.data import records
from training import testing_data, testing_programs

_SMALL = [
    "--real=6",
    "--synthetic=6",
    "--repeats=2",
    "--pairs=2",
    "--questions=2",
    "--images_per_question=4",
    "--readers=3",
    "--image_pixels=32",
]
_IDS = ("case_id", "patient_id", "image_id")
_ROOT = pathlib.Path(__file__).parents[2]


class ReaderStudyProgramTest(testing_programs.ProgramTestCase):
    program = "evaluation.reader_study"

    def _fails(self, message, *arguments):
        result = self.run_program(*arguments)
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertRegex(result.stderr, f"^error: .*{message}.*\n$")

    def test_builds_serves_and_scores(self):
        consent = pathlib.Path(self.folder, "consent.txt")
        consent.write_text("First <part>.\n\nSecond\npart.\n")
        result = self.run_program("build", "--output_dir=study", "--consent=consent.txt", *_SMALL)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("answer_key.json  DO NOT HAND OUT", result.stdout)
        folder = str(pathlib.Path(self.folder, "study"))
        key = answer_key.read_key(folder)
        page = answer_key.page_path(folder, "reader_01").read_text()
        self.assertIn("<p>First &lt;part&gt;.</p>", page)
        self.assertIn("<p>Second part.</p>", page)
        synthetic = [one for one in key.pictures.values() if one.synthetic]
        self.assertTrue(all(one.source.startswith("map ") for one in synthetic))
        self.assertEqual(key.made_from["synthetic"]["step"], 2)
        self._check_overwriting(folder, key)
        self._serve_and_answer(key)
        self._fails(
            "no finished answers: .*reader_01. is not finished", "score", "--study_dir=study"
        )
        for reader in list(key.readers)[1:]:
            answers = testing.answer_all(key, reader, lambda one: not one.synthetic)
            path = pathlib.Path(folder, "answers", f"{reader}.json")
            testing.save(path, testing.document(key, answers))
        result = self.run_program("score", "--study_dir=study")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("2 readers scored", result.stdout)
        self.assertRegex(result.stdout, r"TPR: photographs taken for real +1.00 ± 0.00")
        self.assertRegex(
            result.stdout, r"left out: .*\(reader_01\) is not finished: 1 of 18 answered"
        )
        content = json.loads(pathlib.Path(folder, "results", "reader_study.json").read_text())
        self.assertLen(content["readers"], 2)
        self._check_moving(folder, key)

    def _check_overwriting(self, folder, key):
        with self.assertRaisesRegex(ValueError, "holds a study, .* pass --overwrite"):
            build.check_no_study(folder, overwrite=False)
        build.check_no_study(folder, overwrite=True)

    def _check_moving(self, folder, key):
        """A study with answers is replaced only where it goes elsewhere, whole."""
        with self.assertRaisesRegex(ValueError, "holds answers .* pass --move_old_to=FOLDER"):
            build.check_no_study(folder, overwrite=True)
        moved = str(pathlib.Path(self.folder, "old", "study"))
        for taken in (self.folder, folder, f"{folder}/old"):
            with self.assertRaisesRegex(ValueError, "--move_old_to is"):
                build.check_no_study(folder, True, taken)
        build.check_no_study(folder, False, moved)
        at_work = self.assertRaisesRegex(ValueError, "another run is at work there: serve")
        with locks.only_writer(pathlib.Path(folder, "answers"), "serve"), at_work:
            build.move_study(folder, moved)
        build.move_study(folder, moved)
        build.check_no_study(folder, overwrite=False)
        self.assertEqual(answer_key.read_key(moved), key)
        panel, _ = answer_key.load_answers([f"{moved}/answers"], key)
        self.assertLen(panel, 2)

    def _serve_and_answer(self, key):
        """Answers one trial of the first reader over HTTP, and ends the server as users do."""
        program = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "evaluation.reader_study",
                "serve",
                "--study_dir=study",
                "--port=0",
            ],
            cwd=_ROOT,
            env={**os.environ, "BUILD_WORKING_DIRECTORY": self.folder},
            stdout=subprocess.PIPE,
            text=True,
        )
        address = re.fullmatch(
            r"reader_01  (http://127.0.0.1:\d+/r/\S+)\n", program.stdout.readline()
        )[1]
        self.assertTrue(address.endswith(key.readers["reader_01"].token))
        answers = testing.answer_all(key, "reader_01", lambda one: True, finished="")
        sent = testing.document(key, answers)
        del sent["content"]["answers"][1:]
        sent = testing.reseal(key, sent)
        said = [program.stdout.readline() for _ in range(4)]
        self.assertEqual(said[-1], "0 of 3 readers have begun\n")
        with urllib.request.urlopen(f"{address}/answers", json.dumps(sent).encode()) as response:
            self.assertEqual(response.read(), b"saved")
        self._fails("another run is at work there: reader_study", "serve", "--study_dir=study")
        program.send_signal(signal.SIGINT)
        rest, _ = program.communicate(timeout=30)
        self.assertEqual(program.returncode, 0)
        self.assertStartsWith(rest, "1 of 3 readers have begun: reader_01 1 of 18\n")
        self.assertIn("answers.sqlite\nnext: bazel run //evaluation:reader_study -- score", rest)

    def _build(self, painter, design, conditions=None):
        """Builds in this process, where TensorFlow is loaded already; returns the key."""
        folder = self.create_tempdir().full_path
        data = str(pathlib.Path(self.folder, "data"))
        numbers = dataclasses.asdict(design) if isinstance(design, Design) else design
        request = StudyRequest(numbers, readers=2, image_pixels=16, conditions=conditions)
        said = build.build_study(request, folder, data, painter)
        return answer_key.read_key(folder), said

    def _records(self, synthetic, image_size=testing_data.IMAGE_SIZE):
        """Writes records as of //synthesis:generate: 7 of Acne and 7 of Melanoma."""
        folder = pathlib.Path(self.create_tempdir().full_path)
        testing_data.write_dataset(
            str(folder), image_size, ("Acne", "Melanoma"), (14, 1, 1), shards=1
        )
        shard = folder / "crops" / records.shard_name("train", 0, 1)
        painted = [
            dataclasses.replace(
                record, synthetic=synthetic, **dict.fromkeys(_IDS, f"synthetic_{number}")
            )
            for number, record in enumerate(records.read(str(folder), "crops", "train"))
        ]
        testing_data.write_records(shard, painted)
        return str(folder)

    def test_shows_generated_records(self):
        painter = pictures.RecordPainter(self._records(synthetic=True))
        # 11 photographs of these conditions for 8 of the realism test and 4 of pairs.
        key, said = self._build(painter, Design(8, 8, 2, 4, 0))
        self.assertIn("note: 1 photographs are in more than one part", said)
        self.assertEqual(key.made_from["conditions"], ["Acne", "Melanoma"])
        for reader in key.readers.values():
            self.assertLen(reader.trials, 8 + 8 + 2 + 4)
        sources = [one.source for one in key.pictures.values() if one.synthetic]
        self.assertLen(set(sources), 11)
        self.assertTrue(all(source.startswith("synthetic_") for source in sources))
        with self.assertRaisesRegex(ValueError, ": 7 synthetic images of Acne, the study needs 8"):
            self._build(painter, Design(2, 8, 0, 0, 0), ["Acne"])

    def test_shows_as_many_as_there_are(self):
        painter = pictures.RecordPainter(self._records(synthetic=True))
        key, said = self._build(painter, dict.fromkeys(dataclasses.asdict(Design())))
        # 11 photographs and 7 synthetic images of each of two conditions.
        found = key.made_from["design"]
        self.assertBetween(found["real"], 6, 11)
        self.assertEqual(found["synthetic"], found["real"])
        self.assertEqual((found["pairs"], found["images_per_question"]), (0, 4))
        self.assertRegex(said, f"note: reduced, with 11 .*: real 80 to {found['real']}, synthetic")
        key, said = self._build(painter, {"real": 5, "questions": 0})
        self.assertEqual(key.made_from["design"], dataclasses.asdict(Design(5, 5, 2, 0, 0, 12)))
        self.assertIn(": repeats 16 to 2", said)
        with self.assertRaisesRegex(ValueError, "pass --real=11 or less"):
            self._build(painter, {"real": 40})

    def test_says_what_cannot_be_shown(self):
        painter = pictures.RecordPainter(self._records(synthetic=True))
        with self.assertRaisesRegex(
            ValueError,
            "^80 photographs are asked for, but the test split has only 11 different "
            "ones of these conditions; pass --real=11 or less$",
        ):
            self._build(painter, Design())
        with self.assertRaisesRegex(ValueError, "no test crop, or no map .*, of Psoriasis$"):
            self._build(painter, Design(), ["Acne", "Psoriasis"])
        with self.assertRaisesRegex(ValueError, "train0|synthetic_0 is not marked as synthetic"):
            pictures.RecordPainter(self._records(synthetic=False))
        with self.assertRaisesRegex(
            ValueError, "photographs of 32x32 beside synthetic images of 16x16: resolution would"
        ):
            small = pictures.RecordPainter(self._records(True, image_size=16))
            self._build(small, Design(4, 4, 0, 0, 0))

    def test_bad_input_is_named(self):
        self._fails("a command comes first, one of build, serve, score, power; see --help")
        self._fails("unknown command 'biuld'; it comes first", "biuld", "--output_dir=x")
        self._fails("x: not a reader study", "score", "--study_dir=x")
        self.assertFalse(pathlib.Path(self.folder, "x").exists())

    def test_help_is_of_the_command(self):
        result = self.run_program("--help")
        self.assertIn("build makes one page per reader", result.stdout)
        result = self.run_program("power", "--help")
        self.assertIn("--picture_sd", result.stdout)
        self.assertNotIn("--image_pixels", result.stdout)
        result = self.run_program("power", "--readers=5", "--pictures=20", "--studies=20")
        self.assertRegex(result.stdout, r"\| 5 \| 20 \+ 20 \| ± 0\.\d\d \|")


if __name__ == "__main__":
    testing_programs.absltest.main()
