"""Kills programs at random moments, and has the same command finish what they began.

    KILLS=100 KILL_SEED=1 python -m studio.kill_test
    bazel test //studio:kill_test --test_env=KILLS=100 --test_timeout=7200

What comes of a run that was killed is compared with what an undisturbed one writes, byte by
byte or value by value; answers that a server acknowledged must be there.
"""

import collections
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import tempfile
import threading
import time

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from PIL import Image

from common import progress
from common.testing_programs import run_program
from evaluation.reader_study import answer_key, answer_store, testing
from preprocessing.data import manifest
from preprocessing.data.manifest import Box, Photograph
from training import testing_data

_KILLS = int(os.environ.get("KILLS", 10))
_SEED = int(os.environ.get("KILL_SEED", 0))

_PROGRAMS = {
    "preprocess": ("preprocessing.preprocess", "--cases=photographs/cases.csv",
                   "--output_dir={out}", "--image_size=32", "--full_size=32",
                   "--photographs_per_shard=4", "--direct_num_workers=2"),
    "train": ("training.train", "--data_dir=records", "--workdir={out}",
              *testing_data.SMALL_SETTINGS, "--config.training.steps=10",
              "--config.training.checkpoint_every=2", "--config.training.log_every=2",
              "--config.training.sample_every=4", "--config.training.precision=float32"),
    "generate": ("synthesis.generate", "--run_dir=run", "--num_images=32", "--output_dir={out}",
                 "--format=png", "--images_per_shard=4", "--batch_size=4"),
    "export": ("synthesis.export", "--run_dir=run", "--output_dir={out}/model"),
    "serve": ("evaluation.reader_study", "serve", "--study_dir=study",
              "--database={out}/answers.sqlite", "--port={port}"),
}  # fmt: skip
_SERVED = 6.0  # seconds, at most


def _write_photographs(folder):
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for number, split in enumerate(["train"] * 40 + ["validation"] * 8 + ["test"] * 16):
        pixels = rng.integers(90, 200, (60, 80, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.jpg")
        rows.append(
            Photograph(f"c{number}", f"p{number}", f"i{number}", f"{number}.jpg",
                       ("Acne", "Melanoma")[number % 2], 3, (Box(20, 15, 50, 45),), split)
        )  # fmt: skip
    manifest.write_cases(str(folder / "cases.csv"), rows)


def _values(run_dir):
    """Digests of all values of a run's last checkpoint."""
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(run_dir / "checkpoints"))
    return {
        name: hashlib.sha256(np.asarray(reader.get_tensor(name)).tobytes()).hexdigest()
        for name in reader.get_variable_to_shape_map()
        if "OBJECT_GRAPH" not in name and "save_counter" not in name
    }


def _files(folder, *patterns):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for pattern in patterns
        for path in folder.glob(pattern)
        if path.is_file()
    }


class KillTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        _write_photographs(self.root / "photographs")
        run_program("preprocessing.demo_cases", "--help", folder=str(self.root))  # loads TensorFlow
        self.expected, self.seconds = {}, {"serve": _SERVED}
        for kind in ("preprocess", "train", "generate", "export"):
            started = time.monotonic()
            self._finish(kind, {"preprocess": "records", "train": "run"}.get(kind, kind))
            self.seconds[kind] = time.monotonic() - started
        study = ["--real=6", "--synthetic=6", "--repeats=2", "--pairs=2", "--questions=0"]
        done = run_program("evaluation.reader_study", "build", "--run_dir=run",
                           "--output_dir=study", "--readers=2", "--image_pixels=32", *study,
                           folder=str(self.root))  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        self.key = answer_key.read_key(str(self.root / "study"))

    def _run(self, kind, out, port=0, **options):
        module, *arguments = (part.format(out=out, port=port) for part in _PROGRAMS[kind])
        return run_program(module, *arguments, folder=str(self.root), **options)

    def _finish(self, kind, out):
        """Runs to the end, and compares with an undisturbed run, which the first one is."""
        done = self._run(kind, out)
        folder = self.root / out
        if "model: exists" in done.stderr or "already holds dataset.json" in done.stderr:
            done.returncode = 0  # it was finished before the kill
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        if kind == "train":
            result = _values(folder)
        elif kind == "export":
            tf.saved_model.load(str(folder / "model"))
            result = sorted(path.name for path in folder.rglob("*") if path.is_file())
        else:
            result = _files(
                *(folder, "crops/*", "full/*", "images/*", "*.csv", "dataset.json", "manifest.json")
            )
        self.assertEqual(result, self.expected.setdefault(kind, result))
        self.assertEmpty([*folder.rglob("*.tmp"), *folder.rglob("*_temp*")])

    def _answer(self, out, port, ended):
        """Posts one answer more each time; returns how many were acknowledged."""
        reader, saved = "reader_01", 0
        answers = testing.answer_all(self.key, reader, lambda one: True, finished="")
        path = f"/r/{self.key.readers[reader].token}/answers"
        while not ended.is_set() and saved < len(answers.answers):
            sent = testing.document(self.key, answers)
            del sent["content"]["answers"][saved + 1 :]
            sent = testing.reseal(self.key, sent)
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("POST", path, json.dumps(sent))
                saved += connection.getresponse().read() == b"saved"
            time.sleep(0.05)
        return saved

    def _serve(self, out, seconds):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        ended, saved = threading.Event(), []
        readers = threading.Thread(target=lambda: saved.append(self._answer(out, port, ended)))
        readers.start()
        done = self._run("serve", out, port, stop=(seconds, signal.SIGKILL))
        ended.set()
        readers.join()
        self.assertEqual(done.returncode, -signal.SIGKILL, done.stderr)
        kept = 0
        if (self.root / out / "answers.sqlite").exists():
            store = answer_store.AnswerStore(str(self.root / out / "answers.sqlite"))
            with contextlib.closing(store):
                kept = store.answered(self.key.study).get("reader_01", (0, False))[0]
        self.assertBetween(kept, saved[0], saved[0] + 1)  # the last one may not have been told
        return saved[0]

    def test_what_is_killed_is_finished_by_the_same_command(self):
        rng = random.Random(_SEED)
        killed = collections.Counter()
        acknowledged = 0
        for number in progress.bar(range(_KILLS), what="killing", disable=False):
            kind, out = list(_PROGRAMS)[number % len(_PROGRAMS)], f"out_{number}"
            seconds = rng.uniform(0, self.seconds[kind])
            with self.subTest(kind=kind, number=number, seconds=seconds):
                if kind == "serve":
                    acknowledged += self._serve(out, seconds)
                    killed[kind] += 1
                else:
                    done = self._run(kind, out, stop=(seconds, signal.SIGKILL))
                    killed[kind] += done.returncode == -signal.SIGKILL
                    self._finish(kind, out)
            shutil.rmtree(self.root / out, ignore_errors=True)
        shown = ", ".join(f"{name} {count}" for name, count in killed.items())
        print(f"seed {_SEED}: {killed.total()} of {_KILLS} killed before their end "
              f"({shown}); {acknowledged} answers acknowledged")  # fmt: skip
        self.assertGreaterEqual(killed.total(), _KILLS // 2)


if __name__ == "__main__":
    absltest.main()
