"""A training run from configuration to SavedModel.

  Run(config, data_dir, workdir).train()

is `check`, `build`, `begin`, `fit`, `evaluate` and `export`, one after the other.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
from typing import Any, Mapping, Optional, Protocol, Sequence

import ml_collections
import tensorflow as tf
from absl import logging
from tensorboard.plugins.hparams import api as hparams

from common import locks, progress
from model import losses
from preprocessing.data import records
from training import (
    configurations,
    initial_weights,
    input_pipeline,
    model_factory,
    record_checks,
    run_directory,
    workers,
)
from training.monitoring import MetricsLog, Samples, check_finite, last_step, samples_path
from training.optimizers import ConstantThenLinear
from training.precision import choose_precision, make_strategy


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run came to."""

    workdir: str  # run directory
    steps: int  # taken in all
    validation: Mapping[str, float]  # losses on the validation split; empty without one

    @property
    def samples(self) -> str:
        """PNG of the last sample grid."""
        return samples_path(self.workdir, self.steps)

    @property
    def generator(self) -> str:
        """SavedModel of the averaged generator."""
        return os.path.join(self.workdir, run_directory.GENERATOR)


class Watcher(Protocol):
    """What follows a run by its checkpoints."""

    def on_begin(self) -> None:
        """Called before the first step; may raise to stop the run."""

    def on_checkpoint(self, step: int) -> None:
        """Called when the checkpoint of a step has been saved."""


