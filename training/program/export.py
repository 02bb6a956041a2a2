"""Writes a training as a program that any XLA runtime runs: no TensorFlow is needed there.

PROGRAM/
program.json            what follows, and the description of the run
train_step.hlo.pb.gz    one step: networks, losses, optimizers, noise, schedule
sample.hlo.pb.gz        images from maps and seeds
variables.npz           the values to begin with, as far as they are not drawn there
train_{maps,images}.npy, or photographs.zip; crops.csv; shown.npz
run_program.py, runner  runs it, with JAX, NumPy and Pillow
"""

import dataclasses
import json
import pathlib
import shutil
from typing import Any, Optional, Sequence

import ml_collections
import tensorflow as tf

from model import sampling
from model.dermgan import DermGAN
from model.images import to_float
from training import input_pipeline, model_factory, run_directory
from training.program import first_values, lowering, packing, variables
from training.program.program_folder import FORMAT_VERSION, META, RUNNER, records_hint
from training.run import Run

_RUNNER_MODULES = "runner"
_README = """This folder holds photographs of people: what a DermGAN is trained on.
Treat it as you treat the data set itself. Ids in it are pseudonyms.

  python3 {runner} . --output_dir=../out      # needs jax, numpy, pillow; Python >= 3.10
"""


@dataclasses.dataclass(frozen=True)
class Packing:
    """How a program is made small.

    Attributes:
      cases: manifests of the photographs that go instead of crops; none for crops.
      image_dirs: of the photographs; none for the manifests' folders.
      max_mib: of the photographs; they are made smaller where they must.
      drawn: whether the runner draws the networks' first weights, of the same
        distribution, instead of taking them along.
    """

    cases: Sequence[str] = ()
    image_dirs: Sequence[str] = ()
    max_mib: float = 24.0
    drawn: bool = False


def export_program(
    run: Run, output_dir: str, checkpoint: Optional[str] = None, packed: Packing = Packing()
) -> str:
    """Writes a program.

    Args:
      run: what is to be trained; its work directory is not written to.
      output_dir: new or empty folder.
      checkpoint: to begin at; by default, the seed's initial values.
      packed: what goes along, and how.

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
    if packed.cases:
        most = packed.max_mib * 2**20
        data = packing.write_photographs(run, folder, packed.cases, packed.image_dirs, most)
    else:
        data = packing.write_crops(run, folder)
    samples = packing.write_shown(run, folder)
    shown = input_pipeline.shown_in_an_epoch(run.info, run.inputs)
    named = variables.by_name(run.model)
    config = run.config
    functions = _lower(run.model, config, samples, named, folder)
    drawn = packed.drawn and not checkpoint
    stored = first_values.write(named, folder / "variables.npz", drawn, config.seed)
    copy_runner(folder)
    (folder / "README.txt").write_text(_README.format(runner=RUNNER), encoding="utf-8")
    training = config.training
    meta = {
        "format_version": FORMAT_VERSION,
        "description": _description(run, output_dir),
        "precision": run.precision,
        "batch_size": training.batch_size,
        "image_size": config.model.image_size,
        "sample_batch": samples,
        "seed": config.seed,
        "jitter": config.data.jitter,
        "mirror": config.data.mirror,
        "shown_in_an_epoch": shown if config.data.balance else {},
        "training": {
            name: training[name] for name in ("log_every", "checkpoint_every", "sample_every")
        },
        "metrics": [metric.name for metric in run.model.metrics],
        "functions": functions,
        "variables": stored,
    }
    (folder / META).write_text(json.dumps(meta, indent=1), encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
    return f"{data}; {size:,.1f} MiB in all, from step {run.model.step:,}"


def copy_runner(folder: pathlib.Path) -> None:
    """Copies what runs a program into its folder."""
    here = pathlib.Path(__file__).parent
    shutil.copyfile(here / RUNNER, folder / RUNNER)
    (folder / _RUNNER_MODULES).mkdir()
    for module in sorted((here / _RUNNER_MODULES).glob("*.py")):
        shutil.copyfile(module, folder / _RUNNER_MODULES / module.name)


def _description(run: Run, output_dir: str) -> dict[str, Any]:
    """Returns the run's description, with nothing of this machine's folders in it."""
    dataset = run.description["dataset"]
    where = {"directory": records_hint(run.data_dir, output_dir)}
    return {**run.description, "dataset": {**dataset, **where}}


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
    numbers = {id(variable.handle): n for n, variable in enumerate(named.values())}
    described = {}
    for function, inputs in (
        (train_step, [pixels(batch)] * 2),
        (sample, [pixels(sample_batch), tf.TensorSpec([sample_batch], tf.int64)]),
    ):
        lowered = lowering.lower(function, inputs)
        lowered.write(folder, function.__name__)
        described[function.__name__] = {
            "captured": [numbers[id(handle)] for handle in lowered.captured],
            "aliases": lowered.aliases,
        }
    return described


def run_of(run_dir: str) -> Run:
    """Returns the run whose `config.json` lies in a folder, to be taken as it is.

    Raises:
      ValueError: not a run, or one that cannot be trained on.
    """
    description = run_directory.read_description(run_dir)
    run_directory.check_trainable(run_dir, description)
    config = ml_collections.ConfigDict(description["config"])
    return Run(config, description["dataset"]["directory"], run_dir)
