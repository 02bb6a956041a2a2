"""Makes a run directory of what an exported program brought back."""

import json
import pathlib
import shutil
import zipfile
from typing import Optional

import numpy as np
import tensorflow as tf
from absl import logging

from common import files
from model.serving import Painter
from training import model_factory, run_directory
from training.program import program_folder, variables


def import_program(
    program: str,
    output: str,
    workdir: str,
    ema_only: bool = False,
    data_dir: Optional[str] = None,
) -> str:
    """Writes a run directory.

    Args:
      program: of `export_program`.
      output: that the program's runner wrote.
      workdir: new or empty folder.
      ema_only: take the averaged generator alone, which can paint but not be trained on.
      data_dir: the records; by default, where they were when the program was made.

    Returns:
      What was written, in words.

    Raises:
      ValueError: a folder that is not what it should be, or weights that do not fit.
    """
    folder, target = pathlib.Path(output), pathlib.Path(workdir)
    if target.exists() and any(target.iterdir()):
        raise ValueError(f"{workdir}: not empty; choose another --workdir")
    meta = program_folder.read_meta(program)
    directory = program_folder.find_records(program, meta, data_dir)
    arrays = _read_arrays(program, folder, ema_only)
    step, total = int(arrays["step"]), int(arrays["total_steps"])
    description = meta["description"]
    description["dataset"]["directory"] = directory
    if total != description["config"]["training"]["steps"]:
        description["config"]["training"]["steps"] = total
    if ema_only:
        description["averaged_generator_only"] = True
    model = model_factory.of_description(description, total)
    _assign(variables.by_name(model), arrays, ema_only, output)
    if ema_only:
        model.generator.set_weights(model.ema_generator.get_weights())
        if model.encoder and model.ema_encoder:
            model.encoder.set_weights(model.ema_encoder.get_weights())
    run_directory.begin(workdir, description, step)
    tf.train.CheckpointManager(
        model_factory.make_checkpoint(model),
        str(target / run_directory.CHECKPOINTS),
        max_to_keep=1,
    ).save(checkpoint_number=step)
    Painter(model.ema_generator).save(str(target / run_directory.GENERATOR))
    if (folder / run_directory.METRICS).is_file():
        shutil.copyfile(folder / run_directory.METRICS, target / run_directory.METRICS)
    if (folder / run_directory.SAMPLES).is_dir():
        shutil.copytree(folder / run_directory.SAMPLES, target / run_directory.SAMPLES)
    if ema_only:
        return f"step {step:,}; the averaged generator alone, so it cannot be trained on"
    return f"step {step:,} of {total:,}, with all variables"


def _read_arrays(program: str, folder: pathlib.Path, ema_only: bool) -> dict[str, np.ndarray]:
    try:
        marker = json.loads((folder / "output.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder}: not the output of a program ({error})") from error
    if marker.get("program") != files.sha256_of(pathlib.Path(program, program_folder.META)):
        raise ValueError(f"{folder}: was made by another program than {program}")
    found = sorted((folder / "checkpoints").glob("step_*.npz"))
    average = folder / "ema.npz"
    if ema_only and average.is_file():
        found = [average]
    if not found:
        hint = "; take its averaged generator with --ema_only" if average.is_file() else ""
        raise ValueError(f"{folder}: no checkpoint there{hint}")
    for path in reversed(found):
        try:
            with np.load(path) as arrays:
                return dict(arrays)
        except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
            logging.warning("%s: damaged (%s)", path, error)
    raise ValueError(f"{folder}: none of its {len(found)} checkpoints can be read")


def _assign(
    named: dict[str, tf.Variable], arrays: dict[str, np.ndarray], ema_only: bool, output: str
) -> None:
    for name, variable in named.items():
        if ema_only and not name.startswith(("ema_", "step", "total_steps")):
            continue
        if name not in arrays or arrays[name].shape != tuple(variable.shape):
            raise ValueError(f"{output}: its {name} does not fit the program's configuration")
        variable.assign(arrays[name].astype(variable.dtype.as_numpy_dtype))