class Run:
    """A training run.

    Attributes:
      config: as in `training/configs`, its image size and what follows from it resolved,
        frozen.
      data_dir: what `//preprocessing:preprocess` wrote.
      workdir: run directory; `run_directory` says what it holds.
      outputs: where this process writes: `workdir`, of which other workers only read.
      strategy: where to run; by default of `make_strategy`.
      inputs: what the input pipeline reads of the configuration.
      info: description of the records.
      conditions: those that are trained on.
      precision: a Keras dtype policy.
      steps: length in all.
      extend, source: see `__init__`; the source is an `initial_weights.Source` or None.
      description: contents of `config.json`, in the precision of a run that is there.
    """

    def __init__(
        self,
        config: ml_collections.ConfigDict,
        data_dir: str,
        workdir: str,
        strategy: Optional[tf.distribute.Strategy] = None,
        init_from: Optional[str] = None,
        extend: bool = False,
    ):
        """Finds out what the run would be; writes nothing.

        Args:
          config: as in `training/configs`.
          data_dir: what `//preprocessing:preprocess` wrote.
          workdir: run directory.
          strategy: where to run; by default of `make_strategy`.
          init_from: another run, whose networks a new one begins with; see
            `initial_weights`.
          extend: whether a run that is there may become longer than it was to be.

        Raises:
          ValueError: settings that no run can have, or no such data set.
        """
        self.info = records.read_info(data_dir)
        self.config = config = configurations.complete(config, self.info.image_size)
        self.data_dir = data_dir
        self.workdir = workdir
        self.inputs = input_pipeline.input_config(config)
        self.strategy = strategy or make_strategy(self.inputs.batch_size)
        steps_per_epoch = input_pipeline.steps_per_epoch(self.info, self.inputs)
        self.steps = config.training.steps or config.training.epochs * steps_per_epoch
        if self.steps < 1:
            raise ValueError(
                f"training.steps {config.training.steps} and training.epochs "
                f"{config.training.epochs} leave nothing to train"
            )
        self.conditions = input_pipeline.select_conditions(self.info, config.data.conditions)
        asked = config.training.precision
        stored = run_directory.stored_precision(workdir) if asked == "auto" else None
        self.precision = stored or choose_precision(asked)
        self.description = run_directory.describe(
            config, data_dir, self.info, self.conditions, self.precision
        )
        self.extend = extend
        self.source = initial_weights.find(init_from) if init_from else None
        if self.source:
            self.description["init_from"] = self.source.as_dict()

    @property
    def arithmetic(self) -> str:
        """Precision and XLA, in words."""
        xla = "compiled by XLA" if self.config.training.xla else "not compiled by XLA"
        return f"precision {self.precision}, {xla}"

    @property
    def about(self) -> str:
        """How large and how long, and in what arithmetic, in a line."""
        crops = input_pipeline.count_examples(self.info, "train", self.conditions)
        return (
            f"{self.config.name}: {crops:,} crops, {self.steps:,} steps of "
            f"{self.inputs.batch_size}, {configurations.about_size(self.config)}; {self.arithmetic}"
        )

    def train(self, resume: Optional[bool] = None, watchers: Sequence[Watcher] = ()) -> Result:
        """Trains, or goes on where an earlier start was stopped.

        `resume` is explained at `run_directory.may_continue`.

        Raises:
          ValueError: configuration, records or run directory that do not fit, or another
            training is at work there.
          OSError: another worker has ended.
          monitoring.DivergenceError: a loss is not finite; the last checkpoint stays.
        """
        self.check(resume)
        with (
            workers.output_folder(self.strategy, self.workdir) as self.outputs,
            locks.only_writer(self.outputs) as self.lease,
            record_checks.corrupt_shard_named(self.data_dir),
            workers.others_named(),
        ):
            self.check(resume)  # again: another may have begun a run there just now
            done = run_directory.find_checkpoints(self.workdir)
            at_step = done[-1][0] if done else 0
            workers.check_agreement(self.strategy, {**self.description, "at_step": at_step})
            with progress.doing("building the networks"):
                self.build()
            self.begin()
            with contextlib.closing(self.writer):
                self.fit(watchers)
                with progress.doing("measuring the losses on validation crops"):
                    validation = self.evaluate()
            with progress.doing("saving the generator"):
                self.export()
            workers.exchange(self.strategy, "done")  # none leaves before the others
        return Result(self.workdir, self.steps, validation)

    def check(self, resume: Optional[bool] = None) -> None:
        """Raises ValueError if configuration, records, devices and directory do not fit."""
        size, wanted = self.info.image_size, self.config.model.image_size
        if size != wanted:
            raise ValueError(
                f"{self.data_dir}: crops of {size}x{size}, the config asks for {wanted}; leave "
                f"--config.model.image_size out, or run preprocess with --image_size={wanted}"
            )
        if self.inputs.batch_size % self.strategy.num_replicas_in_sync:
            raise ValueError(
                f"training.batch_size {self.inputs.batch_size} is not a multiple of the "
                f"{self.strategy.num_replicas_in_sync} replicas, which share a batch equally"
            )
        for split in ("train", "validation"):
            record_checks.check_records(self.data_dir, split, size)
        continues = run_directory.may_continue(self.workdir, self.description, resume, self.extend)
        done = run_directory.find_checkpoints(self.workdir) if continues else []
        if self.extend and done and self.steps < done[-1][0]:
            raise ValueError(
                f"{self.workdir}: at step {done[-1][0]:,} already; --extend takes a larger "
                "--config.training.steps"
            )

    def build(self) -> None:
        """Makes the model and its optimizers."""
        with self.strategy.scope():
            tf.keras.utils.set_random_seed(self.config.seed)
            self.model = model_factory.build_model(
                self.config, self.steps, self.precision, len(self.info.taxonomy)
            )

    def begin(self) -> None:
        """Brings the model to its last checkpoint, and makes what follows the training."""
        training = self.config.training
        with self.strategy.scope():
            checkpoint = model_factory.make_checkpoint(self.model)
        found = self._clear_checkpoints()
        self.checkpoints = tf.train.CheckpointManager(
            checkpoint,
            os.path.join(self.outputs, run_directory.CHECKPOINTS),
            max_to_keep=training.keep_checkpoints,
        )
        if found:
            path = run_directory.newest_checkpoint(self.workdir)[1]
            checkpoint.restore(path).assert_consumed()
            self._extend(int(self.model.total_steps.numpy()))
        elif self.source:
            taken = initial_weights.take_over(self.model, self.source, self.info.taxonomy)
            logging.warning("%s", taken)
        fixed = input_pipeline.fixed_examples(
            self.data_dir, self.info, self.conditions, training.num_samples
        )
        if self.model.step < self.steps:
            run_directory.begin(self.outputs, self.description, self.model.step)
        self.writer = tf.summary.create_file_writer(self.outputs)
        self.samples = Samples(self.outputs, self.writer, self.model, fixed)
        with self.writer.as_default(step=0):
            tf.summary.text("config", f"```\n{json.dumps(self.description, indent=2)}\n```")
            hparams.hparams(dict(configurations.flat(self.config.to_dict(), "")))

    def _clear_checkpoints(self) -> list[tuple[int, str]]:
        """Removes what a kill left of a checkpoint; lists the others for TensorFlow.

        Raises:
          ValueError: they are gone, or the disk has no room for another.
        """
        folder = pathlib.Path(self.outputs, run_directory.CHECKPOINTS)
        for path in [*folder.glob("ckpt-*_temp*"), *folder.glob("*.tmp*")]:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
            logging.warning("%s: removed, left by a run that was killed", path)
        found = run_directory.find_checkpoints(self.workdir)
        reached = last_step(self.workdir)
        if not found and reached > self.config.training.checkpoint_every:
            raise ValueError(
                f"{self.workdir}: was at step {reached:,}, but its checkpoints are gone; restore "
                "them, or choose another --workdir"
            )
        if found and folder.exists():
            paths = [path for _, path in found]
            tf.compat.v1.train.update_checkpoint_state(str(folder), paths[-1], paths)
        if not found or found[-1][0] < self.steps:
            self._check_room()
        return found

    def _check_room(self) -> None:
        """Raises ValueError if the disk is too full for a checkpoint and the generator."""
        model = self.model
        judges = [judge for several in model.discriminators.values() for judge in several]
        trained = [model.generator, *([model.encoder] if model.encoder else []), *judges]
        # Adam keeps two numbers for each weight, and all but discriminators have an average.
        needed = 4 * sum(
            network.count_params() * (3 if network in judges else 4) for network in trained
        )
        free = shutil.disk_usage(self.outputs).free
        if free < 2 * needed:
            raise ValueError(
                f"{self.outputs}: {free / 1e6:,.0f} MB are free there, and a checkpoint takes "
                f"{needed / 1e6:,.0f} MB beside the one before; make room, or choose another "
                "--workdir"
            )

    def _extend(self, before: int) -> None:
        """Moves the end of the schedule, and says what that does to the learning rate."""
        if before == self.steps:
            return
        self.model.total_steps.assign(self.steps)
        settings, step = self.config.optimizer, self.model.step
        peak = settings.generator_learning_rate
        rates = [
            float(ConstantThenLinear(peak, total, settings.decay_start)(step))
            for total in (before, self.steps)
        ]
        logging.warning(
            "extended from %d to %d steps, now at %d: the generator's learning rate was %.2g and "
            "goes on at %.2g, its decay begins at step %d",
            *(before, self.steps, step, *rates, int(settings.decay_start * self.steps)),
        )

    def fit(self, watchers: Sequence[Watcher] = ()) -> None:
        """Takes the steps that are left."""
        start = self.model.step
        if start == self.steps:
            return
        batches = self.strategy.distribute_datasets_from_function(
            lambda worker: input_pipeline.training_stream(
                self.data_dir, self.info, self.inputs, start, worker
            )
        )
        for watcher in watchers:
            watcher.on_begin()
        log = MetricsLog(self.outputs, self.writer, self.model, self.config.training, self.steps)
        follow = tf.keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, values: self._after_step(
                start + batch + 1, values, log, watchers
            )
        )
        with contextlib.closing(log):
            self.model.fit(
                batches, steps_per_epoch=self.steps - start, callbacks=[follow], verbose=0
            )

    def _after_step(
        self, step: int, values: Mapping[str, Any], log: MetricsLog, watchers: Sequence[Watcher]
    ) -> None:
        training = self.config.training
        log.step(step, values)
        if step % training.sample_every == 0:
            self.samples.draw(step)
        if step % training.checkpoint_every == 0 or step == self.steps:
            check_finite(step, values)
            self.lease.check()
            self.checkpoints.save(checkpoint_number=step)
            for watcher in watchers:
                watcher.on_checkpoint(step)

    def evaluate(self) -> dict[str, float]:
        """Draws the last samples; returns the averaged generator's losses on validation."""
        self.samples.draw(self.steps)
        steps = input_pipeline.validation_steps(self.info, self.inputs)
        if not steps:
            return {}
        batches = self.strategy.distribute_datasets_from_function(
            lambda worker: input_pipeline.validation_batches(
                self.data_dir, self.info, self.inputs, worker
            )
        )
        values = self.model.evaluate(batches, steps=steps, verbose=0, return_dict=True)
        with self.writer.as_default(step=self.steps):
            for name, value in values.items():
                tf.summary.scalar(f"validation/{name}", value)
        return {name: float(value) for name, value in values.items()}

    def export(self) -> None:
        """Writes the averaged generator as a SavedModel."""
        self.samples.painter.save(os.path.join(self.outputs, run_directory.GENERATOR))

    def is_finished(self) -> bool:
        """Tells whether the run is complete.

        Raises:
          ValueError: the directory holds another run.
        """
        exported = os.path.join(self.workdir, run_directory.GENERATOR, "saved_model.pb")
        if not os.path.exists(exported):
            return False
        run_directory.may_continue(self.workdir, self.description, resume=True)
        return run_directory.newest_checkpoint(self.workdir)[0] == self.steps


def summary(result: Result) -> str:
    """Returns the closing lines of a run: where things are and what to do next."""
    lines = [
        "",
        f"Trained for {result.steps:,} steps. In {result.workdir}:",
        f"  pictures     {os.path.relpath(result.samples, result.workdir)}"
        "  (map | photograph | generated)",
        f"  generator    {run_directory.GENERATOR}/  (SavedModel)",
        f"  {run_directory.CHECKPOINTS}/ {run_directory.METRICS} {run_directory.CONFIG} events.*",
    ]
    measured = [name for name in losses.NAMES if name in result.validation]
    if measured:
        values = ", ".join(f"{name} {result.validation[name]:.3f}" for name in measured)
        lines.append(f"  validation   {values}")
    lines += [
        "Next:",
        f"  bazel run //evaluation:fid -- --run_dir={result.workdir}",
        f"  {run_directory.tensorboard(os.path.dirname(result.workdir))}",
    ]
    return "\n".join(lines)
