import os
import pathlib
import shutil
import time
from unittest import mock

from absl.testing import absltest

from common import files, testing_s3
from preprocessing.sharding import jobs

_ONE = ("--direct_num_workers=1",)


def _write(plan, outputs):
    """Writes a record of each text in the plan; the text "full" is a full disk."""
    file = outputs.records("crops")
    for number, text in enumerate(plan["texts"]):
        if text == "full":
            raise OSError(28, "No space left on device")
        file.append(text.encode(), "Acne", number)
        outputs.write(f"images/{text}.png", text.encode())
    return {"counts": file.counts}


def _origin(plan):
    return {"input": files.digest_of(plan["texts"]), "settings": files.digest_of(plan["seed"])}


def _program():
    return "program 1"


def _other_program():
    return "program 2"


def _shards(*texts, seed=0):
    return [
        jobs.Shard(f"s{number}.tfrecord", {"texts": text.split(), "seed": seed}, len(text.split()))
        for number, text in enumerate(texts)
    ]


class JobTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path) / "out"
        self.job = self._job()
        self.shards = _shards("a b", "c d e", "f")

    def _job(self, program=_program, write=_write):
        return jobs.ShardJob(str(self.folder), ("crops", "images"), write, _origin, program)

    def _run(self, *beam_args, job=None, shards=None):
        return (job or self.job).run(shards or self.shards, beam_args or _ONE)

    def _files(self):
        return {
            path.relative_to(self.folder).as_posix(): path.stat().st_mtime_ns
            for kind in ("crops", "images")
            for path in (self.folder / kind).iterdir()
        }

    def test_writes_files_and_tells_what(self):
        names = self._run()
        self.assertEqual(names, ["s0.tfrecord", "s1.tfrecord", "s2.tfrecord"])
        self.assertEqual((self.folder / "crops" / names[1]).read_bytes(), b"cde")
        self.assertLen(self._files(), 3 + 6)
        done = list(self.job.results(names))
        self.assertEqual(done[1]["counts"], {"Acne": {"0": 1, "1": 1, "2": 1}})
        self.assertCountEqual(
            done[0]["outputs"], ["crops/s0.tfrecord", "images/a.png", "images/b.png"]
        )
        for path, output in done[0]["outputs"].items():
            self.assertEqual(output, files.output_of(self.folder / path))
        self.assertCountEqual(done[0]["made_from"], ["input", "settings", "program"])

    def test_a_finished_job_is_left_alone(self):
        self._run()
        before = self._files()
        self.assertLen(self._run(), 3)
        self.assertEqual(self._files(), before)

    def _anew(self, job=None, shards=None):
        """Runs again; returns the record files that were made anew."""
        before = self._files()
        names = self._run(job=job, shards=shards)
        after = self._files()
        for done in self.job.results(names):
            for path, output in done["outputs"].items():
                self.assertEqual(output, files.output_of(self.folder / path))
        return [path for path in after if path[0] == "c" and after[path] != before.get(path)]

    def test_what_does_not_fit_is_made_anew(self):
        self._run()
        self.assertEqual(self._anew(shards=_shards("a b", "c x", "f")), ["crops/s1.tfrecord"])
        self.assertNotIn("images/d.png", self._files())
        with self.assertLogs("absl", "WARNING") as logs:
            self.assertLen(self._anew(shards=_shards("a b", "c x", "f", seed=1)), 3)
        self.assertIn("taking up 0 of 3 shards from an interrupted run", logs.output[0])
        self.assertIn("3 finished shards are made anew: their input, the", logs.output[1])
        self.assertLen(self._anew(job=self._job(program=_other_program)), 3)
        self.assertEqual(self._anew(job=self._job(program=_other_program)), [])

    def test_files_that_changed_are_made_anew(self):
        self._run()
        path = self.folder / "crops" / "s0.tfrecord"
        path.write_bytes(b"xy")  # the size is the same
        (self.folder / "images" / "f.png").unlink()
        self.assertEqual(self._anew(), ["crops/s0.tfrecord", "crops/s2.tfrecord"])
        self.assertEqual(path.read_bytes(), b"ab")

    def test_what_belongs_to_no_shard_is_removed(self):
        self._run()
        for name in ("crops/s0.tfrecord.123.tmp", "crops/s9.tfrecord", "images/z.png"):
            (self.folder / name).touch()
        (self.folder / "mine.txt").touch()
        self.assertEqual(self._anew(shards=self.shards[:2]), [])
        self.assertCountEqual(
            self._files(),
            ["crops/s0.tfrecord", "crops/s1.tfrecord", *(f"images/{i}.png" for i in "abcde")],
        )
        self.assertTrue((self.folder / "mine.txt").exists())

    def test_a_full_disk_is_told_in_one_line_and_leaves_nothing_half(self):
        with self.assertRaisesRegex(
            ValueError,
            r"^\S+/out: s1\.tfrecord: \[Errno 28\] No space left on device; what is finished is "
            "kept, and the same command goes on$",
        ):
            self._run(shards=_shards("a b", "c full", "f"))
        self.assertCountEqual(os.listdir(self.folder / "crops"), ["s0.tfrecord", "s2.tfrecord"])
        self.assertEqual(self._anew(), ["crops/s1.tfrecord"])

    def test_a_disk_that_takes_no_note(self):
        self.folder.write_text("no folder")
        self.job.note_failure("s1.tfrecord", OSError("full"))
        self.assertIn("s1.tfrecord: could not be written", str(self.job.error_of("s1.tfrecord")))

    def test_storage_that_takes_and_removes_nothing(self):
        with testing_s3.serving_s3() as server:
            folder = f"s3://{testing_s3.BUCKET}/out"
            job = jobs.ShardJob(folder, ("crops",), _write, _origin, _program)
            server.fail("", 1000, status=403)
            with self.assertRaises(PermissionError):
                job.marker("s1.tfrecord").unlink(missing_ok=True)
            jobs._Write(job).process("s1.tfrecord")

    def test_an_output_that_is_missing_at_the_end(self):
        def forget(plan, outputs):
            content = _write(plan, outputs)
            (self.folder / "images" / "c.png").unlink(missing_ok=True)
            return content

        with self.assertRaisesRegex(ValueError, "s1.tfrecord: could not be written"):
            self._run(job=self._job(write=forget))

    def test_after_the_first_missing_shard_no_other_is_asked_for(self):
        asked = []

        def committed(marker, *args, **kwargs):
            asked.append(marker)
            time.sleep(0.001)

        shards = _shards(*(["full"] * 300))
        with (
            mock.patch.object(files, "committed", committed),
            mock.patch.object(jobs.beam_runner, "pipeline"),
            self.assertRaisesRegex(ValueError, "s0.tfrecord: could not"),
        ):
            self._run(shards=shards)
        self.assertLess(len(asked), 150)

    def test_a_worker_that_has_outlived_its_run_changes_nothing(self):
        self.job.prepare(self.shards)

        def slow(plan, outputs):
            self._job(program=_other_program).prepare(_shards("x", "y", "z"))
            return _write(plan, outputs)

        with self.assertRaisesRegex(ValueError, "the plan was changed while"):
            self._job(write=slow).write_shard("s0.tfrecord")
        self.assertFalse((self.folder / "crops" / "s0.tfrecord").exists())
        self.assertEqual(self.job.markers(), [])

    def test_a_worker_of_another_version_is_refused(self):
        self.job.prepare(self.shards)
        with self.assertRaisesRegex(ValueError, "another version than the driver's"):
            self._job(program=_other_program).write_shard("s0.tfrecord")

    def test_processes_and_nothing_to_do(self):
        with mock.patch.object(jobs.beam_runner, "_available_cores", return_value=4):
            self._run("--direct_running_mode=multi_threading")
        self.assertLen(self._files(), 9)
        shutil.rmtree(self.folder)
        self.assertEqual(self.job.run([], _ONE), [])

    def test_progress_counts_items_of_finished_shards(self):
        seen = []

        def watching(count, total, what, unit):
            seen.append((total, what, unit))
            self.addCleanup(lambda: seen.append(count()))
            return mock.MagicMock()

        with mock.patch.object(jobs.progress, "watching", watching):
            self.job.run(self.shards, _ONE, "painting", "images")
        self.doCleanups()
        self.assertEqual(seen, [(6, "painting", "images"), 6])


if __name__ == "__main__":
    absltest.main()
