"""The runner with a program of a few numbers: stopped, streamed, and given bad input."""

import json
import pathlib
import shutil
import signal
import subprocess
import time

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from training.program import export, jax_python, lowering, program_folder

_SIZE, _BATCH, _CROPS = 8, 4, 10
_NAN_AT = 30  # steps
# Runs the runner in a process where something is not as it is on a CPU.
_PATCHED = """
import sys
sys.path.insert(0, sys.argv[1])
import jax, run_program
from runner import device
{patch}
run_program.main()
"""


def _write_program(folder: pathlib.Path) -> None:
    """Writes a program whose one weight gathers the images; it is soon not a number."""
    names = ("total_steps", "step", "discriminator_step")
    named = {name: tf.Variable(0, dtype=tf.int64, name=name) for name in names}
    named["total_steps"].assign(20)
    for name in ("generator", "discriminator"):
        named[f"{name}_learning_rate"] = tf.Variable(0.5)
        for part in ("total", "count"):
            named[f"metric/{name}/{part}"] = tf.Variable(0.0)
    named["generator/000"] = tf.Variable([0.0])
    named["ema_generator/000"] = tf.Variable([0.0])

    def train_step(maps: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
        step = named["step"].assign_add(1)
        named["discriminator_step"].assign_add(1)
        ramp = tf.reshape(tf.range(_SIZE * _SIZE * 3, dtype=tf.float32), [_SIZE, _SIZE, 3])
        seen = tf.reduce_mean(tf.cast(images, tf.float32) * ramp + tf.cast(maps, tf.float32))
        seen = tf.where(step < _NAN_AT, seen, float("nan"))
        named["generator/000"].assign_add([seen])
        named["ema_generator/000"].assign_add([0.5 * seen])
        for name in ("generator", "discriminator"):
            named[f"metric/{name}/total"].assign_add(seen)
            named[f"metric/{name}/count"].assign_add(1.0)
        return tf.constant(0.0)

    def sample(maps: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
        value = tf.cast(seeds, tf.float32)[:, None, None, None] + named["ema_generator/000"]
        return maps + tf.cast(value, tf.uint8)

    folder.mkdir()
    crops = tf.TensorSpec([_BATCH, _SIZE, _SIZE, 3], tf.uint8)
    numbers = {id(variable.handle): n for n, variable in enumerate(named.values())}
    functions = {}
    for function, inputs in (
        (train_step, [crops, crops]),
        (sample, [crops, tf.TensorSpec([_BATCH], tf.int64)]),
    ):
        lowered = lowering.lower(function, inputs)
        lowered.write(folder, function.__name__)
        functions[function.__name__] = {
            "captured": [numbers[id(handle)] for handle in lowered.captured],
            "aliases": lowered.aliases,
        }
    arrays = {f"v{n}": variable.numpy() for n, variable in enumerate(named.values())}
    np.savez(folder / "variables.npz", **arrays)
    rng = np.random.default_rng(0)
    for kind in ("maps", "images"):
        shape = (_CROPS, _SIZE, _SIZE, 3)
        np.save(folder / f"train_{kind}.npy", rng.integers(0, 256, shape, np.uint8))
    picture = np.frombuffer(tf.io.encode_jpeg(np.zeros([_SIZE, _SIZE, 3], np.uint8)).numpy(), "u1")
    pictures = {f"image_{number}": picture for number in range(_BATCH)}
    np.savez(folder / "shown.npz", maps=np.zeros([_BATCH, _SIZE, _SIZE, 3], np.uint8), **pictures)
    export.copy_runner(folder)
    meta = {
        "format_version": program_folder.FORMAT_VERSION,
        "precision": "float32",
        "batch_size": _BATCH,
        "image_size": _SIZE,
        "sample_batch": _BATCH,
        "seed": 0,
        "jitter": 1.25,
        "mirror": True,
        "shown_in_an_epoch": {},
        "training": {"log_every": 2, "checkpoint_every": 4, "sample_every": 1000},
        "metrics": ["generator", "discriminator"],
        "functions": functions,
        "variables": [
            {
                "name": name,
                "shape": list(variable.shape),
                "dtype": variable.dtype.name,
                "value": ["stored", f"v{number}"],
            }
            for number, (name, variable) in enumerate(named.items())
        ],
    }
    (folder / program_folder.META).write_text(json.dumps(meta))


class RunnerTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = pathlib.Path(absltest.get_default_test_tmpdir(), "whole")
        shutil.rmtree(cls.whole, ignore_errors=True)
        _write_program(cls.whole)

    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)

    def _start(self, *flags, program=None, patch=None):
        program = program or self.whole
        runner = ["-c", _PATCHED.format(patch=patch)] if patch else [program / export.RUNNER]
        return subprocess.Popen(
            [jax_python.find(), *map(str, runner), str(program), *flags],
            env=jax_python.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _run(self, output, *flags, **options):
        process = self._start(f"--output_dir={self.root / output}", *flags, **options)
        text, _ = process.communicate()
        self.assertNotIn("Traceback", text)
        return process.returncode, text

    def _assert_refused(self, reason, output, *flags, code=1, **options):
        found, text = self._run(output, *flags, **options)
        self.assertRegex(text.replace("\n", " "), reason)
        self.assertEqual(found, code, text)

    def _checkpoint(self, output, step):
        with np.load(self.root / output / "checkpoints" / f"step_{step:09d}.npz") as arrays:
            return dict(arrays)

    def _copy(self, name):
        return pathlib.Path(shutil.copytree(self.whole, self.root / name))

    def test_streamed_crops_train_alike(self):
        code, text = self._run("device", "--keep=2")
        self.assertEqual(code, 0, text)
        self.assertRegex(text, "10 training crops, .* on the device")
        kept = [path.name for path in (self.root / "device" / "checkpoints").iterdir()]
        self.assertCountEqual(kept, ["step_000000016.npz", "step_000000020.npz"])
        code, text = self._run("asked", "--streamed")
        self.assertEqual(code, 0, text)
        self.assertIn("streamed, as asked for", text)
        small = "device.Program.memory = lambda *_: 5000.0"
        code, text = self._run("large", patch=small)
        self.assertEqual(code, 0, text)
        self.assertIn("streamed: too large for the device", text)
        expected = self._checkpoint("device", 20)
        self.assertGreater(expected["generator/000"], 0)
        for output in ("asked", "large"):
            for name, value in self._checkpoint(output, 20).items():
                np.testing.assert_array_equal(value, expected[name], name)
        last = self.root / "device" / "checkpoints" / "step_000000020.npz"
        last.write_bytes(last.read_bytes()[:-1000])
        code, text = self._run("device", "--resume")
        self.assertEqual(code, 0, text)
        self.assertIn("step_000000020.npz: cannot be read", text)
        self.assertIn("steps 16 to 20", text)
        for name, value in self._checkpoint("device", 20).items():
            np.testing.assert_array_equal(value, expected[name], name)

    def test_conditions_are_shown_as_often_as_the_program_says(self):
        program = self._copy("balanced")
        meta = json.loads((program / "program.json").read_text())
        meta["shown_in_an_epoch"] = {"Acne": 6, "Melanoma": 6}
        (program / "program.json").write_text(json.dumps(meta))
        rows = [f"{row},{'Acne' if row < 2 else 'Melanoma'}\n" for row in range(_CROPS)]
        (program / "crops.csv").write_text("row,condition\n" + "".join(rows))
        found = self.root / "rows.npy"
        plan = f"""
from runner.batches import Batches
import pathlib
batches = Batches(run_program.Program(pathlib.Path({str(program)!r}), jax.local_devices()[0]))
run_program.np.save({str(found)!r}, [batches.plan(step)[0] for step in range(6)])
sys.exit()"""
        code, text = self._run("planned", program=program, patch=plan)
        self.assertEqual(code, 0, text)
        for epoch in np.split(np.load(found), 2):
            times = np.bincount(epoch.ravel(), minlength=_CROPS)
            self.assertEqual(list(times[:2]), [3, 3])
            self.assertLessEqual(times[2:].max(), 1)
            self.assertEqual(times.sum(), 12)

        (program / "crops.csv").write_text("row,condition\n" + "".join(rows[2:]))
        self._assert_refused("crops.csv: does not fit the crops", "fewer", program=program)
        (program / "crops.csv").unlink()
        self._assert_refused("crops.csv: cannot be read", "none", program=program)

    def test_ctrl_c_saves_and_goes_on(self):
        steps = ("--steps=100000", "--log_every=1000000", "--checkpoint_every=1000000")
        endless = "run_program.finite = lambda _, means: means"  # it is no number after a while
        flags = (f"--output_dir={self.root / 'stopped'}", *steps)
        process = self._start(*flags, "--sample_every=50", patch=endless)
        samples = self.root / "stopped" / "samples"
        while process.poll() is None and not (samples.is_dir() and any(samples.iterdir())):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate()
        self.assertEqual(process.returncode, 130, text)
        self.assertIn("stopped; go on with the same command and --resume", text)
        (saved,) = (self.root / "stopped" / "checkpoints").iterdir()
        step = int(saved.stem.split("_")[1])
        self.assertGreaterEqual(step, 50)
        flags = ("--resume", f"--steps={step + 3}", "--log_every=1000000")
        code, text = self._run("stopped", *flags, patch=endless)
        self.assertEqual(code, 0, text)
        self.assertIn(f"steps {step:,} to {step + 3:,}", text)
        self.assertEqual(self._checkpoint("stopped", step + 3)["step"], step + 3)
        self._assert_refused(
            f"--steps=3: {step + 3:,} are taken", "stopped", "--resume", "--steps=3"
        )

    def test_what_is_not_a_number_ends_it(self):
        reason = (
            f"diverged at or shortly before step {_NAN_AT}: generator = nan, discriminator = nan"
        )
        self._assert_refused(reason, "nan", "--steps=100")
        kept = sorted(path.name for path in (self.root / "nan" / "checkpoints").iterdir())
        self.assertEqual(kept[-1], "step_000000028.npz")
        self.assertTrue(np.isfinite(self._checkpoint("nan", 28)["generator/000"]))

    def test_measures_the_rate(self):
        code, text = self._run("unused", "--bench=5")
        self.assertEqual(code, 0, text)
        self.assertRegex(text, r"images/s [\d.,]+ one by one, [\d.,]+ queued, [\d.,]+ with data")

    def test_warns_of_what_it_was_not_tested_with(self):
        other = "run_program.TESTED = ('0.1', '0.2')"
        code, text = self._run("other", "--steps=2", patch=other)
        self.assertEqual(code, 0, text)
        self.assertRegex(text, r"warning: JAX [\d.]+; tested with 0.1, 0.2")
        self.assertIn("no accelerator is seen", text)

    def test_other_parts_of_jax_are_named(self):
        gone = "from jax._src.lib import xla_client; del xla_client.XlaComputation"
        self._assert_refused(
            "is not built as this runner expects .* install one of", "x", patch=gone
        )

    def test_too_little_memory(self):
        full = (
            "def call(*_): raise jax.errors.JaxRuntimeError('RESOURCE_EXHAUSTED: 12 bytes')\n"
            "device.Program.call = call"
        )
        self._assert_refused(
            "too little memory.* lower --config.training.batch_size", "x", patch=full
        )

    def test_outputs_that_cannot_be_used(self):
        (self.root / "file").touch()
        self._assert_refused("file: not empty", "file")
        (self.root / "occupied").mkdir()
        (self.root / "occupied" / "notes").touch()
        self._assert_refused("occupied: not empty", "occupied")
        self._assert_refused("nothing to resume", "none", "--resume")
        marker = self.root / "occupied" / "output.json"
        marker.write_text('{"program": "another"}')
        self._assert_refused("made by another program", "occupied", "--resume")
        marker.write_text('{"prog')
        self._assert_refused("output.json: damaged", "occupied", "--resume")
        self._assert_refused("--steps=0 is not positive", "x", "--steps=0", code=2)
        self._run("trained", "--steps=2")
        self._assert_refused("has no feature network", "trained", "--features")

    def test_programs_that_cannot_be_used(self):
        broken = self._copy("broken")
        for name, reason in (
            ("train_step.hlo.pb.gz", "train_step.hlo.pb.gz: cannot be read"),
            ("train_images.npy", "train_images.npy: cannot be read"),
            ("variables.npz", "variables.npz: cannot be read"),
            ("program.json", "program.json: cut off or damaged"),
        ):
            content = (self.whole / name).read_bytes()
            (broken / name).write_bytes(content[: len(content) // 2])
            self._assert_refused(reason, f"of {name}", program=broken)
            (broken / name).write_bytes(content)
        np.save(broken / "train_images.npy", np.zeros([_CROPS, 4, 4, 3], np.uint8))
        self._assert_refused(r"uint8 \[10, 4, 4, 3\], the program takes", "size", program=broken)
        meta = json.loads((broken / "program.json").read_text())
        (broken / "program.json").write_text(json.dumps({**meta, "format_version": 99}))
        self._assert_refused("a program of format 99, this runner takes", "format", program=broken)
        (broken / "program.json").unlink()
        self._assert_refused("no program; it has no program.json", "none", program=broken)


if __name__ == "__main__":
    absltest.main()
