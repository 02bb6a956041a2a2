"""Writes a training as a program that any XLA runtime runs: no TensorFlow is needed there.

  PROGRAM/
    program.json            what follows, and the description of the run
    train_step.hlo.pb       one step: networks, losses, optimizers, noise, schedule
    sample.hlo.pb           images from maps and seeds
    variables.npz           the values to begin with
    train_{maps,images}.npy, shown_{maps,images}.npy, crops.csv
    run_program.py          runs it, with JAX, NumPy and Pillow

The parameters of a module are its inputs and then the variables it captures;
`input_output_alias` in its text says which output is the new value of which parameter.
"""

import csv
import json
import pathlib
import re
import shutil
from typing import Any, Callable, Optional, Sequence

import ml_collections
import numpy as np
import tensorflow as tf

from common import pseudonyms
from model import sampling
from model.dermgan import DermGAN
from model.images import to_float
from preprocessing.data import records
from training import input_pipeline, model_factory, run_directory
from training.program import variables
from training.run import Run

FORMAT_VERSION = 1
RUNNER = "run_program.py"
_README = """This folder holds photographs of people: the crops that a DermGAN is trained on.
Treat it as you treat the data set itself. Ids in it are pseudonyms.

  python3 {runner} . --output_dir=../out      # needs jax, numpy, pillow; Python >= 3.11
"""


