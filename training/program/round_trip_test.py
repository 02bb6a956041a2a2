"""A program against TensorFlow, on CPUs, with JAX's own wheel."""

import json
import os
import pathlib
import signal
import subprocess
import time
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from model.images import to_float
from training import model_factory, run_directory, testing_data, testing_steps
from training.program import bring_home, export, jax_python, variables
from training.run import Run

_BATCH = 4
# Takes steps on given batches; brings back the losses and all values.
_STEPS = """
import pathlib, sys
import numpy as np
folder, given, result = sys.argv[1:]
sys.path.insert(0, folder)
import jax, run_program
program = run_program.Program(pathlib.Path(folder), jax.local_devices()[0])
found = {}
for step, batch in enumerate(np.load(given)["batches"]):
    program.call("train_step", *(program.put(part) for part in batch))
    for name, value in program.means(reset=True).items():
        found[f"{name}/{step}"] = value
np.savez(result, **found, **program.arrays())
"""


class RoundTripTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = pathlib.Path(absltest.get_default_test_tmpdir(), "round_trip")
        testing_data.write_dataset(str(cls.root / "data"))
        cls.program = str(cls.root / "program")
        export.export_program(cls._run(), cls.program)

    @classmethod
    def _run(cls, **training):
        settings = {"precision": "float32", "steps": 12, "log_every": 2, "checkpoint_every": 4}
        settings |= {"sample_every": 8, "num_samples": 4, "batch_size": _BATCH, **training}
        config = testing_steps.reduced_config("pix2pix", **settings)
        return Run(config, str(cls.root / "data"), str(cls.root / "none"))

    def _python(self, *arguments, **options):
        return subprocess.Popen(
            [jax_python.find(), *arguments],
            env=jax_python.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )

    def _train(self, output, *flags, program=None):
        folder = program or self.program
        runner = os.path.join(folder, export.RUNNER)
        process = self._python(runner, folder, f"--output_dir={self.root / output}", *flags)
        text, _ = process.communicate()
        return process.returncode, text

    def _both(self, model, program, steps):
        """Takes the same steps in JAX and in TensorFlow, not compiled."""
        one = testing_steps.example_batch(_BATCH)
        batches = np.stack(
            [[np.roll(one[kind], k, axis=1) for kind in ("map", "image")] for k in range(steps)]
        )
        given, result = str(self.root / "given.npz"), str(self.root / "result.npz")
        np.savez(given, batches=batches)
        process = self._python("-c", _STEPS, program, given, result)
        text, _ = process.communicate()
        self.assertEqual(process.returncode, 0, text)
        losses, take = [], tf.function(model.train_step)
        for semantic_map, image in batches:
            model.reset_metrics()
            values = take({"map": to_float(semantic_map), "image": to_float(image)})
            losses.append({name: float(value) for name, value in values.items()})
        return losses, dict(np.load(result))

    def test_ten_steps_are_those_of_tensorflow(self):
        run = self._run()
        run.build()
        losses, found = self._both(run.model, self.program, 10)
        for step, values in enumerate(losses):
            for name, value in values.items():
                if name.startswith("accuracy"):
                    continue
                tolerance = 1e-5 if step == 0 else 1e-3
                np.testing.assert_allclose(
                    found[f"{name}/{step}"], value, rtol=tolerance, err_msg=f"{name} {step}"
                )
        self.assertEqual(found["step"], 10)

    def test_a_step_of_gradient_descent_changes_the_variables_alike(self):
        def descend(learning_rate, *_):
            return tf.keras.optimizers.SGD(learning_rate)

        with mock.patch.object(model_factory, "build_adam", descend):
            program = str(self.root / "descent")
            export.export_program(self._run(), program)
            run = self._run()
            run.build()
        named = variables.by_name(run.model)
        before = {name: variable.numpy() for name, variable in named.items()}
        _, found = self._both(run.model, program, 1)
        for name, variable in named.items():
            if not name.startswith(("generator/", "image_discriminator")):
                continue
            change = variable.numpy() - before[name]
            distance = np.linalg.norm(found[name] - before[name] - change)
            # Of what rounding leaves of a value plus a small change, too.
            floor = 1e-7 * np.linalg.norm(before[name])
            self.assertLessEqual(distance, 1e-5 * np.linalg.norm(change) + floor, name)

    def test_killed_and_resumed_and_brought_home(self):
        code, text = self._train("whole")
        self.assertEqual(code, 0, text)
        self.assertIn("photographs of people", text)
        runner = os.path.join(self.program, export.RUNNER)
        process = self._python(runner, self.program, f"--output_dir={self.root / 'killed'}")
        checkpoints = self.root / "killed" / "checkpoints"
        while process.poll() is None and not list(checkpoints.glob("*.npz")):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        code, text = self._train("killed", "--resume")
        self.assertEqual(code, 0, text)
        whole, resumed = (
            dict(np.load(self.root / name / "checkpoints" / "step_000000012.npz"))
            for name in ("whole", "killed")
        )
        for name, value in whole.items():
            np.testing.assert_array_equal(resumed[name], value, name)
        lines = (self.root / "whole" / "metrics.jsonl").read_text().splitlines()
        self.assertEqual([json.loads(line)["step"] for line in lines], [2, 4, 6, 8, 10, 12])
        self.assertIn("generator_learning_rate", json.loads(lines[0]))
        self._bring_home(whole)

    def _bring_home(self, whole):
        workdir = str(self.root / "home")
        said = bring_home.import_program(self.program, str(self.root / "whole"), workdir)
        self.assertIn("with all variables", said)
        again = str(self.root / "again")
        checkpoint = run_directory.list_checkpoints(workdir)[-1][1]
        export.export_program(export.run_of(workdir), again, checkpoint)
        meta = json.loads(pathlib.Path(again, "program.json").read_text())
        with np.load(os.path.join(again, "variables.npz")) as stored:
            for variable in meta["variables"]:
                name, (kind, value) = variable["name"], variable["value"]
                if not name.startswith("metric/"):  # which begin anew with every line
                    found = stored[value] if kind == "stored" else value
                    np.testing.assert_array_equal(found, whole[name], name)
        with self.assertRaisesRegex(ValueError, "not empty"):
            bring_home.import_program(self.program, str(self.root / "whole"), workdir)
        painting = str(self.root / "painting")
        said = bring_home.import_program(self.program, str(self.root / "whole"), painting, True)
        self.assertIn("cannot be trained on", said)
        description = run_directory.read_description(painting)
        with self.assertRaisesRegex(ValueError, "averaged generator alone"):
            run_directory.may_continue(painting, description, None)
        with self.assertRaisesRegex(ValueError, "averaged generator alone"):
            export.run_of(painting)
        last = max((self.root / "whole" / "checkpoints").iterdir())
        last.write_bytes(last.read_bytes()[:-1000])
        with self.assertLogs(level="WARNING") as logged:
            earlier = str(self.root / "earlier")
            said = bring_home.import_program(self.program, str(self.root / "whole"), earlier)
        self.assertIn("000012.npz: damaged", logged.output[0])
        self.assertNotIn("step 12 ", said)

    def test_bad_input_is_one_line(self):
        occupied = self.root / "occupied"
        occupied.mkdir()
        (occupied / "file").touch()
        code, text = self._train("occupied")
        self.assertEqual(code, 1)
        self.assertIn("not empty", text)
        self.assertNotIn("Traceback", text)
        code, text = self._train("nothing", "--resume")
        self.assertIn("nothing to resume", text)
        self.assertEqual(code, 1)
        with self.assertRaisesRegex(ValueError, "not empty"):
            export.export_program(self._run(), str(occupied))
        with self.assertRaisesRegex(ValueError, "not the output of a program"):
            bring_home.import_program(self.program, str(occupied), str(self.root / "new"))


if __name__ == "__main__":
    absltest.main()
