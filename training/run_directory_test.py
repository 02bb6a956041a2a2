import json
import pathlib
import time

import tensorflow as tf
from absl.testing import absltest, parameterized

from common import files
from training import run_directory, testing_data
from training.configs import demo


class MayContinueTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.data_dir = self.create_tempdir().full_path
        self.info = testing_data.write_dataset(self.data_dir)
        self.run = pathlib.Path(self.create_tempdir().full_path)

    def _description(self, in_use="float32", **changes):
        config = demo.get_config()
        config.model.image_size = 64
        for field, value in changes.items():
            config.training[field] = value
        return run_directory.describe(config, self.data_dir, self.info, ["Acne"], in_use)

    def _store(self, description):
        files.write_json(self.run / "config.json", description)

    def test_description_has_what_it_takes_to_repeat_a_run(self):
        description = self._description()
        self.assertEqual(description["dataset"]["digest"], self.info.digest)
        self.assertEqual(description["dataset"]["conditions"], ["Acne"])
        self.assertEqual(description["packages"]["tensorflow"], "2.15.1")
        self.assertEqual(description["config"]["model"]["image_size"], 64)
        self.assertRegex(description["git_revision"], "^([0-9a-f]{40}(-dirty)?|unknown)$")
        json.dumps(description)

    def test_new_and_same_run(self):
        self.assertFalse(run_directory.may_continue(self.run, self._description(), None))
        self._store(self._description())
        self.assertTrue(run_directory.may_continue(self.run, self._description(), None))
        self.assertTrue(run_directory.may_continue(self.run, self._description(), True))

    def test_refusals(self):
        with self.assertRaisesRegex(ValueError, "nothing to resume; it has no config.json"):
            run_directory.may_continue(self.run, self._description(), True)
        self._store(self._description())
        with self.assertRaisesRegex(ValueError, "holds a run; choose another --workdir"):
            run_directory.may_continue(self.run, self._description(), False)
        other = demo.get_config().training.batch_size + 1
        message = f"config.training.batch_size was {other - 1}, is {other}.*another --workdir"
        with self.assertRaisesRegex(ValueError, message):
            run_directory.may_continue(self.run, self._description(batch_size=other), None)
        with self.assertRaisesRegex(ValueError, "precision was 'float32', is 'mixed_bfloat16'"):
            run_directory.may_continue(self.run, self._description("mixed_bfloat16"), None)

    def test_the_precision_that_was_chosen_stays(self):
        self.assertIsNone(run_directory.stored_precision(str(self.run)))
        self._store(self._description("mixed_bfloat16"))
        self.assertEqual(run_directory.stored_precision(str(self.run)), "mixed_bfloat16")
        # The same precision, now asked for by name, is the same run.
        asked = self._description("mixed_bfloat16", precision="mixed_bfloat16")
        self.assertTrue(run_directory.may_continue(str(self.run), asked, None))
        self._store(asked)
        self.assertIsNone(run_directory.stored_precision(str(self.run)))

    def test_begin_keeps_what_began_the_run_and_notes_what_continued_it(self):
        first = self._description()
        run_directory.begin(str(self.run), first, 0)
        path = self.run / "config.json"
        before = path.stat().st_mtime_ns
        run_directory.begin(str(self.run), first, 100)
        self.assertEqual(path.stat().st_mtime_ns, before)
        later = {**first, "git_revision": "f" * 40}
        run_directory.begin(str(self.run), later, 200)
        run_directory.begin(str(self.run), later, 300)
        stored = json.loads(path.read_text())
        self.assertEqual(stored["git_revision"], first["git_revision"])
        (continued,) = stored["continued"]
        self.assertEqual((continued["step"], continued["git_revision"]), (200, "f" * 40))
        self.assertTrue(run_directory.may_continue(str(self.run), later, None))

    def test_other_data_or_taxonomy(self):
        stored = self._description()
        stored["dataset"]["digest"] = "f" * 64
        self._store(stored)
        with self.assertRaisesRegex(ValueError, "dataset.digest was 'ffff"):
            run_directory.may_continue(self.run, self._description(), None)
        stored = self._description()
        stored["dataset"]["taxonomy"] = ["Acne"]
        self._store(stored)
        with self.assertRaisesRegex(ValueError, r"dataset.taxonomy was \['Acne'\]"):
            run_directory.may_continue(self.run, self._description(), None)


class ReadingTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _describe(self, text, name="run"):
        run = self.folder / name
        run.mkdir(exist_ok=True)
        (run / "config.json").write_text(text)
        return str(run)

    def test_newest_run(self):
        for name in ("b", "a"):
            self._describe("{}", name)
            time.sleep(0.02)
        self.assertEqual(run_directory.newest_run(str(self.folder)), str(self.folder / "a"))

    def test_no_run(self):
        with self.assertRaisesRegex(ValueError, "no run there; train one"):
            run_directory.newest_run(str(self.folder))
        with self.assertRaisesRegex(ValueError, "not a run directory"):
            run_directory.read_description(str(self.folder))

    def test_bad_descriptions(self):
        for text in ("{", "{}", "[]", '{"config": 1}'):
            run = self._describe(text)
            for read in (run_directory.read_description, run_directory.stored_precision):
                with self.assertRaisesRegex(ValueError, "config.json: not the description of a"):
                    read(run)

    @parameterized.parameters(
        ("seed", "7", "seed is '7', where a number is wanted"),
        ("precision", None, "precision is 'None', where a text is wanted"),
        ("config.model", [], r"config.model is '\[\]', where an object is wanted"),
        ("config.model.image_size", 32.5, "image_size is 32.5, where a whole number is wanted"),
        ("config.model.base_filters", True, "base_filters is 'True', where a number is wanted"),
        ("config.training.xla", 1, "config.training.xla is '1', where true or false is wanted"),
        ("config.optimizer.beta_1", {}, r"beta_1 is '\{\}', where a number is wanted"),
        ("dataset.taxonomy", "Acne", "dataset.taxonomy is 'Acne', where a list is wanted"),
        ("dataset.conditions", [1], "an entry of dataset.conditions is '1', where a text"),
        ("dataset.aliases", [], "dataset.aliases is"),
    )
    def test_wrong_types(self, field, value, message):
        info = testing_data.write_dataset(self.create_tempdir().full_path)
        config = demo.get_config()
        described = run_directory.describe(config, "data", info, ["Acne"], "float32")
        description = json.loads(json.dumps(described))
        *sections, name = field.split(".")
        inner = description
        for section in sections:
            inner = inner[section]
        inner[name] = value
        files.write_json(self.folder / "config.json", description)
        with self.assertRaisesRegex(
            ValueError, f"config.json: not the description of a run .*{message}"
        ):
            run_directory.read_description(str(self.folder))

    def test_checkpoints(self):
        run = self._describe("{}")
        with self.assertRaisesRegex(ValueError, "no checkpoint yet"):
            run_directory.list_checkpoints(run)
        folder = pathlib.Path(run, "checkpoints")
        folder.mkdir()
        for step in (20, 100):
            (folder / f"ckpt-{step}.index").touch()
            (folder / f"ckpt-{step}.data-00000-of-00001").touch()
        expected = [(step, str(folder / f"ckpt-{step}")) for step in (20, 100)]
        self.assertEqual(run_directory.list_checkpoints(run), expected)
        with (
            self.assertLogs(level="WARNING"),
            self.assertRaisesRegex(ValueError, "none of its 2 checkpoints can be read"),
        ):
            run_directory.newest_checkpoint(run)

    def test_damaged_checkpoints_are_passed_over(self):
        run = self._describe("{}")
        values = tf.random.stateless_uniform([5000], seed=[0, 1])
        path = f"{run}/checkpoints/ckpt"
        manager = tf.train.Checkpoint(values=tf.Variable(values))
        for step in (10, 20, 30, 40):
            manager.write(f"{path}-{step}")
        self.assertEqual(run_directory.newest_checkpoint(run), (40, f"{path}-40"))
        pathlib.Path(f"{path}-40.data-00000-of-00001").unlink()
        content = pathlib.Path(f"{path}-20.data-00000-of-00001").read_bytes()
        damaged = {
            30: content[:-5000],  # cut off
            20: content[:9000] + b"DAMAGED" + content[9007:],  # of the same length
        }
        for step, data in damaged.items():
            pathlib.Path(f"{path}-{step}.data-00000-of-00001").write_bytes(data)
        with self.assertLogs(level="WARNING") as logged:
            self.assertEqual(run_directory.newest_checkpoint(run), (10, f"{path}-10"))
        self.assertLen(logged.output, 3)
        for step, line in zip((40, 30, 20), logged.output):
            self.assertRegex(line, rf"ckpt-{step}: damaged \(.*\); step {step} is lost")
            self.assertNotIn("\n", line)


if __name__ == "__main__":
    absltest.main()