def export_program(run: Run, output_dir: str, checkpoint: Optional[str] = None) -> str:
    """Writes a program.

    Args:
      run: what is to be trained; its work directory is not written to.
      output_dir: new or empty folder.
      checkpoint: to begin at; by default, the seed's initial values.

    Returns:
      What was written, in words.

    Raises:
      ValueError: settings that no program can have, or a folder that is not empty.
    """
    folder = pathlib.Path(output_dir)
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder}: not empty; choose another --output_dir")
    if run.precision == "mixed_float16":
        raise ValueError("a program is in float32 or mixed_bfloat16: --config.training.precision=")
    run.build()
    if checkpoint:
        model_factory.make_checkpoint(run.model).restore(checkpoint).assert_consumed()
    run.model.total_steps.assign(run.steps)
    folder.mkdir(parents=True, exist_ok=True)
    crops = _write_crops(run, folder)
    named = variables.by_name(run.model)
    shown = np.load(folder / "shown_maps.npy", mmap_mode="r")
    config = run.config
    functions = _lower(run.model, config, len(shown), named, folder)
    stored = _write_values(named, folder)
    shutil.copyfile(pathlib.Path(__file__).with_name(RUNNER), folder / RUNNER)
    (folder / "README.txt").write_text(_README.format(runner=RUNNER), encoding="utf-8")
    training = config.training
    meta = {
        "format_version": FORMAT_VERSION,
        "description": run.description,
        "precision": run.precision,
        "batch_size": training.batch_size,
        "image_size": config.model.image_size,
        "sample_batch": len(shown),
        "seed": config.seed,
        "jitter": config.data.jitter,
        "mirror": config.data.mirror,
        "training": {
            name: training[name] for name in ("log_every", "checkpoint_every", "sample_every")
        },
        "metrics": [metric.name for metric in run.model.metrics],
        "functions": functions,
        "variables": stored,
    }
    (folder / "program.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    return f"{crops:,} crops, {size:,.0f} MB, from step {run.model.step:,}"


def _lower(
    model: DermGAN,
    config: ml_collections.ConfigDict,
    sample_batch: int,
    named: dict[str, tf.Variable],
    folder: pathlib.Path,
) -> dict[str, Any]:
    """Writes the modules; returns their parameters and aliases."""
    size = config.model.image_size

    def pixels(batch: int) -> tf.TensorSpec:
        return tf.TensorSpec([batch, size, size, 3], tf.uint8)

    def train_step(maps: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
        model.train_step({"map": to_float(maps), "image": to_float(images)})
        return tf.constant(0.0)

    def sample(maps: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
        return sampling.sample_images(model.ema_generator, maps, seeds)

    batch = config.training.batch_size
    return {
        "train_step": _write_module(train_step, [pixels(batch)] * 2, named, folder),
        "sample": _write_module(
            sample,
            [pixels(sample_batch), tf.TensorSpec([sample_batch], tf.int64)],
            named,
            folder,
        ),
    }


def _write_module(
    function: Callable[..., tf.Tensor],
    inputs: Sequence[tf.TensorSpec],
    named: dict[str, tf.Variable],
    folder: pathlib.Path,
) -> dict[str, Any]:
    compiled = tf.function(function, input_signature=list(inputs), jit_compile=True)
    numbers = {id(variable.handle): n for n, variable in enumerate(named.values())}
    captured = compiled.get_concrete_function().captured_inputs
    # Kept alive: the lowering reads the arguments' shapes alone.
    examples = [np.zeros(one.shape, one.dtype.as_numpy_dtype) for one in inputs]
    lowered = compiled.experimental_get_compiler_ir(*examples)
    header = lowered(stage="hlo").split("entry_computation_layout", 1)[0]
    aliases = re.findall(r"\{(\d*)\}: \((\d+), \{\}", header)
    (folder / f"{function.__name__}.hlo.pb").write_bytes(lowered(stage="hlo_serialized"))
    return {
        "captured": [numbers[id(handle)] for handle in captured],
        "aliases": [[int(output or 0), int(parameter)] for output, parameter in aliases],
    }


def _write_values(named: dict[str, tf.Variable], folder: pathlib.Path) -> list[dict[str, Any]]:
    """Writes the values, equal ones (the moving average at first) once."""
    arrays: dict[str, np.ndarray] = {}
    seen: dict[tuple[str, tuple[int, ...], bytes], int] = {}
    stored = []
    for number, (name, variable) in enumerate(named.items()):
        value = variable.numpy()
        key = (str(value.dtype), value.shape, value.tobytes())
        first = seen.setdefault(key, number)
        arrays.setdefault(f"v{first}", value)
        stored.append(
            {
                "name": name,
                "shape": list(value.shape),
                "dtype": str(value.dtype),
                "stored": first,
            }
        )
    np.savez_compressed(folder / "variables.npz", **arrays)
    return stored


def _write_crops(run: Run, folder: pathlib.Path) -> int:
    """Writes the training crops, those of the sample grids, and the crops' pseudonyms."""
    size = run.config.model.image_size
    names = pseudonyms.load_or_create(run.data_dir)
    count = input_pipeline.count_examples(run.info, "train", run.conditions)
    arrays = {
        kind: np.lib.format.open_memmap(
            folder / f"train_{kind}.npy", "w+", np.uint8, (count, size, size, 3)
        )
        for kind in ("maps", "images")
    }
    with open(folder / "crops.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "photograph", "patient", "condition", "fitzpatrick"])
        found = records.read(run.data_dir, "crops", "train", run.conditions)
        for row, record in enumerate(found):
            arrays["maps"][row], arrays["images"][row] = record.semantic_map(), record.image()
            photograph = names.name("photograph", record.image_id)
            patient = names.name("patient", record.patient_id)
            writer.writerow([row, photograph, patient, record.condition, record.fitzpatrick])
    for array in arrays.values():
        array.flush()
    shown = input_pipeline.fixed_examples(
        run.data_dir, run.info, run.conditions, run.config.training.num_samples
    )
    np.save(folder / "shown_maps.npy", shown["map"].numpy())
    np.save(folder / "shown_images.npy", shown["image"].numpy())
    return count


def run_of(run_dir: str) -> Run:
    """Returns the run whose `config.json` lies in a folder, to be taken as it is.

    Raises:
      ValueError: not a run.
    """
    description = run_directory.read_description(run_dir)
    config = ml_collections.ConfigDict(description["config"])
    return Run(config, description["dataset"]["directory"], run_dir)
